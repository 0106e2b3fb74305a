// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {Params} from "../libraries/Params.sol";
import {StakePositions} from "./StakePositions.sol";
import {Tranche, Tranches} from "./Tranches.sol";

/// @title Rewards: paid in by anyone, spread by StakeAccounts, claimed by their holders
abstract contract StakeRewards is StakePositions {
    using SafeERC20 for IERC20;
    using Checkpoints for Checkpoints.Trace208;

    event RewardAdded(uint256 amount);
    event RewardClaimed(address indexed validator, address indexed holder, uint256 amount);
    event CommissionQueued(address indexed validator, uint256 bps, uint256 fromEpoch);

    error NoStake();
    error NothingToClaim();
    error CommissionTooHigh(uint256 bps, uint256 max);
    error CommissionTooSoon(uint256 notBefore);

    // ------------------------------------------------------------------ views

    /// @notice Reward that `claim` would pay now, OPG base units.
    function rewardOf(address validator, address holder) external view returns (uint256 reward) {
        Validator storage v = _registered(validator);
        Accrual memory a = _accrue(v);
        if (validator == holder) return a.income;
        Position storage p = _positions[validator][holder];
        reward = p.reward;
        // A retired pool earns nothing more: it has no tokens, whatever the rate.
        if (p.shares > 0) {
            uint256 perShare = _perShare(_tranches[validator][_mainId(p.generation)], a.netPerToken);
            reward += Math.mulDiv(perShare - p.settled, p.shares, SCALE);
        }
        for (uint256 i = 0; i < p.lots.length; i++) reward += _lotReward(validator, v, p.lots[i], a);
    }

    function _lotReward(address validator, Validator storage v, Lot storage lot, Accrual memory a)
        private
        view
        returns (uint256 reward)
    {
        if (Tranches.fromOf(lot.id) == currentEpoch()) return 0;
        Tranche storage t = _tranches[validator][lot.id];
        uint256 perShare;
        if (v.fresh && lot.id == _lastYoung(validator)) {
            // Not settled since its epoch: it has earned from that epoch's end on.
            perShare = Math.mulDiv(a.netPerToken - a.cohortStart, t.tokens, t.shares);
        } else {
            perShare = _perShare(t, a.netPerToken);
        }
        reward = Math.mulDiv(perShare - lot.settled, lot.shares, SCALE);
        if (!t.folded) return reward;
        uint256 main = _perShare(_tranches[validator][_mainId(t.foldedGeneration)], a.netPerToken);
        reward += Math.mulDiv(main - t.foldedPerShare, _foldedShares(t, lot.shares), SCALE);
    }

    // ------------------------------------------------------------------ writes

    /// @notice Takes `amount` from the caller and spreads it over all stake that stood when this epoch began.
    function notifyReward(uint256 amount) external {
        _rollTotals();
        uint256 earning = _totals.earning;
        if (earning == 0) revert NoStake();
        rewardPerToken += Math.mulDiv(amount, SCALE, earning);
        _rewardTrace.push(uint48(currentEpoch()), uint208(rewardPerToken));
        emit RewardAdded(amount);
        token.safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @notice Announces the operator's part of its delegators' rewards, in 1/10,000. A cut counts from the next epoch;
    /// a rise is at most one step, waits COMMISSION_DELAY, and the next may be announced no sooner than that.
    function queueCommission(uint256 bps) external {
        Validator storage v = _settle(msg.sender);
        uint256 cap = params.get(Params.COMMISSION_CAP_BPS);
        uint256 fromEpoch = currentEpoch() + 1;
        // Nobody who delegated under the old number is hit where nobody delegates.
        if (v.delegated != 0 && bps > v.commissionBps) {
            uint256 delay = params.get(Params.COMMISSION_DELAY);
            uint256 notBefore = v.commissionQueuedAt + delay;
            if (block.timestamp < notBefore) revert CommissionTooSoon(notBefore);
            cap = Math.min(cap, v.commissionBps + params.get(Params.COMMISSION_STEP_BPS));
            fromEpoch = epochAt(block.timestamp + delay) + 1;
            v.commissionQueuedAt = uint40(block.timestamp);
        }
        if (bps > cap) revert CommissionTooHigh(bps, cap);
        v.nextCommissionBps = uint16(bps);
        v.commissionEpoch = uint32(fromEpoch);
        emit CommissionQueued(msg.sender, bps, fromEpoch);
    }

    /// @notice Pays the caller its reward at a validator; for the validator itself, what its bond and commission earned.
    function claim(address validator) external returns (uint256 amount) {
        Validator storage v = _settle(validator);
        if (validator == msg.sender) {
            amount = v.income;
            v.income = 0;
        } else {
            Position storage p = _settlePosition(validator, v, msg.sender);
            amount = p.reward;
            p.reward = 0;
        }
        if (amount == 0) revert NothingToClaim();
        emit RewardClaimed(validator, msg.sender, amount);
        token.safeTransfer(msg.sender, amount);
    }
}
