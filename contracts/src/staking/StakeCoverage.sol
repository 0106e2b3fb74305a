// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Params} from "../libraries/Params.sol";
import {StakeState} from "./StakeState.sol";

/// @title Coverage: Σ open exposure of a validator never exceeds κ times its slashable stake
/// @notice Without it one stake would back unlimited lies. Reserved when a validator attests, released when the batch is
/// final or void.
abstract contract StakeCoverage is StakeState {
    error TooManyInCall(uint256 count);

    /// @notice Exposure of a validator's open attestations, OPG base units.
    function openExposureOf(address validator) external view returns (uint256) {
        return _cover[validator].open;
    }

    /// @notice How much more a validator could back now, OPG base units.
    function coverageLeft(address validator) external view returns (uint256) {
        Cover storage c = _cover[validator];
        uint256 covered = uint256(c.counted) * params.get(Params.COVERAGE_KAPPA_BPS) / BPS;
        return covered > c.open ? covered - c.open : 0;
    }

    /// @notice Reserves `exposure` (OPG base units) on each validator that can still bear it.
    /// @return fits bit i is set if validator i bears it; the others are left as they were, so that a saturated
    /// validator does not block a batch.
    function reserve(address[] calldata validators, uint128 exposure)
        external
        onlySettlement
        returns (uint256 fits)
    {
        if (validators.length > 256) revert TooManyInCall(validators.length);
        uint256 kappa = params.get(Params.COVERAGE_KAPPA_BPS);
        for (uint256 i = 0; i < validators.length; i++) {
            Cover storage c = _cover[validators[i]];
            uint256 open = uint256(c.open) + exposure;
            if (open * BPS > c.counted * kappa) continue;
            // Safe cast: at most κ times the stake, κ at most 1.
            c.open = uint96(open);
            fits |= 1 << i;
        }
    }

    /// @notice Gives back what `reserve` took, for the validators of these indexes.
    function release(uint256[] calldata indexes, uint96 exposure) external onlySettlement {
        for (uint256 i = 0; i < indexes.length; i++) {
            Cover storage c = _cover[_list[indexes[i]]];
            uint96 open = c.open;
            c.open = open > exposure ? open - exposure : 0;
        }
    }
}
