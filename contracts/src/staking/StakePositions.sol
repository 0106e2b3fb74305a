// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Params} from "../libraries/Params.sol";
import {StakeAccounts} from "./StakeAccounts.sol";
import {StakeVotes} from "./StakeVotes.sol";
import {Tranche, Tranches} from "./Tranches.sol";

/// @title Positions: who holds which shares of a validator, from the deposit on
abstract contract StakePositions is StakeAccounts, StakeVotes {
    using Tranches for Tranche;

    event Delegated(address indexed validator, address indexed holder, uint256 amount, uint256 shares);

    error PoolBelowFloor(address validator);
    error TooFewShares(uint256 shares, uint256 minShares);
    error NotAccepting(address validator, Status status, uint256 openChallenges);

    // ------------------------------------------------------------------ views

    /// @notice What a holder's active shares are worth now, OPG base units, rounded down.
    function stakeOfHolder(address validator, address holder) public view returns (uint256 amount) {
        Validator storage v = _validators[validator];
        if (validator == holder) return v.self;
        Position storage p = _positions[validator][holder];
        if (p.generation == v.generation) amount = _tranches[validator][_mainId(v.generation)].worth(p.shares);
        for (uint256 i = 0; i < p.lots.length; i++) {
            Tranche storage t = _tranches[validator][p.lots[i].id];
            if (!t.folded) {
                amount += t.worth(p.lots[i].shares);
            } else if (t.foldedGeneration == v.generation) {
                amount += _tranches[validator][_mainId(v.generation)].worth(_foldedShares(t, p.lots[i].shares));
            }
        }
    }

    // ------------------------------------------------------------------ internal

    function _accepts(address validator) internal view returns (bool) {
        Validator storage v = _validators[validator];
        return v.status == Status.Active && v.freezes == 0
            && !(v.fresh && v.epoch == currentEpoch() && _tranches[validator][_lastYoung(validator)].isWiped());
    }

    /// @dev Takes the tokens as given; the caller moves them. An operator may add to its own bond in jail.
    function _deposit(address validator, address holder, uint256 amount, uint256 minShares) internal {
        Validator storage v = _settle(validator);
        bool own = validator == holder;
        if (v.freezes != 0 || v.status == Status.Tombstoned || (v.status == Status.Jailed && !own)) {
            revert NotAccepting(validator, v.status, v.freezes);
        }
        uint256 shares = amount;
        if (own) {
            // Safe casts here and below: nobody can bring more than the supply, below 2^90.
            v.self += uint128(amount);
            v.freshSelf += uint128(amount);
        } else {
            shares = _join(validator, v, holder, amount);
        }
        if (shares == 0 || shares < minShares) revert TooFewShares(shares, minShares);
        _recount(validator, v);
        _recordVotes(validator, holder, stakeOfHolder(validator, holder));
        emit Delegated(validator, holder, amount, shares);
    }

    function _join(address validator, Validator storage v, address holder, uint256 amount)
        private
        returns (uint256 shares)
    {
        Position storage p = _settlePosition(validator, v, holder);
        if (!v.fresh) {
            uint256 epoch = currentEpoch();
            uint256 oldEnough = epoch * epochLength + params.get(Params.UNBONDING);
            _youngs[validator].ids.push(
                Tranches.idOf(epoch, Tranches.FOREVER, oldEnough, Tranches.ACTIVE, 0)
            );
            v.fresh = true;
        }
        uint128 id = _lastYoung(validator);
        Tranche storage t = _tranches[validator][id];
        if (t.isWiped()) revert PoolBelowFloor(validator);
        shares = t.join(amount);
        v.delegated += uint128(amount);
        uint256 count = p.lots.length;
        if (count > 0 && p.lots[count - 1].id == id) p.lots[count - 1].shares += uint128(shares);
        else p.lots.push(Lot(id, uint128(shares), 0));
    }

    /// @dev Credits what the position has earned and brings it to the present tranches; after `_settle`.
    function _settlePosition(address validator, Validator storage v, address holder)
        internal
        returns (Position storage p)
    {
        p = _positions[validator][holder];
        Tranche storage main = _tranches[validator][_mainId(v.generation)];
        _settleTranche(v, 0, main);
        if (p.shares > 0) {
            Tranche storage pool = _tranches[validator][_mainId(p.generation)];
            p.reward += Math.mulDiv(pool.perShare - p.settled, p.shares, SCALE);
            if (p.generation != v.generation) {
                p.exits.push(Exit(_retired[validator][p.generation], p.shares, address(0)));
                p.shares = 0;
            }
        }
        p.generation = v.generation;
        p.settled = main.perShare;
        uint256 kept = 0;
        for (uint256 i = 0; i < p.lots.length; i++) {
            Lot memory lot = p.lots[i];
            if (_settleLot(validator, v, p, lot)) p.lots[kept++] = lot;
        }
        while (p.lots.length > kept) p.lots.pop();
    }

    /// @return stays whether the lot is still a lot; else its shares are in the main pool, or in one that was retired.
    function _settleLot(address validator, Validator storage v, Position storage p, Lot memory lot)
        private
        returns (bool stays)
    {
        Tranche storage t = _tranches[validator][lot.id];
        _settleTranche(v, lot.id, t);
        p.reward += Math.mulDiv(t.perShare - lot.settled, lot.shares, SCALE);
        lot.settled = t.perShare;
        if (!t.folded) return true;
        Tranche storage main = _tranches[validator][_mainId(t.foldedGeneration)];
        uint256 shares = _foldedShares(t, lot.shares);
        p.reward += Math.mulDiv(main.perShare - t.foldedPerShare, shares, SCALE);
        // Safe casts: a part of the main pool's shares.
        if (t.foldedGeneration == v.generation) p.shares += uint128(shares);
        else p.exits.push(Exit(_retired[validator][t.foldedGeneration], uint128(shares), address(0)));
    }

    function _foldedShares(Tranche storage t, uint256 shares) internal view returns (uint256) {
        return Math.mulDiv(shares, t.foldedShares, t.shares);
    }
}
