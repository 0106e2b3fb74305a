// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BatchBook} from "../settlement/BatchBook.sol";
import {Settlement} from "../Settlement.sol";

/// @notice Batches as faults see them.
library Batches {
    error UnknownBatch(bytes32 batchId);
    error NotInBatch(bytes32 batchId);

    function known(Settlement settlement, bytes32 batchId) internal view returns (BatchBook.Batch memory b) {
        b = settlement.batch(batchId);
        if (b.state == BatchBook.State.None) revert UnknownBatch(batchId);
    }

    /// @notice Neither void nor expired: its receipts count.
    function stands(BatchBook.Batch memory b) internal pure returns (bool) {
        return b.state != BatchBook.State.Void && b.state != BatchBook.State.Expired;
    }

    /// @notice Neither final nor void nor expired: it may still be voided.
    function open(BatchBook.Batch memory b) internal pure returns (bool) {
        return b.state == BatchBook.State.Committed || b.state == BatchBook.State.Attested;
    }
}
