// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {Params} from "./libraries/Params.sol";

/// @title ParamStore
/// @notice Numbers the other contracts read. Keys and bounds are fixed at deployment; the governor moves a value only
/// within its bounds, so that no vote can set a window to nothing or a bond to everything.
/// @dev Holds no funds. What began under a value is judged by that value: a reader either stores its own end or asks
/// `getAt` for the value of the moment it began, so that no vote shortens a window or weakens a penalty already owed.
contract ParamStore {
    using Checkpoints for Checkpoints.Trace208;

    // ---------------------------------------------------------------- types, errors, events

    /// @dev One slot, since hot paths read it: bounds and history lie elsewhere.
    struct Param {
        uint128 value;
        uint48 since;
        bool exists;
    }

    struct Bounds {
        uint128 min;
        uint128 max;
    }

    error NotGovernor(address caller);
    error LengthMismatch();
    error UnknownParam(bytes32 key);
    error DuplicateParam(bytes32 key);
    error OutOfBounds(bytes32 key, uint256 value, uint256 min, uint256 max);
    error UnbondingTooShort(uint256 unbonding, uint256 liability);
    error RefundBeforeFinality(uint256 refundTimeout, uint256 longestWay);
    error ResponseAfterAdjudication(uint256 response, uint256 adjudication);
    error ZeroAddress();

    event ParamSet(bytes32 indexed key, uint256 value);

    // ---------------------------------------------------------------- storage

    /// @notice The timelock, for ever: a role that can be handed on can be handed to somebody in a hurry.
    address public immutable governor;
    mapping(bytes32 key => Param) private _params;
    mapping(bytes32 key => Bounds) private _bounds;
    mapping(bytes32 key => Checkpoints.Trace208) private _history;
    bytes32[] private _keys;
    /// @dev What stake answered for before the last cut, seconds, and until when something from then may be open.
    uint128 private _heldLiability;
    uint48 private _heldUntil;

    // ---------------------------------------------------------------- construction

    constructor(
        address governor_,
        bytes32[] memory keys_,
        uint256[] memory values,
        uint256[] memory mins,
        uint256[] memory maxs
    ) {
        if (governor_ == address(0)) revert ZeroAddress();
        if (keys_.length != values.length || keys_.length != mins.length || keys_.length != maxs.length) {
            revert LengthMismatch();
        }
        governor = governor_;
        for (uint256 i; i < keys_.length; ++i) {
            bytes32 key = keys_[i];
            if (_params[key].exists) revert DuplicateParam(key);
            if (maxs[i] > type(uint128).max) revert OutOfBounds(key, maxs[i], mins[i], type(uint128).max);
            // Safe casts: min ≤ value ≤ max is checked by `_put`, max just above.
            _bounds[key] = Bounds(uint128(mins[i]), uint128(maxs[i]));
            if (mins[i] > maxs[i]) revert OutOfBounds(key, mins[i], mins[i], maxs[i]);
            _params[key].exists = true;
            _keys.push(key);
            _put(key, values[i], uint48(block.timestamp));
        }
        _requireCoherence();
    }

    // ---------------------------------------------------------------- views

    /// @notice Present value. Reverts for a name that this deployment does not know: a missing number is never zero.
    function get(bytes32 key) external view returns (uint256) {
        return _known(key).value;
    }

    /// @notice The value by which something that began at `time` (Unix seconds) is judged, whatever was voted later.
    /// @dev As cheap as `get` unless the value has changed since. A change counts from the second after it, so that
    /// what began in the same block is not judged by it. A time before the deployment gets the first value.
    function getAt(bytes32 key, uint256 time) external view returns (uint256) {
        Param storage p = _known(key);
        if (time >= p.since) return p.value;
        Checkpoints.Trace208 storage history = _history[key];
        uint48 first = history.at(0)._key;
        return history.upperLookupRecent(time < first ? first : uint48(time));
    }

    function bounds(bytes32 key) external view returns (uint256 min, uint256 max) {
        _known(key);
        Bounds storage b = _bounds[key];
        return (b.min, b.max);
    }

    /// @notice Seconds within which whatever happened up to now can still be proven: ATTEST_TIMEOUT + W + A + G and
    /// the longest pause, or what they were before a cut, until the last thing from then is over.
    /// @dev Stake that leaves now must stay at least that long.
    function liability() public view returns (uint256) {
        uint256 now_ = _liabilityOfNow();
        return block.timestamp < _heldUntil && now_ < _heldLiability ? _heldLiability : now_;
    }

    function keys() external view returns (bytes32[] memory) {
        return _keys;
    }

    // ---------------------------------------------------------------- writes

    function set(bytes32 key, uint256 value) external {
        if (msg.sender != governor) revert NotGovernor(msg.sender);
        _known(key);
        uint256 before = _liabilityOfNow();
        uint256 effective = liability();
        _put(key, value, uint48(block.timestamp) + 1);
        if (_liabilityOfNow() < before) {
            // Safe casts: a sum of five bounded times.
            _heldLiability = uint128(effective);
            _heldUntil = uint48(block.timestamp + effective + 1);
        }
        _requireCoherence();
    }

    // ---------------------------------------------------------------- internal

    function _known(bytes32 key) private view returns (Param storage p) {
        p = _params[key];
        if (!p.exists) revert UnknownParam(key);
    }

    function _put(bytes32 key, uint256 value, uint48 since) private {
        Bounds storage b = _bounds[key];
        if (value < b.min || value > b.max) revert OutOfBounds(key, value, b.min, b.max);
        Param storage p = _params[key];
        // Safe cast: the bounds are below 2^128.
        p.value = uint128(value);
        p.since = since;
        _history[key].push(since, uint208(value));
        emit ParamSet(key, value);
    }

    /// @dev Stake that leaves while something it answers for can still be proven would be stake that backs nothing;
    /// a refund that comes before the longest honest way to finality would race the payment it undoes; a challenge that
    /// may stay open for longer than challenges are reckoned with would do both.
    function _requireCoherence() private view {
        Param storage adjudication = _params[Params.ADJUDICATION];
        uint256 response = _params[Params.DATA_RESPONSE].value;
        if (response > adjudication.value) revert ResponseAfterAdjudication(response, adjudication.value);
        Param storage unbonding = _params[Params.UNBONDING];
        uint256 owed = liability();
        if (unbonding.exists && unbonding.value < owed) revert UnbondingTooShort(unbonding.value, owed);
        uint256 longestWay = _params[Params.ATTEST_TIMEOUT].value + _params[Params.CHALLENGE_WINDOW].value
            + _params[Params.ADJUDICATION].value;
        _requireRefundAfter(Params.REFUND_TIMEOUT, longestWay);
        _requireRefundAfter(Params.DEPOSIT_WITHDRAWAL, longestWay);
    }

    function _liabilityOfNow() private view returns (uint256) {
        return uint256(_params[Params.ATTEST_TIMEOUT].value) + _params[Params.CHALLENGE_WINDOW].value
            + _params[Params.ADJUDICATION].value
            + _params[Params.GRACE].value + _params[Params.LONGEST_PAUSE].value;
    }

    function _requireRefundAfter(bytes32 key, uint256 longestWay) private view {
        Param storage p = _params[key];
        if (p.exists && p.value < longestWay) revert RefundBeforeFinality(p.value, longestWay);
    }
}
