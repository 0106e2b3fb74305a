// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {InferenceEscrow} from "../src/InferenceEscrow.sol";
import {Path} from "../src/libraries/InclusionLib.sol";
import {Group, Sibling, SumNode} from "../src/libraries/MerkleSumLib.sol";
import {Receipt} from "../src/libraries/ReceiptLib.sol";
import {RevenueSplitter} from "../src/RevenueSplitter.sol";
import {EscrowFixture} from "./EscrowFixture.sol";
import {MerkleSumBuilder} from "./MerkleSumBuilder.sol";

/// @title How money leaves escrow for those who worked: proofs of final batches, and the split to the base unit
contract EscrowSettlingTest is EscrowFixture {
    function setUp() public {
        deployEscrow();
    }

    // ---------------------------------------------------------------- settling

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
        (Receipt[][] memory rows, uint256 count, uint256 total) = _mixedRows(1 + shape % 5, 1 + shape / 5 % 6);
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
        // Id zero is also what escrow's memory of the last batch starts from.
        for (uint256 i = 0; i < 2; i++) {
            vm.expectRevert();
            escrow.settle(items);
            items[0].batchId = keccak256("nothing");
        }
    }

    function test_theSplitterIsWiredOnce() public {
        vm.expectRevert(RevenueSplitter.AlreadyWired.selector);
        splitter.wire(STRANGER, STRANGER);
    }

    // ---------------------------------------------------------------- proofs

    function testFuzz_aChangedReceiptIsNotInTheBatch(uint8 member, uint64 delta) public {
        (Receipt[][] memory rows,,) = _mixedRows(3, 3);
        InferenceEscrow.SettleItem[] memory items = _only(finalBatch(G, rows), member % 9);
        _flipReceipt(items[0].entry.receipt, member, 1 + uint64(delta % 1e9));
        expectNotInBatch(items[0]);
        escrow.settle(items);
    }

    function testFuzz_aChangedProofIsNotInTheBatch(uint8 which, uint8 what, uint64 delta) public {
        (Receipt[][] memory rows,,) = _mixedRows(4, 4);
        InferenceEscrow.SettleItem[] memory items = _only(finalBatch(G, rows), which % 16);
        InferenceEscrow.SettleItem memory item = items[0];
        Path memory path = item.path;
        Sibling memory s = [path.leafSiblings[which & 1], path.rowSiblings[0], path.groupSiblings[0]][what % 3];
        delta = 1 + uint64(delta % 1e9);
        what = what / 3 % 11;
        if (what == 0) s.hash = bytes32(uint256(s.hash) ^ (1 << (delta % 256)));
        if (what == 1) s.sum += delta;
        if (what == 2) s.sum = s.sum >= delta ? s.sum - delta : s.sum + delta;
        if (what == 3) s.count += delta;
        if (what == 4) s.left = !s.left;
        if (what == 5) item.entry.signatureHash = bytes32(uint256(item.entry.signatureHash) ^ delta);
        if (what == 6) path.leafSiblings = new Sibling[](0);
        if (what == 7) (path.rowSiblings, path.groupSiblings) = (path.groupSiblings, path.rowSiblings);
        if (what == 8) s.exposure += delta;
        if (what == 9) item.entry.grantId = bytes32(uint256(delta));
        if (what == 10) item.entry.counter = delta;
        expectNotInBatch(item);
        escrow.settle(items);
    }

    function test_theCommittedSumAndCountMustFit() public {
        bytes32 id = pay(PRICE, NONCE);
        for (uint256 i = 0; i < 4; i++) {
            (Group[] memory groups, InferenceEscrow.SettleItem[] memory items) = treeOf(oneRow(receiptOf(id, 10)));
            if (i == 0) groups[0].sum += 1;
            if (i == 1) groups[0].count += 1;
            if (i == 2) groups[0].top = keccak256("garbage");
            if (i == 3) groups[0].exposure += 1;
            finaliseBatch(commitTree(G, groups, items));
            expectNotInBatch(items[0]);
            escrow.settle(items);
        }
    }

    function test_overflowingSumsRevert() public {
        // The tree's sums wrap to a small number; folding them must not.
        Receipt[][] memory rows = oneRow(receiptOf(pay(PRICE, NONCE), 10));
        (, InferenceEscrow.SettleItem[] memory items) = treeOf(rows);
        Sibling[] memory sibling = new Sibling[](1);
        sibling[0] = Sibling(keccak256("other"), type(uint128).max, 1, 1, false);
        items[0].path.leafSiblings = sibling;
        _commitWrapped(items);
        vm.expectRevert(abi.encodeWithSignature("Panic(uint256)", 0x11));
        escrow.settle(items);
        // And the counts: 1 + (2^64 - 1) + 1 is one.
        sibling = new Sibling[](2);
        sibling[0] = Sibling(keccak256("other"), 5, 5, type(uint64).max, false);
        sibling[1] = Sibling(keccak256("third"), 5, 5, 1, false);
        items[0].path.leafSiblings = sibling;
        _commitWrapped(items);
        vm.expectRevert(abi.encodeWithSignature("Panic(uint256)", 0x11));
        escrow.settle(items);
    }

    function test_aProofIsAtMost32Deep() public {
        InferenceEscrow.SettleItem[] memory items = finalSingle(G, receiptOf(pay(PRICE, NONCE), 10));
        items[0].path.leafSiblings = new Sibling[](33);
        vm.expectRevert(abi.encodeWithSignature("ProofTooDeep(uint256)", 33));
        escrow.settle(items);
    }

    // ---------------------------------------------------------------- helpers

    function expectNotInBatch(InferenceEscrow.SettleItem memory item) private {
        vm.expectRevert(
            abi.encodeWithSelector(InferenceEscrow.NotInBatch.selector, item.entry.receipt.requestId, item.batchId)
        );
    }

    /// @dev `width` rows of one to `height` receipts, each paid for with PRICE.
    function _mixedRows(uint256 width, uint256 height)
        private
        returns (Receipt[][] memory rows, uint256 count, uint256 total)
    {
        rows = new Receipt[][](width);
        for (uint256 i = 0; i < width; i++) {
            rows[i] = new Receipt[](height);
            for (uint256 j = 0; j < height; j++) {
                Receipt memory receipt = receiptOf(pay(PRICE, keccak256(abi.encode(i, j))), uint128(100 + 7 * count));
                // Two rows of each node.
                receipt.node = [NODE, NODE_2, NODE_3][i / 2];
                receipt.priceVersion = uint64(i + 1);
                rows[i][j] = receipt;
                count += 1;
                total += receipt.price;
            }
        }
    }

    function _only(InferenceEscrow.SettleItem[] memory items, uint256 index)
        private
        pure
        returns (InferenceEscrow.SettleItem[] memory one)
    {
        one = new InferenceEscrow.SettleItem[](1);
        one[0] = items[index];
    }

    function _flipReceipt(Receipt memory r, uint8 member, uint64 delta) private pure {
        member = member % 12;
        if (member == 0) r.price += delta;
        if (member == 1) r.requestId = bytes32(uint256(r.requestId) ^ delta);
        if (member == 2) r.payer = address(uint160(r.payer) ^ delta);
        if (member == 3) r.node = address(uint160(r.node) ^ delta);
        if (member == 4) r.modelId = bytes32(uint256(r.modelId) ^ delta);
        if (member == 5) r.priceVersion += delta;
        if (member == 6) r.committer = address(uint160(r.committer) ^ delta);
        if (member == 7) r.includeBy -= delta;
        if (member == 8) r.requestHash = bytes32(uint256(r.requestHash) ^ delta);
        if (member == 9) r.issuedAt += delta;
        if (member == 10) r.status ^= 1;
        if (member == 11) r.version += 1;
    }

    /// @dev A final batch whose root is what the first item folds to where sums wrap.
    function _commitWrapped(InferenceEscrow.SettleItem[] memory items) private {
        Receipt memory receipt = items[0].entry.receipt;
        SumNode memory node = MerkleSumBuilder.leaf(receipt, items[0].entry.signatureHash);
        for (uint256 i = 0; i < items[0].path.leafSiblings.length; i++) {
            Sibling memory s = items[0].path.leafSiblings[i];
            node = MerkleSumBuilder.parent(node, SumNode(s.hash, s.sum, s.exposure, s.count));
        }
        SumNode[] memory row = new SumNode[](1);
        row[0] = MerkleSumBuilder.row(receipt, node);
        Group[] memory groups = new Group[](1);
        groups[0] = MerkleSumBuilder.group(receipt.node, row);
        finaliseBatch(commitTree(G, groups, items));
    }
}
