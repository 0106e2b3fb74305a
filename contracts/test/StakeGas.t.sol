// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {StakingFixture} from "./StakingFixture.sol";

/// @title What staking costs, in gas of a whole transaction, held under bounds
/// @notice `npm run gas --workspace contracts` runs each call as a transaction of its own, from cold storage, and shows the
/// numbers that the bounds here lie just above. In the ordinary run a test is one transaction, and everything cheaper.
contract StakeGasTest is StakingFixture {
    event Gas(string what, uint256 gas);

    function setUp() public {
        setUpStaking();
    }

    function test_delegateAndUndelegate() public {
        fund(ALICE, 1000e18);
        vm.startPrank(ALICE);
        spend("delegate, first of its epoch", abi.encodeCall(staking.delegate, (V, 10e18, 0)), 370_000);
        spend("delegate, again in the epoch", abi.encodeCall(staking.delegate, (V, 10e18, 0)), 190_000);
        nextEpoch();
        spend("delegate, in a later epoch", abi.encodeCall(staking.delegate, (V, 10e18, 0)), 380_000);
        vm.roll(block.number + 1);
        spend("undelegate, opens a bucket", abi.encodeCall(staking.undelegate, (V, 5e18)), 430_000);
        spend("undelegate, again in the epoch", abi.encodeCall(staking.undelegate, (V, 5e18)), 300_000);
        skipUnbonding();
        spend("withdraw", abi.encodeCall(staking.withdraw, (V)), 150_000);
        vm.stopPrank();
    }

    function test_slashWith0Buckets() public {
        slashWith(0, 600_000);
    }

    function test_slashWith10Buckets() public {
        slashWith(10, 700_000);
    }

    /// @dev Each its own tranche, as from one exit of every deposit of each epoch of the unbonding time.
    function test_slashWith100Buckets() public {
        slashWith(100, 1_600_000);
    }

    function test_reserveAndRelease() public {
        address[] memory validators = new address[](64);
        uint256[] memory indexes = new uint256[](64);
        for (uint256 i = 0; i < 64; i++) {
            validators[i] = address(uint160(0xE000 + i));
            registerValidator(validators[i], MIN_BOND);
            indexes[i] = staking.indexOf(validators[i]);
        }
        vm.startPrank(address(settlement));
        spend("reserve on 64, first ever", abi.encodeCall(staking.reserve, (validators, 1e18, block.number)), 430_000);
        spend("reserve on 64, again", abi.encodeCall(staking.reserve, (validators, 1e18, block.number)), 430_000);
        spend("release of 64", abi.encodeCall(staking.release, (indexes, 1e18)), 430_000);
        vm.stopPrank();
    }

    // ---------------------------------------------------------------- helpers

    /// @dev A fault of the first epoch, proven when `count` buckets answer for it beside the pools.
    function slashWith(uint256 count, uint256 most) private {
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
        spend(what, abi.encodeCall(staking.slash, (V, captured, ALL / 10, FAULT)), most);
        // Every bucket was reached.
        for (uint256 j = 0; j < 12 && j < count; j++) {
            address holder = address(uint160(0xF000 + j));
            assertTrue(worthOf(V, holder) < 100e18);
            assertTrue(leavingOf(V, holder) * 1000 < staking.exitsOf(V, holder).length * 1000e18);
        }
    }

    function spend(string memory what, bytes memory call, uint256 most) private {
        uint256 before = gasleft();
        (bool ok,) = address(staking).call(call);
        uint256 used = before - gasleft();
        assertTrue(ok);
        emit Gas(what, used);
        require(used <= most, NotEqual(used, most));
    }
}
