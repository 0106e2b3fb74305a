// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Params} from "./libraries/Params.sol";
import {ParamStore} from "./ParamStore.sol";
import {IStakeOutgoing} from "./staking/IStakeOutgoing.sol";
import {StakeCoverage} from "./staking/StakeCoverage.sol";
import {StakeOutgoing} from "./staking/StakeOutgoing.sol";
import {StakeRewards} from "./staking/StakeRewards.sol";
import {StakeState} from "./staking/StakeState.sol";
import {Tranche, TrancheQueue, Tranches} from "./staking/Tranches.sol";

/// @title Stake behind attestations: validators' own and their delegators', who lose with them
/// @notice Who stood behind a validator in the epoch of a fault answers for it, whether it stays or has begun to leave;
/// who came later does not. One concern a file: positions, exits, slashing, rewards, votes and coverage are in staking/.
/// Rounding never favours the leaver.
contract ValidatorStaking is StakeRewards, StakeCoverage, IStakeOutgoing {
    using SafeERC20 for IERC20;
    using Tranches for Tranche;

    uint256 private constant MAX_URL = 256;
    /// @dev Settlement keeps who attested in 15 bits each.
    uint256 private constant MAX_REGISTERED = 1 << 15;

    event ValidatorRegistered(address indexed validator, string url, uint256 selfBond);
    event ValidatorUrlSet(address indexed validator, string url);

    error AlreadyRegistered(address validator);
    error BondTooSmall(uint256 amount, uint256 min);
    error UrlTooLong(uint256 length);
    error TooManyRegistered();

    /// @notice All that is worth showing of a validator. Amounts in OPG base units, times in Unix seconds.
    struct ValidatorView {
        Status status;
        /// On duty: attests, votes, earns.
        bool active;
        uint256 self;
        uint256 delegated;
        /// On its way out, and slashable still.
        uint256 leaving;
        uint256 openExposure;
        uint256 openChallenges;
        uint64 jailedUntil;
        uint16 commissionBps;
        /// What the commission will be from `commissionEpoch` on; 0 there means no change is queued.
        uint16 nextCommissionBps;
        uint64 commissionEpoch;
        string url;
    }

    /// @dev Code of the functions of IStakeOutgoing.
    address private immutable outgoing;

    /// @notice Something on its way out. `amount` is what it is worth now, OPG base units.
    struct ExitView {
        uint256 amount;
        uint64 fromEpoch;
        uint64 toEpoch;
        uint64 releaseAt;
        /// Where it goes; zero when it is paid out.
        address target;
    }

    constructor(IERC20 token_, ParamStore params_) StakeState(token_, params_) {
        outgoing = address(new StakeOutgoing(token_, params_));
    }

    // ------------------------------------------------------------------ views

    function validators() external view returns (address[] memory) {
        return _list;
    }

    function validator(address validator_) external view returns (ValidatorView memory) {
        Validator storage v = _validators[validator_];
        TrancheQueue storage q = _leaving[validator_];
        uint256 leaving = 0;
        for (uint256 i = q.head; i < q.ids.length; i++) {
            if (Tranches.releaseOf(q.ids[i]) > block.timestamp) leaving += _tranches[validator_][q.ids[i]].tokens;
        }
        return ValidatorView(
            v.status,
            v.counted > 0,
            v.self,
            v.delegated,
            leaving,
            _cover[validator_].open,
            v.freezes,
            v.jailedUntil,
            v.commissionBps,
            v.nextCommissionBps,
            v.commissionEpoch,
            v.url
        );
    }

    function exitsOf(address validator_, address holder) external view returns (ExitView[] memory views) {
        Exit[] storage exits = _positions[validator_][holder].exits;
        views = new ExitView[](exits.length);
        for (uint256 i = 0; i < exits.length; i++) {
            Exit memory exit = exits[i];
            views[i] = ExitView(
                _tranches[validator_][exit.id].worth(exit.shares),
                uint64(Tranches.fromOf(exit.id)),
                uint64(Tranches.toOf(exit.id)),
                uint64(Tranches.releaseOf(exit.id)),
                exit.target
            );
        }
    }

    function urlOf(address validator_) external view returns (string memory) {
        return _validators[validator_].url;
    }

    /// @notice Active shares of a holder, as a call in this epoch would find them: of the main pool and of its deposits that
    /// are too young to be in it. For the validator itself: its own bond, OPG base units.
    function sharesOf(address validator_, address holder) external view returns (uint256 shares) {
        Validator storage v = _validators[validator_];
        if (validator_ == holder) return v.self;
        Position storage p = _positions[validator_][holder];
        if (p.generation == v.generation) shares = p.shares;
        for (uint256 i = 0; i < p.lots.length; i++) {
            Lot storage lot = p.lots[i];
            Tranche storage t = _tranches[validator_][lot.id];
            if (t.folded) {
                if (t.foldedGeneration == v.generation) shares += _foldedShares(t, lot.shares);
                continue;
            }
            (bool folds, uint256 folded) = _foldAhead(validator_, v, lot.id);
            shares += folds ? Math.mulDiv(lot.shares, folded, t.shares) : lot.shares;
        }
    }

    /// @notice A number that is a validator's for ever, from 0 in the order of registration: for bitmaps.
    function indexOf(address validator_) external view returns (uint16) {
        _registered(validator_);
        return _cover[validator_].index;
    }

    /// @notice Whose numbers these are.
    function validatorsAt(uint256[] calldata indexes) external view returns (address[] memory found) {
        found = new address[](indexes.length);
        for (uint256 i = 0; i < found.length; i++) found[i] = _list[indexes[i]];
    }

    /// @notice Own and delegated stake, OPG base units.
    function stakeOf(address validator_) external view returns (uint256) {
        Validator storage v = _validators[validator_];
        return uint256(v.self) + v.delegated;
    }

    /// @notice Stake of all validators on duty, OPG base units: the whole of every quorum.
    function totalStake() external view returns (uint256) {
        return _totals.counted;
    }

    /// @notice A validator is on duty while it is neither jailed nor tombstoned and its own bond reaches the minimum.
    /// @dev As of its last change of stake, or `sync`. To weigh a past act ask `stakeAt`: who has left duty since keeps
    /// the weight it had.
    function isActive(address validator_) external view returns (bool) {
        return _validators[validator_].counted > 0;
    }

    // ------------------------------------------------------------------ writes

    function register(string calldata url, uint256 selfBond) external {
        Validator storage v = _validators[msg.sender];
        if (v.status != Status.None) revert AlreadyRegistered(msg.sender);
        uint256 min = params.get(Params.MIN_SELF_BOND);
        if (selfBond < min) revert BondTooSmall(selfBond, min);
        if (_list.length >= MAX_REGISTERED) revert TooManyRegistered();
        // Safe cast: MAX_REGISTERED bounds it.
        _cover[msg.sender].index = uint16(_list.length);
        v.status = Status.Active;
        v.epoch = uint32(currentEpoch());
        _setUrl(v, url);
        _list.push(msg.sender);
        emit ValidatorRegistered(msg.sender, url, selfBond);
        _deposit(msg.sender, msg.sender, selfBond, 0);
        token.safeTransferFrom(msg.sender, address(this), selfBond);
    }

    function addSelfBond(uint256 amount) external {
        _deposit(msg.sender, msg.sender, amount, 0);
        token.safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @param minShares least shares the caller accepts for its tokens.
    function delegate(address validator_, uint256 amount, uint256 minShares) external {
        _deposit(validator_, msg.sender, amount, minShares);
        token.safeTransferFrom(msg.sender, address(this), amount);
    }

    function setUrl(string calldata url) external {
        _setUrl(_registered(msg.sender), url);
        emit ValidatorUrlSet(msg.sender, url);
    }

    /// @notice Judges a validator anew after MIN_SELF_BOND moved, and brings its books up to date. Anyone may call.
    function sync(address validator_) external {
        _recount(validator_, _settle(validator_));
    }

    // ------------------------------------------------------------------ outgoing

    function undelegate(address, uint256) external {
        Address.functionDelegateCall(outgoing, msg.data);
    }

    function redelegate(address, address, uint256) external {
        Address.functionDelegateCall(outgoing, msg.data);
    }

    function bond(address, address) external returns (uint256 amount) {
        return abi.decode(Address.functionDelegateCall(outgoing, msg.data), (uint256));
    }

    function withdraw(address) external returns (uint256 amount) {
        return abi.decode(Address.functionDelegateCall(outgoing, msg.data), (uint256));
    }

    function slash(address, uint64, uint256, bytes32) external returns (uint256 taken) {
        return abi.decode(Address.functionDelegateCall(outgoing, msg.data), (uint256));
    }

    function sendProceeds() external {
        Address.functionDelegateCall(outgoing, msg.data);
    }

    function freeze(address[] calldata) external {
        Address.functionDelegateCall(outgoing, msg.data);
    }

    function unfreeze(address[] calldata) external {
        Address.functionDelegateCall(outgoing, msg.data);
    }

    function jail(address) external {
        Address.functionDelegateCall(outgoing, msg.data);
    }

    function unjail() external {
        Address.functionDelegateCall(outgoing, msg.data);
    }

    function tombstone(address) external {
        Address.functionDelegateCall(outgoing, msg.data);
    }

    // ------------------------------------------------------------------ internal

    function _setUrl(Validator storage v, string calldata url) private {
        if (bytes(url).length > MAX_URL) revert UrlTooLong(bytes(url).length);
        v.url = url;
    }
}
