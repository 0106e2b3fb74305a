// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Params} from "../src/libraries/Params.sol";
import {IStakeOutgoing} from "../src/staking/IStakeOutgoing.sol";
import {StakePositions} from "../src/staking/StakePositions.sol";
import {StakeState} from "../src/staking/StakeState.sol";
import {StakingFixture} from "./StakingFixture.sol";

/// @title Who is on duty counts, and a past act weighs as it stood
contract StakeDutyTest is StakingFixture {
    function setUp() public {
        setUpStaking();
    }

    // ---------------------------------------------------------------- duty and snapshots

    function test_aValidatorBelowItsMinimumCountsNowhere() public {
        uint256 start = block.number;
        delegateTo(V, ALICE, 400e18);
        registerValidator(W, 500e18);
        vm.roll(start + 1);
        undelegate(V, V, 950e18);
        assertTrue(!staking.isActive(V));
        assertEq(staking.totalStake(), 500e18);
        assertEq(staking.stakeAt(V, start + 1), 0);
        assertEq(staking.stakeAt(V, start), 1400e18);
        assertEq(staking.totalStakeAt(start), 1900e18);
        assertEq(staking.totalStakeAt(start + 1), 500e18);
        assertEq(staking.stakeAt(V, start - 1), 0);
        vm.expectRevert(abi.encodeWithSelector(StakeState.FutureBlock.selector, start + 2));
        staking.stakeAt(V, start + 2);
        fund(V, 50e18);
        vm.prank(V);
        staking.addSelfBond(50e18);
        assertTrue(staking.isActive(V));
        assertEq(staking.totalStake(), 1000e18);
    }

    function test_whoLeavesDutyKeepsTheWeightItHad() public {
        registerValidator(W, 500e18);
        uint256 before = block.number;
        vm.roll(before + 1);
        staking.jail(V);
        assertEq(staking.stakeAt(V, before), 1000e18);
        assertEq(staking.stakeAt(W, before), 500e18);
        assertEq(staking.stakeAt(V, before + 1), 0);
        assertEq(staking.stakeAt(W, before + 1), 500e18);
        assertEq(staking.totalStakeAt(before), 1500e18);
        assertEq(staking.totalStakeAt(before + 1), 500e18);
    }

    function test_aHigherMinimumCountsAfterSync() public {
        params.set(Params.MIN_SELF_BOND, 1001e18);
        assertTrue(staking.isActive(V));
        staking.sync(V);
        assertTrue(!staking.isActive(V));
        assertEq(staking.totalStake(), 0);
    }

    function test_whoWentToJailSinceWeighsAsItStood() public {
        vm.roll(block.number + 1);
        uint256 before = block.number - 1;
        staking.jail(V);
        assertEq(staking.stakeAt(V, before), 1000e18);
        assertEq(staking.totalStakeAt(before), 1000e18);
    }

    // ---------------------------------------------------------------- jail and tombstone

    function test_jailTakesOffDutyUntilTheOperatorComesBack() public {
        delegateTo(V, ALICE, 100e18);
        staking.jail(V);
        assertTrue(!staking.isActive(V));
        assertTrue(!staking.validator(V).active);
        assertEq(staking.totalStake(), 0);
        fund(BOB, 10e18);
        vm.prank(BOB);
        vm.expectRevert(abi.encodeWithSelector(StakePositions.NotAccepting.selector, V, StakeState.Status.Jailed, 0));
        staking.delegate(V, 10e18, 0);
        // It may still repair its own bond, and its delegators may leave.
        fund(V, 1e18);
        vm.prank(V);
        staking.addSelfBond(1e18);
        undelegate(V, ALICE, 50e18);
        uint256 until = (block.timestamp / EPOCH + 2) * EPOCH;
        vm.warp(until - 1);
        vm.prank(V);
        vm.expectRevert(abi.encodeWithSelector(IStakeOutgoing.StillJailed.selector, until));
        staking.unjail();
        vm.warp(until);
        vm.prank(V);
        staking.unjail();
        assertEq(staking.totalStake(), 1051e18);
        vm.prank(V);
        vm.expectRevert(abi.encodeWithSelector(IStakeOutgoing.NotJailed.selector, V));
        staking.unjail();
    }

    function test_aTombstoneIsForEverAndShortensNoExit() public {
        delegateTo(V, ALICE, 100e18);
        undelegate(V, ALICE, 40e18);
        staking.tombstone(V);
        staking.jail(V);
        assertEq(uint256(staking.validator(V).status), uint256(StakeState.Status.Tombstoned));
        vm.prank(V);
        vm.expectRevert(abi.encodeWithSelector(IStakeOutgoing.NotJailed.selector, V));
        staking.unjail();
        vm.prank(V);
        vm.expectRevert(
            abi.encodeWithSelector(StakePositions.NotAccepting.selector, V, StakeState.Status.Tombstoned, 0)
        );
        staking.addSelfBond(1);
        uint64 captured = epoch();
        undelegateAll(V, ALICE);
        vm.warp((block.timestamp / EPOCH + 1) * EPOCH + UNBONDING - 1);
        vm.prank(ALICE);
        vm.expectRevert(IStakeOutgoing.NothingToWithdraw.selector);
        staking.withdraw(V);
        assertEq(slash(V, captured, ALL / 2), 550e18);
        vm.warp(block.timestamp + 1);
        assertTrue(withdraw(V, ALICE) < 60e18);
    }
}
