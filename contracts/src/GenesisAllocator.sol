// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {VestingBucket} from "./VestingBucket.sol";

/// @title GenesisAllocator
/// @notice Receives the whole supply at the token's birth and pays it out by OPG's public allocation, which is written
/// here and in no configuration: a deployment chooses who the beneficiaries are, when the TGE is and how long a month
/// is, and nothing else. Nobody can change it later, and anybody can execute it.
contract GenesisAllocator {
    using SafeERC20 for IERC20;

    // ---------------------------------------------------------------- types, errors, events

    /// @dev Amounts in OPG base units, times in Unix seconds and seconds. Without a wallet all is paid at the TGE.
    struct Bucket {
        string name;
        address beneficiary;
        uint256 total;
        uint256 atTge;
        uint64 start;
        uint64 duration;
        VestingBucket wallet;
    }

    error BadBeneficiary(uint256 index);
    error BadSchedule(uint64 tge, uint64 month);
    error AlreadyInitialised();
    error NotInitialised();
    error WrongBalance(uint256 balance, uint256 total);
    error WrongSupply(uint256 supply, uint256 total);
    error BeforeTge(uint64 tge);
    error AlreadyDistributed();

    event Initialised(address indexed token);
    event Allocated(uint256 indexed index, address indexed recipient, string name, uint256 amount);

    // ---------------------------------------------------------------- storage

    uint256 public constant BUCKETS = 7;
    uint256 private constant MILLION = 1_000_000e18;

    /// @notice Token generation event, Unix seconds: 2026-04-21 for OPG.
    uint64 public immutable tge;
    /// @notice Seconds of a month of the schedules: a twelfth of 365.25 days, or less on a development network.
    uint64 public immutable month;
    /// @notice Sum of all buckets, base units.
    uint256 public immutable total;
    IERC20 public token;
    bool public distributed;
    Bucket[] private _buckets;

    // ---------------------------------------------------------------- construction

    /// @param beneficiaries in the table's order: ecosystem, foundation, core contributors, investors and advisors,
    /// staking rewards, liquidity and launch, airdrop.
    constructor(address[BUCKETS] memory beneficiaries, uint64 tge_, uint64 month_) {
        if (tge_ == 0 || month_ == 0) revert BadSchedule(tge_, month_);
        tge = tge_;
        month = month_;
        //                                                      total, at TGE (millions), lock, linear (months)
        _add(beneficiaries, "Ecosystem", 400, 40, 0, 60);
        _add(beneficiaries, "Foundation", 150, 50, 0, 48);
        _add(beneficiaries, "Core contributors", 150, 0, 12, 36);
        _add(beneficiaries, "Investors and advisors", 100, 0, 12, 36);
        _add(beneficiaries, "Staking rewards", 100, 0, 0, 96);
        _add(beneficiaries, "Liquidity and launch", 60, 60, 0, 0);
        _add(beneficiaries, "Airdrop", 40, 40, 0, 0);
        total = 1000 * MILLION;
    }

    // ---------------------------------------------------------------- views

    function bucket(uint256 index) external view returns (Bucket memory) {
        return _buckets[index];
    }

    /// @notice What the table holds back at `time`, OPG base units: by what was recorded, so that no gift to a wallet
    /// changes it.
    function unvestedAt(uint64 time) external view returns (uint256 unvested) {
        for (uint256 i; i < _buckets.length; ++i) {
            unvested += _linear(i) - vestedAt(i, time);
        }
    }

    /// @notice What of a bucket's linear part is vested at `time`, OPG base units; rounded down, as its wallet does.
    function vestedAt(uint256 index, uint64 time) public view returns (uint256) {
        Bucket storage b = _buckets[index];
        if (time < b.start) return 0;
        if (time >= b.start + b.duration) return _linear(index);
        return _linear(index) * (time - b.start) / b.duration;
    }

    /// @notice What of a bucket's linear part is vested but still in its wallet, OPG base units.
    /// @dev A gift vests too, and its release counts here as the table's own: then this shows less, never more.
    function unreleasedAt(uint256 index, uint64 time) external view returns (uint256) {
        VestingBucket wallet = _buckets[index].wallet;
        if (address(wallet) == address(0)) return 0;
        uint256 vested = vestedAt(index, time);
        uint256 released = wallet.released(address(token));
        return released < vested ? vested - released : 0;
    }

    // ---------------------------------------------------------------- writes

    /// @notice Names the token, once. The list must be exactly its supply, and all of it must be here.
    /// @dev Warning: a stranger may name a worthless token of the same supply first. Deploy and initialise in one
    /// script and check `token()` before anything is built on this deployment; nothing of value can be lost by it,
    /// only the deployment has to be repeated.
    function initialise(address token_) external {
        if (address(token) != address(0)) revert AlreadyInitialised();
        uint256 supply = IERC20(token_).totalSupply();
        if (supply != total) revert WrongSupply(supply, total);
        uint256 balance = IERC20(token_).balanceOf(address(this));
        if (balance != total) revert WrongBalance(balance, total);
        token = IERC20(token_);
        emit Initialised(token_);
    }

    /// @notice Pays every bucket, once: what is free at the TGE to the beneficiary, the rest into its wallet. Anybody
    /// may call it.
    function distribute() external {
        if (address(token) == address(0)) revert NotInitialised();
        if (block.timestamp < tge) revert BeforeTge(tge);
        if (distributed) revert AlreadyDistributed();
        distributed = true;
        for (uint256 i; i < _buckets.length; ++i) {
            Bucket storage b = _buckets[i];
            _send(i, b.beneficiary, b.atTge);
            _send(i, address(b.wallet), _linear(i));
        }
    }

    // ---------------------------------------------------------------- internal

    function _add(
        address[BUCKETS] memory beneficiaries,
        string memory name,
        uint256 millions,
        uint256 millionsAtTge,
        uint64 lockMonths,
        uint64 linearMonths
    ) private {
        uint256 index = _buckets.length;
        address beneficiary = beneficiaries[index];
        if (beneficiary == address(0) || beneficiary == address(this)) revert BadBeneficiary(index);
        uint64 start = tge + lockMonths * month;
        uint64 duration = linearMonths * month;
        VestingBucket wallet =
            linearMonths == 0 ? VestingBucket(payable(0)) : new VestingBucket(beneficiary, start, duration);
        _buckets.push(
            Bucket(name, beneficiary, millions * MILLION, millionsAtTge * MILLION, start, duration, wallet)
        );
    }

    function _linear(uint256 index) private view returns (uint256) {
        return _buckets[index].total - _buckets[index].atTge;
    }

    function _send(uint256 index, address to, uint256 amount) private {
        if (amount == 0) return;
        emit Allocated(index, to, _buckets[index].name, amount);
        token.safeTransfer(to, amount);
    }
}
