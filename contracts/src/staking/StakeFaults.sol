// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Params} from "../libraries/Params.sol";
import {IStakeOutgoing} from "./IStakeOutgoing.sol";
import {StakeAccounts} from "./StakeAccounts.sol";
import {StakeVotes} from "./StakeVotes.sol";
import {Tranche, TrancheQueue, Tranches} from "./Tranches.sol";

/// @title What faults do to stake: who answers, and with how much
/// @notice A fault of epoch c costs ⌈φ · exposure(c)⌉, and all faults of c together at most exposure(c). The validator's
/// own bond pays a part of it first; the rest is shared, in proportion, by everything that stood in c: its bond, its
/// delegators, and whoever has begun to leave since. What came after c is not hit, and its presence changes nothing.
abstract contract StakeFaults is StakeAccounts, StakeVotes, IStakeOutgoing {
    using Tranches for Tranche;

    /// @dev All that answers for an epoch. The first part is the validator's own bond (id 0), the second the main pool.
    struct Standing {
        uint128[] ids;
        uint256[] amounts;
        uint256 total;
        /// Of `total`, what is the validator's own: bond and exits.
        uint256 self;
    }

    /// @dev What is left to share out, and over how many tokens of the parts that come after.
    struct Shares {
        uint256 first;
        uint256 firstOver;
        uint256 rest;
        uint256 restOver;
        uint256 fromActive;
    }

    // ------------------------------------------------------------------ writes

    function slash(address validator, uint64 captureEpoch, uint256 fraction, bytes32 faultId)
        external
        onlyFaultManager
        returns (uint256 taken)
    {
        if (fraction == 0 || fraction > WAD) revert BadFraction(fraction);
        Validator storage v = _settle(validator);
        Standing memory standing = _standing(validator, captureEpoch);
        taken = Math.min(standing.total, _owed(validator, captureEpoch, fraction));
        if (taken > 0) {
            slashedFor[validator][captureEpoch] += taken;
            // What a vote changed since must not change who pays.
            uint256 firstBps = params.getAt(Params.SELF_FIRST_BPS, _endOf(captureEpoch));
            uint256 first = Math.min(Math.mulDiv(taken, firstBps, BPS), standing.self);
            _share(validator, v, standing, taken, first);
            _recount(validator, v);
            _recordVotes(validator, validator, v.self);
        }
        emit ValidatorSlashed(validator, captureEpoch, taken, fraction, faultId);
        _sendProceeds(token, faultManager, taken);
    }

    function sendProceeds() external {
        uint256 amount = unsentProceeds;
        unsentProceeds = 0;
        _sendProceeds(token, faultManager, amount);
    }

    function freeze(address[] calldata validators) external onlyFaultManager {
        emit ValidatorsFrozen(validators);
        for (uint256 i = 0; i < validators.length; i++) ++_registered(validators[i]).freezes;
    }

    function unfreeze(address[] calldata validators) external onlyFaultManager {
        emit ValidatorsUnfrozen(validators);
        for (uint256 i = 0; i < validators.length; i++) {
            Validator storage v = _registered(validators[i]);
            if (v.freezes == 0) revert NotFrozen(validators[i]);
            --v.freezes;
        }
    }

    function jail(address validator) external onlyFaultManager {
        Validator storage v = _settle(validator);
        if (v.status == Status.Tombstoned) return;
        v.status = Status.Jailed;
        v.jailedUntil = uint40(_endOf(currentEpoch() + 1));
        _recount(validator, v);
        emit ValidatorJailed(validator, v.jailedUntil);
    }

    function unjail() external {
        Validator storage v = _settle(msg.sender);
        if (v.status != Status.Jailed) revert NotJailed(msg.sender);
        if (block.timestamp < v.jailedUntil) revert StillJailed(v.jailedUntil);
        v.status = Status.Active;
        _recount(msg.sender, v);
        emit ValidatorUnjailed(msg.sender);
    }

    function tombstone(address validator) external onlyFaultManager {
        Validator storage v = _settle(validator);
        v.status = Status.Tombstoned;
        _recount(validator, v);
        emit ValidatorTombstoned(validator);
    }

    // ------------------------------------------------------------------ internal

    /// @dev φ of the exposure, rounded up, and never more than all faults of the epoch may still cost.
    function _owed(address validator, uint256 epoch, uint256 fraction) private view returns (uint256) {
        uint256 exposure = exposureAt(validator, epoch);
        uint256 amount = Math.mulDiv(exposure, fraction, WAD, Math.Rounding.Ceil);
        return Math.min(amount, exposure - slashedFor[validator][epoch]);
    }

    /// @dev Everything that stood in an epoch and is not free yet.
    function _standing(address validator, uint256 epoch) private view returns (Standing memory s) {
        TrancheQueue storage youngs = _youngs[validator];
        TrancheQueue storage leaving = _leaving[validator];
        uint256 most = 2 + youngs.ids.length - youngs.head + leaving.ids.length - leaving.head;
        (s.ids, s.amounts) = (new uint128[](most), new uint256[](most));
        s.self = _validators[validator].self;
        s.amounts[0] = s.total = s.self;
        uint256 count = _add(s, 1, validator, _mainId(_validators[validator].generation));
        for (uint256 i = youngs.head; i < youngs.ids.length; i++) {
            uint128 id = youngs.ids[i];
            if (Tranches.fromOf(id) > epoch) break;
            count = _add(s, count, validator, id);
        }
        for (uint256 i = leaving.head; i < leaving.ids.length; i++) {
            uint128 id = leaving.ids[i];
            if (!Tranches.stoodIn(id, epoch) || Tranches.releaseOf(id) <= block.timestamp) continue;
            count = _add(s, count, validator, id);
        }
    }

    function _add(Standing memory s, uint256 index, address validator, uint128 id) private view returns (uint256) {
        uint256 tokens = _tranches[validator][id].tokens;
        (s.ids[index], s.amounts[index]) = (id, tokens);
        s.total += tokens;
        if (Tranches.kindOf(id) == Tranches.SELF_EXIT) s.self += tokens;
        return index + 1;
    }

    /// @dev Takes exactly `taken`, each part by its share, rounded so that the sum comes out. `first` of it is paid by
    /// what is the validator's own.
    function _share(address validator, Validator storage v, Standing memory standing, uint256 taken, uint256 first)
        private
    {
        Shares memory s = Shares(first, standing.self, taken - first, standing.total - first, 0);
        _shrinkVotes(validator, s.restOver - s.rest, s.restOver);
        for (uint256 i = 0; i < standing.ids.length; i++) {
            uint256 amount = standing.amounts[i];
            if (amount == 0) continue;
            uint256 cut = 0;
            uint128 id = standing.ids[i];
            if (i == 0 || Tranches.kindOf(id) == Tranches.SELF_EXIT) {
                cut = Math.mulDiv(s.first, amount, s.firstOver, Math.Rounding.Ceil);
                s.first -= cut;
                s.firstOver -= amount;
            }
            if (amount > cut) {
                uint256 rest = Math.mulDiv(s.rest, amount - cut, s.restOver, Math.Rounding.Ceil);
                s.rest -= rest;
                s.restOver -= amount - cut;
                cut += rest;
            }
            if (cut > 0) _cut(validator, v, id, cut, s);
        }
        // Safe cast: nobody loses more than it had.
        v.delegated -= uint128(s.fromActive);
        _gone[validator][currentEpoch()] += s.fromActive + standing.amounts[0] - v.self;
        _retireWiped(validator, v);
    }

    function _cut(address validator, Validator storage v, uint128 id, uint256 cut, Shares memory s) private {
        // Safe casts: a cut is at most what is there.
        if (id == 0) {
            v.self -= uint128(cut);
            v.freshSelf = uint128(Math.min(v.freshSelf, v.self));
            return;
        }
        Tranche storage t = _tranches[validator][id];
        if (Tranches.kindOf(id) == Tranches.ACTIVE) {
            _settleTranche(v, id, t);
            s.fromActive += cut;
        }
        t.tokens -= uint128(cut);
    }

    /// @dev A main pool under the exchange-rate floor becomes an exit of all its holders, free of nothing it owes, and
    /// a new pool takes what comes: neither can contaminate the other.
    function _retireWiped(address validator, Validator storage v) private {
        Tranche storage main = _tranches[validator][_mainId(v.generation)];
        if (!main.isWiped()) return;
        uint256 epoch = currentEpoch();
        uint256 release = _endOf(epoch) + params.get(Params.UNBONDING);
        uint128 id = Tranches.idOf(0, epoch, release, Tranches.RETIRED, v.generation);
        Tranche storage retired = _tranches[validator][id];
        (retired.tokens, retired.shares) = (main.tokens, main.shares);
        v.delegated -= main.tokens;
        _gone[validator][epoch] += main.tokens;
        main.tokens = 0;
        _leaving[validator].ids.push(id);
        _retired[validator][v.generation] = id;
        v.generation++;
    }
}
