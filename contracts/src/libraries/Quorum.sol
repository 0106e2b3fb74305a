// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Two thirds of the stake decide, exactly: two of three equal validators are enough, a base unit less is not.
/// @dev A constant, not a parameter: the safety of every batch rests on it, so no vote can lower it.
library Quorum {
    function reached(uint256 stake, uint256 totalStake) internal pure returns (bool) {
        return totalStake > 0 && stake * 3 >= totalStake * 2;
    }
}
