// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title φ of a safety fault that several validators committed together
/// @dev Never to be used for availability: among three equal validators one outage would cost everything.
library CorrelatedFault {
    uint256 private constant WAD = 1e18;

    /// @notice max(φ of its class, 9p²), at most 1, where p is the guilty's share of the stake: at a third, all.
    /// @param faulted stake of the guilty, `total` of all, both as of the same block, OPG base units.
    /// @param classFraction 10^18 = all.
    function fraction(uint256 faulted, uint256 total, uint256 classFraction) internal pure returns (uint256) {
        if (total == 0) return Math.min(WAD, classFraction);
        return Math.min(WAD, Math.max(classFraction, Math.mulDiv(9 * WAD, faulted * faulted, total * total)));
    }
}
