// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IPermit2} from "../interfaces/IPermit2.sol";
import {IX402UptoProxy} from "../interfaces/IX402UptoProxy.sol";

/// @title Development stand-in for x402's `upto` proxy over Permit2
/// @notice Our own code behind the same interface and witness. Never deploy it anywhere real: there, the canonical
/// contract is already at this address.
/// @dev Its code is placed without running a constructor, so Permit2's address is a constant.
contract DevX402UptoProxy is IX402UptoProxy, ReentrancyGuardTransient {
    IPermit2 public constant PERMIT2 = IPermit2(0x000000000022D473030F116dDEE9F6B43aC78BA3);

    /// @notice What follows Permit2's stub in the type of the signed message.
    string public constant WITNESS_TYPE_STRING =
        "Witness witness)TokenPermissions(address token,uint256 amount)Witness(address to,address facilitator,uint256 validAfter)";

    bytes32 public constant WITNESS_TYPEHASH = keccak256("Witness(address to,address facilitator,uint256 validAfter)");

    /// @inheritdoc IX402UptoProxy
    function settle(
        IPermit2.PermitTransferFrom calldata permit,
        uint256 amount,
        address owner,
        Witness calldata witness,
        bytes calldata signature
    ) external nonReentrant {
        _settle(permit, amount, owner, witness, signature);
        emit Settled();
    }

    /// @inheritdoc IX402UptoProxy
    function settleWithPermit(
        EIP2612Permit calldata permit2612,
        IPermit2.PermitTransferFrom calldata permit,
        uint256 amount,
        address owner,
        Witness calldata witness,
        bytes calldata signature
    ) external nonReentrant {
        require(permit2612.value == permit.permitted.amount, Permit2612AmountMismatch());
        // A permit somebody else sent first has done its work; the transfer below is what decides.
        try IERC20Permit(permit.permitted.token).permit(
            owner, address(PERMIT2), permit2612.value, permit2612.deadline, permit2612.v, permit2612.r, permit2612.s
        ) {} catch {}
        _settle(permit, amount, owner, witness, signature);
        emit SettledWithPermit();
    }

    function _settle(
        IPermit2.PermitTransferFrom calldata permit,
        uint256 amount,
        address owner,
        Witness calldata witness,
        bytes calldata signature
    ) private {
        require(msg.sender == witness.facilitator, UnauthorizedFacilitator());
        require(owner != address(0), InvalidOwner());
        require(witness.to != address(0), InvalidDestination());
        require(block.timestamp >= witness.validAfter, PaymentTooEarly());
        require(amount <= permit.permitted.amount, AmountExceedsPermitted());
        PERMIT2.permitWitnessTransferFrom(
            permit,
            IPermit2.SignatureTransferDetails({to: witness.to, requestedAmount: amount}),
            owner,
            keccak256(abi.encode(WITNESS_TYPEHASH, witness.to, witness.facilitator, witness.validAfter)),
            WITNESS_TYPE_STRING,
            signature
        );
    }
}
