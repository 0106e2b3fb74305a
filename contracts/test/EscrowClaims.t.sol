// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {InferenceEscrow} from "../src/InferenceEscrow.sol";
import {Entry} from "../src/libraries/InclusionLib.sol";
import {Group, SumNode} from "../src/libraries/MerkleSumLib.sol";
import {Params} from "../src/libraries/Params.sol";
import {Receipt, RequestAuth} from "../src/libraries/ReceiptLib.sol";
import {ParamStore} from "../src/ParamStore.sol";
import {EscrowFixture} from "./EscrowFixture.sol";
import {MerkleSumBuilder} from "./MerkleSumBuilder.sol";

/// @title Who may claim a payment, and when it goes back
contract EscrowClaimsTest is EscrowFixture {
    function setUp() public {
        deployEscrow();
    }

    // ---------------------------------------------------------------- who may batch, and what was paid for

    function test_aStrangersEarlyBatchHarmsNobody() public {
        bytes32 id = pay(PRICE, NONCE);
        Receipt memory receipt = receiptOf(id, 10);
        InferenceEscrow.SettleItem[] memory copied = finalSingle(STRANGER, receipt);
        expectSkip(id, copied[0].batchId, InferenceEscrow.CommitterTooEarly.selector);
        escrow.settle(copied);
        assertPayment(id, InferenceEscrow.PaymentState.Locked, PRICE);
        escrow.settle(finalSingle(G, receipt));
        assertPayment(id, InferenceEscrow.PaymentState.Paid, 10);
        expectSkip(id, copied[0].batchId, InferenceEscrow.AlreadyHandled.selector);
        escrow.settle(copied);
    }

    function test_afterIncludeByAnyoneForcesAReceiptIn() public {
        bytes32 id = pay(PRICE, NONCE);
        Receipt memory receipt = receiptOf(id, 10);
        vm.warp(receipt.includeBy);
        InferenceEscrow.SettleItem[] memory early = finalSingle(STRANGER, receipt);
        expectSkip(id, early[0].batchId, InferenceEscrow.CommitterTooEarly.selector);
        escrow.settle(early);
        vm.warp(receipt.includeBy + 1 + WINDOW);
        escrow.settle(finalSingle(STRANGER, receipt));
        assertPayment(id, InferenceEscrow.PaymentState.Paid, 10);
    }

    function test_aPaymentPaysOnlyItsOwnPayersAndGatewaysReceipt() public {
        bytes32 id = pay(PRICE, NONCE);
        Receipt memory other = receiptOf(id, 10);
        other.payer = STRANGER;
        InferenceEscrow.SettleItem[] memory items = finalSingle(G, other);
        expectSkip(id, items[0].batchId, InferenceEscrow.ForeignPayment.selector);
        escrow.settle(items);
        other = receiptOf(id, 10);
        other.committer = STRANGER;
        items = finalSingle(STRANGER, other);
        expectSkip(id, items[0].batchId, InferenceEscrow.ForeignPayment.selector);
        escrow.settle(items);
        assertPayment(id, InferenceEscrow.PaymentState.Locked, PRICE);
    }

    /// @dev Its row pays it whole, elsewhere: here it would be paid twice.
    function test_aCallUnderAGrantIsNotPaidHere() public {
        Receipt memory receipt = receiptOf(pay(PRICE, NONCE), 10);
        InferenceEscrow.SettleItem[] memory items = new InferenceEscrow.SettleItem[](1);
        items[0].entry = Entry(receipt, signatureHashOf(receipt), keccak256("grant"), 0);
        SumNode[] memory rows = new SumNode[](1);
        rows[0] = MerkleSumBuilder.row(
            receipt, keccak256("grant"), MerkleSumBuilder.leaf(receipt, signatureHashOf(receipt))
        );
        Group[] memory groups = new Group[](1);
        groups[0] = MerkleSumBuilder.group(NODE, rows);
        finaliseBatch(commitTree(G, groups, items));
        expectSkip(receipt.requestId, items[0].batchId, InferenceEscrow.PaidByGrant.selector);
        escrow.settle(items);
        assertPayment(receipt.requestId, InferenceEscrow.PaymentState.Locked, PRICE);
    }

    function test_oneObstacleDoesNotStopTheOthers() public {
        Receipt[][] memory rows = new Receipt[][](1);
        rows[0] = new Receipt[](2);
        rows[0][0] = receiptOf(keccak256("never paid"), 10);
        rows[0][1] = receiptOf(pay(PRICE, NONCE), 10);
        escrow.settle(finalBatch(G, rows));
        assertPayment(rows[0][1].requestId, InferenceEscrow.PaymentState.Paid, 10);
        assertPayment(rows[0][0].requestId, InferenceEscrow.PaymentState.None, 0);
    }

    // ---------------------------------------------------------------- what the payer signed

    /// @dev In any one member.
    function test_aReceiptThatDisagreesWithTheRequestIsNotPaid() public {
        for (uint256 member = 0; member < 6; member++) {
            uint256 before = vm.snapshotState();
            disagreeing(member);
            assertTrue(vm.revertToState(before));
        }
    }

    function disagreeing(uint256 member) private {
        Receipt memory receipt = receiptOf(pay(PRICE, NONCE), 10);
        RequestAuth memory auth = authOf(receipt);
        if (member == 0) auth.requestHash = keccak256("another request");
        if (member == 1) auth.modelId = keccak256("another model");
        if (member == 2) auth.maxPrice = receipt.price - 1;
        if (member == 3) auth.committer = STRANGER;
        if (member == 4) auth.deadline = receipt.issuedAt - 1;
        bool agrees = member == 5;
        escrow.postRequestAuth(auth, payer, signDigest(PAYER_KEY, authDigest(auth)));
        InferenceEscrow.SettleItem[] memory items = finalSingle(G, receipt);
        if (!agrees) {
            expectSkip(
                receipt.requestId, items[0].batchId, InferenceEscrow.DisagreesWithRequestAuth.selector
            );
        }
        escrow.settle(items);
        assertTrue(
            stateOfPayment(receipt.requestId)
                == (agrees ? InferenceEscrow.PaymentState.Paid : InferenceEscrow.PaymentState.Locked)
        );
        // What is not paid goes back in time.
        if (agrees) return;
        vm.warp(START + REFUND_TIMEOUT);
        escrow.refundTimeout(ids(receipt.requestId));
        assertEq(escrow.credit(payer), PRICE);
    }

    function test_requestAuthIsThePayersOwnAndTheFirstStands() public {
        Receipt memory receipt = receiptOf(pay(PRICE, NONCE), 10);
        RequestAuth memory auth = authOf(receipt);
        bytes memory refused =
            abi.encodeWithSelector(InferenceEscrow.BadRequestAuth.selector, receipt.requestId);
        bytes memory forged = signDigest(0xBAD, authDigest(auth));
        vm.expectRevert(refused);
        escrow.postRequestAuth(auth, payer, forged);
        bytes memory own = signDigest(PAYER_KEY, authDigest(auth));
        vm.expectEmit(address(escrow));
        emit InferenceEscrow.RequestAuthPosted(receipt.requestId, payer);
        escrow.postRequestAuth(auth, payer, own);
        auth.maxPrice = 0;
        bytes memory second = signDigest(PAYER_KEY, authDigest(auth));
        vm.expectRevert(refused);
        escrow.postRequestAuth(auth, payer, second);
        // A stranger's statement about the payer's request says nothing about the payer.
        escrow.postRequestAuth(auth, vm.addr(0xBAD), signDigest(0xBAD, authDigest(auth)));
        escrow.settle(finalSingle(G, receipt));
        assertPayment(receipt.requestId, InferenceEscrow.PaymentState.Paid, 10);
    }

    // ---------------------------------------------------------------- refunds

    function test_refundOnlyAfterItsTimeAndOnce() public {
        bytes32 id = pay(PRICE, NONCE);
        vm.warp(START + REFUND_TIMEOUT - 1);
        vm.expectRevert(
            abi.encodeWithSelector(InferenceEscrow.RefundNotDue.selector, id, START + REFUND_TIMEOUT)
        );
        escrow.refundTimeout(ids(id));
        vm.warp(START + REFUND_TIMEOUT);
        vm.expectEmit();
        emit InferenceEscrow.PaymentRefunded(id, payer, PRICE);
        vm.prank(STRANGER);
        escrow.refundTimeout(ids(id));
        assertEq(escrow.credit(payer), PRICE);
        vm.expectRevert(abi.encodeWithSelector(InferenceEscrow.NotLocked.selector, id));
        escrow.refundTimeout(ids(id));
        bytes32[] memory twice = new bytes32[](2);
        (twice[0], twice[1]) = (id, id);
        vm.expectRevert(abi.encodeWithSelector(InferenceEscrow.NotLocked.selector, id));
        escrow.refundTimeout(twice);
        vm.prank(payer);
        assertEq(escrow.withdrawCredit(), PRICE);
        assertEq(token.balanceOf(payer), 1_000_000e18);
    }

    function test_noVoteLetsARefundOvertakeASettlement() public {
        uint256 longest = ATTEST_TIMEOUT + WINDOW;
        vm.expectRevert(abi.encodeWithSelector(ParamStore.RefundBeforeFinality.selector, longest - 1, longest));
        params.set(Params.REFUND_TIMEOUT, longest - 1);
        params.set(Params.REFUND_TIMEOUT, longest);
        vm.expectRevert(abi.encodeWithSelector(ParamStore.RefundBeforeFinality.selector, longest, longest + 1));
        params.set(Params.ATTEST_TIMEOUT, ATTEST_TIMEOUT + 1);
        // What is voted holds from the next second on, and for what begins then.
        vm.warp(START + 1);
        // A batch of the payment's own second, judged as late as can be, is paid before the refund is due.
        bytes32 id = pay(PRICE, NONCE);
        (Group[] memory groups, InferenceEscrow.SettleItem[] memory items) = treeOf(oneRow(receiptOf(id, 10)));
        bytes32 batchId = commitTree(G, groups, items);
        vm.warp(START + ATTEST_TIMEOUT);
        finaliseBatch(batchId);
        vm.expectRevert(abi.encodeWithSelector(InferenceEscrow.RefundNotDue.selector, id, START + 1 + longest));
        escrow.refundTimeout(ids(id));
        escrow.settle(items);
        assertPayment(id, InferenceEscrow.PaymentState.Paid, 10);
    }

    function test_aRefundWhileABatchIsStillOpenLeavesItNothing() public {
        bytes32 id = pay(PRICE, NONCE);
        vm.warp(START + REFUND_TIMEOUT);
        (Group[] memory groups, InferenceEscrow.SettleItem[] memory items) = treeOf(oneRow(receiptOf(id, 10)));
        bytes32 batchId = commitTree(G, groups, items);
        escrow.refundTimeout(ids(id));
        finaliseBatch(batchId);
        expectSkip(id, batchId, InferenceEscrow.AlreadyHandled.selector);
        escrow.settle(items);
        assertEq(escrow.credit(payer), PRICE);
        assertEq(token.balanceOf(address(splitter)), 0);
    }

    function test_neverSettledAfterARefund() public {
        bytes32 id = pay(PRICE, NONCE);
        InferenceEscrow.ExactPayment memory item = exactOf(PRICE, NONCE);
        InferenceEscrow.SettleItem[] memory items = finalSingle(G, receiptOf(id, 10));
        vm.warp(START + REFUND_TIMEOUT);
        escrow.refundTimeout(ids(id));
        expectSkip(id, items[0].batchId, InferenceEscrow.AlreadyHandled.selector);
        escrow.settle(items);
        assertEq(token.balanceOf(address(splitter)), 0);
        // Nor locked anew.
        collect(item);
        assertPayment(id, InferenceEscrow.PaymentState.Refunded, PRICE);
        assertEq(token.balanceOf(address(escrow)), PRICE);
    }

    function test_aProvenFaultRefundsWhatIsLockedOnceAndNothingElse() public {
        bytes32 id = pay(PRICE, NONCE);
        vm.prank(address(0xBAD));
        vm.expectRevert(abi.encodeWithSelector(InferenceEscrow.NotFaultManager.selector, address(0xBAD)));
        escrow.refundProven(id);
        escrow.refundProven(id);
        assertPayment(id, InferenceEscrow.PaymentState.Refunded, PRICE);
        (address payer,,,,,) = escrow.payment(id);
        assertEq(escrow.credit(payer), PRICE);
        vm.expectRevert(abi.encodeWithSelector(InferenceEscrow.NotLocked.selector, id));
        escrow.refundProven(id);
        assertEq(escrow.credit(payer), PRICE);
    }

    function test_neverRefundedAfterSettling() public {
        bytes32 id = pay(PRICE, NONCE);
        escrow.settle(finalSingle(G, receiptOf(id, 10)));
        vm.warp(START + REFUND_TIMEOUT);
        vm.expectRevert(abi.encodeWithSelector(InferenceEscrow.NotLocked.selector, id));
        escrow.refundTimeout(ids(id));
        // Nor collected again.
        collect(exactOf(PRICE, NONCE));
        assertPayment(id, InferenceEscrow.PaymentState.Paid, 10);
        bytes32 unknown = keccak256("nothing");
        vm.expectRevert(abi.encodeWithSelector(InferenceEscrow.NotLocked.selector, unknown));
        escrow.refundTimeout(ids(unknown));
    }
}
