// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MerkleSumLib, RowKey, Sibling, SumNode} from "./MerkleSumLib.sol";
import {Receipt, ReceiptLib} from "./ReceiptLib.sol";

/// @notice A receipt as a batch holds it: signed, and with its place under a spending grant, if one pays.
struct Entry {
    Receipt receipt;
    bytes32 signatureHash;
    /// Zero where the call pays for itself.
    bytes32 grantId;
    uint64 counter;
}

/// @notice The way from a leaf to the root: through its row, then its node's rows, then the batch's nodes.
struct Path {
    Sibling[] leafSiblings;
    Sibling[] rowSiblings;
    Sibling[] groupSiblings;
}

/// @notice Where something stands in a batch.
struct Spot {
    bytes32 root;
    /// Receipts before its row: no two rows of one batch share it, unless a count lies.
    uint64 row;
    /// Receipts before it.
    uint64 position;
}

/// @notice Where entries and rows lead (docs/spec.md §5).
library InclusionLib {
    using MerkleSumLib for SumNode;

    function leaf(Entry memory entry) internal pure returns (SumNode memory) {
        return SumNode(
            ReceiptLib.leafHash(entry.receipt, entry.signatureHash, entry.counter),
            entry.receipt.price,
            ReceiptLib.exposure(entry.receipt),
            1
        );
    }

    function keyOf(Entry memory entry) internal pure returns (RowKey memory) {
        Receipt memory r = entry.receipt;
        return RowKey(r.node, r.payer, entry.grantId, r.modelId, r.priceVersion);
    }

    /// @notice Root that an honest entry leads to: in the row of its own payer, node, model, price and grant.
    function rootOf(Entry memory entry, Path calldata path) internal pure returns (SumNode memory top) {
        (top,) = MerkleSumLib.fold(leaf(entry), path.leafSiblings);
        (top,) = rootOfRow(keyOf(entry), top, path.rowSiblings, path.groupSiblings);
    }

    /// @notice Where an honest entry stands: in the row of its own payer, node, model, price and grant.
    function spotOf(Entry memory entry, Path calldata path) internal pure returns (Spot memory) {
        RowKey memory key = keyOf(entry);
        return spotIn(key, key.node, leaf(entry), path);
    }

    /// @notice Where a node of a row's tree stands, rightly or not: under a row of key `key`, in the group of `node`.
    function spotIn(RowKey memory key, address node, SumNode memory below, Path calldata path)
        internal
        pure
        returns (Spot memory spot)
    {
        (SumNode memory top, uint64 inRow) = MerkleSumLib.fold(below, path.leafSiblings);
        uint64 before;
        (top, spot.row) = MerkleSumLib.fold(MerkleSumLib.row(key, top), path.rowSiblings);
        (top, before) = MerkleSumLib.fold(MerkleSumLib.group(node, top), path.groupSiblings);
        spot.row += before;
        (spot.root, spot.position) = (top.hash, spot.row + inRow);
    }

    /// @notice Root of the batch that holds this entry alone.
    function rootOfSingle(Entry memory entry) internal pure returns (SumNode memory) {
        SumNode memory row = MerkleSumLib.row(keyOf(entry), leaf(entry));
        return MerkleSumLib.group(entry.receipt.node, row);
    }

    /// @return top root that a row leads to
    /// @return before receipts that stand before it in the batch
    function rootOfRow(
        RowKey memory key,
        SumNode memory rowTop,
        Sibling[] calldata rowSiblings,
        Sibling[] calldata groupSiblings
    ) internal pure returns (SumNode memory top, uint64 before) {
        uint64 inBatch;
        (top, before) = MerkleSumLib.fold(MerkleSumLib.row(key, rowTop), rowSiblings);
        (top, inBatch) = MerkleSumLib.fold(MerkleSumLib.group(key.node, top), groupSiblings);
        before += inBatch;
    }
}
