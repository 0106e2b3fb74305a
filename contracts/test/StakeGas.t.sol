// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {GasMeter} from "./GasMeter.sol";
import {StakingFixture} from "./StakingFixture.sol";

/// @title What staking costs, in gas of a whole transaction
contract StakeGasTest is StakingFixture, GasMeter {
    /// @dev A slash must fit beside the work that calls it, whatever has left since the fault.
    uint256 private constant SLASH_CAP = 2_000_000;

    function setUp() public {
        setUpStaking();
    }

    /// forge-config: default.isolate = true
    function test_delegateAndUndelegate() public {
        fund(ALICE, 1000e18);
        vm.startPrank(ALICE);
        spend("delegate, first of its epoch", address(staking), abi.encodeCall(staking.delegate, (V, 10e18, 0)));
        spend("delegate, again in the epoch", address(staking), abi.encodeCall(staking.delegate, (V, 10e18, 0)));
        nextEpoch();
        spend("delegate, in a later epoch", address(staking), abi.encodeCall(staking.delegate, (V, 10e18, 0)));
        vm.roll(block.number + 1);
        spend("undelegate, opens a bucket", address(staking), abi.encodeCall(staking.undelegate, (V, 5e18)));
        spend("undelegate, again in the epoch", address(staking), abi.encodeCall(staking.undelegate, (V, 5e18)));
        skipUnbonding();
        spend("withdraw", address(staking), abi.encodeCall(staking.withdraw, (V)));
        vm.stopPrank();
    }

    /// forge-config: default.isolate = true
    function test_slashWith0Buckets() public {
        slashWith(0);
    }

    /// forge-config: default.isolate = true
    function test_slashWith10Buckets() public {
        slashWith(10);
    }

    /// @dev Each its own tranche, as from one exit of every deposit of each epoch of the unbonding time.
    /// forge-config: default.isolate = true
    function test_slashWith100Buckets() public {
        slashWith(100);
    }

    /// forge-config: default.isolate = true
    function test_reserveAndRelease() public {
        address[] memory validators = new address[](64);
        uint256[] memory indexes = new uint256[](64);
        for (uint256 i = 0; i < 64; i++) {
            validators[i] = address(uint160(0xE000 + i));
            registerValidator(validators[i], MIN_BOND);
            indexes[i] = staking.indexOf(validators[i]);
        }
        vm.startPrank(address(settlement));
        spend("reserve on 64, first ever", address(staking), abi.encodeCall(staking.reserve, (validators, 1e18, block.number)));
        spend("reserve on 64, again", address(staking), abi.encodeCall(staking.reserve, (validators, 1e18, block.number)));
        spend("release of 64", address(staking), abi.encodeCall(staking.release, (indexes, 1e18)));
        vm.stopPrank();
    }

    // ---------------------------------------------------------------- helpers

    /// @dev A fault of the first epoch, proven when `count` buckets answer for it beside the pools.
    function slashWith(uint256 count) private {
        params.set(bytes32("UNBONDING"), 90);
        // Deposits of 12 epochs, still young; all of them leave in each of the epochs that follow.
        for (uint256 i = 0; i < 12; i++) {
            delegateTo(V, address(uint160(0xF000 + i)), 100e18);
            nextEpoch();
        }
        uint256 opened = 0;
        for (uint256 i = 0; opened < count; i++) {
            for (uint256 j = 0; j < 12 && opened < count; j++) {
                undelegate(V, address(uint160(0xF000 + j)), 1e18);
                opened++;
            }
            nextEpoch();
        }
        uint64 captured = epoch() - (count == 0 ? 0 : uint64((count + 11) / 12));
        string memory what = count == 0 ? "slash, 0 buckets" : count == 10 ? "slash, 10 buckets" : "slash, 100 buckets";
        spendBelow(SLASH_CAP, what, address(staking), abi.encodeCall(staking.slash, (V, captured, ALL / 10, FAULT)));
        // Every bucket was reached.
        for (uint256 j = 0; j < 12 && j < count; j++) {
            address holder = address(uint160(0xF000 + j));
            assertTrue(worthOf(V, holder) < 100e18);
            assertTrue(leavingOf(V, holder) * 1000 < staking.exitsOf(V, holder).length * 1000e18);
        }
    }
}
