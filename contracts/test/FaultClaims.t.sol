// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {FaultProceeds} from "../src/faults/FaultProceeds.sol";
import {FaultManager} from "../src/FaultManager.sol";
import {Receipt} from "../src/libraries/ReceiptLib.sol";
import {BatchBook} from "../src/settlement/BatchBook.sol";
import {BadBatchFixture} from "./BadBatchFixture.sol";

/// @title Who lost by a proven fault gets back what it lost, once, and nobody else anything
contract FaultClaimsTest is BadBatchFixture {
    function setUp() public {
        deployFaults();
    }

    function test_aLockedPaymentGoesBackToItsPayer() public {
        (bytes32 batchId, bytes[] memory proofs) = badReceipts(2);
        payments.set(honest(0).requestId, PAYER, COMMITTER, 500, LOCKED);
        payments.set(honest(1).requestId, PAYER, COMMITTER, 500, LOCKED);
        prove(1, proofs[0]);
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

    /// @dev What was paid beyond the price of the receipt the fault has not cost.
    function test_nobodyIsOwedMoreThanItLost() public {
        (bytes32 batchId, bytes[] memory proofs) = badReceipts(1);
        finalise(batchId);
        payments.set(honest(0).requestId, PAYER, COMMITTER, 500, PAID);
        assertEq(faults.claimsOf(prove(1, proofs[0]))[0].owed, 180);
    }

    /// @dev A claim of nothing would take the place of one that lost something.
    function test_aCallThatCostNothingHasNoClaim() public {
        (bytes32 batchId, bytes[] memory proofs) = badReceipts(1);
        finalise(batchId);
        payments.set(honest(0).requestId, PAYER, COMMITTER, 0, PAID);
        assertEq(faults.claimsOf(prove(1, proofs[0])).length, 0);
        vm.expectRevert(abi.encodeWithSelector(FaultManager.NothingToClaim.selector, honest(0).requestId));
        faults.claim(1, proofs[0]);
    }

    function test_onceTheClaimsAreClosedNobodyIsOwedMore() public {
        (bytes32 batchId, bytes[] memory proofs) = badReceipts(2);
        finalise(batchId);
        payments.set(honest(1).requestId, PAYER, COMMITTER, 180, PAID);
        bytes32 faultId = prove(1, proofs[0]);
        vm.warp(block.timestamp + GRACE);
        vm.expectRevert(abi.encodeWithSelector(FaultManager.NothingToClaim.selector, honest(1).requestId));
        faults.claim(1, proofs[1]);
        assertEq(faults.claimsOf(faultId).length, 0);
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

    /// @dev What a receipt says of who paid moves nobody's money.
    function test_aReceiptThatNamesAnotherPayerRefundsNobody() public {
        (, bytes[] memory proofs) = badReceipts(1);
        payments.set(honest(0).requestId, COPIER, COMMITTER, 500, LOCKED);
        prove(1, proofs[0]);
        assertTrue(!payments.refunded(honest(0).requestId));
    }

    /// @dev A fault of no batch cost no payer anything.
    function test_nobodyClaimsForAFaultThatIsInNoBatch() public {
        (Receipt memory a, Receipt memory b) = twoAnswers();
        bytes memory proof = nodeProof(a, sign(a, ENCLAVE), b, sign(b, ENCLAVE));
        prove(3, proof);
        vm.expectRevert(abi.encodeWithSelector(FaultManager.NothingToClaim.selector, 0));
        faults.claim(3, proof);
    }
}
