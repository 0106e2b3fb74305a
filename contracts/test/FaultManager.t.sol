// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Finding, IFaultAdapter} from "../src/faults/IFaultAdapter.sol";
import {FaultProceeds} from "../src/faults/FaultProceeds.sol";
import {TeeFault} from "../src/faults/TeeFault.sol";
import {FaultManager} from "../src/FaultManager.sol";
import {Entry} from "../src/libraries/InclusionLib.sol";
import {Params} from "../src/libraries/Params.sol";
import {Receipt} from "../src/libraries/ReceiptLib.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {BatchBook} from "../src/settlement/BatchBook.sol";
import {FaultFixture} from "./FaultFixture.sol";

/// @dev Uses up whatever gas it gets.
contract Glutton is IFaultAdapter {
    function judge(bytes calldata) external view returns (Finding memory f) {
        while (gasleft() > 0) f.offenceAt = uint64(gasleft() + block.timestamp);
    }
}

/// @title What a proven fault sets in motion, and who gets what
contract FaultManagerTest is FaultFixture {
    address private constant COPIER = address(0xC0B1);

    uint8 private constant LOCKED = 1;
    uint8 private constant PAID = 2;

    function setUp() public {
        deployFaults();
    }

    // ---------------------------------------------------------------- commit and reveal

    function test_aProofMustBeAnnouncedInAnEarlierBlock() public {
        (, bytes memory proof) = badBatch(0);
        bytes32 commitment = faults.commitmentOf(HUNTER, 1, keccak256(proof), SALT);
        vm.prank(HUNTER);
        vm.expectRevert(abi.encodeWithSelector(FaultManager.NotAnnounced.selector, commitment));
        faults.prove(1, proof, SALT);
        vm.startPrank(HUNTER);
        faults.announce(commitment);
        vm.expectRevert(abi.encodeWithSelector(FaultManager.AnnouncedJustNow.selector, commitment));
        faults.prove(1, proof, SALT);
        vm.roll(block.number + 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                FaultManager.NotAnnounced.selector, faults.commitmentOf(HUNTER, 1, keccak256(proof), CODE)
            )
        );
        faults.prove(1, proof, CODE);
        faults.prove(1, proof, SALT);
        vm.stopPrank();
    }

    function test_anAnnouncementExpires() public {
        (, bytes memory proof) = badBatch(0);
        announce(HUNTER, 1, proof);
        vm.warp(block.timestamp + 1 days + 1);
        vm.expectRevert();
        vm.prank(HUNTER);
        faults.prove(1, proof, SALT);
    }

    /// @dev Test first 13: who copies a proof from the mempool, even into an earlier block, earns nothing by it.
    function test_13_aCopiedProofEarnsNothing() public {
        (bytes32 batchId, bytes memory proof) = badBatch(0);
        announce(HUNTER, 1, proof);
        // The hunter's proof is seen; the copier announces and proves before it is mined.
        announce(COPIER, 1, proof);
        vm.prank(COPIER);
        bytes32 faultId = faults.prove(1, proof, SALT);
        uint256 taken = MIN_BOND - bondOf(COMMITTER);
        vm.prank(HUNTER);
        assertEq(faults.prove(1, proof, SALT), faultId);
        // Nothing is punished a second time.
        assertEq(MIN_BOND - bondOf(COMMITTER), taken);
        closeAndDistribute(faultId);
        assertEq(faults.credit(COPIER), 0);
        assertEq(faults.credit(HUNTER), taken / 5);
        assertState(batchId, BatchBook.State.Void);
    }

    function test_aLaterAnnouncementTakesNoBounty() public {
        (, bytes memory proof) = badBatch(0);
        announce(HUNTER, 1, proof);
        announce(COPIER, 1, proof);
        vm.prank(HUNTER);
        bytes32 faultId = faults.prove(1, proof, SALT);
        vm.prank(COPIER);
        vm.expectRevert(abi.encodeWithSelector(FaultManager.AlreadyProven.selector, faultId));
        faults.prove(1, proof, SALT);
    }

    function test_afterItsTimeAnEarlierAnnouncementIsTooLate() public {
        (, bytes memory proof) = badBatch(0);
        announce(HUNTER, 1, proof);
        announce(COPIER, 1, proof);
        vm.prank(COPIER);
        bytes32 faultId = faults.prove(1, proof, SALT);
        vm.warp(block.timestamp + GRACE);
        vm.prank(HUNTER);
        vm.expectRevert(abi.encodeWithSelector(FaultManager.AlreadyProven.selector, faultId));
        faults.prove(1, proof, SALT);
    }

    function test_announcingForAnotherBlocksNobody() public {
        (, bytes memory proof) = badBatch(0);
        bytes32 commitment = faults.commitmentOf(HUNTER, 1, keccak256(proof), SALT);
        vm.prank(COPIER);
        faults.announce(commitment);
        vm.roll(block.number + 1);
        vm.prank(HUNTER);
        faults.prove(1, proof, SALT);
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

    // ---------------------------------------------------------------- payers

    function test_aLockedPaymentGoesBackToItsPayer() public {
        (bytes32 batchId, bytes[] memory proofs) = badReceipts(2);
        payments.set(honest(0).requestId, PAYER, COMMITTER, 500, LOCKED);
        payments.set(honest(1).requestId, PAYER, COMMITTER, 500, LOCKED);
        bytes32 faultId = prove(1, proofs[0]);
        assertTrue(payments.refunded(honest(0).requestId));
        assertTrue(!payments.refunded(honest(1).requestId));
        faults.claim(1, proofs[1]);
        assertTrue(payments.refunded(honest(1).requestId));
        vm.expectRevert(abi.encodeWithSelector(FaultManager.NothingToClaim.selector, honest(1).requestId));
        faults.claim(1, proofs[1]);
        assertState(batchId, BatchBook.State.Void);
    }

    /// @dev A stranger that commits garbage under another's request must not undo the payment of an honest answer.
    function test_8_aStrangersGarbageRefundsNobody() public {
        (, bytes[] memory proofs) = badReceipts(1);
        payments.set(honest(0).requestId, PAYER, address(0x6A7E), 500, LOCKED);
        prove(1, proofs[0]);
        assertTrue(!payments.refunded(honest(0).requestId));
        vm.expectRevert(abi.encodeWithSelector(FaultManager.NothingToClaim.selector, honest(0).requestId));
        faults.claim(1, proofs[0]);
    }

    function test_afterFinalityThePayerIsCompensatedFirst() public {
        (bytes32 batchId, bytes[] memory proofs) = badReceipts(2);
        finalise(batchId);
        payments.set(honest(0).requestId, PAYER, COMMITTER, 180, PAID);
        payments.set(honest(1).requestId, PAYER, COMMITTER, 100, PAID);
        bytes32 faultId = prove(1, proofs[0]);
        assertState(batchId, BatchBook.State.Final);
        faults.claim(1, proofs[1]);
        vm.expectRevert(abi.encodeWithSelector(FaultManager.NothingToClaim.selector, honest(0).requestId));
        faults.claim(1, proofs[0]);
        faults.punish(faultId, 0, 64);
        closeAndDistribute(faultId);
        // Never more than was paid.
        assertEq(faults.credit(PAYER), 280);
    }

    function test_compensationIsAtMostSeventyPercentAndSharedInProportion() public {
        (bytes32 batchId, bytes[] memory proofs) = expensiveReceipts();
        finalise(batchId);
        // The bond covered all that the batch put at risk, and half of it is lost: 50 OPG.
        payments.set(honest(0).requestId, PAYER, COMMITTER, 30e18, PAID);
        payments.set(honest(1).requestId, PAYER, COMMITTER, 20e18, PAID);
        bytes32 faultId = prove(1, proofs[0]);
        faults.claim(1, proofs[1]);
        closeAndDistribute(faultId);
        assertEq(faults.credit(PAYER), 35e18);
        FaultProceeds.Claim[] memory claims = faults.claimsOf(faultId);
        assertEq(claims[0].owed, 30e18 - 21e18);
        assertEq(claims[1].owed, 20e18 - 14e18);
        // What the attesters lose later goes to the same claims, which it fills.
        faults.punish(faultId, 0, 64);
        faults.distribute(faultId);
        assertEq(faults.credit(PAYER), 50e18);
    }

    function test_dustDoesNotCrowdOutWhoLostMost() public {
        (bytes32 batchId, bytes[] memory proofs) = badReceipts(34);
        finalise(batchId);
        for (uint256 i = 0; i < 34; i++) {
            payments.set(honest(i).requestId, PAYER, COMMITTER, i == 32 ? 180 : 1, PAID);
        }
        bytes32 faultId = prove(1, proofs[0]);
        for (uint256 i = 1; i < 32; i++) faults.claim(1, proofs[i]);
        faults.claim(1, proofs[32]);
        vm.expectRevert(abi.encodeWithSelector(FaultProceeds.TooManyClaims.selector, faultId));
        faults.claim(1, proofs[33]);
        closeAndDistribute(faultId);
        assertEq(faults.credit(PAYER), 31 + 180);
        assertEq(faults.proceedsOf(faultId).owed, 211);
    }

    function test_whoNeverPaidIsNotCompensated() public {
        (bytes32 batchId, bytes[] memory proofs) = badReceipts(1);
        finalise(batchId);
        bytes32 faultId = prove(1, proofs[0]);
        assertEq(faults.claimsOf(faultId).length, 0);
        vm.expectRevert(abi.encodeWithSelector(FaultManager.NothingToClaim.selector, honest(0).requestId));
        faults.claim(1, proofs[0]);
    }

    function test_nobodyClaimsForAFaultThatIsNotProven() public {
        (bytes32 batchId, bytes[] memory proofs) = badReceipts(1);
        bytes32 faultId = faults.faultIdOf(1, batchId);
        vm.expectRevert(abi.encodeWithSelector(FaultManager.UnknownFault.selector, faultId));
        faults.claim(1, proofs[0]);
        vm.expectRevert(abi.encodeWithSelector(FaultManager.UnknownFault.selector, faultId));
        faults.punish(faultId, 0, 1);
    }

    /// @dev Test first 13: committer, validators, payer and prover are one; the loss outweighs all that comes back.
    function testFuzz_13_provingOnesOwnFaultLoses(uint128 paid, uint8 attesters) public {
        (bytes32 batchId, bytes[] memory proofs) = expensiveReceipts();
        attestAll(batchId, 3);
        vm.warp(block.timestamp + WINDOW);
        settlement.finalise(batchId);
        payments.set(honest(0).requestId, PAYER, COMMITTER, paid, PAID);
        payments.set(honest(1).requestId, PAYER, COMMITTER, paid, PAID);
        bytes32 faultId = prove(1, proofs[0]);
        if (paid > 0) faults.claim(1, proofs[1]);
        faults.punish(faultId, 0, attesters);
        closeAndDistribute(faultId);
        uint256 slashed = faults.proceedsOf(faultId).taken;
        assertTrue((faults.credit(HUNTER) + faults.credit(PAYER)) * 100 <= slashed * 76);
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

    /// @dev Test first 8, gas starvation: too little gas is refused before judging, and proves nothing.
    function test_8_tooLittleGasIsNoVerdict() public {
        (bytes32 batchId, bytes memory proof) = badBatch(0);
        announce(HUNTER, 1, proof);
        for (uint256 gas = 100_000; gas < 1_100_000; gas += 100_000) {
            vm.prank(HUNTER);
            (bool ok,) = address(faults).call{gas: gas}(abi.encodeCall(FaultManager.prove, (1, proof, SALT)));
            if (ok) break;
            assertState(batchId, BatchBook.State.Committed);
            assertEq(bondOf(COMMITTER), MIN_BOND);
        }
        if (stateOf(batchId) == BatchBook.State.Committed) {
            vm.prank(HUNTER);
            faults.prove(1, proof, SALT);
        }
        assertState(batchId, BatchBook.State.Void);
    }

    function test_8_anAdapterThatRunsOutOfGasGivesNoVerdict() public {
        faults.addAdapter(2, new Glutton(), 200_000);
        refuseAny(2, "");
    }

    // ---------------------------------------------------------------- adapters

    function test_adaptersAreAddedNeverReplaced() public {
        Glutton glutton = new Glutton();
        vm.expectRevert(abi.encodeWithSelector(FaultManager.AdapterTaken.selector, 1));
        faults.addAdapter(1, glutton, 200_000);
        vm.expectRevert(abi.encodeWithSelector(FaultManager.BadAdapter.selector, 9, glutton, 200_000));
        faults.addAdapter(9, glutton, 200_000);
        vm.expectRevert(abi.encodeWithSelector(FaultManager.BadAdapter.selector, 0, glutton, 200_000));
        faults.addAdapter(0, glutton, 200_000);
        vm.expectRevert(abi.encodeWithSelector(FaultManager.BadAdapter.selector, 2, glutton, 99_999));
        faults.addAdapter(2, glutton, 99_999);
        vm.expectRevert(abi.encodeWithSelector(FaultManager.BadAdapter.selector, 2, COPIER, 200_000));
        faults.addAdapter(2, IFaultAdapter(COPIER), 200_000);
        vm.prank(COPIER);
        vm.expectRevert(abi.encodeWithSelector(FaultManager.NotGovernor.selector, COPIER));
        faults.addAdapter(2, glutton, 200_000);
        faults.addAdapter(2, glutton, 200_000);
        vm.expectRevert(abi.encodeWithSelector(FaultManager.AdapterTaken.selector, 2));
        faults.addAdapter(2, glutton, 200_000);
    }

    function test_wiringIsOneShot() public {
        vm.expectRevert(FaultManager.AlreadyWired.selector);
        faults.wire(new uint8[](0), new IFaultAdapter[](0), new uint64[](0));
    }

    function test_aClassWithoutAdapterProvesNothing() public {
        vm.expectRevert(abi.encodeWithSelector(FaultManager.NoAdapter.selector, 5));
        faults.prove(5, "", SALT);
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
        emit FaultManager.Announced(commitment, HUNTER);
        faults.announce(commitment);
        vm.expectRevert(abi.encodeWithSelector(FaultManager.AlreadyAnnounced.selector, commitment));
        faults.announce(commitment);
        vm.roll(vm.getBlockNumber() + 1);
        announce(COPIER, 1, proofs[0]);
        Finding memory none;
        vm.expectEmit(true, true, true, false);
        emit FaultManager.FaultProven(faultId, batchId, COPIER, 1, none);
        vm.expectEmit(address(faults));
        emit FaultManager.PayerRefunded(faultId, honest(0).requestId, PAYER);
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

    function test_anAnnouncementLastsADayAndItsLastSecond() public {
        (, bytes memory proof) = badBatch(0);
        announce(HUNTER, 1, proof);
        vm.warp(vm.getBlockTimestamp() + 1 days);
        vm.prank(HUNTER);
        faults.prove(1, proof, SALT);
    }


    // ---------------------------------------------------------------- helpers

    /// @dev One bad receipt among four honest ones, which `attesters` validators call valid.
    function badBatch(uint256 attesters) private returns (bytes32 batchId, bytes memory proof) {
        bytes[] memory proofs;
        (batchId, proofs) = badReceipts(1);
        if (attesters > 0) attestAll(batchId, attesters);
        proof = proofs[0];
    }

    function badReceipts(uint256 count) private returns (bytes32 batchId, bytes[] memory proofs) {
        return badReceiptsOf(count, 180);
    }

    function expensiveReceipts() private returns (bytes32 batchId, bytes[] memory proofs) {
        return badReceiptsOf(2, 30e18);
    }

    function badReceiptsOf(uint256 count, uint128 price) private returns (bytes32 batchId, bytes[] memory proofs) {
        uint256 size = count < 5 ? 5 : count + 1;
        Entry[] memory entries = among(honestEntry(size - 1), size - 1, size);
        bytes[] memory signatures = new bytes[](count);
        for (uint256 i = 0; i < count; i++) {
            Receipt memory r = honest(i);
            r.price = price;
            signatures[i] = sign(r, ROGUE);
            entries[i] = entryOf(r, signatures[i]);
        }
        batchId = commitEntries(entries);
        proofs = new bytes[](count);
        for (uint256 i = 0; i < count; i++) {
            proofs[i] = abi.encode(TeeFault.Proof(batchId, entries[i], signatures[i], pathOf(entries, i)));
        }
    }

    function closeAndDistribute(bytes32 faultId) private {
        vm.warp(block.timestamp + GRACE);
        faults.distribute(faultId);
    }

    function refuseAny(uint8 class, bytes memory proof) private {
        announce(HUNTER, class, proof);
        vm.expectRevert();
        vm.prank(HUNTER);
        faults.prove(class, proof, SALT);
    }
}
