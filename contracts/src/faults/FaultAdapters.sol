// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Params} from "../libraries/Params.sol";
import {Finding, IFaultAdapter} from "./IFaultAdapter.sol";

/// @title The classes of faults, and the adapter that judges each
/// @notice A class without an adapter gets one from the deployment or from the governor.
abstract contract FaultAdapters {
    // ------------------------------------------------------------------ types

    struct Adapter {
        IFaultAdapter judge;
        /// What judging gets, no more and no less.
        uint64 gas;
    }

    // ------------------------------------------------------------------ constants, storage

    uint8 public constant TEE = 1;
    uint8 public constant ZK = 2;
    uint8 public constant EQUIVOCATION = 3;
    uint8 public constant DATA = 4;
    uint8 public constant REPLAY = 5;
    uint8 public constant SUM = 6;
    uint8 public constant ROW = 7;
    uint8 public constant CANARY = 8;
    uint256 private constant MIN_ADAPTER_GAS = 100_000;
    uint256 private constant MAX_ADAPTER_GAS = 12_000_000;

    /// @notice Adds the adapters that a deployment began without: the timelock.
    address public immutable governor;
    address private immutable deployer;
    bool private _wired;

    mapping(uint8 class => Adapter) public adapterOf;

    // ------------------------------------------------------------------ events, errors

    event AdapterAdded(uint8 indexed class, address adapter, uint64 gas);

    error AlreadyWired();
    error NotGovernor(address caller);
    error AdapterTaken(uint8 class);
    error BadAdapter(uint8 class, address adapter, uint256 gas);
    error NoAdapter(uint8 class);
    error NotEnoughGas(uint256 given, uint256 needed);

    constructor(address governor_) {
        governor = governor_;
        deployer = msg.sender;
    }

    // ------------------------------------------------------------------ writes

    /// @notice One-shot: the adapters that the deployment begins with.
    function wire(uint8[] calldata classes, IFaultAdapter[] calldata adapters, uint64[] calldata gas) external {
        if (msg.sender != deployer || _wired) revert AlreadyWired();
        _wired = true;
        for (uint256 i = 0; i < classes.length; i++) _add(classes[i], adapters[i], gas[i]);
    }

    /// @notice Adds the adapter of a class that has none. None is ever replaced.
    function addAdapter(uint8 class, IFaultAdapter adapter, uint64 gas) external {
        if (msg.sender != governor) revert NotGovernor(msg.sender);
        _add(class, adapter, gas);
    }

    // ------------------------------------------------------------------ internal

    /// @dev With less than the floor the adapter would run out of gas on a proof that holds. It reverts then, as it
    /// does for a proof that does not hold; neither leaves a trace.
    function _judge(uint8 class, bytes calldata proof) internal view returns (Finding memory f) {
        Adapter memory adapter = adapterOf[class];
        if (address(adapter.judge) == address(0)) revert NoAdapter(class);
        // EIP-150 passes on 63/64 of what is left.
        uint256 needed = uint256(adapter.gas) * 64 / 63 + 50_000;
        if (gasleft() < needed) revert NotEnoughGas(gasleft(), needed);
        f = adapter.judge.judge{gas: adapter.gas}(proof);
    }

    function _phiOf(uint8 class) internal pure returns (bytes32) {
        if (class == TEE) return Params.PHI_TEE_BPS;
        if (class == ZK) return Params.PHI_ZK_BPS;
        if (class == EQUIVOCATION) return Params.PHI_EQUIVOCATION_BPS;
        if (class == DATA) return Params.PHI_DATA_BPS;
        if (class == REPLAY) return Params.PHI_REPLAY_BPS;
        if (class == SUM) return Params.PHI_SUM_BPS;
        if (class == CANARY) return Params.PHI_CANARY_BPS;
        return Params.PHI_ROW_BPS;
    }

    /// @dev Not what may be an outage, a tolerance or a test.
    function _isSafety(uint8 class) internal pure returns (bool) {
        return class != DATA && class != REPLAY && class != CANARY;
    }

    function _add(uint8 class, IFaultAdapter adapter, uint64 gas) private {
        bool sound = address(adapter).code.length != 0 && gas >= MIN_ADAPTER_GAS && gas <= MAX_ADAPTER_GAS;
        if (class < TEE || class > CANARY || !sound) revert BadAdapter(class, address(adapter), gas);
        if (address(adapterOf[class].judge) != address(0)) revert AdapterTaken(class);
        adapterOf[class] = Adapter(adapter, gas);
        emit AdapterAdded(class, address(adapter), gas);
    }
}
