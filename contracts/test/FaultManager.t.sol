// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Announcements} from "../src/faults/Announcements.sol";
import {FaultClaims} from "../src/faults/FaultClaims.sol";
import {FaultProceeds} from "../src/faults/FaultProceeds.sol";
import {Finding} from "../src/faults/IFaultAdapter.sol";
import {FaultManager} from "../src/FaultManager.sol";
import {Params} from "../src/libraries/Params.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {BatchBook} from "../src/settlement/BatchBook.sol";
import {BadBatchFixture} from "./BadBatchFixture.sol";
import {FixedJudge} from "./FaultDoubles.sol";
import {Vm} from "./Vm.sol";

/// @title What a proven fault sets in motion
contract FaultManagerTest is BadBatchFixture {
    function setUp() public {
        deployFaults();
    }

    // ---------------------------------------------------------------- once

    function test_aBatchIsPunishedOncePerClassHoweverManyReceiptsAreBad() public {
        (bytes32 batchId, bytes[] memory proofs) = badReceipts(3);
        bytes32 faultId = prove(1, proofs[0]);
        refuse(1, proofs[0], abi.encodeWithSelector(FaultManager.AlreadyProven.selector, faultId));
        refuse(1, proofs[1], abi.encodeWithSelector(FaultManager.AlreadyProven.selector, faultId));
        assertEq(bondOf(COMMITTER), MIN_BOND / 2);
        assertEq(faults.fault(faultId).batchId, batchId);
    }

    function test_anAttesterIsSlashedOnce() public {
        (bytes32 batchId, bytes memory proof) = badBatch(3);
        bytes32 faultId = prove(1, proof);
        faults.punish(faultId, 0, 1);
        assertEq(staking.stakeOf(staking.validators()[0]), 0);
        faults.punish(faultId, 0, 64);
        uint256 taken = faults.proceedsOf(faultId).taken;
        faults.punish(faultId, 0, 64);
        assertEq(faults.proceedsOf(faultId).taken, taken);
        assertEq(taken, MIN_BOND / 2 + 3 * MIN_BOND);
        assertState(batchId, BatchBook.State.Void);
    }

    function test_punishingTakesWhoIsNamedAndNobodyBeside() public {
        (, bytes memory proof) = badBatch(3);
        bytes32 faultId = prove(1, proof);
        faults.punish(faultId, 1, 2);
        assertTrue(staking.stakeOf(validatorAt(0)) > 0);
        assertEq(staking.stakeOf(validatorAt(1)), 0);
        assertTrue(staking.stakeOf(validatorAt(2)) > 0);
    }

    function test_proofAndPunishmentFitOneTransaction() public {
        (bytes32 batchId, bytes memory proof) = badBatch(3);
        announce(HUNTER, 1, proof);
        bytes32 faultId = faults.faultIdOf(1, batchId);
        bytes[] memory calls = new bytes[](2);
        calls[0] = abi.encodeCall(FaultManager.prove, (1, proof, SALT));
        calls[1] = abi.encodeCall(FaultManager.punish, (faultId, 0, 64));
        vm.prank(HUNTER);
        faults.multicall(calls);
        for (uint256 i = 0; i < 3; i++) assertEq(staking.stakeOf(validatorAt(i)), 0);
    }

    // ---------------------------------------------------------------- how much

    function test_whoLiedTogetherPaysNineTimesTheSquareOfTheirShare() public {
        // Of ten equal validators two are 9 · 0.04 = 36 %, less than the 50 % of the class; three are 81 %.
        for (uint256 i = 0; i < 7; i++) registerValidator(vm.addr(0x1000 + i), MIN_BOND);
        vm.roll(block.number + 1);
        (, bytes memory two) = badBatch(2);
        (, bytes memory three) = badBatch(3);
        assertEq(faults.fault(prove(1, two)).fraction, 0.5e18);
        bytes32 faultId = prove(1, three);
        assertEq(faults.fault(faultId).fraction, 0.81e18);
        faults.punish(faultId, 0, 64);
        assertEq(staking.stakeOf(validatorAt(0)), MIN_BOND * 19 / 100);
    }

    /// @dev Neither who comes in the block of the commit makes the share smaller, nor is who came in the block before left out.
    function test_theShareIsOfTheStakeThatStoodJustBeforeTheCommit() public {
        for (uint256 i = 0; i < 7; i++) registerValidator(vm.addr(0x1000 + i), MIN_BOND);
        (, bytes memory proof) = badBatch(3);
        registerValidator(vm.addr(0x2000), 20 * MIN_BOND);
        assertEq(faults.fault(prove(1, proof)).fraction, 0.81e18);
    }

    /// @dev A tenth of the stake is 9 · 0.01, whoever else attested the batch that it forked.
    function test_aValidatorThatLiesAloneAnswersForItsOwnShare() public {
        params.set(Params.PHI_EQUIVOCATION_BPS, 500);
        vm.warp(block.timestamp + 1);
        for (uint256 i = 0; i < 7; i++) registerValidator(vm.addr(0x1000 + i), MIN_BOND);
        (bytes32 batchId,) = badBatch(3);
        bytes32 faultId = prove(3, abi.encode(1, fork(batchId, validatorKeys[0], height)));
        assertEq(faults.fault(faultId).fraction, 0.09e18);
        assertEq(staking.stakeOf(validatorAt(0)), MIN_BOND * 91 / 100);
        assertEq(staking.stakeOf(validatorAt(1)), MIN_BOND);
    }

    /// @dev Half of its bond, not three quarters; and where no node is guilty none is named.
    function test_aNodeThatCommitsItsOwnLieIsPunishedOnce() public {
        FixedJudge judge = new FixedJudge();
        faults.addAdapter(2, judge, 200_000);
        Finding memory f;
        (f.committer, f.offenceAt) = (COMMITTER, uint64(block.timestamp));
        for (uint256 i = 0; i < 2; i++) {
            f.faultKey = bytes32(i);
            if (i == 1) f.node = COMMITTER;
            judge.set(f);
            announce(HUNTER, 2, "");
            vm.recordLogs();
            vm.prank(HUNTER);
            bytes32 faultId = faults.prove(2, "", SALT);
            assertEq(operatorsPunished(), 1);
            assertEq(faults.proceedsOf(faultId).taken, MIN_BOND >> i + 1);
        }
        assertEq(bondOf(COMMITTER), MIN_BOND / 4);
    }

    /// @dev Half of it twice would be all.
    function test_aPartIsTakenOnceHoweverOftenItIsAskedFor() public {
        for (uint256 i = 0; i < 7; i++) registerValidator(vm.addr(0x1000 + i), MIN_BOND);
        vm.roll(block.number + 1);
        (, bytes memory proof) = badBatch(2);
        bytes32 faultId = prove(1, proof);
        for (uint256 i = 0; i < 3; i++) faults.punish(faultId, 0, 64);
        assertEq(staking.stakeOf(validatorAt(0)), MIN_BOND / 2);
    }

    function test_thePenaltyIsThatOfTheOffence() public {
        (, bytes memory proof) = badBatch(1);
        vm.warp(block.timestamp + 1);
        params.set(Params.PHI_TEE_BPS, 1);
        params.set(Params.BOUNTY_BPS, 1);
        vm.warp(block.timestamp + 1);
        bytes32 faultId = prove(1, proof);
        assertEq(bondOf(COMMITTER), MIN_BOND / 2);
        closeAndDistribute(faultId);
        assertEq(faults.credit(HUNTER), MIN_BOND / 10);
    }

    function test_theBountyIsCapped() public {
        (, bytes memory proof) = badBatch(3);
        bytes32 faultId = prove(1, proof);
        faults.punish(faultId, 0, 64);
        closeAndDistribute(faultId);
        // A fifth of 350 would be 70; the cap is 30.
        assertEq(faults.credit(HUNTER), 30e18);
    }

    function test_proceedsGoToInsuranceAndFireAfterTheBounty() public {
        (, bytes memory proof) = badBatch(0);
        uint256 supply = token.totalSupply();
        bytes32 faultId = prove(1, proof);
        vm.expectRevert(
            abi.encodeWithSelector(FaultProceeds.ClaimsOpen.selector, uint64(block.timestamp + GRACE))
        );
        faults.distribute(faultId);
        closeAndDistribute(faultId);
        assertEq(faults.credit(HUNTER), 10e18);
        assertEq(faults.credit(INSURANCE), 15e18);
        assertEq(supply - token.totalSupply(), 25e18);
        vm.prank(HUNTER);
        faults.withdraw();
        vm.prank(INSURANCE);
        faults.withdraw();
        assertEq(token.balanceOf(HUNTER), 10e18);
        assertEq(token.balanceOf(address(faults)), 0);
        vm.expectRevert(abi.encodeWithSelector(FaultProceeds.NothingToDistribute.selector, faultId));
        faults.distribute(faultId);
    }

    function test_whatComesAfterTheDistributionIsSharedTheSameWay() public {
        (, bytes memory proof) = badBatch(3);
        bytes32 faultId = prove(1, proof);
        closeAndDistribute(faultId);
        assertEq(faults.credit(HUNTER), 10e18);
        faults.punish(faultId, 0, 64);
        faults.distribute(faultId);
        assertEq(faults.credit(HUNTER), 30e18);
        assertEq(token.balanceOf(address(faults)), faults.credit(HUNTER) + faults.credit(INSURANCE));
    }

    // ---------------------------------------------------------------- never in the way

    /// @dev Test first 9: whatever became of the batch meanwhile, its fault is punished.
    function test_9_aValidProofExecutesInEveryStateOfItsBatch() public {
        for (uint256 state = 0; state < 5; state++) {
            uint256 snapshot = vm.snapshotState();
            (bytes32 batchId, bytes memory proof) = badBatch(state == 1 || state == 2 ? 2 : 0);
            if (state == 2) {
                vm.warp(block.timestamp + WINDOW);
                settlement.finalise(batchId);
            }
            if (state == 3) attestWith(batchId, INVALID, firstKeys(2));
            if (state == 4) {
                vm.warp(block.timestamp + ATTEST_TIMEOUT);
                settlement.expire(batchId);
            }
            BatchBook.State before = stateOf(batchId);
            // Less the fee, where it was found void.
            uint256 bonded = bondOf(COMMITTER);
            prove(1, proof);
            assertEq(bondOf(COMMITTER), bonded / 2);
            assertState(batchId, state < 2 ? BatchBook.State.Void : before);
            assertTrue(vm.revertToState(snapshot));
        }
    }

    /// @dev Test first 9: a fault takes effect although the slashed tokens do not arrive.
    function test_9_nothingWaitsForATransfer() public {
        (bytes32 batchId, bytes memory proof) = badBatch(2);
        vm.mockCall(address(token), abi.encodeWithSelector(IERC20.transfer.selector), abi.encode(true));
        bytes32 faultId = prove(1, proof);
        faults.punish(faultId, 0, 64);
        closeAndDistribute(faultId);
        assertState(batchId, BatchBook.State.Void);
        assertEq(token.balanceOf(address(faults)), 0);
        assertEq(faults.credit(HUNTER) + faults.credit(INSURANCE) + faults.pendingBurn(), 250e18);
    }

    function test_9_whatArrivesLateIsBurnedAndPaidThen() public {
        (, bytes memory proof) = badBatch(0);
        bytes32 faultId = prove(1, proof);
        vm.prank(address(faults));
        token.transfer(address(this), 50e18);
        closeAndDistribute(faultId);
        vm.prank(HUNTER);
        vm.expectRevert();
        faults.withdraw();
        token.transfer(address(faults), 50e18);
        faults.burn();
        vm.prank(HUNTER);
        assertEq(faults.withdraw(), 10e18);
        assertEq(faults.pendingBurn(), 0);
    }

    // ---------------------------------------------------------------- what an indexer reads

    function test_theWayOfAFaultIsToldByEvents() public {
        (bytes32 batchId, bytes[] memory proofs) = badReceipts(1);
        attestAll(batchId, 1);
        payments.set(honest(0).requestId, PAYER, COMMITTER, 500, LOCKED);
        bytes32 faultId = faults.faultIdOf(1, batchId);
        bytes32 commitment = faults.commitmentOf(HUNTER, 1, keccak256(proofs[0]), SALT);
        vm.prank(HUNTER);
        vm.expectEmit(address(faults));
        emit Announcements.Announced(commitment, HUNTER);
        faults.announce(commitment);
        vm.expectRevert(abi.encodeWithSelector(Announcements.AlreadyAnnounced.selector, commitment));
        faults.announce(commitment);
        vm.roll(vm.getBlockNumber() + 1);
        announce(COPIER, 1, proofs[0]);
        Finding memory none;
        vm.expectEmit(true, true, true, false);
        emit FaultManager.FaultProven(faultId, batchId, COPIER, 1, none);
        vm.expectEmit(address(faults));
        emit FaultClaims.PayerRefunded(faultId, honest(0).requestId, PAYER);
        vm.expectEmit(address(faults));
        emit FaultManager.OperatorPunished(faultId, COMMITTER, MIN_BOND / 2);
        vm.prank(COPIER);
        faults.prove(1, proofs[0], SALT);
        // Who announced it earlier takes its place.
        vm.expectEmit(address(faults));
        emit FaultManager.ProverReplaced(faultId, HUNTER);
        vm.prank(HUNTER);
        faults.prove(1, proofs[0], SALT);
        assertEq(faults.proceedsOf(faultId).prover, HUNTER);
        vm.expectEmit(true, true, false, false);
        emit FaultManager.ValidatorPunished(faultId, validatorAt(0), 0, 0);
        faults.punish(faultId, 0, 1);
    }

    function test_whatAFaultPaysIsToldByEvents() public {
        (bytes32 batchId, bytes[] memory proofs) = expensiveReceipts();
        finalise(batchId);
        payments.set(honest(0).requestId, PAYER, COMMITTER, 5e18, PAID);
        bytes32 faultId = faults.faultIdOf(1, batchId);
        announce(HUNTER, 1, proofs[0]);
        vm.expectEmit(address(faults));
        emit FaultProceeds.ClaimNoted(faultId, honest(0).requestId, PAYER, 5e18);
        vm.prank(HUNTER);
        faults.prove(1, proofs[0], SALT);
        vm.warp(vm.getBlockTimestamp() + GRACE);
        vm.expectEmit(address(faults));
        emit FaultProceeds.Compensated(faultId, PAYER, 5e18);
        // Of 50: 5 to the payer, a fifth of the rest to the hunter, three tenths to insurance.
        vm.expectEmit(address(faults));
        emit FaultProceeds.ProceedsDistributed(faultId, HUNTER, 5e18, 9e18, 13.5e18, 22.5e18);
        faults.distribute(faultId);
        vm.prank(PAYER);
        vm.expectEmit(address(faults));
        emit FaultProceeds.CreditWithdrawn(PAYER, 5e18);
        faults.withdraw();
    }

    // ---------------------------------------------------------------- helpers

    function operatorsPunished() private returns (uint256 count) {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; i++) {
            if (logs[i].topics[0] == FaultManager.OperatorPunished.selector) count++;
        }
    }
}
