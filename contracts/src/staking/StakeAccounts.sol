// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {StakeState} from "./StakeState.sol";
import {Tranche, TrancheQueue, Tranches} from "./Tranches.sol";

/// @title Keeping a validator's books up to date
/// @notice Rewards are spread over the stake that stood when the epoch began: a deposit earns from the next epoch on, so
/// nobody steps in just before a payment and out after it. What delegators earn is settled per share before any share
/// changes.
abstract contract StakeAccounts is StakeState {
    using Checkpoints for Checkpoints.Trace208;
    using Tranches for Tranche;

    /// @dev Young tranches that one call moves to the main pool at most; the rest wait, which costs nobody anything.
    uint256 private constant FOLDS_PER_CALL = 2;

    /// @dev What a settlement would write.
    struct Accrual {
        uint256 perToken;
        uint256 netPerToken;
        uint256 income;
        uint256 commissionBps;
        /// `netPerToken` at the end of the epoch of the last settlement, from which that epoch's deposits earn.
        uint256 cohortStart;
    }

    /// @dev Brings a validator up to now; before any of its stake, shares or its status change.
    function _settle(address validator) internal returns (Validator storage v) {
        v = _registered(validator);
        Accrual memory a = _accrue(v);
        uint256 epoch = currentEpoch();
        v.perToken = a.perToken;
        v.netPerToken = a.netPerToken;
        v.income = a.income;
        if (v.epoch == epoch) return v;
        if (v.fresh) {
            _tranches[validator][_lastYoung(validator)].settled = a.cohortStart;
            v.fresh = false;
        }
        if (v.commissionEpoch != 0 && v.commissionEpoch <= epoch) {
            v.commissionBps = v.nextCommissionBps;
            v.commissionEpoch = 0;
        }
        v.epoch = uint32(epoch);
        v.freshSelf = 0;
        v.earning = v.counted;
        v.earns = v.counted > 0;
        _foldYoungs(validator, v);
    }

    /// @dev Up to three stretches: the rest of the epoch of the last settlement, in which its deposits did not earn yet;
    /// then until a queued commission begins; then until now.
    function _accrue(Validator storage v) internal view returns (Accrual memory a) {
        (a.perToken, a.netPerToken, a.income) = (v.perToken, v.netPerToken, v.income);
        a.commissionBps = v.commissionBps;
        uint256 earning = v.earning;
        uint256 self = earning == 0 ? 0 : v.self - v.freshSelf;
        uint256 epoch = currentEpoch();
        if (v.epoch != epoch) {
            _stretch(a, _rewardTrace.upperLookupRecent(v.epoch), earning, self);
            a.cohortStart = a.netPerToken;
            earning = v.counted;
            self = earning == 0 ? 0 : v.self;
            if (v.commissionEpoch != 0 && v.commissionEpoch <= epoch) {
                _stretch(a, _rewardTrace.upperLookupRecent(v.commissionEpoch - 1), earning, self);
                a.commissionBps = v.nextCommissionBps;
            }
        }
        _stretch(a, rewardPerToken, earning, self);
    }

    function _stretch(Accrual memory a, uint256 until, uint256 earning, uint256 self) private pure {
        uint256 gain = until - a.perToken;
        a.perToken = until;
        if (gain == 0 || earning == 0) return;
        uint256 net = gain * (BPS - a.commissionBps) / BPS;
        a.netPerToken += net;
        uint256 earned = Math.mulDiv(gain, earning, SCALE);
        uint256 forDelegators = Math.mulDiv(net, earning - self, SCALE, Math.Rounding.Ceil);
        // Rounding may take one base unit too many; it comes out of the operator's part, never out of the contract.
        if (earned > forDelegators) a.income += earned - forDelegators;
    }

    /// @dev Before the tokens or shares of an active tranche change. This epoch's deposits do not earn yet.
    function _settleTranche(Validator storage v, uint128 id, Tranche storage t) internal {
        if (Tranches.fromOf(id) == currentEpoch()) return;
        uint256 net = v.netPerToken;
        t.perShare = _perShare(t, net);
        t.settled = net;
    }

    function _perShare(Tranche storage t, uint256 net) internal view returns (uint256) {
        if (t.shares == 0 || t.folded) return t.perShare;
        return t.perShare + Math.mulDiv(net - t.settled, t.tokens, t.shares);
    }

    /// @dev Whether the next settlement folds a young tranche into the main pool, and how many of its shares that makes:
    /// what views have to say, since whoever reads them acts on a settled validator.
    function _foldAhead(address validator, Validator storage v, uint128 id)
        internal
        view
        returns (bool folds, uint256 foldedShares)
    {
        if (v.epoch == currentEpoch()) return (false, 0);
        TrancheQueue storage q = _youngs[validator];
        Tranche storage main = _tranches[validator][_mainId(v.generation)];
        (uint256 tokens, uint256 shares) = (main.tokens, main.shares);
        for (uint256 i = q.head; i < q.head + FOLDS_PER_CALL && i < q.ids.length; i++) {
            uint128 young = q.ids[i];
            if (Tranches.releaseOf(young) > block.timestamp) return (false, 0);
            uint256 amount = _tranches[validator][young].tokens;
            foldedShares = Tranches.sharesFor(amount, tokens, shares);
            if (young == id) return (true, foldedShares);
            (tokens, shares) = (tokens + amount, shares + foldedShares);
        }
        return (false, 0);
    }

    /// @dev A tranche that came after every fault that can still be proven is no different from the main pool.
    function _foldYoungs(address validator, Validator storage v) private {
        TrancheQueue storage q = _youngs[validator];
        for (uint256 i = 0; i < FOLDS_PER_CALL && q.head < q.ids.length; i++) {
            uint128 id = q.ids[q.head];
            if (Tranches.releaseOf(id) > block.timestamp) return;
            q.head++;
            Tranche storage young = _tranches[validator][id];
            if (young.shares == 0) continue;
            Tranche storage main = _tranches[validator][_mainId(v.generation)];
            _settleTranche(v, id, young);
            _settleTranche(v, 0, main);
            young.folded = true;
            young.foldedGeneration = v.generation;
            young.foldedPerShare = main.perShare;
            // Safe cast: `join` keeps shares below 2^128.
            young.foldedShares = uint128(main.join(young.tokens));
            young.tokens = 0;
        }
    }
}
