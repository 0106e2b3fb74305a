// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {CanaryRegistry} from "../src/faults/CanaryRegistry.sol";
import {ICanaries} from "../src/faults/ICanaries.sol";
import {Place} from "../src/faults/Places.sol";
import {RowFault} from "../src/faults/RowFault.sol";
import {TeeFault} from "../src/faults/TeeFault.sol";
import {FaultManager} from "../src/FaultManager.sol";
import {Entry} from "../src/libraries/InclusionLib.sol";
import {Group, RowKey, Sibling, SumNode} from "../src/libraries/MerkleSumLib.sol";
import {Receipt} from "../src/libraries/ReceiptLib.sol";
import {BatchBook} from "../src/settlement/BatchBook.sol";
import {StakeState} from "../src/staking/StakeState.sol";
import {FaultFixture} from "./FaultFixture.sol";
import {MerkleSumBuilder} from "./MerkleSumBuilder.sol";

/// @title Batches that are false on purpose: what they cost whom, and that they excuse nothing
contract CanaryRegistryTest is FaultFixture {
    uint8 private constant TEE = 1;
    uint8 private constant CANARY = 8;
    address private constant WATCHER = address(0x3A7C4);

    Entry[] private _entries;

    function setUp() public {
        deployFaults();
        fund(COMMITTER, 1000e18);
        vm.prank(COMMITTER);
        token.approve(address(canaries), type(uint256).max);
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

    // ---------------------------------------------------------------- that it excuses nothing

    function test_aCanaryThatIsNeverRevealedIsAPlainFaultAndItsFlaggerHasTheBounty() public {
        bytes32 batchId = sown();
        attestAll(batchId, 1);
        prove(TEE, proofOf(batchId));
        vm.warp(canaries.revealBy(batchId));
        vm.expectRevert(abi.encodeWithSelector(CanaryRegistry.NotHeld.selector, batchId));
        canaries.reveal(batchId, SALT, 0, "");
        // By anyone, without an announcement: it was made.
        bytes memory proof = proofOf(batchId);
        vm.prank(WATCHER);
        bytes32 faultId = faults.prove(TEE, proof, SALT);
        assertEq(bondOf(COMMITTER), MIN_BOND / 2);
        assertEq(faults.proceedsOf(faultId).prover, HUNTER);
        assertTrue(faults.fault(faultId).provenAt != 0);
    }

    function test_aCanaryThatBecameFinalIsAPlainFault() public {
        bytes32 batchId = sown();
        finalise(batchId);
        bytes memory proof = proofOf(batchId);
        vm.expectRevert(abi.encodeWithSelector(CanaryRegistry.NotHeld.selector, batchId));
        canaries.reveal(batchId, SALT, TEE, proof);
        prove(TEE, proofOf(batchId));
        assertEq(bondOf(COMMITTER), MIN_BOND / 2);
    }

    function test_whoTakesItsSeedBackIsGuiltyLikeAnybody() public {
        bytes32 batchId = sown();
        uint256 before = token.balanceOf(COMMITTER);
        vm.prank(COMMITTER);
        canaries.withdrawSeed();
        assertEq(token.balanceOf(COMMITTER) - before, CANARY_DEPOSIT + CANARY_REWARD);
        bytes memory proof = proofOf(batchId);
        vm.expectRevert(abi.encodeWithSelector(CanaryRegistry.NotThisBatch.selector, batchId));
        canaries.reveal(batchId, SALT, TEE, proof);
        prove(TEE, proof);
        assertEq(bondOf(COMMITTER), MIN_BOND / 2);
        vm.expectRevert(abi.encodeWithSelector(CanaryRegistry.NothingSown.selector, COMMITTER));
        vm.prank(COMMITTER);
        canaries.withdrawSeed();
    }

    function test_aBatchThatWasCommittedBeforeTheSeedIsAPlainFault() public {
        fill();
        sow(nextBatchId());
        bytes32 batchId = commitEntries(_entries);
        prove(TEE, proofOf(batchId));
        assertEq(bondOf(COMMITTER), MIN_BOND / 2);
    }

    function test_anotherLieOfTheSowerIsAPlainFaultOnceTheCanaryIsShown() public {
        bytes32 batchId = sown();
        bytes32 other = commitEntries(_entries);
        bytes memory proof = proofOf(other);
        vm.expectRevert(abi.encodeWithSelector(CanaryRegistry.NotThisBatch.selector, other));
        canaries.reveal(other, SALT, TEE, proof);
        reveal(batchId);
        prove(TEE, proofOf(other));
        assertEq(bondOf(COMMITTER), MIN_BOND / 2);
    }

    function test_aRealPayersMoneySpoilsACanary() public {
        bytes32 batchId = sown();
        attestAll(batchId, 1);
        reveal(batchId);
        Place memory place = Place(batchId, _entries[3], keyOf(_entries[3]), NODE, pathOf(_entries, 3));
        vm.expectRevert(abi.encodeWithSelector(CanaryRegistry.NobodysMoney.selector, batchId));
        canaries.spoil(place);
        payments.set(_entries[3].receipt.requestId, PAYER, COMMITTER, 180, 1);
        place.path = pathOf(_entries, 2);
        vm.expectRevert();
        canaries.spoil(place);
        place.path = pathOf(_entries, 3);
        uint256 supply = token.totalSupply();
        vm.prank(WATCHER);
        canaries.spoil(place);
        assertEq(canaries.credit(WATCHER), CANARY_DEPOSIT / 2);
        assertEq(supply - token.totalSupply(), CANARY_DEPOSIT / 2);
        // It pays like any other lie, and its attesters too.
        bytes32 faultId = prove(TEE, proofOf(batchId));
        faults.punish(faultId, 0, 1);
        assertEq(bondOf(COMMITTER), MIN_BOND / 2);
        assertEq(staking.stakeOf(validatorAt(0)), 0);
        vm.expectRevert();
        canaries.close(batchId);
        assertEq(canaries.credit(COMMITTER), 0);
    }

    function test_aRowUnderAGrantSpoilsACanaryWhateverIsBehindIt() public {
        fill();
        Entry memory entry = _entries[0];
        entry.grantId = GRANT;
        SumNode[] memory leaves = leavesOf(_entries);
        SumNode memory row = rowOf(keyOf(entry), MerkleSumBuilder.top(leaves));
        SumNode[] memory rows = rowsAround(row);
        Group[] memory groups = groupsWith(NODE, MerkleSumBuilder.top(rows));
        sow(idOf(groups));
        vm.warp(block.timestamp + 1);
        bytes32 batchId = commitGroups(groups, keccak256("data"));
        Place memory place =
            Place(batchId, _entries[0], keyOf(entry), NODE, pathIn(NODE, keyOf(entry), leaves, 0));
        // A call that pays for itself, under a grant: a foreign grant.
        bytes memory proof = abi.encode(uint256(1), RowFault.Proof(place, "", new Place[](0)));
        canaries.reveal(batchId, SALT, 7, proof);
        Sibling[] memory rowSiblings = MerkleSumBuilder.proof(rows, 1);
        Sibling[] memory groupSiblings = MerkleSumBuilder.proof(MerkleSumBuilder.nodesOf(groups), 0);
        SumNode memory top = MerkleSumBuilder.top(leaves);
        RowKey memory key = keyOf(entry);
        key.grantId = bytes32(0);
        vm.expectRevert(abi.encodeWithSelector(CanaryRegistry.NobodysMoney.selector, batchId));
        canaries.spoilRow(batchId, key, top, rowSiblings, groupSiblings);
        key.grantId = CODE;
        vm.expectRevert();
        canaries.spoilRow(batchId, key, top, rowSiblings, groupSiblings);
        key.grantId = GRANT;
        vm.prank(WATCHER);
        canaries.spoilRow(batchId, key, top, rowSiblings, groupSiblings);
        prove(7, proof);
        assertEq(bondOf(COMMITTER), MIN_BOND / 2);
    }

    function test_afterTheGraceNobodySpoilsIt() public {
        bytes32 batchId = sown();
        reveal(batchId);
        vm.expectRevert(
            abi.encodeWithSelector(CanaryRegistry.TooEarly.selector, uint64(block.timestamp + GRACE))
        );
        canaries.close(batchId);
        vm.warp(block.timestamp + GRACE);
        payments.set(_entries[3].receipt.requestId, PAYER, COMMITTER, 180, 1);
        Place memory place = Place(batchId, _entries[3], keyOf(_entries[3]), NODE, pathOf(_entries, 3));
        vm.expectRevert(abi.encodeWithSelector(CanaryRegistry.TooLate.selector, uint64(block.timestamp)));
        canaries.spoil(place);
    }

    function test_anHonestBatchIsNoCanary() public {
        _entries.push(honestEntry(1));
        sow(nextBatchId());
        vm.warp(block.timestamp + 1);
        bytes32 batchId = commitEntries(_entries);
        bytes memory proof = proofOf(batchId);
        vm.expectRevert();
        canaries.reveal(batchId, SALT, TEE, proof);
        vm.expectRevert(abi.encodeWithSelector(CanaryRegistry.NotFalse.selector, batchId));
        canaries.reveal(batchId, SALT, 4, proof);
    }

    function test_anotherBatchesLieDoesNotMakeThisOneACanary() public {
        bytes32 batchId = sown();
        bytes32 other = commitEntries(_entries);
        bytes memory proof = proofOf(other);
        vm.expectRevert(abi.encodeWithSelector(CanaryRegistry.NotFalse.selector, batchId));
        canaries.reveal(batchId, SALT, TEE, proof);
    }

    // ---------------------------------------------------------------- that it is no business

    /// @dev The sower plays hunter, voice and spoiler. Whatever it does, it has no more than before.
    function testFuzz_13_aSowerNeverProfitsFromItself(uint8 what, uint8 others) public {
        uint256 before = token.balanceOf(COMMITTER) + bondOf(COMMITTER);
        bytes32 batchId = sown();
        if (others % 3 > 0) attestAll(batchId, others % 3);
        if (what & 1 != 0) attestWith(batchId, INVALID, oneKey(validatorKeys[2]));
        if (what & 2 != 0) {
            bytes memory proof = proofOf(batchId);
            announce(COMMITTER, TEE, proof);
            vm.prank(COMMITTER);
            faults.prove(TEE, proof, SALT);
        }
        bytes32 faultId = reveal(batchId);
        faults.punish(faultId, 0, 64);
        if (what & 1 != 0) canaries.rewardVoice(batchId, validatorAt(2));
        if (what & 4 != 0) {
            payments.set(_entries[3].receipt.requestId, PAYER, COMMITTER, 180, 1);
            Place memory place = Place(batchId, _entries[3], keyOf(_entries[3]), NODE, pathOf(_entries, 3));
            vm.prank(COMMITTER);
            canaries.spoil(place);
        }
        vm.warp(block.timestamp + GRACE);
        if (what & 4 == 0) canaries.close(batchId);
        if (others % 3 > 0) faults.distribute(faultId);
        // The voice is the sower's friend.
        uint256 has = token.balanceOf(COMMITTER) + bondOf(COMMITTER) + canaries.credit(COMMITTER)
            + canaries.credit(validatorAt(2)) + faults.credit(COMMITTER);
        assertTrue(has <= before);
        uint256 kept = what & 4 != 0 ? CANARY_DEPOSIT / 2 : 0;
        if (what & 3 == 0) kept += CANARY_REWARD;
        assertEq(before - has, kept);
        // Nothing stays behind, and nothing is owed that is not there.
        assertEq(token.balanceOf(address(canaries)), canaries.credit(COMMITTER) + canaries.credit(validatorAt(2)));
    }

    // ---------------------------------------------------------------- who may

    function test_onlyTheFaultManagerFlags() public {
        vm.expectRevert(abi.encodeWithSelector(CanaryRegistry.NotFaultManager.selector, address(this)));
        canaries.flag(SALT, HUNTER, 1);
    }

    function test_oneSeedAtATimeAndNoneOfNothing() public {
        vm.startPrank(COMMITTER);
        vm.expectRevert(CanaryRegistry.NoCommitment.selector);
        canaries.sow(bytes32(0));
        canaries.sow(SALT);
        vm.expectRevert(abi.encodeWithSelector(CanaryRegistry.AlreadySown.selector, SALT));
        canaries.sow(CODE);
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

    // ---------------------------------------------------------------- helpers

    /// @dev Five receipts in a row; the third bears a signature of nobody's key.
    function fill() private {
        delete _entries;
        for (uint256 i = 0; i < 5; i++) {
            if (i != 2) _entries.push(honestEntry(i));
            else _entries.push(entryOf(honest(2), sign(honest(2), ROGUE)));
        }
    }

    function nextBatchId() private view returns (bytes32) {
        SumNode[] memory rows = rowsAround(rowOf(keyOf(_entries[0]), MerkleSumBuilder.top(leavesOf(_entries))));
        return idOf(groupsWith(NODE, MerkleSumBuilder.top(rows)));
    }

    function idOf(Group[] memory groups) private view returns (bytes32) {
        bytes32 root = MerkleSumBuilder.top(MerkleSumBuilder.nodesOf(groups)).hash;
        return settlement.batchIdOf(COMMITTER, height + 1, root, keccak256("data"));
    }

    function sow(bytes32 batchId) private {
        bytes32 commitment = canaries.commitmentOf(COMMITTER, batchId, SALT);
        vm.prank(COMMITTER);
        canaries.sow(commitment);
    }

    function sown() private returns (bytes32 batchId) {
        fill();
        return sownAgain();
    }

    function sownAgain() private returns (bytes32 batchId) {
        batchId = nextBatchId();
        sow(batchId);
        vm.warp(block.timestamp + 1);
        assertEq(commitEntries(_entries), batchId);
    }

    function proofOf(bytes32 batchId) private view returns (bytes memory) {
        uint256 bad = _entries.length > 2 ? 2 : 0;
        bytes memory signature = sign(_entries[bad].receipt, bad == 2 ? ROGUE : ENCLAVE);
        return abi.encode(TeeFault.Proof(batchId, _entries[bad], signature, pathOf(_entries, bad)));
    }

    function reveal(bytes32 batchId) private returns (bytes32) {
        canaries.reveal(batchId, SALT, TEE, proofOf(batchId));
        return faults.faultIdOf(CANARY, batchId);
    }

    function refuseVoice(bytes32 batchId, address validator) private {
        vm.expectRevert(abi.encodeWithSelector(CanaryRegistry.NothingEarned.selector, batchId, validator));
        canaries.rewardVoice(batchId, validator);
    }
}
