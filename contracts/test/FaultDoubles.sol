// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {NodeBond} from "../src/NodeBond.sol";
import {ParamStore} from "../src/ParamStore.sol";
import {Settlement} from "../src/Settlement.sol";
import {ValidatorStaking} from "../src/ValidatorStaking.sol";

/// @title Settlement with the hooks of fault proofs
contract SettlementDouble is Settlement {
    mapping(bytes32 batchId => uint256) public challenges;

    constructor(ValidatorStaking staking_, ParamStore params_, bytes32 id) Settlement(staking_, params_, id) {}

    /// @dev Tests attest nothing but "valid".
    function attestersOf(bytes32 batchId) external view returns (address[] memory attesters) {
        address[] memory all = staking.validators();
        uint256 count = 0;
        for (uint256 i = 0; i < all.length; i++) if (hasAttested[batchId][all[i]]) count++;
        attesters = new address[](count);
        for (uint256 i = all.length; i > 0; i--) if (hasAttested[batchId][all[i - 1]]) attesters[--count] = all[i - 1];
    }

    function openChallenge(bytes32 batchId) external {
        require(msg.sender == faultManager);
        challenges[batchId]++;
    }

    function closeChallenge(bytes32 batchId) external {
        require(msg.sender == faultManager);
        challenges[batchId]--;
    }
}

/// @title ValidatorStaking with the hooks of fault proofs
contract StakingDouble is ValidatorStaking {
    uint256 private constant EPOCH = 3;
    mapping(address validator => uint256) public freezes;
    mapping(address validator => bool) public jailed;
    mapping(address validator => bool) public tombstoned;

    constructor(IERC20 token_, ParamStore params_) ValidatorStaking(token_, params_) {}

    function epochAt(uint256 time) external pure returns (uint256) {
        return time / EPOCH;
    }

    function freeze(address validator) external {
        require(msg.sender == faultManager);
        freezes[validator]++;
    }

    function unfreeze(address validator) external {
        require(msg.sender == faultManager);
        freezes[validator]--;
    }

    function jail(address validator) external {
        require(msg.sender == faultManager);
        jailed[validator] = true;
    }

    function tombstone(address validator) external {
        require(msg.sender == faultManager);
        tombstoned[validator] = true;
    }
}

/// @title NodeBond with slashing by fraction
contract BondDouble is NodeBond {
    constructor(IERC20 token_, ParamStore params_) NodeBond(token_, params_) {}

    function slashFraction(address operator, uint256 fraction, bytes32 faultId) external returns (uint256 taken) {
        (uint256 bonded, uint256 unbonding,,,) = this.node(operator);
        uint256 amount = (bonded + unbonding) * fraction / 1e18;
        bytes memory call = abi.encodeCall(NodeBond.slash, (operator, amount, faultId));
        return abi.decode(Address.functionDelegateCall(address(this), call), (uint256));
    }
}

/// @title The payments of an escrow, as a test sets them
contract EscrowDouble {
    struct Payment {
        address payer;
        address gateway;
        uint128 amount;
        uint8 state;
    }

    mapping(bytes32 requestId => Payment) private _payments;
    mapping(bytes32 requestId => bytes32) public refundedFor;

    function set(bytes32 requestId, address payer, address gateway, uint128 amount, uint8 state) external {
        _payments[requestId] = Payment(payer, gateway, amount, state);
    }

    function payment(bytes32 requestId)
        external
        view
        returns (address payer, address gateway, uint128 amount, uint128 paid, uint64 lockedAt, uint8 state)
    {
        Payment memory p = _payments[requestId];
        return (p.payer, p.gateway, p.amount, p.state == 2 ? p.amount : 0, 0, p.state);
    }

    function refundProven(bytes32 requestId, bytes32 faultId) external {
        require(_payments[requestId].state == 1 && refundedFor[requestId] == 0);
        _payments[requestId].state = 3;
        refundedFor[requestId] = faultId;
    }

    function requestIdOf(address payer, uint8 scheme, bytes32 paymentNonce) external view returns (bytes32) {
        return keccak256(
            abi.encode(keccak256("assay/request-id/v1"), block.chainid, address(this), payer, scheme, paymentNonce)
        );
    }
}
