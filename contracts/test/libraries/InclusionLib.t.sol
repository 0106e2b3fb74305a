// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Entry, InclusionLib, Path, Spot} from "../../src/libraries/InclusionLib.sol";
import {Group, RowKey, SumNode} from "../../src/libraries/MerkleSumLib.sol";
import {Receipt, ReceiptLib} from "../../src/libraries/ReceiptLib.sol";
import {MerkleSumBuilder} from "../MerkleSumBuilder.sol";
import {TestBase} from "../TestBase.sol";

/// @title Every receipt of a batch of three nodes, with three rows each and five receipts a row, where it stands
contract InclusionLibTest is TestBase {
    uint64 private constant NODES = 3;
    uint64 private constant ROWS = 3;
    uint64 private constant RECEIPTS = 5;

    function testFuzz_aReceiptStandsWhereItWasPut(uint256 seed) public view {
        (uint64 node, uint64 row, uint64 receipt) = place(seed);
        Spot memory spot = this.spotOf(entryAt(node, row, receipt), pathTo(node, row, receipt));
        assertEq(spot.root, batchRoot().hash);
        assertEq(spot.row, (node * ROWS + row) * RECEIPTS);
        assertEq(spot.position, (node * ROWS + row) * RECEIPTS + receipt);
        assertEq(this.rootOf(entryAt(node, row, receipt), pathTo(node, row, receipt)).hash, spot.root);
    }

    function testFuzz_aRowStandsWhereItWasPut(uint256 seed) public view {
        (uint64 node, uint64 row,) = place(seed);
        SumNode memory top = MerkleSumBuilder.top(leavesOf(node, row));
        (SumNode memory root, uint64 before) = this.rootOfRow(keyOf(node, row), top, pathTo(node, row, 0));
        assertEq(keccak256(abi.encode(root)), keccak256(abi.encode(batchRoot())));
        assertEq(before, (node * ROWS + row) * RECEIPTS);
    }

    /// @dev Under the key of one row and in the group of one node, whatever the receipt says of itself.
    function test_aReceiptInARowOfOthersIsFoundThereAndNotAtHome() public view {
        Entry memory stray = entryAt(1, 1, 1);
        Path memory path;
        SumNode[] memory rows = new SumNode[](1);
        rows[0] = rowAt(0, 0, leafOf(stray));
        bytes32 root = MerkleSumBuilder.nodeOf(MerkleSumBuilder.group(nodeAt(2), rows)).hash;
        assertEq(this.spotIn(keyOf(0, 0), nodeAt(2), stray, path).root, root);
        assertTrue(this.spotOf(stray, path).root != root);
    }

    function test_aBatchOfOneReceiptIsItsRowAndItsNode() public view {
        Entry memory entry = entryAt(1, 2, 3);
        Path memory path;
        SumNode memory root = InclusionLib.rootOfSingle(entry);
        assertEq(root.hash, this.spotOf(entry, path).root);
        assertEq(root.sum, entry.receipt.price);
        assertEq(root.exposure, entry.receipt.valueAtRisk);
        assertEq(root.count, 1);
    }

    function test_theExposureOfAReceiptIsTheGreaterOfPriceAndValue() public pure {
        Receipt memory r;
        (r.price, r.valueAtRisk) = (5, 7);
        assertEq(ReceiptLib.exposure(r), 7);
        (r.price, r.valueAtRisk) = (7, 5);
        assertEq(ReceiptLib.exposure(r), 7);
    }

    // ---------------------------------------------------------------- what is tested, for it reads calldata

    function spotOf(Entry memory entry, Path calldata path) external pure returns (Spot memory) {
        return InclusionLib.spotOf(entry, path);
    }

    function spotIn(RowKey memory key, address node, Entry memory entry, Path calldata path)
        external
        pure
        returns (Spot memory)
    {
        return InclusionLib.spotIn(key, node, InclusionLib.leaf(entry), path);
    }

    function rootOf(Entry memory entry, Path calldata path) external pure returns (SumNode memory) {
        return InclusionLib.rootOf(entry, path);
    }

    function rootOfRow(RowKey memory key, SumNode memory top, Path calldata path)
        external
        pure
        returns (SumNode memory, uint64)
    {
        return InclusionLib.rootOfRow(key, top, path.rowSiblings, path.groupSiblings);
    }

    // ---------------------------------------------------------------- the batch

    function place(uint256 seed) private pure returns (uint64 node, uint64 row, uint64 receipt) {
        return (uint64(seed % NODES), uint64(seed / NODES % ROWS), uint64(seed / NODES / ROWS % RECEIPTS));
    }

    function nodeAt(uint64 node) private pure returns (address) {
        return address(uint160(node + 1));
    }

    /// @dev The first row of a node is of calls that pay for themselves, the others of grants.
    function entryAt(uint64 node, uint64 row, uint64 receipt) private pure returns (Entry memory entry) {
        entry.receipt.node = nodeAt(node);
        entry.receipt.payer = address(uint160(100 + row));
        entry.receipt.seq = receipt;
        entry.receipt.price = 10 + receipt;
        entry.receipt.valueAtRisk = 20 + receipt;
        entry.signatureHash = keccak256(abi.encode(node, row, receipt));
        entry.grantId = bytes32(uint256(row));
        entry.counter = row == 0 ? 0 : receipt;
    }

    function leafOf(Entry memory e) private pure returns (SumNode memory) {
        return MerkleSumBuilder.leaf(e.receipt, e.signatureHash, e.counter);
    }

    function leavesOf(uint64 node, uint64 row) private pure returns (SumNode[] memory leaves) {
        leaves = new SumNode[](RECEIPTS);
        for (uint64 i = 0; i < RECEIPTS; i++) leaves[i] = leafOf(entryAt(node, row, i));
    }

    function keyOf(uint64 node, uint64 row) private pure returns (RowKey memory) {
        Entry memory e = entryAt(node, row, 0);
        return RowKey(e.receipt.node, e.receipt.payer, e.grantId, e.receipt.modelId, e.receipt.priceVersion);
    }

    function rowAt(uint64 node, uint64 row, SumNode memory top) private pure returns (SumNode memory) {
        Entry memory first = entryAt(node, row, 0);
        return MerkleSumBuilder.row(first.receipt, first.grantId, top);
    }

    function rowsOf(uint64 node) private pure returns (SumNode[] memory rows) {
        rows = new SumNode[](ROWS);
        for (uint64 i = 0; i < ROWS; i++) rows[i] = rowAt(node, i, MerkleSumBuilder.top(leavesOf(node, i)));
    }

    function groups() private pure returns (SumNode[] memory) {
        Group[] memory made = new Group[](NODES);
        for (uint64 i = 0; i < NODES; i++) made[i] = MerkleSumBuilder.group(nodeAt(i), rowsOf(i));
        return MerkleSumBuilder.nodesOf(made);
    }

    function batchRoot() private pure returns (SumNode memory) {
        return MerkleSumBuilder.top(groups());
    }

    function pathTo(uint64 node, uint64 row, uint64 receipt) private pure returns (Path memory path) {
        path.leafSiblings = MerkleSumBuilder.proof(leavesOf(node, row), receipt);
        path.rowSiblings = MerkleSumBuilder.proof(rowsOf(node), row);
        path.groupSiblings = MerkleSumBuilder.proof(groups(), node);
    }
}
