// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {TestBase} from "./TestBase.sol";

/// @notice Moves that take random words and revert only where a promise is broken, and the promises themselves.
interface IWalk {
    /// @notice Selectors of the moves; one that is named twice is made twice as often.
    function moves() external view returns (bytes4[] memory);

    function check() external view;
}

/// @title A random walk as the fuzzer finds it, and the same walk with dice that always fall alike
abstract contract WalkTest is TestBase {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    function walked() internal view virtual returns (IWalk);

    /// @dev The fuzzer asks for these two: whom it may call, and what.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(walked());
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(walked()), walked().moves());
    }

    /// @dev Makes `steps` moves and looks after each: a walk that reaches nothing would keep every promise, so a test that
    /// calls this asks afterwards where it came.
    function walkOn(uint256 steps) internal {
        bytes4[] memory moves = walked().moves();
        for (uint256 i = 0; i < steps; i++) {
            uint256 dice = uint256(keccak256(abi.encode(i)));
            make(abi.encodeWithSelector(moves[dice % moves.length], dice >> 8, dice >> 16));
            walked().check();
        }
    }

    /// @dev One move; what it reverts with is passed on.
    function make(bytes memory move) internal {
        (bool ok, bytes memory reason) = address(walked()).call(move);
        if (ok) return;
        assembly ("memory-safe") {
            revert(add(reason, 32), mload(reason))
        }
    }
}
