// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice What a proven fault does to stake. FaultManager only.
interface IStakeFaults {
    /// @param fraction of what stood behind the validator in that epoch; 10^18 = all
    /// @return taken OPG base units; sent to the caller, or owed to it where the transfer fails
    function slash(address validator, uint64 captureEpoch, uint256 fraction, bytes32 faultId)
        external
        returns (uint256 taken);

    function freeze(address validator) external;

    function unfreeze(address validator) external;

    function jail(address validator) external;

    function tombstone(address validator) external;

    function epochAt(uint256 timestamp) external view returns (uint256);

    function stakeAt(address validator, uint256 blockNumber) external view returns (uint256);

    function totalStakeAt(uint256 blockNumber) external view returns (uint256);
}
