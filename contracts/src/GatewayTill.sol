// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IPermit2} from "./interfaces/IPermit2.sol";
import {IX402UptoProxy} from "./interfaces/IX402UptoProxy.sol";

/// @title Where one gateway's payments arrive
/// @notice `payTo` of both x402 schemes and `facilitator` of `upto`: a payer's signature thereby names the one gateway
/// that may collect it. Holds money only between two lines of `InferenceEscrow`, or after a transfer that someone
/// pushed through directly, until escrow sweeps it.
contract GatewayTill {
    using SafeERC20 for IERC20;

    address public immutable escrow;
    address public immutable gateway;
    IERC20 public immutable token;
    IX402UptoProxy public immutable uptoProxy;

    error NotEscrow(address caller);

    modifier onlyEscrow() {
        if (msg.sender != escrow) revert NotEscrow(msg.sender);
        _;
    }

    constructor(address gateway_, IERC20 token_, IX402UptoProxy uptoProxy_) {
        escrow = msg.sender;
        gateway = gateway_;
        token = token_;
        uptoProxy = uptoProxy_;
    }

    /// @notice Passes `amount` on to escrow.
    function sweep(uint256 amount) external onlyEscrow {
        token.safeTransfer(escrow, amount);
    }

    /// @notice Collects `amount` of an `upto` permit and passes on what arrived.
    /// @return received what the till's balance grew by, which is what escrow may lock.
    function collectUpto(
        IPermit2.PermitTransferFrom calldata permit,
        uint256 amount,
        address owner,
        IX402UptoProxy.Witness calldata witness,
        bytes calldata signature
    ) external onlyEscrow returns (uint256 received) {
        uint256 before = token.balanceOf(address(this));
        uptoProxy.settle(permit, amount, owner, witness, signature);
        received = token.balanceOf(address(this)) - before;
        token.safeTransfer(escrow, received);
    }
}
