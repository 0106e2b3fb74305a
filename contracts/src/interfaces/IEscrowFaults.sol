// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice What a proven fault does to a payment.
interface IEscrowFaults {
    /// @notice Locked → Refunded, whatever else stands still. FaultManager only.
    function refundProven(bytes32 requestId, bytes32 faultId) external;
}
