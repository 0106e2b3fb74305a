// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ValidatorStaking} from "../ValidatorStaking.sol";

/// @title φ of a safety fault that several validators committed together
/// @dev Never to be used for availability: among three equal validators one outage would cost everything.
library CorrelatedFault {
    error NotAscending(address previous, address validator);

    uint256 private constant WAD = 1e18;

    /// @notice max(φ of its class, 9p²), at most 1, where p is the guilty's share of the stake at the end of a block.
    /// @param guilty ascending, so that none counts twice.
    /// @param classFraction 10^18 = all.
    function fraction(ValidatorStaking staking, address[] memory guilty, uint256 blockNumber, uint256 classFraction)
        internal
        view
        returns (uint256)
    {
        uint256[] memory stakes = staking.stakesAt(guilty, blockNumber);
        uint256 faulted = 0;
        address previous = address(0);
        for (uint256 i = 0; i < guilty.length; i++) {
            if (guilty[i] <= previous) revert NotAscending(previous, guilty[i]);
            previous = guilty[i];
            faulted += stakes[i];
        }
        uint256 total = staking.totalStakeAt(blockNumber);
        if (total == 0) return Math.min(WAD, classFraction);
        return Math.min(WAD, Math.max(classFraction, Math.mulDiv(9 * WAD, faulted * faulted, total * total)));
    }
}
