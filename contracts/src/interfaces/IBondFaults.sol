// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice What a proven fault does to the bond of a node or committer. FaultManager only.
interface IBondFaults {
    /// @param fraction of the bond and of what is leaving; 10^18 = all
    /// @return taken OPG base units; nothing where there is no bond
    function slashFraction(address operator, uint256 fraction, bytes32 faultId) external returns (uint256 taken);
}
