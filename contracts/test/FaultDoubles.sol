// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

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
