// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Finding, IFaultAdapter} from "../src/faults/IFaultAdapter.sol";

/// @title The payments of an escrow, as a test sets them
contract EscrowDouble {
    struct Payment {
        address payer;
        address gateway;
        uint128 amount;
        uint8 state;
    }

    mapping(bytes32 requestId => Payment) private _payments;
    mapping(bytes32 requestId => bool) public refunded;

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

    function refundProven(bytes32 requestId) external {
        require(_payments[requestId].state == 1 && !refunded[requestId]);
        _payments[requestId].state = 3;
        refunded[requestId] = true;
    }

    function requestIdOf(address payer, uint8 scheme, bytes32 paymentNonce) external view returns (bytes32) {
        return keccak256(
            abi.encode(keccak256("assay/request-id/v1"), block.chainid, address(this), payer, scheme, paymentNonce)
        );
    }
}

/// @title A judge that finds what a test says, whatever the proof
contract FixedJudge is IFaultAdapter {
    Finding private _finding;

    function set(Finding memory finding) external {
        _finding = finding;
    }

    function judge(bytes calldata) external view returns (Finding memory) {
        return _finding;
    }
}
