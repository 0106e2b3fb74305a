// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Params} from "../libraries/Params.sol";
import {IStakeOutgoing} from "./IStakeOutgoing.sol";
import {StakePositions} from "./StakePositions.sol";
import {Tranche, TrancheQueue, Tranches} from "./Tranches.sol";

/// @title Exits: what leaves stays slashable for the faults of the epochs in which it stood
/// @notice All exits of one epoch from one tranche share a bucket, so a slash touches buckets and never holders. A
/// redelegation is a shorter exit that then bonds by itself: on its way only its source can slash it.
/// @dev Nothing here asks about open challenges or jail: a clock that has started runs.
abstract contract StakeExits is StakePositions, IStakeOutgoing {
    using SafeERC20 for IERC20;
    using Tranches for Tranche;

    // ------------------------------------------------------------------ constants

    /// @notice Exits of one holder that may be under way at one validator.
    uint256 public constant MAX_EXITS = 64;
    /// @notice Buckets of an epoch of exit, at most this many epochs deep. Where the unbonding time is longer, several
    /// epochs share a bucket, whose leavers count as having stood until its last.
    uint256 public constant MAX_EXIT_EPOCHS = 30;
    /// @dev While there are fewer buckets, young deposits leave through ones of their own, and answer only for the
    /// epochs since they came. Above, they leave with the others: no one can stop an exit by opening buckets.
    uint256 private constant MAX_OWN_BUCKETS = 100;
    uint256 private constant PRUNES_PER_CALL = 32;

    /// @dev How something leaves, and where to.
    struct Way {
        uint256 kind;
        address target;
    }

    // ------------------------------------------------------------------ writes

    function undelegate(address validator, uint256 shares) external {
        (uint256 amount, uint256 releaseAt) = validator == msg.sender
            ? _leaveSelf(validator, shares)
            : _leaveShares(validator, shares, Way(Tranches.EXIT, address(0)));
        emit Undelegated(validator, msg.sender, shares, amount, uint64(releaseAt));
    }

    function redelegate(address from, address to, uint256 shares) external {
        if (from == msg.sender) revert SelfBondStays();
        // An operator that bonds to itself by this way would have its bond in two kinds.
        if (from == to || to == msg.sender) revert SameValidator();
        _registered(to);
        (uint256 amount, uint256 bondsAt) = _leaveShares(from, shares, Way(Tranches.TRANSIT, to));
        emit Redelegated(from, to, msg.sender, shares, amount, uint64(bondsAt));
    }

    function bond(address from, address holder) external returns (uint256 amount) {
        Exit[] storage exits = _positions[from][holder].exits;
        bool due = false;
        for (uint256 i = exits.length; i > 0; i--) {
            Exit memory exit = exits[i - 1];
            if (exit.target == address(0) || Tranches.releaseOf(exit.id) > block.timestamp) continue;
            if (!_accepts(exit.target)) continue;
            due = true;
            uint256 part = _take(exits, i - 1, _tranches[from][exit.id]);
            // Dust that a slash left behind is too little to bond, and stays with the contract.
            if (part == 0) continue;
            amount += part;
            _deposit(exit.target, holder, part, 0);
            emit RedelegationBonded(from, exit.target, holder, part);
        }
        if (!due) revert NothingToBond();
    }

    function withdraw(address validator) external returns (uint256 amount) {
        Exit[] storage exits = _positions[validator][msg.sender].exits;
        bool due = false;
        // Order does not matter among exits, so a paid one is replaced by the last, which was looked at before.
        for (uint256 i = exits.length; i > 0; i--) {
            Exit memory exit = exits[i - 1];
            if (!_isDue(exit)) continue;
            due = true;
            amount += _take(exits, i - 1, _tranches[validator][exit.id]);
        }
        if (!due) revert NothingToWithdraw();
        emit StakeWithdrawn(validator, msg.sender, amount);
        token.safeTransfer(msg.sender, amount);
    }

    // ------------------------------------------------------------------ internal

    function _isDue(Exit memory exit) private view returns (bool) {
        if (exit.target == address(0)) return Tranches.releaseOf(exit.id) <= block.timestamp;
        uint256 end = _endOf(Tranches.toOf(exit.id));
        // As it was when the exit began, or before: a vote since then shortens nothing.
        return end + params.getAt(Params.UNBONDING, end - epochLength) <= block.timestamp;
    }

    function _take(Exit[] storage exits, uint256 index, Tranche storage bucket) private returns (uint256 amount) {
        uint256 shares = exits[index].shares;
        exits[index] = exits[exits.length - 1];
        exits.pop();
        return bucket.quit(shares);
    }

    function _leaveSelf(address validator, uint256 amount) private returns (uint256, uint256 releaseAt) {
        Validator storage v = _settle(validator);
        if (amount == 0 || amount > v.self) revert NotEnoughShares(v.self, amount);
        // Safe casts: not more than `self`.
        v.self -= uint128(amount);
        v.freshSelf = uint128(Math.min(v.freshSelf, v.self));
        releaseAt = _enter(
            validator, _positions[validator][validator], 0, amount, Way(Tranches.SELF_EXIT, address(0))
        );
        _left(validator, v, validator, amount);
        return (amount, releaseAt);
    }

    /// @dev Of the main pool first, then of the lots in the order of their age.
    function _leaveShares(address validator, uint256 shares, Way memory way)
        private
        returns (uint256 amount, uint256 releaseAt)
    {
        Validator storage v = _settle(validator);
        Position storage p = _settlePosition(validator, v, msg.sender);
        uint256 wanted = shares;
        uint256 part = Math.min(wanted, p.shares);
        if (part > 0) {
            wanted -= part;
            // Safe cast: not more than there is; so below.
            p.shares -= uint128(part);
            (amount, releaseAt) = _move(validator, p, _mainId(v.generation), part, way);
        }
        uint256 emptied = 0;
        for (uint256 i = 0; i < p.lots.length && wanted > 0; i++) {
            Lot storage lot = p.lots[i];
            part = Math.min(wanted, lot.shares);
            wanted -= part;
            lot.shares -= uint128(part);
            if (lot.shares == 0) emptied++;
            (part, releaseAt) = _move(validator, p, lot.id, part, way);
            amount += part;
        }
        if (shares == 0 || wanted > 0) revert NotEnoughShares(shares - wanted, shares);
        if (emptied > 0) _dropLots(p.lots, emptied);
        // Safe cast: the tranches' tokens are what `delegated` counts.
        v.delegated -= uint128(amount);
        _left(validator, v, msg.sender, amount);
    }

    function _move(address validator, Position storage p, uint128 id, uint256 shares, Way memory way)
        private
        returns (uint256 amount, uint256 releaseAt)
    {
        amount = _tranches[validator][id].quit(shares);
        releaseAt = _enter(validator, p, Tranches.fromOf(id), amount, way);
    }

    function _left(address validator, Validator storage v, address holder, uint256 amount) private {
        if (_positions[validator][holder].exits.length > MAX_EXITS) revert TooManyExits();
        _gone[validator][currentEpoch()] += amount;
        _recount(validator, v);
        _recordVotes(validator, holder, stakeOfHolder(validator, holder));
    }

    function _dropLots(Lot[] storage lots, uint256 count) private {
        uint256 left = lots.length - count;
        for (uint256 i = 0; i < left; i++) lots[i] = lots[i + count];
        for (uint256 i = 0; i < count; i++) lots.pop();
    }

    /// @dev Puts tokens that stood since `from` into this epoch's bucket, as an exit of their holder.
    function _enter(address validator, Position storage p, uint256 from, uint256 amount, Way memory way)
        private
        returns (uint256 releaseAt)
    {
        // Shares of a wiped pool may be worth nothing: they are gone, and there is nothing to wait for.
        if (amount == 0) return block.timestamp;
        uint128 id = _bucket(validator, from, way.kind);
        releaseAt = Tranches.releaseOf(id);
        // Safe casts: `join` keeps shares below 2^128.
        uint128 shares = uint128(_tranches[validator][id].join(amount));
        Exit[] storage exits = p.exits;
        for (uint256 i = exits.length; i > 0; i--) {
            if (exits[i - 1].id == id && exits[i - 1].target == way.target) {
                exits[i - 1].shares += shares;
                return releaseAt;
            }
        }
        exits.push(Exit(id, shares, way.target));
    }

    /// @dev The bucket of stake that stood from `from` and leaves now; opened when it is the first.
    function _bucket(address validator, uint256 from, uint256 kind) private returns (uint128 id) {
        uint256 unbonding = params.get(Params.UNBONDING);
        uint256 period = kind == Tranches.TRANSIT ? params.liability() : unbonding;
        uint256 grain = Math.ceilDiv(unbonding, MAX_EXIT_EPOCHS * epochLength);
        uint256 to = currentEpoch() / grain * grain + grain - 1;
        if (_prune(validator) >= MAX_OWN_BUCKETS) from = 0;
        uint128 base = Tranches.idOf(from, to, _endOf(to) + period, kind, 0);
        uint256 generation = _bucketGeneration[validator][base];
        id = base | uint128(generation);
        Tranche storage t = _tranches[validator][id];
        if (t.isWiped()) {
            _bucketGeneration[validator][base] = ++generation;
            id = base | uint128(generation);
            t = _tranches[validator][id];
        }
        // Nobody gets out of a bucket before it is free, and nobody joins it after, so no shares means it is new.
        if (t.shares == 0) _leaving[validator].ids.push(id);
    }

    /// @return open how many buckets may still be slashed, or a few more.
    function _prune(address validator) private returns (uint256 open) {
        TrancheQueue storage q = _leaving[validator];
        uint256 head = q.head;
        uint256 end = Math.min(q.ids.length, head + PRUNES_PER_CALL);
        while (head < end && Tranches.releaseOf(q.ids[head]) <= block.timestamp) head++;
        if (head != q.head) q.head = head;
        return q.ids.length - head;
    }
}
