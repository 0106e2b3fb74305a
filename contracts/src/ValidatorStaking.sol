// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {Params} from "./libraries/Params.sol";
import {ParamStore} from "./ParamStore.sol";

/// @title Stake behind attestations: validators' own and their delegators', by shares
/// @notice A validator and its delegators hold shares of one pool, so a slash hits all of them pro rata; stake on its
/// way out sits in a second pool and stays slashable until it is paid out. Rounding never favours the leaver.
contract ValidatorStaking {
    using SafeERC20 for IERC20;
    using Checkpoints for Checkpoints.Trace208;

    // ------------------------------------------------------------------ types

    struct Pool {
        uint256 tokens;
        uint256 shares;
    }

    struct Validator {
        bool registered;
        string url;
        Pool active;
        /// The leaving pool that exits join now; older ones, slashed to almost nothing, are in `_leaving` still.
        uint64 generation;
        /// Part of `totalStake`: the active pool while the validator's own part reaches the minimum, else 0.
        uint256 counted;
        /// Reward per token of stake, already turned into `rewardPerShare`; scaled by SCALE.
        uint256 settledPerToken;
        uint256 rewardPerShare;
    }

    struct Holding {
        uint256 shares;
        /// `rewardPerShare` up to which `reward` is settled.
        uint256 settledPerShare;
        uint256 reward;
    }

    struct Exit {
        uint256 shares;
        uint64 releaseAt;
        uint64 generation;
    }

    // ------------------------------------------------------------------ constants

    uint256 private constant SCALE = 1e27;
    uint256 private constant WAD = 1e18;
    uint256 private constant MAX_URL = 256;
    /// @notice Exits of one holder that may be under way at one validator.
    uint256 public constant MAX_EXITS = 32;
    /// @notice Below this many tokens for 10^9 shares a pool takes no deposits: after a slash near 100% new shares
    /// would grow without bound (economics: exchange-rate floor).
    uint256 private constant FLOOR_SHARES = 1e9;

    // ------------------------------------------------------------------ storage

    IERC20 public immutable token;
    ParamStore public immutable params;
    address private immutable deployer;
    /// @notice Only contract that may slash; set once.
    address public faultManager;

    address[] private _list;
    mapping(address validator => Validator) private _validators;
    mapping(address validator => mapping(uint64 generation => Pool)) private _leaving;
    mapping(address validator => mapping(address holder => Holding)) private _holdings;
    mapping(address validator => mapping(address holder => Exit[])) private _exits;
    mapping(address validator => Checkpoints.Trace208) private _stakeTrace;
    Checkpoints.Trace208 private _totalTrace;
    /// @notice Stake of all active validators, OPG base units: the whole of every quorum.
    uint256 public totalStake;
    /// @notice Reward per token of stake since genesis, scaled by 10^27.
    uint256 public rewardPerToken;

    // ------------------------------------------------------------------ events, errors

    event ValidatorRegistered(address indexed validator, string url, uint256 selfBond);
    event Delegated(address indexed validator, address indexed holder, uint256 amount, uint256 shares);
    event Undelegated(
        address indexed validator, address indexed holder, uint256 shares, uint256 amount, uint64 releaseAt
    );
    event StakeWithdrawn(address indexed validator, address indexed holder, uint256 amount);
    event RewardAdded(uint256 amount);
    event RewardClaimed(address indexed validator, address indexed holder, uint256 amount);
    event ValidatorUrlSet(address indexed validator, string url);
    event ValidatorSlashed(address indexed validator, uint256 fromActive, uint256 fromLeaving, bytes32 faultId);

    error AlreadyWired();
    error AlreadyRegistered(address validator);
    error NotRegistered(address validator);
    error BondTooSmall(uint256 amount, uint256 min);
    error UrlTooLong(uint256 length);
    error PoolBelowFloor(address validator);
    error TooFewShares(uint256 shares, uint256 minShares);
    error NotEnoughShares(uint256 held, uint256 asked);
    error TooManyExits();
    error NothingToWithdraw();
    error NoStake();
    error FutureBlock(uint256 blockNumber);
    error NotFaultManager(address caller);
    error BadFraction(uint256 fraction);

    constructor(IERC20 token_, ParamStore params_) {
        token = token_;
        params = params_;
        deployer = msg.sender;
    }

    /// @notice One-shot: names the contract that judges faults. Slashed stake goes to it.
    function setFaultManager(address faultManager_) external {
        if (msg.sender != deployer || faultManager != address(0)) revert AlreadyWired();
        faultManager = faultManager_;
    }

    // ------------------------------------------------------------------ views

    function validators() external view returns (address[] memory) {
        return _list;
    }

    function urlOf(address validator) external view returns (string memory) {
        return _validators[validator].url;
    }

    /// @notice Own and delegated stake, OPG base units.
    function stakeOf(address validator) public view returns (uint256) {
        return _validators[validator].active.tokens;
    }

    /// @notice A validator votes, earns and counts in the total while its own part of the pool is at least the minimum.
    /// @dev As of its last change of stake, or `sync`: so the sum of active stake is always `totalStake`.
    function isActive(address validator) external view returns (bool) {
        return _validators[validator].counted > 0;
    }

    /// @notice What a holder's shares are worth now, OPG base units, rounded down.
    function stakeOfHolder(address validator, address holder) public view returns (uint256) {
        Pool storage pool = _validators[validator].active;
        if (pool.shares == 0) return 0;
        return Math.mulDiv(_holdings[validator][holder].shares, pool.tokens, pool.shares);
    }

    function sharesOf(address validator, address holder) external view returns (uint256) {
        return _holdings[validator][holder].shares;
    }

    function exitsOf(address validator, address holder) external view returns (Exit[] memory) {
        return _exits[validator][holder];
    }

    /// @notice Active and leaving pools of a validator: tokens in OPG base units, and shares.
    function poolsOf(address validator) external view returns (Pool memory active, Pool memory leaving) {
        Validator storage v = _validators[validator];
        return (v.active, _leaving[validator][v.generation]);
    }

    /// @notice Reward that `claim` would pay now, OPG base units.
    function rewardOf(address validator, address holder) external view returns (uint256) {
        Validator storage v = _validators[validator];
        Holding storage h = _holdings[validator][holder];
        uint256 perShare = v.rewardPerShare;
        if (v.active.shares > 0) {
            uint256 earned = Math.mulDiv(rewardPerToken - v.settledPerToken, v.counted, SCALE);
            perShare += Math.mulDiv(earned, SCALE, v.active.shares);
        }
        return h.reward + Math.mulDiv(perShare - h.settledPerShare, h.shares, SCALE);
    }

    /// @notice Stake with which a validator counts at the end of a block; of the present block, up to now.
    function stakeAt(address validator, uint256 blockNumber) external view returns (uint256) {
        if (blockNumber > block.number) revert FutureBlock(blockNumber);
        return _stakeTrace[validator].upperLookupRecent(uint48(blockNumber));
    }

    function totalStakeAt(uint256 blockNumber) external view returns (uint256) {
        if (blockNumber > block.number) revert FutureBlock(blockNumber);
        return _totalTrace.upperLookupRecent(uint48(blockNumber));
    }

    // ------------------------------------------------------------------ staking

    function register(string calldata url, uint256 selfBond) external {
        Validator storage v = _validators[msg.sender];
        if (v.registered) revert AlreadyRegistered(msg.sender);
        uint256 min = params.get(Params.MIN_SELF_BOND);
        if (selfBond < min) revert BondTooSmall(selfBond, min);
        v.registered = true;
        _setUrl(v, url);
        v.settledPerToken = rewardPerToken;
        _list.push(msg.sender);
        emit ValidatorRegistered(msg.sender, url, selfBond);
        _deposit(msg.sender, selfBond, 0);
    }

    function setUrl(string calldata url) external {
        Validator storage v = _validators[msg.sender];
        if (!v.registered) revert NotRegistered(msg.sender);
        _setUrl(v, url);
        emit ValidatorUrlSet(msg.sender, url);
    }

    /// @notice Judges a validator anew after MIN_SELF_BOND moved. Anyone may call.
    function sync(address validator) external {
        _settleValidator(validator);
        _recount(validator);
    }

    function addSelfBond(uint256 amount) external {
        _deposit(msg.sender, amount, 0);
    }

    /// @param minShares least shares the caller accepts for its tokens.
    function delegate(address validator, uint256 amount, uint256 minShares) external {
        _deposit(validator, amount, minShares);
    }

    /// @notice Starts an exit of `shares`; it stays slashable until it is withdrawn.
    function undelegate(address validator, uint256 shares) external {
        Validator storage v = _settleValidator(validator);
        Holding storage h = _settleHolding(v, _holdings[validator][msg.sender]);
        if (shares == 0 || shares > h.shares) revert NotEnoughShares(h.shares, shares);
        Exit[] storage exits = _exits[validator][msg.sender];
        if (exits.length >= MAX_EXITS) revert TooManyExits();
        uint256 amount = Math.mulDiv(shares, v.active.tokens, v.active.shares);
        h.shares -= shares;
        v.active.shares -= shares;
        v.active.tokens -= amount;
        Pool storage leaving = _leaving[validator][v.generation];
        uint256 leavingShares = _sharesFor(leaving, amount);
        leaving.tokens += amount;
        leaving.shares += leavingShares;
        uint64 releaseAt = uint64(block.timestamp + params.get(Params.UNBONDING));
        exits.push(Exit(leavingShares, releaseAt, v.generation));
        _recount(validator);
        emit Undelegated(validator, msg.sender, shares, amount, releaseAt);
    }

    /// @notice Pays out every exit of the caller that is due.
    /// @dev Warning: a due exit stays slashable until it is withdrawn, so withdraw it.
    function withdraw(address validator) external returns (uint256 amount) {
        Exit[] storage exits = _exits[validator][msg.sender];
        bool due = false;
        // Order does not matter among exits, so a paid one is replaced by the last, which was looked at before.
        for (uint256 i = exits.length; i > 0; i--) {
            Exit memory exit = exits[i - 1];
            if (exit.releaseAt > block.timestamp) continue;
            due = true;
            exits[i - 1] = exits[exits.length - 1];
            exits.pop();
            Pool storage pool = _leaving[validator][exit.generation];
            if (exit.shares == 0) continue;
            uint256 part = Math.mulDiv(exit.shares, pool.tokens, pool.shares);
            pool.shares -= exit.shares;
            pool.tokens -= part;
            amount += part;
        }
        if (!due) revert NothingToWithdraw();
        emit StakeWithdrawn(validator, msg.sender, amount);
        token.safeTransfer(msg.sender, amount);
    }

    // ------------------------------------------------------------------ rewards

    /// @notice Takes `amount` from the caller and spreads it over all stake.
    function notifyReward(uint256 amount) external {
        if (totalStake == 0) revert NoStake();
        rewardPerToken += Math.mulDiv(amount, SCALE, totalStake);
        emit RewardAdded(amount);
        token.safeTransferFrom(msg.sender, address(this), amount);
    }

    function claim(address validator) external returns (uint256 amount) {
        Validator storage v = _settleValidator(validator);
        Holding storage h = _settleHolding(v, _holdings[validator][msg.sender]);
        amount = h.reward;
        if (amount == 0) revert NothingToWithdraw();
        h.reward = 0;
        emit RewardClaimed(validator, msg.sender, amount);
        token.safeTransfer(msg.sender, amount);
    }

    // ------------------------------------------------------------------ slashing

    /// @notice Takes `fraction` (10^18 = all) of a validator's stake, active and leaving alike.
    /// @param captureEpoch reserved for exposure snapshots; every token here is exposed now.
    function slash(address validator, uint64 captureEpoch, uint256 fraction, bytes32 faultId)
        external
        returns (uint256 taken)
    {
        if (msg.sender != faultManager) revert NotFaultManager(msg.sender);
        if (fraction == 0 || fraction > WAD) revert BadFraction(fraction);
        captureEpoch;
        Validator storage v = _settleValidator(validator);
        uint256 fromActive = Math.mulDiv(v.active.tokens, fraction, WAD, Math.Rounding.Ceil);
        Pool storage leaving = _leaving[validator][v.generation];
        uint256 fromLeaving = Math.mulDiv(leaving.tokens, fraction, WAD, Math.Rounding.Ceil);
        v.active.tokens -= fromActive;
        leaving.tokens -= fromLeaving;
        // Exits cannot be refused, so those to come get a pool of their own, free of the shares of what was lost.
        if (leaving.tokens * FLOOR_SHARES < leaving.shares) v.generation++;
        _recount(validator);
        taken = fromActive + fromLeaving;
        emit ValidatorSlashed(validator, fromActive, fromLeaving, faultId);
        token.safeTransfer(msg.sender, taken);
    }

    // ------------------------------------------------------------------ internal

    function _deposit(address validator, uint256 amount, uint256 minShares) private {
        Validator storage v = _settleValidator(validator);
        Holding storage h = _settleHolding(v, _holdings[validator][msg.sender]);
        if (v.active.tokens * FLOOR_SHARES < v.active.shares) revert PoolBelowFloor(validator);
        uint256 shares = _sharesFor(v.active, amount);
        if (shares == 0 || shares < minShares) revert TooFewShares(shares, minShares);
        h.shares += shares;
        v.active.shares += shares;
        v.active.tokens += amount;
        _recount(validator);
        emit Delegated(validator, msg.sender, amount, shares);
        token.safeTransferFrom(msg.sender, address(this), amount);
    }

    function _setUrl(Validator storage v, string calldata url) private {
        if (bytes(url).length > MAX_URL) revert UrlTooLong(bytes(url).length);
        v.url = url;
    }

    /// @dev Rounded down. Never called on a pool with shares and no tokens: the floor stands before it.
    function _sharesFor(Pool storage pool, uint256 amount) private view returns (uint256) {
        if (pool.shares == 0) return amount;
        return Math.mulDiv(amount, pool.shares, pool.tokens);
    }

    /// @dev Turns what the validator's stake has earned into a reward per share, before any of its shares change.
    function _settleValidator(address validator) private returns (Validator storage v) {
        v = _validators[validator];
        if (!v.registered) revert NotRegistered(validator);
        if (v.active.shares > 0) {
            uint256 earned = Math.mulDiv(rewardPerToken - v.settledPerToken, v.counted, SCALE);
            v.rewardPerShare += Math.mulDiv(earned, SCALE, v.active.shares);
        }
        v.settledPerToken = rewardPerToken;
    }

    function _settleHolding(Validator storage v, Holding storage h) private returns (Holding storage) {
        h.reward += Math.mulDiv(v.rewardPerShare - h.settledPerShare, h.shares, SCALE);
        h.settledPerShare = v.rewardPerShare;
        return h;
    }

    /// @dev After every change of the active pool, and after `_settleValidator`: rewards of the past go by the old count.
    function _recount(address validator) private {
        Validator storage v = _validators[validator];
        bool active = stakeOfHolder(validator, validator) >= params.get(Params.MIN_SELF_BOND);
        uint256 counted = active ? v.active.tokens : 0;
        totalStake = totalStake - v.counted + counted;
        v.counted = counted;
        _stakeTrace[validator].push(uint48(block.number), uint208(counted));
        _totalTrace.push(uint48(block.number), uint208(totalStake));
    }
}
