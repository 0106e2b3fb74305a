// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice What a proven fault does to a payment.
interface IEscrowFaults {
    /// @notice Locked → Refunded. FaultManager only.
    function refundProven(bytes32 requestId, bytes32 faultId) external;

    function payment(bytes32 requestId)
        external
        view
        returns (address payer, address gateway, uint128 amount, uint128 paid, uint64 lockedAt, uint8 state);
}
