// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Params} from "./libraries/Params.sol";

/// @title ParamStore
/// @notice Numbers the other contracts read. Keys and bounds are fixed at deployment; the governor moves a value only
/// within its bounds, so that no vote can set a window to nothing or a bond to everything.
/// @dev Holds no funds.
contract ParamStore {
    // ---------------------------------------------------------------- types, errors, events

    struct Param {
        uint256 value;
        uint256 min;
        uint256 max;
        bool exists;
    }

    error NotGovernor(address caller);
    error LengthMismatch();
    error UnknownParam(bytes32 key);
    error DuplicateParam(bytes32 key);
    error OutOfBounds(bytes32 key, uint256 value, uint256 min, uint256 max);
    error UnbondingShorterThanWindow(uint256 unbonding, uint256 window);
    error ZeroAddress();

    event ParamSet(bytes32 indexed key, uint256 value);
    event GovernorChanged(address indexed from, address indexed to);

    // ---------------------------------------------------------------- storage

    address public governor;
    mapping(bytes32 key => Param) private _params;
    bytes32[] private _keys;

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
            if (values[i] < mins[i] || values[i] > maxs[i]) revert OutOfBounds(key, values[i], mins[i], maxs[i]);
            _params[key] = Param({value: values[i], min: mins[i], max: maxs[i], exists: true});
            _keys.push(key);
            emit ParamSet(key, values[i]);
        }
        _requireUnbondingCoversWindow();
    }

    // ---------------------------------------------------------------- views

    /// @notice Present value. Reverts for a name that this deployment does not know: a missing number is never zero.
    function get(bytes32 key) external view returns (uint256) {
        Param storage p = _params[key];
        if (!p.exists) revert UnknownParam(key);
        return p.value;
    }

    function bounds(bytes32 key) external view returns (uint256 min, uint256 max) {
        Param storage p = _params[key];
        if (!p.exists) revert UnknownParam(key);
        return (p.min, p.max);
    }

    function keys() external view returns (bytes32[] memory) {
        return _keys;
    }

    // ---------------------------------------------------------------- writes

    function set(bytes32 key, uint256 value) external {
        if (msg.sender != governor) revert NotGovernor(msg.sender);
        Param storage p = _params[key];
        if (!p.exists) revert UnknownParam(key);
        if (value < p.min || value > p.max) revert OutOfBounds(key, value, p.min, p.max);
        p.value = value;
        _requireUnbondingCoversWindow();
        emit ParamSet(key, value);
    }

    /// @notice Hands the role on, from the deployer to the timelock.
    function setGovernor(address to) external {
        if (msg.sender != governor) revert NotGovernor(msg.sender);
        if (to == address(0)) revert ZeroAddress();
        emit GovernorChanged(governor, to);
        governor = to;
    }

    // ---------------------------------------------------------------- internal

    /// @dev Stake that leaves before its attestations can be challenged would be stake that backs nothing.
    function _requireUnbondingCoversWindow() private view {
        Param storage unbonding = _params[Params.UNBONDING];
        uint256 window = _params[Params.CHALLENGE_WINDOW].value;
        if (unbonding.exists && unbonding.value < window) revert UnbondingShorterThanWindow(unbonding.value, window);
    }
}
