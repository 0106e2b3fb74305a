// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Settlement} from "../Settlement.sol";

/// @notice Batches as faults see them.
library Batches {
    error UnknownBatch(bytes32 batchId);
    error NotInBatch(bytes32 batchId);

    function known(Settlement settlement, bytes32 batchId) internal view returns (Settlement.Batch memory b) {
        b = settlement.batch(batchId);
        if (b.state == Settlement.State.None) revert UnknownBatch(batchId);
    }

    /// @notice Neither void nor expired: its receipts count.
    function stands(Settlement.Batch memory b) internal pure returns (bool) {
        return b.state != Settlement.State.Void && b.state != Settlement.State.Expired;
    }

    /// @notice Neither final nor void nor expired: it may still be voided.
    function open(Settlement.Batch memory b) internal pure returns (bool) {
        return b.state == Settlement.State.Committed || b.state == Settlement.State.Attested;
    }
}
