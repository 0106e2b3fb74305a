// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Entry, InclusionLib, Path, Spot} from "../libraries/InclusionLib.sol";
import {RowKey} from "../libraries/MerkleSumLib.sol";
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
    /// @return spot where: no two places of one batch share it, unless a count lies
    function find(Settlement settlement, Place calldata place)
        internal
        view
        returns (BatchBook.Batch memory b, Spot memory spot)
    {
        b = settlement.known(place.batchId);
        spot = InclusionLib.spotIn(place.key, place.group, InclusionLib.leaf(place.entry), place.path);
        if (spot.root != b.root) revert Batches.NotInBatch(place.batchId);
    }
}
