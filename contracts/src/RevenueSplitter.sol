// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ValidatorStaking} from "./ValidatorStaking.sol";

/// @title Splits the price of every final answer: 70 publisher, 15 node, 10 validators, 5 treasury
/// @notice Credits are pulled, never pushed, so no recipient can block another. Rounding goes to the publisher.
contract RevenueSplitter {
    using SafeERC20 for IERC20;

    // ------------------------------------------------------------------ constants

    uint256 public constant NODE_PERCENT = 15;
    uint256 public constant VALIDATORS_PERCENT = 10;
    uint256 public constant TREASURY_PERCENT = 5;

    // ------------------------------------------------------------------ storage

    IERC20 public immutable token;
    ValidatorStaking public immutable staking;
    address public immutable treasury;
    address private immutable deployer;
    /// @notice Only callers of `credit`: who holds payers' money, call by call and prepaid. Named once.
    address public escrow;
    address public grants;
    /// @notice Withdrawable, OPG base units.
    mapping(address account => uint256) public balanceOf;
    /// @notice Validators' part that has not been handed to staking yet, OPG base units.
    uint256 public validatorsPending;

    // ------------------------------------------------------------------ events, errors

    event RevenueCredited(
        bytes32 indexed modelId,
        address indexed publisher,
        address indexed node,
        uint256 publisherAmount,
        uint256 nodeAmount,
        uint256 validatorsAmount,
        uint256 treasuryAmount
    );
    event Withdrawn(address indexed account, uint256 amount);
    event ValidatorsPaid(uint256 amount);

    error NotEscrow(address caller);
    error AlreadyWired();
    error NothingToWithdraw(address account);

    constructor(IERC20 token_, ValidatorStaking staking_, address treasury_) {
        token = token_;
        staking = staking_;
        treasury = treasury_;
        deployer = msg.sender;
    }

    /// @notice One-shot: names who may credit.
    function wire(address escrow_, address grants_) external {
        if (msg.sender != deployer || escrow != address(0)) revert AlreadyWired();
        escrow = escrow_;
        grants = grants_;
    }

    // ------------------------------------------------------------------ writes

    /// @notice Credits `amount`, which the caller transfers here in the same transaction.
    /// @dev An answer of a model that nobody published pays its publisher's part to the treasury.
    function credit(bytes32 modelId, address publisher, address node, uint256 amount) external {
        if (msg.sender != escrow && msg.sender != grants) revert NotEscrow(msg.sender);
        uint256 nodeAmount = amount * NODE_PERCENT / 100;
        uint256 validatorsAmount = amount * VALIDATORS_PERCENT / 100;
        uint256 treasuryAmount = amount * TREASURY_PERCENT / 100;
        uint256 publisherAmount = amount - nodeAmount - validatorsAmount - treasuryAmount;
        balanceOf[publisher == address(0) ? treasury : publisher] += publisherAmount;
        balanceOf[node] += nodeAmount;
        balanceOf[treasury] += treasuryAmount;
        validatorsPending += validatorsAmount;
        emit RevenueCredited(
            modelId, publisher, node, publisherAmount, nodeAmount, validatorsAmount, treasuryAmount
        );
    }

    /// @notice Pays the caller its credit.
    function withdraw() external returns (uint256 amount) {
        amount = balanceOf[msg.sender];
        if (amount == 0) revert NothingToWithdraw(msg.sender);
        balanceOf[msg.sender] = 0;
        emit Withdrawn(msg.sender, amount);
        token.safeTransfer(msg.sender, amount);
    }

    /// @notice Hands the validators' part to staking, which spreads it over the stake. Anyone may call.
    function payValidators() external {
        uint256 amount = validatorsPending;
        validatorsPending = 0;
        emit ValidatorsPaid(amount);
        token.forceApprove(address(staking), amount);
        staking.notifyReward(amount);
    }
}
