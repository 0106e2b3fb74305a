// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {CanaryRegistry} from "../src/faults/CanaryRegistry.sol";
import {ICanaries} from "../src/faults/ICanaries.sol";
import {SumFault} from "../src/faults/SumFault.sol";
import {FaultManager} from "../src/FaultManager.sol";
import {Group, SumNode} from "../src/libraries/MerkleSumLib.sol";
import {BatchBook} from "../src/settlement/BatchBook.sol";
import {StakeState} from "../src/staking/StakeState.sol";
import {CanaryFixture} from "./CanaryFixture.sol";
import {MerkleSumBuilder} from "./MerkleSumBuilder.sol";

/// @title Batches that are false on purpose: what they cost whom, and whom they reward
contract CanaryRegistryTest is CanaryFixture {
    function setUp() public {
        deployCanaries();
    }

    // ---------------------------------------------------------------- what it does

    function test_whoCalledACanaryValidLosesALittleAndTheSowerNothing() public {
        bytes32 batchId = sown();
        attestAll(batchId, 3);
        bytes32 faultId = reveal(batchId);
        assertState(batchId, BatchBook.State.Void);
        faults.punish(faultId, 0, 64);
        for (uint256 i = 0; i < 3; i++) {
            // All three together, and yet 1 %, on duty, and not for ever.
            assertEq(staking.stakeOf(validatorAt(i)), MIN_BOND * 99 / 100);
            assertTrue(staking.validator(validatorAt(i)).status == StakeState.Status.Active);
        }
        assertEq(bondOf(COMMITTER), MIN_BOND);
        // What they lost is the insurance's, or burned: no account that the sower could be has any of it.
        vm.warp(block.timestamp + GRACE);
        uint256 supply = token.totalSupply();
        faults.distribute(faultId);
        uint256 taken = 3 * MIN_BOND / 100;
        assertEq(faults.credit(INSURANCE), taken / 5 + taken * 3 / 10);
        assertEq(supply - token.totalSupply(), taken / 2);
    }

    function test_aCanaryIsExemptFromEveryOtherFault() public {
        bytes32 batchId = sown();
        attestAll(batchId, 1);
        reveal(batchId);
        refuse(TEE, proofOf(batchId), abi.encodeWithSelector(FaultManager.ExemptAsCanary.selector, batchId));
        vm.warp(block.timestamp + GRACE);
        canaries.close(batchId);
        bytes memory proof = proofOf(batchId);
        vm.expectRevert(abi.encodeWithSelector(FaultManager.ExemptAsCanary.selector, batchId));
        faults.prove(TEE, proof, SALT);
        assertEq(canaries.credit(COMMITTER), CANARY_DEPOSIT);
        assertEq(bondOf(COMMITTER), MIN_BOND);
    }

    function test_aProofBeforeItIsRevealedVoidsTheBatchAndPunishesNobodyYet() public {
        bytes32 batchId = sown();
        attestAll(batchId, 2);
        bytes memory proof = proofOf(batchId);
        announce(HUNTER, TEE, proof);
        bytes32 faultId = faults.faultIdOf(TEE, batchId);
        vm.expectEmit();
        emit FaultManager.FaultHeld(faultId, batchId, HUNTER, TEE);
        vm.prank(HUNTER);
        assertEq(faults.prove(TEE, proof, SALT), faultId);
        assertState(batchId, BatchBook.State.Void);
        assertEq(bondOf(COMMITTER), MIN_BOND);
        assertEq(faults.fault(faultId).provenAt, 0);
        // What was proven need not be proven again.
        canaries.reveal(batchId, SALT, 0, "");
        assertEq(canaries.credit(HUNTER), CANARY_REWARD);
        assertEq(faults.fault(faults.faultIdOf(CANARY, batchId)).class, CANARY);
        assertEq(bondOf(COMMITTER), MIN_BOND);
    }

    function test_voicesShareTheRewardByTheirStakeAndWithWhoeverProvedIt() public {
        delegateTo(validatorAt(1), PAYER, 2 * MIN_BOND);
        bytes32 batchId = sown();
        attestWith(batchId, INVALID, oneKey(validatorKeys[0]));
        prove(TEE, proofOf(batchId));
        canaries.reveal(batchId, SALT, 0, "");
        assertEq(canaries.credit(HUNTER), CANARY_REWARD / 2);
        canaries.rewardVoice(batchId, validatorAt(0));
        assertEq(canaries.credit(validatorAt(0)), CANARY_REWARD / 2);
        refuseVoice(batchId, validatorAt(0));
        refuseVoice(batchId, validatorAt(1));

        batchId = sownAgain();
        attestWith(batchId, INVALID, firstKeys(2));
        assertState(batchId, BatchBook.State.Void);
        canaries.reveal(batchId, SALT, TEE, proofOf(batchId));
        canaries.rewardVoice(batchId, validatorAt(0));
        canaries.rewardVoice(batchId, validatorAt(1));
        assertEq(canaries.credit(validatorAt(0)), CANARY_REWARD / 2 + CANARY_REWARD / 4);
        assertEq(canaries.credit(validatorAt(1)), CANARY_REWARD * 3 / 4);
        vm.prank(validatorAt(1));
        canaries.withdraw();
        assertEq(token.balanceOf(validatorAt(1)), CANARY_REWARD * 3 / 4);
    }

    /// @dev By the stake that stood just before the commit, as it was weighed then.
    function test_aVoiceIsRewardedByTheStakeItWasWeighedBy() public {
        fill();
        sow(nextBatchId());
        vm.warp(block.timestamp + 1);
        delegateTo(validatorAt(1), PAYER, 2 * MIN_BOND);
        bytes32 batchId = commitEntries(entries);
        delegateTo(validatorAt(0), PAYER, 8 * MIN_BOND);
        attestWith(batchId, INVALID, firstKeys(2));
        reveal(batchId);
        assertEq(canaries.rewardVoice(batchId, validatorAt(0)), CANARY_REWARD / 4);
        assertEq(canaries.rewardVoice(batchId, validatorAt(1)), CANARY_REWARD * 3 / 4);
    }

    function test_aVoiceThatCalledItValidEarnsNothing() public {
        bytes32 batchId = sown();
        attestAll(batchId, 1);
        attestWith(batchId, INVALID, oneKey(validatorKeys[1]));
        reveal(batchId);
        refuseVoice(batchId, validatorAt(0));
        canaries.rewardVoice(batchId, validatorAt(1));
        assertEq(canaries.credit(validatorAt(1)), CANARY_REWARD);
    }

    function test_whoAnnouncedItFirstIsRewardedAlsoWhereAnotherShowedItFirst() public {
        bytes32 batchId = sown();
        bytes memory proof = proofOf(batchId);
        announce(HUNTER, TEE, proof);
        announce(WATCHER, TEE, proof);
        vm.prank(WATCHER);
        faults.prove(TEE, proof, SALT);
        vm.prank(HUNTER);
        faults.prove(TEE, proof, SALT);
        refuse(TEE, proof, abi.encodeWithSelector(CanaryRegistry.AlreadyFlagged.selector, batchId));
        canaries.reveal(batchId, SALT, 0, "");
        assertEq(canaries.credit(HUNTER), CANARY_REWARD);
        assertEq(canaries.credit(WATCHER), 0);
    }

    function test_aFalseSumIsNoticedToo() public {
        fill();
        SumNode[] memory leaves = leavesOf(entries);
        SumNode memory truth = MerkleSumBuilder.top(leaves);
        SumFault.Proof memory p;
        p.accused = SumNode(truth.hash, truth.sum + 77, truth.exposure, truth.count);
        SumNode[] memory rows = rowsAround(rowOf(keyOf(entries[0]), p.accused));
        Group[] memory groups = groupsWith(NODE, MerkleSumBuilder.top(rows));
        (p.batchId, p.content, p.rowKey) = (idOf(groups), SumFault.Content.Inner, keyOf(entries[0]));
        (p.inRow, p.node, p.right) = (true, NODE, leaves[4]);
        // The last of five leaves moves up to the top.
        assembly ("memory-safe") {
            mstore(leaves, 4)
        }
        p.left = MerkleSumBuilder.top(leaves);
        p.rowSiblings = MerkleSumBuilder.proof(rows, 1);
        p.groupSiblings = MerkleSumBuilder.proof(MerkleSumBuilder.nodesOf(groups), 0);
        sow(p.batchId);
        vm.warp(block.timestamp + 1);
        commitGroups(groups, keccak256("data"));
        canaries.reveal(p.batchId, SALT, 6, abi.encode(p));
        assertState(p.batchId, BatchBook.State.Void);
        assertEq(bondOf(COMMITTER), MIN_BOND);
    }

    // ---------------------------------------------------------------- who may

    function test_onlyTheFaultManagerFlags() public {
        vm.expectRevert(abi.encodeWithSelector(CanaryRegistry.NotFaultManager.selector, address(this)));
        canaries.flag(SALT, HUNTER, 1);
    }

    /// @dev Of two who announced in one block neither was earlier.
    function test_aFlagIsTakenByAnEarlierOneAlone() public {
        vm.startPrank(address(faults));
        canaries.flag(SALT, HUNTER, 5);
        vm.expectRevert(abi.encodeWithSelector(CanaryRegistry.AlreadyFlagged.selector, SALT));
        canaries.flag(SALT, PAYER, 5);
        canaries.flag(SALT, PAYER, 4);
        vm.stopPrank();
    }

    function test_oneSeedAtATimeAndNoneOfNothing() public {
        vm.startPrank(COMMITTER);
        vm.expectRevert(CanaryRegistry.NoCommitment.selector);
        canaries.sow(bytes32(0));
        vm.expectEmit(address(canaries));
        emit CanaryRegistry.CanarySown(COMMITTER, SALT, CANARY_DEPOSIT, CANARY_REWARD);
        canaries.sow(SALT);
        vm.expectRevert(abi.encodeWithSelector(CanaryRegistry.AlreadySown.selector, SALT));
        canaries.sow(CODE);
        vm.expectEmit(address(canaries));
        emit CanaryRegistry.SeedWithdrawn(COMMITTER, SALT);
        canaries.withdrawSeed();
        vm.stopPrank();
    }

    function test_aCommitmentIsThatOfThePage() public view {
        assertEq(
            canaries.commitmentOf(COMMITTER, CODE, SALT),
            keccak256(abi.encode(keccak256("assay/canary/v1"), COMMITTER, CODE, SALT))
        );
    }

    function test_whatNobodyRevealedProvesNothing() public {
        bytes32 batchId = sown();
        bytes memory reason =
            abi.encodeWithSelector(CanaryRegistry.NotRevealed.selector, batchId, CanaryRegistry.State.None);
        vm.expectRevert(reason);
        faults.prove(CANARY, abi.encode(batchId), SALT);
        (ICanaries.Stance stance,) = canaries.stanceOf(batchId);
        assertTrue(stance == ICanaries.Stance.Held);
        refuseVoice(batchId, validatorAt(0));
        vm.expectRevert(abi.encodeWithSelector(CanaryRegistry.NoCredit.selector, address(this)));
        canaries.withdraw();
    }

    // ---------------------------------------------------------------- what an indexer reads

    function test_theWayOfACanaryIsToldByEvents() public {
        bytes32 batchId = sown();
        attestWith(batchId, INVALID, oneKey(validatorKeys[1]));
        bytes memory proof = proofOf(batchId);
        announce(HUNTER, TEE, proof);
        vm.expectEmit(address(canaries));
        emit CanaryRegistry.CanaryFlagged(batchId, HUNTER);
        vm.prank(HUNTER);
        faults.prove(TEE, proof, SALT);
        vm.expectEmit(address(canaries));
        emit CanaryRegistry.CanaryRevealed(batchId, COMMITTER, CANARY_REWARD / 2, CANARY_REWARD / 2);
        canaries.reveal(batchId, SALT, 0, "");
        vm.expectEmit(address(canaries));
        emit CanaryRegistry.VoiceRewarded(batchId, validatorAt(1), CANARY_REWARD / 2);
        canaries.rewardVoice(batchId, validatorAt(1));
        vm.prank(HUNTER);
        vm.expectEmit(address(canaries));
        emit CanaryRegistry.CreditWithdrawn(HUNTER, CANARY_REWARD / 2);
        canaries.withdraw();
        vm.warp(block.timestamp + GRACE);
        vm.expectEmit(address(canaries));
        emit CanaryRegistry.CanaryClosed(batchId);
        canaries.close(batchId);
    }

    // ---------------------------------------------------------------- helpers

    function refuseVoice(bytes32 batchId, address validator) private {
        vm.expectRevert(abi.encodeWithSelector(CanaryRegistry.NothingEarned.selector, batchId, validator));
        canaries.rewardVoice(batchId, validator);
    }
}
