// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {InferenceEscrow} from "../src/InferenceEscrow.sol";
import {Group} from "../src/libraries/MerkleSumLib.sol";
import {Receipt} from "../src/libraries/ReceiptLib.sol";
import {RevenueSplitter} from "../src/RevenueSplitter.sol";
import {EscrowFixture} from "./EscrowFixture.sol";

/// @title How money leaves escrow for those who worked: once, out of final batches, and split to the base unit
contract EscrowSettlingTest is EscrowFixture {
    function setUp() public {
        deployEscrow();
    }

    function test_settlesExactlyOnceAndReturnsTheRest() public {
        bytes32 id = pay(PRICE, NONCE);
        InferenceEscrow.SettleItem[] memory items = finalSingle(G, receiptOf(id, uint128(PRICE / 3)));
        vm.expectEmit();
        emit InferenceEscrow.PaymentSettled(id, items[0].batchId, PRICE / 3, PRICE - PRICE / 3);
        vm.prank(STRANGER);
        escrow.settle(items);
        assertPayment(id, InferenceEscrow.PaymentState.Paid, PRICE / 3);
        (,,, uint128 paid,,) = escrow.payment(id);
        assertEq(paid, PRICE / 3);
        assertEq(escrow.credit(payer), PRICE - PRICE / 3);
        assertEq(token.balanceOf(address(splitter)), PRICE / 3);
        expectSkip(id, items[0].batchId, InferenceEscrow.AlreadyHandled.selector);
        escrow.settle(items);
        assertEq(token.balanceOf(address(splitter)), PRICE / 3);
        assertEq(escrow.credit(payer), PRICE - PRICE / 3);
        vm.prank(payer);
        vm.expectEmit(address(escrow));
        emit InferenceEscrow.CreditWithdrawn(payer, PRICE - PRICE / 3);
        escrow.withdrawCredit();
        assertEq(token.balanceOf(payer), 1_000_000e18 - PRICE / 3);
        vm.prank(payer);
        vm.expectRevert(abi.encodeWithSelector(InferenceEscrow.NoCredit.selector, payer));
        escrow.withdrawCredit();
        assertEq(token.balanceOf(address(escrow)), 0);
    }

    function testFuzz_thePriceIsSplitToTheLastBaseUnit(uint96 value, uint128 price) public {
        uint256 locked = uint256(value) % 1_000_000e18;
        bytes32 id = pay(locked, NONCE);
        price = price % 40_000_000e18;
        escrow.settle(finalSingle(G, receiptOf(id, price)));
        // Never more than was locked, whatever the receipt says.
        uint256 paid = price < locked ? price : locked;
        assertPayment(id, InferenceEscrow.PaymentState.Paid, paid);
        assertEq(escrow.credit(payer), locked - paid);
        assertEq(splitter.balanceOf(NODE), paid * 15 / 100);
        assertEq(splitter.validatorsPending(), paid * 10 / 100);
        assertEq(splitter.balanceOf(TREASURY), paid * 5 / 100);
        uint256 rest = paid - paid * 15 / 100 - paid * 10 / 100 - paid * 5 / 100;
        assertEq(splitter.balanceOf(PUBLISHER), rest);
        assertTrue(rest * 100 >= paid * 70 && rest < paid * 70 / 100 + 4);
        assertEq(token.balanceOf(address(splitter)), paid);
    }

    function test_shareholdersWithdrawAndValidatorsArePaid() public {
        bytes32 id = pay(1000, NONCE);
        escrow.settle(finalSingle(G, receiptOf(id, 1000)));
        splitter.payValidators();
        assertEq(splitter.validatorsPending(), 0);
        assertEq(token.balanceOf(address(splitter)), 900);
        for (uint256 i = 0; i < 3; i++) {
            address v = vm.addr(validatorKeys[i]);
            assertEq(staking.rewardOf(v, v), 33);
        }
        uint256[3] memory parts = [uint256(700), 150, 50];
        address[3] memory holders = [PUBLISHER, NODE, TREASURY];
        for (uint256 i = 0; i < 3; i++) {
            vm.prank(holders[i]);
            assertEq(splitter.withdraw(), parts[i]);
            assertEq(token.balanceOf(holders[i]), parts[i]);
            vm.prank(holders[i]);
            vm.expectRevert(abi.encodeWithSelector(RevenueSplitter.NothingToWithdraw.selector, holders[i]));
            splitter.withdraw();
        }
        assertEq(token.balanceOf(address(splitter)), 0);
    }

    function test_thePublishersPartOfAnUnknownModelGoesToTheTreasury() public {
        Receipt memory receipt = receiptOf(pay(1000, NONCE), 1000);
        receipt.modelId = keccak256("nobody's");
        escrow.settle(finalSingle(G, receipt));
        assertEq(splitter.balanceOf(TREASURY), 750);
        assertEq(splitter.balanceOf(address(0)), 0);
    }

    function test_aPriceOfZeroReturnsEverything() public {
        bytes32 id = pay(PRICE, NONCE);
        Receipt memory receipt = receiptOf(id, 0);
        receipt.status = 2;
        InferenceEscrow.SettleItem[] memory items = finalSingle(G, receipt);
        vm.recordLogs();
        escrow.settle(items);
        // No transfer and no credit of nothing.
        assertEq(vm.getRecordedLogs().length, 1);
        assertPayment(id, InferenceEscrow.PaymentState.Paid, 0);
        assertEq(escrow.credit(payer), PRICE);
        assertEq(token.balanceOf(address(splitter)), 0);
    }

    function test_aPriceAndARestOfOneBaseUnitArePaid() public {
        escrow.settle(finalSingle(G, receiptOf(pay(1, NONCE), 1)));
        assertEq(token.balanceOf(address(splitter)), 1);
        assertEq(splitter.balanceOf(PUBLISHER), 1);
        escrow.settle(finalSingle(G, receiptOf(pay(3, keccak256("b")), 2)));
        assertEq(escrow.credit(payer), 1);
        assertEq(token.balanceOf(address(splitter)), 3);
    }

    function test_partsAndTheirPaymentAreEvents() public {
        InferenceEscrow.SettleItem[] memory items = finalSingle(G, receiptOf(pay(1000, NONCE), 1000));
        vm.expectEmit(address(splitter));
        emit RevenueSplitter.RevenueCredited(MODEL, PUBLISHER, NODE, 700, 150, 100, 50);
        escrow.settle(items);
        vm.expectEmit(address(splitter));
        emit RevenueSplitter.ValidatorsPaid(100);
        splitter.payValidators();
        assertEq(token.allowance(address(splitter), address(staking)), 0);
        vm.prank(NODE);
        vm.expectEmit(address(splitter));
        emit RevenueSplitter.Withdrawn(NODE, 150);
        splitter.withdraw();
    }

    function test_nobodyElseCreditsOrWires() public {
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(RevenueSplitter.NotEscrow.selector, STRANGER));
        splitter.credit(MODEL, PUBLISHER, NODE, 1);
        RevenueSplitter fresh = new RevenueSplitter(token, staking, TREASURY);
        vm.prank(STRANGER);
        vm.expectRevert(RevenueSplitter.AlreadyWired.selector);
        fresh.wire(STRANGER, STRANGER);
        fresh.wire(address(1), address(2));
        vm.expectRevert(RevenueSplitter.AlreadyWired.selector);
        fresh.wire(address(1), address(2));
        vm.prank(STRANGER);
        vm.expectRevert(InferenceEscrow.AlreadyWired.selector);
        escrow.setFaultManager(STRANGER);
        vm.expectRevert(InferenceEscrow.AlreadyWired.selector);
        escrow.setFaultManager(STRANGER);
        InferenceEscrow unwired = new InferenceEscrow(token, settlement, models, splitter, params, pauseClock, UPTO);
        vm.prank(STRANGER);
        vm.expectRevert(InferenceEscrow.AlreadyWired.selector);
        unwired.setFaultManager(STRANGER);
        unwired.setFaultManager(STRANGER);
        assertEq(unwired.faultManager(), STRANGER);
    }

    function test_aRequestIdIsPaidInOneBatchOnly() public {
        bytes32 id = pay(PRICE, NONCE);
        InferenceEscrow.SettleItem[] memory first = finalSingle(G, receiptOf(id, 100));
        Receipt memory again = receiptOf(id, 900);
        again.responseHash = keccak256("another answer");
        InferenceEscrow.SettleItem[] memory second = finalSingle(G, again);
        escrow.settle(first);
        expectSkip(id, second[0].batchId, InferenceEscrow.AlreadyHandled.selector);
        escrow.settle(second);
        assertEq(token.balanceOf(address(splitter)), 100);
        assertEq(escrow.credit(payer), PRICE - 100);
    }

    function testFuzz_everyReceiptOfABatchSettlesInAnyPortion(uint8 shape, uint8 start) public {
        (Receipt[][] memory rows, uint256 count, uint256 total) = mixedRows(1 + shape % 5, 1 + shape / 5 % 6);
        InferenceEscrow.SettleItem[] memory items = finalBatch(G, rows);
        for (uint256 i = 0; i < count; i++) {
            InferenceEscrow.SettleItem[] memory one = new InferenceEscrow.SettleItem[](1);
            one[0] = items[(start + i) % count];
            escrow.settle(one);
        }
        assertEq(token.balanceOf(address(splitter)), total);
        assertEq(token.balanceOf(address(escrow)), escrow.credit(payer));
        assertEq(escrow.credit(payer), count * PRICE - total);
    }

    function test_itemsOfTwoBatchesInOneCall() public {
        Receipt[][] memory rows = oneRow(receiptOf(pay(PRICE, NONCE), 10));
        InferenceEscrow.SettleItem[] memory a = finalBatch(G, rows);
        InferenceEscrow.SettleItem[] memory b = finalSingle(G, receiptOf(pay(PRICE, keccak256("b")), 20));
        InferenceEscrow.SettleItem[] memory both = new InferenceEscrow.SettleItem[](3);
        (both[0], both[1], both[2]) = (a[0], b[0], a[0]);
        escrow.settle(both);
        assertEq(token.balanceOf(address(splitter)), 30);
        // A batch's proof is worth nothing under the other batch's name, also right behind it.
        both[1].batchId = a[0].batchId;
        expectNotInBatch(b[0]);
        escrow.settle(both);
    }

    function test_onlyFinalBatchesPay() public {
        bytes32 id = pay(PRICE, NONCE);
        (Group[] memory groups, InferenceEscrow.SettleItem[] memory items) = treeOf(oneRow(receiptOf(id, 10)));
        bytes32 batchId = commitTree(G, groups, items);
        bytes memory reason = abi.encodeWithSelector(InferenceEscrow.BatchNotFinal.selector, batchId);
        vm.expectRevert(reason);
        escrow.settle(items);
        attestWith(batchId, VALID, firstKeys(3));
        vm.expectRevert(reason);
        escrow.settle(items);
        settlement.voidBatch(batchId, FAULT);
        vm.expectRevert(reason);
        escrow.settle(items);
        // The honest receipt goes into the next batch.
        finaliseBatch(commitTree(G, groups, items));
        escrow.settle(items);
        assertPayment(id, InferenceEscrow.PaymentState.Paid, 10);
    }

    function test_anUnknownBatchPaysNothing() public {
        (, InferenceEscrow.SettleItem[] memory items) = treeOf(oneRow(receiptOf(pay(PRICE, NONCE), 10)));
        items[0].batchId = keccak256("nothing");
        vm.expectRevert(abi.encodeWithSelector(InferenceEscrow.BatchNotFinal.selector, items[0].batchId));
        escrow.settle(items);
        // Id zero is also what escrow's memory of the last batch starts from: a batch that holds no receipt.
        items[0].batchId = 0;
        expectNotInBatch(items[0]);
        escrow.settle(items);
    }

    function test_theSplitterIsWiredOnce() public {
        vm.expectRevert(RevenueSplitter.AlreadyWired.selector);
        splitter.wire(STRANGER, STRANGER);
    }
}
