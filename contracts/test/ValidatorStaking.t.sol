// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ValidatorStaking} from "../src/ValidatorStaking.sol";
import {Params} from "../src/libraries/Params.sol";
import {Fixture} from "./Fixture.sol";

contract ValidatorStakingTest is Fixture {
    address private constant V = address(0xA1);
    address private constant W = address(0xA2);
    address private constant ALICE = address(0xB1);
    address private constant BOB = address(0xB2);
    uint256 private constant ALL = 1e18;

    function setUp() public {
        deployAll();
        registerValidator(V, 1000e18);
    }

    // ---------------------------------------------------------------- shares

    function testFuzz_leaverNeverTakesMoreThanItBrought(uint96 amount, uint64 fraction, uint96 second) public {
        uint256 first = 1 + uint256(amount) % 1e24;
        uint256 later = 1 + uint256(second) % 1e24;
        staking.slash(V, 0, 1 + uint256(fraction) % (ALL - 1e10), FAULT);
        (ValidatorStaking.Pool memory before,) = staking.poolsOf(V);
        uint256 rateTokens = before.tokens;
        uint256 rateShares = before.shares;
        delegateTo(V, ALICE, first);
        delegateTo(V, BOB, later);
        uint256 shares = staking.sharesOf(V, ALICE);
        assertTrue(staking.stakeOfHolder(V, ALICE) <= first);
        vm.prank(ALICE);
        staking.undelegate(V, shares);
        vm.warp(START + UNBONDING);
        uint256 balance = token.balanceOf(ALICE);
        vm.prank(ALICE);
        staking.withdraw(V);
        assertTrue(token.balanceOf(ALICE) - balance <= first);
        // A share of those who stayed is worth at least what it was.
        (ValidatorStaking.Pool memory then,) = staking.poolsOf(V);
        assertTrue(then.tokens * rateShares >= rateTokens * then.shares);
    }

    function testFuzz_everythingPaidOutIsBacked(uint96 a, uint96 b, uint64 fraction, uint96 reward) public {
        delegateTo(V, ALICE, 1 + uint256(a) % 1e24);
        delegateTo(V, BOB, 1 + uint256(b) % 1e24);
        addReward(uint256(reward) % 1e24);
        undelegateAll(V, ALICE);
        staking.slash(V, 0, 1 + uint256(fraction) % (ALL / 2), FAULT);
        addReward(uint256(reward) % 1e21);
        undelegateAll(V, BOB);
        undelegateAll(V, V);
        vm.warp(START + UNBONDING);
        withdrawAll(V, ALICE);
        withdrawAll(V, BOB);
        withdrawAll(V, V);
        // Nothing reverted, so the contract could pay all; what is left is dust of rounding and of the share scale.
        assertTrue(token.balanceOf(address(staking)) < 1e9);
        assertEq(staking.totalStake(), 0);
    }

    function test_minSharesProtectsADepositor() public {
        fund(ALICE, 10e18);
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(ValidatorStaking.TooFewShares.selector, 10e18, 10e18 + 1));
        staking.delegate(V, 10e18, 10e18 + 1);
    }

    // ---------------------------------------------------------------- exits

    function test_exitIsPaidOnlyAfterItsTime() public {
        delegateTo(V, ALICE, 50e18);
        undelegateAll(V, ALICE);
        vm.warp(START + UNBONDING - 1);
        vm.prank(ALICE);
        vm.expectRevert(ValidatorStaking.NothingToWithdraw.selector);
        staking.withdraw(V);
        vm.warp(START + UNBONDING);
        vm.prank(ALICE);
        assertEq(staking.withdraw(V), 50e18);
        assertEq(token.balanceOf(ALICE), 50e18);
        vm.prank(ALICE);
        vm.expectRevert(ValidatorStaking.NothingToWithdraw.selector);
        staking.withdraw(V);
    }

    function test_aSecondExitDoesNotDelayTheFirst() public {
        delegateTo(V, ALICE, 50e18);
        vm.prank(ALICE);
        staking.undelegate(V, 20e18);
        vm.warp(START + 20);
        vm.prank(ALICE);
        staking.undelegate(V, 30e18);
        vm.warp(START + UNBONDING);
        vm.prank(ALICE);
        assertEq(staking.withdraw(V), 20e18);
        vm.warp(START + 20 + UNBONDING);
        vm.prank(ALICE);
        assertEq(staking.withdraw(V), 30e18);
    }

    function test_cannotLeaveWithSharesOfOthers() public {
        delegateTo(V, ALICE, 50e18);
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(ValidatorStaking.NotEnoughShares.selector, 50e18, 50e18 + 1));
        staking.undelegate(V, 50e18 + 1);
    }

    // ---------------------------------------------------------------- slashing

    function test_onlyTheFaultManagerSlashes() public {
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(ValidatorStaking.NotFaultManager.selector, ALICE));
        staking.slash(V, 0, ALL, FAULT);
        vm.expectRevert(ValidatorStaking.AlreadyWired.selector);
        staking.setFaultManager(ALICE);
    }

    function test_slashHitsSelfDelegatorsAndLeaversAlike() public {
        delegateTo(V, ALICE, 400e18);
        delegateTo(V, BOB, 600e18);
        vm.prank(BOB);
        staking.undelegate(V, 600e18);
        registerValidator(W, 500e18);
        uint256 mine = token.balanceOf(address(this));
        assertEq(staking.slash(V, 0, ALL / 4, FAULT), 500e18);
        assertEq(token.balanceOf(address(this)) - mine, 500e18);
        assertEq(staking.stakeOfHolder(V, V), 750e18);
        assertEq(staking.stakeOfHolder(V, ALICE), 300e18);
        assertEq(staking.stakeOf(W), 500e18);
        assertEq(staking.totalStake(), 750e18 + 300e18 + 500e18);
        vm.warp(START + UNBONDING);
        vm.prank(BOB);
        assertEq(staking.withdraw(V), 450e18);
    }

    function test_aFullSlashLeavesNoShadowOnLaterExits() public {
        delegateTo(V, ALICE, 400e18);
        vm.prank(ALICE);
        staking.undelegate(V, 200e18);
        staking.slash(V, 0, ALL, FAULT);
        assertEq(staking.stakeOf(V), 0);
        assertTrue(!staking.isActive(V));
        assertEq(staking.totalStake(), 0);
        // Deposits under the exchange-rate floor are refused.
        fund(BOB, 10e18);
        vm.prank(BOB);
        vm.expectRevert(abi.encodeWithSelector(ValidatorStaking.PoolBelowFloor.selector, V));
        staking.delegate(V, 10e18, 0);
        // Worthless exits can still be cleared away and pay nothing.
        undelegateAll(V, ALICE);
        vm.warp(START + UNBONDING);
        vm.prank(ALICE);
        assertEq(staking.withdraw(V), 0);
    }

    function test_anExitAfterAnAlmostFullSlashOfLeaversIsWorthItself() public {
        // One wei on its way out is slashed to nothing while the active pool survives; the next leaver must not share.
        delegateTo(V, ALICE, 1);
        undelegateAll(V, ALICE);
        delegateTo(V, BOB, 100e18);
        staking.slash(V, 0, ALL / 100, FAULT);
        uint256 worth = staking.stakeOfHolder(V, BOB);
        undelegateAll(V, BOB);
        vm.warp(START + UNBONDING);
        vm.prank(BOB);
        assertEq(staking.withdraw(V), worth);
        vm.prank(ALICE);
        assertEq(staking.withdraw(V), 0);
    }

    // ---------------------------------------------------------------- activity and snapshots

    function test_aValidatorBelowItsMinimumCountsNowhere() public {
        delegateTo(V, ALICE, 400e18);
        registerValidator(W, 500e18);
        vm.roll(101);
        vm.prank(V);
        staking.undelegate(V, 950e18);
        assertTrue(!staking.isActive(V));
        assertEq(staking.totalStake(), 500e18);
        assertEq(staking.stakeAt(V, 101), 0);
        assertEq(staking.stakeAt(V, 100), 1400e18);
        assertEq(staking.totalStakeAt(100), 1900e18);
        assertEq(staking.totalStakeAt(101), 500e18);
        assertEq(staking.stakeAt(V, 99), 0);
        vm.expectRevert(abi.encodeWithSelector(ValidatorStaking.FutureBlock.selector, 102));
        staking.stakeAt(V, 102);
        fund(V, 50e18);
        vm.prank(V);
        staking.addSelfBond(50e18);
        assertTrue(staking.isActive(V));
        assertEq(staking.totalStake(), 1000e18);
    }

    function test_aHigherMinimumCountsAfterSync() public {
        params.set(Params.MIN_SELF_BOND, 1001e18);
        assertTrue(staking.isActive(V));
        staking.sync(V);
        assertTrue(!staking.isActive(V));
        assertEq(staking.totalStake(), 0);
    }

    function test_registerWantsTheMinimumOnce() public {
        fund(W, 2 * MIN_BOND);
        vm.prank(W);
        vm.expectRevert(abi.encodeWithSelector(ValidatorStaking.BondTooSmall.selector, MIN_BOND - 1, MIN_BOND));
        staking.register("http://w.test", MIN_BOND - 1);
        vm.prank(W);
        staking.register("http://w.test", MIN_BOND);
        vm.prank(W);
        vm.expectRevert(abi.encodeWithSelector(ValidatorStaking.AlreadyRegistered.selector, W));
        staking.register("http://w.test", MIN_BOND);
        vm.prank(W);
        staking.setUrl("http://w2.test");
        assertEq(keccak256(bytes(staking.urlOf(W))), keccak256("http://w2.test"));
    }

    // ---------------------------------------------------------------- rewards

    function test_rewardsFollowStakeAndNeverComeTwice() public {
        delegateTo(V, ALICE, 1000e18);
        registerValidator(W, 2000e18);
        addReward(40e18);
        delegateTo(V, BOB, 4000e18); // came later: no part of what is past
        assertEq(staking.rewardOf(V, ALICE), 10e18);
        assertEq(staking.rewardOf(V, BOB), 0);
        assertEq(claim(V, ALICE), 10e18);
        assertEq(claim(V, V), 10e18);
        assertEq(claim(W, W), 20e18);
        vm.prank(ALICE);
        vm.expectRevert(ValidatorStaking.NothingToWithdraw.selector);
        staking.claim(V);
        addReward(80e18);
        assertEq(claim(V, BOB), 40e18);
        assertEq(claim(V, ALICE), 10e18);
    }

    function test_aValidatorOutOfDutyEarnsNothing() public {
        registerValidator(W, 1000e18);
        vm.prank(V);
        staking.undelegate(V, 950e18);
        addReward(10e18);
        assertEq(staking.rewardOf(V, V), 0);
        assertEq(claim(W, W), 10e18);
    }

    function testFuzz_rewardsNeverExceedWhatCameIn(uint96 a, uint96 b, uint96 reward) public {
        registerValidator(W, MIN_BOND + uint256(b) % 1e24);
        delegateTo(V, ALICE, 1 + uint256(a) % 1e24);
        uint256 amount = uint256(reward) % 1e24;
        addReward(amount);
        uint256 owed = staking.rewardOf(V, V) + staking.rewardOf(V, ALICE) + staking.rewardOf(W, W);
        assertTrue(owed <= amount);
        assertTrue(amount - owed < 10);
    }

    function test_rewardWithoutStakeIsRefused() public {
        undelegateAll(V, V);
        token.approve(address(staking), 1);
        vm.expectRevert(ValidatorStaking.NoStake.selector);
        staking.notifyReward(1);
    }

    // ---------------------------------------------------------------- helpers

    function addReward(uint256 amount) private {
        token.approve(address(staking), amount);
        staking.notifyReward(amount);
    }

    function undelegateAll(address validator, address who) private {
        uint256 shares = staking.sharesOf(validator, who);
        vm.prank(who);
        staking.undelegate(validator, shares);
    }

    function claim(address validator, address who) private returns (uint256) {
        vm.prank(who);
        return staking.claim(validator);
    }

    function withdrawAll(address validator, address who) private {
        vm.prank(who);
        staking.withdraw(validator);
        if (staking.rewardOf(validator, who) > 0) claim(validator, who);
    }
}
