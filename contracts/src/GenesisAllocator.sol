// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

/// @title GenesisAllocator
/// @notice Receives the whole supply at the token's birth and pays it out by a list fixed at deployment. Nobody can
/// change the list, and anybody can execute it.
contract GenesisAllocator {
    using SafeERC20 for IERC20;

    // ---------------------------------------------------------------- types, errors, events

    struct Bucket {
        string name;
        address recipient;
        uint256 amount;
    }

    error LengthMismatch();
    error EmptyList();
    error BadBucket(uint256 index);
    error AlreadyInitialised();
    error NotInitialised();
    error WrongBalance(uint256 balance, uint256 total);
    error WrongSupply(uint256 supply, uint256 total);
    error AlreadyDistributed();

    event Initialised(address indexed token);
    event Allocated(uint256 indexed index, address indexed recipient, string name, uint256 amount);

    // ---------------------------------------------------------------- storage

    /// @notice Sum of all buckets, base units.
    uint256 public immutable total;
    IERC20 public token;
    bool public distributed;
    Bucket[] private _buckets;

    // ---------------------------------------------------------------- construction

    constructor(string[] memory names, address[] memory recipients, uint256[] memory amounts) {
        if (names.length != recipients.length || names.length != amounts.length) revert LengthMismatch();
        if (names.length == 0) revert EmptyList();
        uint256 sum;
        for (uint256 i; i < names.length; ++i) {
            if (recipients[i] == address(0) || recipients[i] == address(this) || amounts[i] == 0) revert BadBucket(i);
            sum += amounts[i];
            _buckets.push(Bucket({name: names[i], recipient: recipients[i], amount: amounts[i]}));
        }
        total = sum;
    }

    // ---------------------------------------------------------------- views

    function bucketCount() external view returns (uint256) {
        return _buckets.length;
    }

    function bucket(uint256 index) external view returns (string memory name, address recipient, uint256 amount) {
        Bucket storage b = _buckets[index];
        return (b.name, b.recipient, b.amount);
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

    /// @notice Pays every bucket, once. Anybody may call it.
    function distribute() external {
        if (address(token) == address(0)) revert NotInitialised();
        if (distributed) revert AlreadyDistributed();
        distributed = true;
        for (uint256 i; i < _buckets.length; ++i) {
            Bucket storage b = _buckets[i];
            emit Allocated(i, b.recipient, b.name, b.amount);
            token.safeTransfer(b.recipient, b.amount);
        }
    }
}
