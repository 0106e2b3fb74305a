// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {Params} from "../libraries/Params.sol";
import {ParamStore} from "../ParamStore.sol";
import {SlashProceeds} from "./SlashProceeds.sol";
import {Tranche, TrancheQueue, Tranches} from "./Tranches.sol";

/// @title What the staking contract remembers
/// @notice Validators, their tranches, the positions of holders, and the totals that quorums and rewards are counted by.
/// @dev Nothing but this contract declares storage: ValidatorStaking and StakeFaults run on the same.
abstract contract StakeState is SlashProceeds {
    using Checkpoints for Checkpoints.Trace208;
    using Tranches for Tranche;

    // ------------------------------------------------------------------ types

    enum Status {
        None,
        Active,
        Jailed,
        Tombstoned
    }

    struct Validator {
        Status status;
        /// Open challenges; deposits wait while there are any.
        uint16 freezes;
        uint40 jailedUntil;
        uint16 commissionBps;
        uint16 nextCommissionBps;
        /// Epoch from which `nextCommissionBps` counts; 0 = none is queued.
        uint32 commissionEpoch;
        uint40 commissionQueuedAt;
        /// Epoch of the last settlement.
        uint32 epoch;
        /// Counted since before this epoch, so its stake earns now.
        bool earns;
        /// Some deposits of `epoch` have a young tranche that earns only from the next epoch on.
        bool fresh;
        /// Of the main pool; a pool that was slashed to almost nothing is replaced.
        uint24 generation;
        /// The validator's own bond, OPG base units.
        uint128 self;
        /// Tokens of all active tranches: the main pool and the young ones.
        uint128 delegated;
        /// Part of `totalStake`: self + delegated while on duty, else 0.
        uint128 counted;
        /// Part of the stake that rewards are spread over.
        uint128 earning;
        /// Part of `self` that came in this epoch and earns from the next.
        uint128 freshSelf;
        /// Reward per earning token since genesis up to which this validator is settled, scaled by 10^27.
        uint256 perToken;
        /// The same for its delegators, after commission.
        uint256 netPerToken;
        /// What the operator has earned and not claimed: its own bond's reward and the commission.
        uint256 income;
        string url;
    }

    struct Lot {
        uint128 id;
        uint128 shares;
        uint256 settled;
    }

    struct Exit {
        uint128 id;
        uint128 shares;
        /// Validator to which it bonds by itself when it is free; zero for one that is paid out.
        address target;
    }

    struct Position {
        /// Of the main pool of `generation`.
        uint128 shares;
        uint24 generation;
        uint256 settled;
        uint256 reward;
        /// Deposits that are still younger than every fault that can be proven, oldest first.
        Lot[] lots;
        Exit[] exits;
    }

    /// @dev One slot: all that an attestation asks of a validator.
    struct Cover {
        /// Σ exposure of open attestations, OPG base units.
        uint96 open;
        /// Copy of `Validator.counted`.
        uint96 counted;
        /// Block in which it became that: of this and later blocks nobody needs to ask the trace.
        uint32 countedSince;
        /// In the order of registration, from 0.
        uint16 index;
    }

    /// @dev The first four share a slot.
    struct Totals {
        uint96 counted;
        uint32 countedSince;
        uint96 earning;
        uint32 epoch;
        uint128 staked;
    }

    // ------------------------------------------------------------------ constants

    uint256 internal constant SCALE = 1e27;
    uint256 internal constant WAD = 1e18;
    uint256 internal constant BPS = 10_000;

    // ------------------------------------------------------------------ storage

    IERC20 public immutable token;
    ParamStore public immutable params;
    address internal immutable deployer;
    /// @notice Seconds of an epoch: a tenth of the unbonding time at deployment, and fixed, so that an epoch's number
    /// never comes to mean another time.
    uint256 public immutable epochLength;
    /// @notice Only contract that may slash, freeze, jail and tombstone; set once. Slashed stake goes to it.
    address public faultManager;
    /// @notice Only contract that may reserve coverage; set once.
    address public settlement;

    address[] internal _list;
    mapping(address validator => Validator) internal _validators;
    mapping(address validator => mapping(uint128 id => Tranche)) internal _tranches;
    mapping(address validator => TrancheQueue) internal _youngs;
    mapping(address validator => TrancheQueue) internal _leaving;
    mapping(address validator => mapping(uint128 id => uint256)) internal _bucketGeneration;
    mapping(address validator => mapping(uint256 generation => uint128 id)) internal _retired;
    mapping(address validator => mapping(address holder => Position)) internal _positions;
    mapping(address validator => Cover) internal _cover;
    Totals internal _totals;

    /// @dev By block: what attestations and votes are weighted by, where it has changed since.
    mapping(address validator => Checkpoints.Trace208) internal _countedTrace;
    Checkpoints.Trace208 internal _countedTotalTrace;
    Checkpoints.Trace208 internal _stakedTotalTrace;
    /// @dev By epoch: self + delegated when the epoch ended, and what had stood and was gone by then.
    mapping(address validator => Checkpoints.Trace208) internal _standingTrace;
    mapping(address validator => mapping(uint256 epoch => uint256)) internal _gone;
    /// @notice Taken for faults of a capture epoch so far, OPG base units.
    mapping(address validator => mapping(uint256 epoch => uint256)) public slashedFor;

    /// @notice Reward per earning token since genesis, scaled by 10^27.
    uint256 public rewardPerToken;
    /// @dev `rewardPerToken` at the end of an epoch, by epoch.
    Checkpoints.Trace208 internal _rewardTrace;

    mapping(address holder => address[]) internal _backed;
    /// @dev Votes of a holder at a validator by block: generation << 128 | units.
    mapping(address validator => mapping(address holder => Checkpoints.Trace208)) internal _units;
    /// @dev By block: generation << 128 | worth of 10^27 units; none yet means generation 0, full worth.
    mapping(address validator => Checkpoints.Trace208) internal _unitWorth;

    // ------------------------------------------------------------------ errors

    error AlreadyWired();
    error NotFaultManager(address caller);
    error NotSettlement(address caller);
    error NotRegistered(address validator);
    error FutureBlock(uint256 blockNumber);
    error FutureEpoch(uint256 epoch);

    // ------------------------------------------------------------------ wiring

    constructor(IERC20 token_, ParamStore params_) {
        token = token_;
        params = params_;
        deployer = msg.sender;
        uint256 tenth = params_.get(Params.UNBONDING) / 10;
        epochLength = tenth == 0 ? 1 : tenth;
    }

    /// @notice One-shot: names the contract that judges faults.
    function setFaultManager(address faultManager_) external {
        if (msg.sender != deployer || faultManager != address(0)) revert AlreadyWired();
        faultManager = faultManager_;
    }

    /// @notice One-shot: names the contract whose batches reserve coverage.
    function setSettlement(address settlement_) external {
        if (msg.sender != deployer || settlement != address(0)) revert AlreadyWired();
        settlement = settlement_;
    }

    modifier onlyFaultManager() {
        if (msg.sender != faultManager) revert NotFaultManager(msg.sender);
        _;
    }

    modifier onlySettlement() {
        if (msg.sender != settlement) revert NotSettlement(msg.sender);
        _;
    }

    // ------------------------------------------------------------------ time

    function epochAt(uint256 timestamp) public view returns (uint256) {
        return timestamp / epochLength;
    }

    function currentEpoch() public view returns (uint256) {
        return block.timestamp / epochLength;
    }

    /// @dev The first second after an epoch.
    function _endOf(uint256 epoch) internal view returns (uint256) {
        return (epoch + 1) * epochLength;
    }

    // ------------------------------------------------------------------ what stood when

    /// @notice Everything that stood behind a validator at any time of an epoch, OPG base units: what its faults of
    /// that epoch may cost.
    function exposureAt(address validator, uint256 epoch) public view returns (uint256) {
        if (epoch > currentEpoch()) revert FutureEpoch(epoch);
        return _standingTrace[validator].upperLookupRecent(uint48(epoch)) + _gone[validator][epoch];
    }

    function _mainId(uint256 generation) internal pure returns (uint128) {
        return Tranches.idOf(0, Tranches.FOREVER, 0, Tranches.ACTIVE, generation);
    }

    function _registered(address validator) internal view returns (Validator storage v) {
        v = _validators[validator];
        if (v.status == Status.None) revert NotRegistered(validator);
    }

    // ------------------------------------------------------------------ totals

    /// @dev Stake that came in an earlier epoch earns from this one on.
    function _rollTotals() internal {
        uint256 epoch = currentEpoch();
        if (_totals.epoch == epoch) return;
        _totals.epoch = uint32(epoch);
        _totals.earning = _totals.counted;
    }

    /// @dev After every change of stake or status, and after `_settle`: rewards of the past go by the old numbers.
    function _recount(address validator, Validator storage v) internal {
        _rollTotals();
        uint256 staked = uint256(v.self) + v.delegated;
        bool onDuty = v.status == Status.Active && v.self >= params.get(Params.MIN_SELF_BOND);
        uint256 counted = onDuty ? staked : 0;
        if (counted == 0) v.earns = false;
        uint256 earning = v.earns ? staked - v.freshSelf - _cohortTokens(validator, v) : 0;
        uint256 countedBefore = v.counted;
        Totals memory t = _totals;
        // Safe casts from here on: every number is a part of the token's supply, below 2^90.
        t.counted = uint96(t.counted - countedBefore + counted);
        t.earning = uint96(uint256(t.earning) + earning - v.earning);
        v.earning = uint128(earning);
        if (counted != countedBefore) {
            v.counted = uint128(counted);
            (_cover[validator].counted, _cover[validator].countedSince) = (uint96(counted), uint32(block.number));
            t.countedSince = uint32(block.number);
            _countedTrace[validator].push(uint48(block.number), uint208(counted));
            _countedTotalTrace.push(uint48(block.number), t.counted);
        }
        uint256 stakedBefore = _standingTrace[validator].latest();
        if (staked != stakedBefore) {
            t.staked = uint128(t.staked - stakedBefore + staked);
            _standingTrace[validator].push(uint48(t.epoch), uint208(staked));
            _stakedTotalTrace.push(uint48(block.number), t.staked);
        }
        _totals = t;
    }

    /// @dev Tokens deposited in this epoch, which earn from the next.
    function _cohortTokens(address validator, Validator storage v) internal view returns (uint256) {
        return v.fresh ? _tranches[validator][_lastYoung(validator)].tokens : 0;
    }

    function _lastYoung(address validator) internal view returns (uint128) {
        uint128[] storage ids = _youngs[validator].ids;
        return ids[ids.length - 1];
    }
}
