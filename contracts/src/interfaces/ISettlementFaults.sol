// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice What the judges of faults need of Settlement beside its batches.
interface ISettlementFaults {
    /// @notice Who called the batch valid; fixed once the batch is neither Committed nor Attested.
    function attestersOf(bytes32 batchId) external view returns (address[] memory);

    /// @notice Holds the batch back from finality until as many challenges are closed. FaultManager only.
    function openChallenge(bytes32 batchId) external;

    function closeChallenge(bytes32 batchId) external;

    function voidBatch(bytes32 batchId, bytes32 faultId) external;
}
