// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Arrays} from "@openzeppelin/contracts/utils/Arrays.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {Params} from "../libraries/Params.sol";
import {StakeState} from "./StakeState.sol";

/// @title Coverage: Σ open exposure of a validator never exceeds κ times its slashable stake
/// @notice Without it one stake would back unlimited lies. Reserved when a validator attests, with the weight that its
/// voice has; released when the batch is final or void.
abstract contract StakeCoverage is StakeState {
    using Arrays for address[];
    using Checkpoints for Checkpoints.Trace208;

    /// @notice What one voice counts for.
    struct Voice {
        /// `indexOf` the validator; 0 where it never registered, and then has no stake.
        uint256 index;
        /// `stakeAt` the block that was asked for, OPG base units.
        uint256 stake;
        /// Whether it bears the exposure, which is reserved now; one that does not is left as it was, so that a saturated
        /// validator does not block a batch.
        bool bears;
    }

    // ------------------------------------------------------------------ views

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

    /// @notice Stake with which a validator counts at the end of a block; of the present block, up to now. 0 off duty.
    function stakeAt(address validator, uint256 blockNumber) external view returns (uint256) {
        return _stakeAt(validator, _cover[validator], blockNumber);
    }

    /// @notice `stakeAt` of all validators together: the whole of every quorum.
    function totalStakeAt(uint256 blockNumber) public view returns (uint256) {
        if (blockNumber > block.number) revert FutureBlock(blockNumber);
        if (blockNumber >= _totals.countedSince) return _totals.counted;
        return _countedTotalTrace.upperLookupRecent(uint48(blockNumber));
    }

    // ------------------------------------------------------------------ writes

    /// @notice Weighs validators' voices by the stake of a block, and reserves `exposure` (OPG base units) on each that
    /// can still bear it.
    /// @return voices in the order of the validators
    /// @return total stake of that block
    function reserve(address[] calldata validators, uint96 exposure, uint256 blockNumber)
        external
        onlySettlement
        returns (Voice[] memory voices, uint256 total)
    {
        uint256 kappa = params.get(Params.COVERAGE_KAPPA_BPS);
        voices = new Voice[](validators.length);
        for (uint256 i = 0; i < voices.length; i++) {
            Cover memory c = _cover[validators[i]];
            uint256 open = uint256(c.open) + exposure;
            // Who reserves nothing bears nothing, whatever a slash has left of its stake.
            bool bears = exposure == 0 || open * BPS <= c.counted * kappa;
            // Safe cast: at most κ times the stake, κ at most 1.
            if (bears) _cover[validators[i]].open = uint96(open);
            voices[i] = Voice(c.index, _stakeAt(validators[i], c, blockNumber), bears);
        }
        return (voices, totalStakeAt(blockNumber));
    }

    /// @notice Gives back what `reserve` took, for the validators of these indexes.
    function release(uint256[] calldata indexes, uint96 exposure) external onlySettlement {
        for (uint256 i = 0; i < indexes.length; i++) {
            // Unchecked: the index came from here.
            Cover storage c = _cover[_list.unsafeAccess(indexes[i]).value];
            uint96 open = c.open;
            c.open = open > exposure ? open - exposure : 0;
        }
    }

    // ------------------------------------------------------------------ internal

    function _stakeAt(address validator, Cover memory c, uint256 blockNumber) private view returns (uint256) {
        if (blockNumber > block.number) revert FutureBlock(blockNumber);
        if (blockNumber >= c.countedSince) return c.counted;
        return _countedTrace[validator].upperLookupRecent(uint48(blockNumber));
    }
}
