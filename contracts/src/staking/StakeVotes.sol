// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {StakeState} from "./StakeState.sol";

/// @title Votes of staked tokens, as of a past block
/// @notice A holder's stake at each validator is kept in units that a slash makes worth less, so one checkpoint of the
/// validator lowers the votes of all its holders. What is on its way out carries no votes.
/// @dev After a slash, deposits that it spared (they came after the fault) vote with less than they are worth until
/// their holder's next call; never with more.
abstract contract StakeVotes is StakeState {
    using Checkpoints for Checkpoints.Trace208;

    /// @notice Validators that one holder may ever back: bounds what a count of its votes costs.
    uint256 public constant MAX_BACKED = 64;
    /// @dev Below this a unit is worth too little to count in; a new generation of units begins.
    uint256 private constant MIN_UNIT = SCALE / 1e9;

    error TooManyValidators(address holder);

    // ------------------------------------------------------------------ views

    /// @notice As OPG's clock (ERC-6372).
    function clock() public view returns (uint48) {
        return uint48(block.number);
    }

    // solhint-disable-next-line func-name-mixedcase
    function CLOCK_MODE() external pure returns (string memory) {
        return "mode=blocknumber&from=default";
    }

    /// @notice Own and delegated stake of a holder over all validators at the end of a past block, OPG base units.
    function getPastStakeVotes(address holder, uint256 timepoint) external view returns (uint256 votes) {
        if (timepoint >= block.number) revert FutureBlock(timepoint);
        address[] storage backed = _backed[holder];
        for (uint256 i = 0; i < backed.length; i++) {
            uint256 units = _units[backed[i]][holder].upperLookupRecent(uint48(timepoint));
            if (backed[i] == holder) {
                // An operator's own bond is slashed by its own rule, and written down each time.
                votes += units;
                continue;
            }
            (uint256 generation, uint256 unitWorth) = _split(_unitWorth[backed[i]].upperLookupRecent(uint48(timepoint)));
            if (units >> 128 == generation) votes += Math.mulDiv(uint128(units), unitWorth, SCALE);
        }
    }

    /// @notice All stake that carries votes at the end of a past block, OPG base units.
    function getPastTotalStake(uint256 timepoint) external view returns (uint256) {
        if (timepoint >= block.number) revert FutureBlock(timepoint);
        return _stakedTotalTrace.upperLookupRecent(uint48(timepoint));
    }

    // ------------------------------------------------------------------ internal

    /// @dev Remembers what a holder's active stake at a validator is worth now.
    function _recordVotes(address validator, address holder, uint256 amount) internal {
        Checkpoints.Trace208 storage trace = _units[validator][holder];
        if (trace.length() == 0) {
            if (_backed[holder].length == MAX_BACKED) revert TooManyValidators(holder);
            _backed[holder].push(validator);
        }
        uint256 units = amount;
        if (validator != holder) {
            (uint256 generation, uint256 unitWorth) = _split(_unitWorth[validator].latest());
            units = generation << 128 | Math.mulDiv(amount, SCALE, unitWorth);
        }
        // Safe casts: units are below 2^90 · 10^9, the generation is a count of near-total slashes.
        trace.push(uint48(block.number), uint208(units));
    }

    /// @dev A slash left `left` of `stood` tokens of every delegator that it hit.
    function _shrinkVotes(address validator, uint256 left, uint256 stood) internal {
        if (left == stood) return;
        Checkpoints.Trace208 storage trace = _unitWorth[validator];
        (uint256 generation, uint256 unitWorth) = _split(trace.latest());
        unitWorth = Math.mulDiv(unitWorth, left, stood);
        if (unitWorth < MIN_UNIT) (generation, unitWorth) = (generation + 1, SCALE);
        trace.push(uint48(block.number), uint208(generation << 128 | unitWorth));
    }

    function _split(uint256 packed) private pure returns (uint256 generation, uint256 unitWorth) {
        if (packed == 0) return (0, SCALE);
        return (packed >> 128, uint128(packed));
    }
}
