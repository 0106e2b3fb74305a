// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {TestBase} from "./TestBase.sol";

/// @title Measures calls as the transactions that they are
/// @notice Only in a test with `forge-config: default.isolate = true`: there each call is a transaction of its own, from
/// cold storage, its 21,000 and its calldata included. `npm run gas --workspace contracts` holds what is said here to
/// gas.json.
abstract contract GasMeter is TestBase {
    /// @dev Most that one transaction may use, on Ethereum and on Base (EIP-7825).
    uint256 internal constant TRANSACTION_CAP = 16_777_216;

    event Gas(string what, uint256 gas);

    error OverCap(string what, uint256 gas, uint256 cap);
    error NotATransaction(string what, uint256 gas);

    function spend(string memory what, address target, bytes memory call) internal {
        spendBelow(TRANSACTION_CAP, what, target, call);
    }

    function spendBelow(uint256 cap, string memory what, address target, bytes memory call) internal {
        uint256 before = gasleft();
        (bool ok, bytes memory reason) = target.call(call);
        uint256 used = before - gasleft();
        if (!ok) {
            assembly ("memory-safe") {
                revert(add(reason, 32), mload(reason))
            }
        }
        if (used < 21_000) revert NotATransaction(what, used);
        if (used >= cap) revert OverCap(what, used, cap);
        emit Gas(what, used);
    }
}
