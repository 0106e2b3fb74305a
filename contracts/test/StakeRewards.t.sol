// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Params} from "../src/libraries/Params.sol";
import {StakeRewards} from "../src/staking/StakeRewards.sol";
import {StakingFixture} from "./StakingFixture.sol";

contract StakeRewardsTest is StakingFixture {
    function setUp() public {
        setUpStaking();
    }

    function test_rewardsFollowTheStakeAtTheStartOfTheEpochAndNeverComeTwice() public {
        delegateTo(V, ALICE, 1000e18);
        registerValidator(W, 2000e18);
        nextEpoch();
        addReward(40e18);
        delegateTo(V, BOB, 4000e18);
        // In the middle of the epoch: no part of what is past, nor of what this epoch still brings.
        addReward(40e18);
        assertEq(staking.rewardOf(V, ALICE), 20e18);
        assertEq(staking.rewardOf(V, BOB), 0);
        assertEq(claim(V, ALICE), 20e18);
        assertEq(claim(V, V), 20e18);
        assertEq(claim(W, W), 40e18);
        vm.prank(ALICE);
        vm.expectRevert(StakeRewards.NothingToClaim.selector);
        staking.claim(V);
        nextEpoch();
        addReward(80e18);
        assertEq(staking.rewardOf(V, BOB), 40e18);
        assertEq(claim(V, BOB), 40e18);
        assertEq(claim(V, ALICE), 10e18);
    }

    function test_whoStepsInForOnePaymentGetsNothingOfIt() public {
        delegateTo(V, ALICE, 1e24);
        vm.prank(V);
        vm.expectRevert(StakeRewards.NoStake.selector);
        staking.notifyReward(1);
        nextEpoch();
        delegateTo(V, BOB, 1e26);
        addReward(100e18);
        undelegateAll(V, BOB);
        assertEq(staking.rewardOf(V, BOB), 0);
        nextEpoch();
        assertEq(staking.rewardOf(V, BOB), 0);
        assertNear(staking.rewardOf(V, ALICE) + staking.rewardOf(V, V), 100e18, 2);
    }

    function test_aValidatorOutOfDutyEarnsNothing() public {
        registerValidator(W, 1000e18);
        nextEpoch();
        undelegate(V, V, 950e18);
        addReward(10e18);
        assertEq(staking.rewardOf(V, V), 0);
        assertEq(claim(W, W), 10e18);
        // Back on duty, it earns from the next epoch on.
        fund(V, 950e18);
        vm.prank(V);
        staking.addSelfBond(950e18);
        addReward(10e18);
        assertEq(staking.rewardOf(V, V), 0);
        assertEq(claim(W, W), 10e18);
        nextEpoch();
        addReward(10e18);
        assertEq(claim(V, V), 5e18);
    }

    function test_whoComesBackOnDutyEarnsFromTheNextEpochOn() public {
        registerValidator(W, 1000e18);
        nextEpoch();
        undelegate(V, V, 950e18);
        nextEpoch();
        fund(V, 950e18);
        vm.prank(V);
        staking.addSelfBond(950e18);
        addReward(10e18);
        assertEq(staking.rewardOf(V, V), 0);
        assertEq(claim(W, W), 10e18);
    }

    function test_aCommissionStaysUntilAnotherIsQueued() public {
        delegateTo(V, ALICE, 1000e18);
        vm.prank(V);
        staking.queueCommission(100);
        uint256 bps = 0;
        for (uint256 i = 0; i < 40 && bps == 0; i++) {
            nextEpoch();
            addReward(1e18);
            claim(V, V);
            bps = staking.validator(V).commissionBps;
        }
        assertEq(bps, 100);
        for (uint256 i = 0; i < 3; i++) {
            nextEpoch();
            addReward(100e18);
            // Half of the stake each; a hundredth of Alice's half is commission.
            assertNear(claim(V, V), 50.5e18, 10);
            assertEq(staking.validator(V).commissionBps, 100);
        }
    }

    function test_aDepositEarnsTheSameThroughAllItsAges() public {
        delegateTo(V, ALICE, 1000e18);
        nextEpoch();
        delegateTo(V, BOB, 1000e18);
        nextEpoch();
        // Both are young, then Alice's is in the main pool and Bob's is not, then both are.
        for (uint256 i = 0; i < 14; i++) {
            addReward(30e18);
            if (i % 3 == 0) staking.sync(V);
            nextEpoch();
        }
        assertEq(staking.rewardOf(V, ALICE), 140e18);
        assertEq(staking.rewardOf(V, BOB), 140e18);
        assertEq(claim(V, ALICE), 140e18);
        staking.sync(V);
        assertEq(claim(V, BOB), 140e18);
        assertEq(claim(V, V), 140e18);
        addReward(30e18);
        assertEq(claim(V, ALICE), 10e18);
    }

    function test_aSlashTakesNothingOfWhatIsEarned() public {
        delegateTo(V, ALICE, 1000e18);
        nextEpoch();
        addReward(40e18);
        slash(V, epoch(), ALL);
        assertEq(claim(V, ALICE), 20e18);
        assertEq(claim(V, V), 20e18);
    }

    function test_aWipedPoolStillPaysWhatItEarned() public {
        delegateTo(V, ALICE, 1000e18);
        skipEpochs(12);
        staking.sync(V);
        addReward(40e18);
        slash(V, epoch(), ALL);
        nextEpoch();
        assertEq(staking.rewardOf(V, ALICE), 20e18);
        fund(V, 1000e18);
        vm.prank(V);
        staking.addSelfBond(1000e18);
        delegateTo(V, ALICE, 1000e18);
        nextEpoch();
        addReward(40e18);
        assertEq(claim(V, ALICE), 40e18);
    }

    function testFuzz_rewardsNeverExceedWhatCameIn(uint96 a, uint96 b, uint96 reward, uint8 gap) public {
        registerValidator(W, MIN_BOND + uint256(b) % 1e24);
        delegateTo(V, ALICE, 1 + uint256(a) % 1e24);
        skipEpochs(1 + uint256(gap) % 20);
        uint256 amount = uint256(reward) % 1e24;
        addReward(amount);
        skipEpochs(uint256(gap) % 3);
        addReward(amount);
        uint256 owed = staking.rewardOf(V, V) + staking.rewardOf(V, ALICE) + staking.rewardOf(W, W);
        assertTrue(owed <= 2 * amount);
        assertTrue(2 * amount - owed < 10);
        // What the view says is what is paid.
        if (staking.rewardOf(V, ALICE) > 0) assertEq(staking.rewardOf(V, ALICE), claim(V, ALICE));
        if (staking.rewardOf(V, V) > 0) assertEq(staking.rewardOf(V, V), claim(V, V));
    }

    // ---------------------------------------------------------------- commission

    function test_withoutDelegatorsTheCommissionIsFreeUpToTheCap() public {
        vm.prank(V);
        vm.expectRevert(abi.encodeWithSelector(StakeRewards.CommissionTooHigh.selector, 2001, 2000));
        staking.queueCommission(2001);
        queue(2000);
        assertEq(staking.validator(V).commissionBps, 0);
        nextEpoch();
        delegateTo(V, ALICE, 1000e18);
        assertEq(staking.validator(V).commissionBps, 2000);
        nextEpoch();
        addReward(100e18);
        assertEq(claim(V, ALICE), 40e18);
        assertEq(claim(V, V), 60e18);
    }

    function test_aRiseIsOneStepWaitsAndComesNoSoonerThanTheDelayAfterTheLast() public {
        delegateTo(V, ALICE, 1000e18);
        vm.prank(V);
        vm.expectRevert(abi.encodeWithSelector(StakeRewards.CommissionTooHigh.selector, 101, 100));
        staking.queueCommission(101);
        queue(100);
        uint256 queuedAt = block.timestamp;
        vm.prank(V);
        vm.expectRevert(abi.encodeWithSelector(StakeRewards.CommissionTooSoon.selector, queuedAt + 60));
        staking.queueCommission(100);
        vm.warp(queuedAt + 59);
        vm.prank(V);
        vm.expectRevert(abi.encodeWithSelector(StakeRewards.CommissionTooSoon.selector, queuedAt + 60));
        staking.queueCommission(100);
        uint256 state = vm.snapshotState();
        vm.warp(queuedAt + 60);
        queue(100);
        vm.revertToState(state);
        // 60 s are 20 epochs; the number counts from the epoch after them.
        addReward(20e18);
        skipEpochs(2);
        addReward(20e18);
        // Settled long after, each payment goes by the number of its own time: 10 without, 9.9 with commission.
        skipEpochs(5);
        assertEq(staking.rewardOf(V, ALICE), 19.9e18);
        assertEq(staking.rewardOf(V, V), 20.1e18);
        assertEq(claim(V, ALICE), 19.9e18);
        queue(200);
        assertEq(staking.validator(V).nextCommissionBps, 200);
    }

    function test_aCutCountsFromTheNextEpochAndAtOnceIsNoReasonToRise() public {
        queue(1000);
        nextEpoch();
        delegateTo(V, ALICE, 1000e18);
        nextEpoch();
        queue(500);
        addReward(20e18);
        nextEpoch();
        addReward(20e18);
        assertEq(claim(V, ALICE), 9e18 + 9.5e18);
        vm.prank(V);
        vm.expectRevert(abi.encodeWithSelector(StakeRewards.CommissionTooHigh.selector, 601, 600));
        staking.queueCommission(601);
    }

    function test_aLowerCapBindsTheNextRise() public {
        params.set(Params.COMMISSION_CAP_BPS, 100);
        vm.prank(V);
        vm.expectRevert(abi.encodeWithSelector(StakeRewards.CommissionTooHigh.selector, 101, 100));
        staking.queueCommission(101);
    }

    function queue(uint256 bps) private {
        vm.prank(V);
        staking.queueCommission(bps);
    }

    // ---------------------------------------------------------------- to the last base unit

    /// @dev Half of three is one for each: what cannot be shared stays here, and is nobody's.
    function test_roundingIsNobodysGain() public {
        delegateTo(V, ALICE, 1000e18);
        nextEpoch();
        addReward(3);
        assertEq(staking.rewardOf(V, ALICE), 1);
        assertEq(claim(V, V), 1);
        assertEq(claim(V, ALICE), 1);
    }

    /// @dev A bond of one unit earns less than what rounding takes of it: that locks nobody's stake.
    function test_aBondTooSmallToEarnLocksNobody() public {
        params.set(Params.MIN_SELF_BOND, 1);
        registerValidator(W, 1);
        delegateTo(W, ALICE, 1000e18);
        undelegate(V, V, 1000e18);
        nextEpoch();
        addReward(3);
        assertEq(staking.rewardOf(W, W), 0);
        assertEq(claim(W, ALICE), 2);
        undelegateAll(W, ALICE);
    }

    function test_oneShareEarnsItsPart() public {
        params.set(Params.MIN_SELF_BOND, 1);
        registerValidator(W, 1);
        undelegate(V, V, 1000e18);
        delegateTo(W, ALICE, 1);
        skipEpochs(12);
        staking.sync(W);
        addReward(2);
        assertEq(claim(W, ALICE), 1);
        addReward(10);
        assertEq(staking.rewardOf(W, ALICE), 5);
        assertEq(claim(W, ALICE), 5);
    }

    function test_aBondOfTodayLeavesTheRestOfTheEpochToThoseWhoStood() public {
        delegateTo(V, ALICE, 1000e18);
        nextEpoch();
        fund(V, 500e18);
        vm.prank(V);
        staking.addSelfBond(500e18);
        addReward(20e18);
        nextEpoch();
        assertEq(staking.rewardOf(V, ALICE), 10e18);
        assertEq(claim(V, V), 10e18);
    }

    function test_delegatorsOfAValidatorOutOfDutyEarnNothing() public {
        registerValidator(W, 1000e18);
        delegateTo(V, ALICE, 1000e18);
        nextEpoch();
        staking.jail(V);
        nextEpoch();
        addReward(10e18);
        assertEq(staking.rewardOf(V, ALICE), 0);
        staking.sync(V);
        nextEpoch();
        assertEq(staking.rewardOf(V, ALICE), 0);
        assertEq(claim(W, W), 10e18);
    }

    /// @dev Nothing of what was paid before it came.
    function test_whoRegistersAfterAPaymentHasNoPartOfIt() public {
        nextEpoch();
        addReward(10e18);
        nextEpoch();
        registerValidator(W, 1000e18);
        assertEq(staking.rewardOf(W, W), 0);
        nextEpoch();
        addReward(10e18);
        assertEq(claim(W, W), 5e18);
    }
}
