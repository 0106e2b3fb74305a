// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {InferenceEscrow} from "../src/InferenceEscrow.sol";
import {Path} from "../src/libraries/InclusionLib.sol";
import {Group, Sibling, SumNode} from "../src/libraries/MerkleSumLib.sol";
import {Receipt} from "../src/libraries/ReceiptLib.sol";
import {EscrowFixture} from "./EscrowFixture.sol";
import {MerkleSumBuilder} from "./MerkleSumBuilder.sol";

/// @title What settles no payment: a receipt, a path or a sum that is not that of the batch
contract EscrowProofsTest is EscrowFixture {
    function setUp() public {
        deployEscrow();
    }

    function testFuzz_aChangedReceiptIsNotInTheBatch(uint8 member, uint64 delta) public {
        (Receipt[][] memory rows,,) = mixedRows(3, 3);
        InferenceEscrow.SettleItem[] memory items = only(finalBatch(G, rows), member % 9);
        flipReceipt(items[0].entry.receipt, member, 1 + uint64(delta % 1e9));
        expectNotInBatch(items[0]);
        escrow.settle(items);
    }

    function testFuzz_aChangedProofIsNotInTheBatch(uint8 which, uint8 what, uint64 delta) public {
        (Receipt[][] memory rows,,) = mixedRows(4, 4);
        InferenceEscrow.SettleItem[] memory items = only(finalBatch(G, rows), which % 16);
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
        commitWrapped(items);
        vm.expectRevert(abi.encodeWithSignature("Panic(uint256)", 0x11));
        escrow.settle(items);
        // And the counts: 1 + (2^64 - 1) + 1 is one.
        sibling = new Sibling[](2);
        sibling[0] = Sibling(keccak256("other"), 5, 5, type(uint64).max, false);
        sibling[1] = Sibling(keccak256("third"), 5, 5, 1, false);
        items[0].path.leafSiblings = sibling;
        commitWrapped(items);
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

    function only(InferenceEscrow.SettleItem[] memory items, uint256 index)
        private
        pure
        returns (InferenceEscrow.SettleItem[] memory one)
    {
        one = new InferenceEscrow.SettleItem[](1);
        one[0] = items[index];
    }

    function flipReceipt(Receipt memory r, uint8 member, uint64 delta) private pure {
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
    function commitWrapped(InferenceEscrow.SettleItem[] memory items) private {
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
