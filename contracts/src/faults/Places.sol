// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Entry, InclusionLib, Path} from "../libraries/InclusionLib.sol";
import {MerkleSumLib, RowKey, SumNode} from "../libraries/MerkleSumLib.sol";
import {BatchBook} from "../settlement/BatchBook.sol";
import {Settlement} from "../Settlement.sol";
import {Batches} from "./Batches.sol";

/// @dev A receipt where it stands, rightly or not: under a row of key `key`, in the group of `group`.
struct Place {
    bytes32 batchId;
    Entry entry;
    RowKey key;
    address group;
    Path path;
}

/// @notice Where a receipt stands, whatever it says of itself.
library Places {
    using Batches for Settlement;

    /// @return b the batch it stands in
    /// @return position receipts before it: no two places of one batch share it, unless a count lies
    function find(Settlement settlement, Place calldata place)
        internal
        view
        returns (BatchBook.Batch memory b, uint256 position)
    {
        b = settlement.known(place.batchId);
        uint64 before;
        SumNode memory top;
        (top, before) = MerkleSumLib.fold(InclusionLib.leaf(place.entry), place.path.leafSiblings);
        position = before;
        (top, before) = MerkleSumLib.fold(MerkleSumLib.row(place.key, top), place.path.rowSiblings);
        position += before;
        (top, before) = MerkleSumLib.fold(MerkleSumLib.group(place.group, top), place.path.groupSiblings);
        position += before;
        if (top.hash != b.root) revert Batches.NotInBatch(place.batchId);
    }
}
