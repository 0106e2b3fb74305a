// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ValidatorStaking} from "../src/ValidatorStaking.sol";
import {ParamStore} from "../src/ParamStore.sol";
import {Params} from "../src/libraries/Params.sol";
import {IStakeOutgoing} from "../src/staking/IStakeOutgoing.sol";
import {StakePositions} from "../src/staking/StakePositions.sol";
import {StakeState} from "../src/staking/StakeState.sol";
import {StakingFixture} from "./StakingFixture.sol";

contract ValidatorStakingTest is StakingFixture {
    function setUp() public {
        setUpStaking();
    }

    // ---------------------------------------------------------------- registration

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
        assertEq(staking.indexOf(V), 0);
        assertEq(staking.indexOf(W), 1);
        vm.expectRevert(abi.encodeWithSelector(StakeState.NotRegistered.selector, ALICE));
        staking.indexOf(ALICE);
    }

    function test_theJudgeAndTheSettlementAreNamedOnceByTheDeployer() public {
        ValidatorStaking other = new ValidatorStaking(token, params);
        vm.prank(ALICE);
        vm.expectRevert(StakeState.AlreadyWired.selector);
        other.setFaultManager(ALICE);
        vm.prank(ALICE);
        vm.expectRevert(StakeState.AlreadyWired.selector);
        other.setSettlement(ALICE);
        other.setFaultManager(V);
        other.setSettlement(W);
        assertEq(other.faultManager(), V);
        assertEq(other.settlement(), W);
        vm.expectRevert(StakeState.AlreadyWired.selector);
        other.setFaultManager(V);
        vm.expectRevert(StakeState.AlreadyWired.selector);
        other.setSettlement(W);
    }

    /// @dev Settlement keeps who attested in 15 bits each.
    function test_noMoreValidatorsThanABitmapHoldsAreRegistered() public {
        uint256 slot = slotOfCount();
        vm.store(address(staking), bytes32(slot), bytes32(uint256(1 << 15) - 1));
        registerValidator(ALICE, MIN_BOND);
        assertEq(staking.indexOf(ALICE), (1 << 15) - 1);
        fund(BOB, MIN_BOND);
        vm.prank(BOB);
        vm.expectRevert(ValidatorStaking.TooManyRegistered.selector);
        staking.register("", MIN_BOND);
    }

    function test_anEpochLastsATenthOfTheUnbondingTimeAndNeverNothing() public {
        assertEq(staking.epochLength(), EPOCH);
        assertEq(staking.epochAt(EPOCH * 5 - 1), 4);
        (bytes32[] memory keys, uint256[] memory values) = (new bytes32[](1), new uint256[](1));
        (keys[0], values[0]) = (Params.UNBONDING, 9);
        ParamStore brief = new ParamStore(address(this), keys, values, values, values);
        assertEq(new ValidatorStaking(token, brief).epochLength(), 1);
    }


    // ---------------------------------------------------------------- shares

    function testFuzz_leaverNeverTakesMoreThanItBrought(uint96 amount, uint64 fraction, uint96 second) public {
        uint256 first = 1 + uint256(amount) % 1e24;
        slash(V, epoch(), 1 + uint256(fraction) % (ALL - 1e10));
        nextEpoch();
        delegateTo(V, ALICE, first);
        delegateTo(V, BOB, 1 + uint256(second) % 1e24);
        assertTrue(staking.stakeOfHolder(V, ALICE) <= first);
        uint256 stayed = staking.stakeOfHolder(V, BOB);
        undelegateAll(V, ALICE);
        assertTrue(staking.stakeOfHolder(V, BOB) >= stayed);
        skipUnbonding();
        assertTrue(withdraw(V, ALICE) <= first);
    }

    function testFuzz_everythingPaidOutIsBacked(uint96 a, uint96 b, uint64 fraction, uint96 reward) public {
        delegateTo(V, ALICE, 1 + uint256(a) % 1e24);
        nextEpoch();
        delegateTo(V, BOB, 1 + uint256(b) % 1e24);
        addReward(uint256(reward) % 1e24);
        undelegateAll(V, ALICE);
        slash(V, epoch(), 1 + uint256(fraction) % (ALL / 2));
        nextEpoch();
        if (staking.isActive(V)) addReward(uint256(reward) % 1e21);
        undelegateAll(V, BOB);
        // Its own bond pays first, and may have paid all.
        if (staking.sharesOf(V, V) > 0) undelegateAll(V, V);
        skipUnbonding();
        withdrawAll(V, ALICE);
        withdrawAll(V, BOB);
        withdrawAll(V, V);
        // Nothing reverted, so the contract could pay all; what is left is dust of rounding and of the share scale.
        assertTrue(token.balanceOf(address(staking)) < 1e9);
        assertEq(staking.totalStake(), 0);
        assertEq(staking.stakeOf(V), 0);
    }

    function test_minSharesProtectsADepositor() public {
        fund(ALICE, 10e18);
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(StakePositions.TooFewShares.selector, 10e18, 10e18 + 1));
        staking.delegate(V, 10e18, 10e18 + 1);
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(StakePositions.TooFewShares.selector, 0, 0));
        staking.delegate(V, 0, 0);
    }

    /// @dev Economics, test first 6: the first depositor cannot make the next one's shares round to nothing. Tokens that
    /// are sent to the contract belong to no pool, and a share never costs more than what it was sold for.
    function testFuzz_inflationAndGriefingAtTheMinimum(uint96 gift, uint96 amount) public {
        uint256 victim = 1 + uint256(amount) % 1e24;
        delegateTo(V, ALICE, 1);
        token.transfer(address(staking), uint256(gift) % 1e26);
        delegateTo(V, BOB, victim);
        assertEq(staking.sharesOf(V, BOB), victim);
        assertEq(staking.stakeOfHolder(V, BOB), victim);
        skipUnbonding();
        delegateTo(V, CAROL, victim);
        skipUnbonding();
        staking.sync(V);
        assertEq(staking.stakeOfHolder(V, CAROL), victim);
        undelegateAll(V, CAROL);
        skipUnbonding();
        assertEq(withdraw(V, CAROL), victim);
    }

    function test_aThousandCrumbsCannotRaiseThePriceOfAShare() public {
        delegateTo(V, ALICE, 1000);
        slash(V, epoch(), ALL / 3);
        for (uint256 i = 0; i < 100; i++) undelegate(V, ALICE, 1);
        nextEpoch();
        delegateTo(V, BOB, 1000);
        assertEq(staking.stakeOfHolder(V, BOB), 1000);
        skipUnbonding();
        staking.sync(V);
        assertNear(staking.stakeOfHolder(V, BOB), 1000, 1);
    }

    // ---------------------------------------------------------------- exits

    function test_exitIsPaidOnlyAfterItsTime() public {
        delegateTo(V, ALICE, 50e18);
        undelegateAll(V, ALICE);
        uint256 free = (block.timestamp / EPOCH + 1) * EPOCH + UNBONDING;
        assertEq(staking.exitsOf(V, ALICE)[0].releaseAt, free);
        vm.warp(free - 1);
        vm.prank(ALICE);
        vm.expectRevert(IStakeOutgoing.NothingToWithdraw.selector);
        staking.withdraw(V);
        vm.warp(free);
        assertEq(withdraw(V, ALICE), 50e18);
        assertEq(token.balanceOf(ALICE), 50e18);
        vm.prank(ALICE);
        vm.expectRevert(IStakeOutgoing.NothingToWithdraw.selector);
        staking.withdraw(V);
    }

    function test_aSecondExitDoesNotDelayTheFirst() public {
        delegateTo(V, ALICE, 50e18);
        undelegate(V, ALICE, 20e18);
        skipEpochs(7);
        undelegate(V, ALICE, 30e18);
        skipEpochs(4);
        assertEq(withdraw(V, ALICE), 20e18);
        skipEpochs(7);
        assertEq(withdraw(V, ALICE), 30e18);
    }

    function test_aVoteForAShorterOrLongerUnbondingMovesNoExitUnderWay() public {
        delegateTo(V, ALICE, 50e18);
        undelegateAll(V, ALICE);
        uint256 free = staking.exitsOf(V, ALICE)[0].releaseAt;
        params.set(Params.UNBONDING, params.liability());
        vm.warp(free - 1);
        vm.prank(ALICE);
        vm.expectRevert(IStakeOutgoing.NothingToWithdraw.selector);
        staking.withdraw(V);
        params.set(Params.UNBONDING, 90 days);
        vm.warp(free);
        assertEq(withdraw(V, ALICE), 50e18);
    }

    function test_aVeryLongUnbondingMakesCoarserBucketsAndNeverShorterOnes() public {
        params.set(Params.UNBONDING, 90 days);
        delegateTo(V, ALICE, 50e18);
        undelegateAll(V, ALICE);
        ValidatorStaking.ExitView memory exit = staking.exitsOf(V, ALICE)[0];
        // A thirtieth of the unbonding time.
        uint256 grain = 90 days / 30 / EPOCH;
        assertEq(exit.toEpoch, epoch() / grain * grain + grain - 1);
        assertEq(exit.releaseAt, (uint256(exit.toEpoch) + 1) * EPOCH + 90 days);
    }

    /// @dev No one can stop an exit by opening buckets: beyond a hundred, leavers share one, and answer for all that was.
    function test_whereAHundredBucketsAreOpenTheNextLeaveTogether() public {
        params.set(Params.UNBONDING, 90 days);
        depositInEpochs(ALICE, 50);
        depositInEpochs(BOB, 50);
        depositInEpochs(CAROL, 2);
        undelegateAll(V, ALICE);
        undelegateAll(V, BOB);
        assertEq(staking.exitsOf(V, BOB).length, 50);
        assertEq(staking.exitsOf(V, BOB)[49].fromEpoch, epoch() - 3);
        undelegateAll(V, CAROL);
        assertEq(staking.exitsOf(V, CAROL).length, 1);
        assertEq(staking.exitsOf(V, CAROL)[0].fromEpoch, 0);
        assertEq(leavingOf(V, CAROL), 2e18);
    }

    function test_aBondOfTodayLeavesWithOlderBond() public {
        nextEpoch();
        fund(V, 500e18);
        vm.prank(V);
        staking.addSelfBond(500e18);
        undelegate(V, V, 1200e18);
        assertEq(staking.stakeOfHolder(V, V), 300e18);
        assertEq(leavingOf(V, V), 1200e18);
    }

    function test_sharesThatAreWorthNothingLeaveAtOnceAndLeaveNoTrace() public {
        delegateTo(V, ALICE, 50e18);
        slash(V, epoch(), ALL);
        vm.prank(ALICE);
        vm.expectEmit(address(staking));
        emit IStakeOutgoing.Undelegated(V, ALICE, 50e18, 0, uint64(block.timestamp));
        staking.undelegate(V, 50e18);
        assertEq(staking.exitsOf(V, ALICE).length, 0);
        assertEq(staking.sharesOf(V, ALICE), 0);
    }

    function test_cannotLeaveWithSharesOfOthers() public {
        delegateTo(V, ALICE, 50e18);
        delegateTo(V, BOB, 50e18);
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(IStakeOutgoing.NotEnoughShares.selector, 50e18, 50e18 + 1));
        staking.undelegate(V, 50e18 + 1);
        vm.prank(V);
        vm.expectRevert(abi.encodeWithSelector(IStakeOutgoing.NotEnoughShares.selector, 1000e18, 1000e18 + 1));
        staking.undelegate(V, 1000e18 + 1);
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(IStakeOutgoing.NotEnoughShares.selector, 0, 0));
        staking.undelegate(V, 0);
    }

    function test_exitsOfOneHolderAreBounded() public {
        delegateTo(V, ALICE, 100e18);
        // Exits of one epoch are one exit, whatever their number.
        for (uint256 i = 0; i < 70; i++) undelegate(V, ALICE, 1e17);
        assertEq(staking.exitsOf(V, ALICE).length, 1);
        for (uint256 i = 0; i < 63; i++) {
            nextEpoch();
            undelegate(V, ALICE, 1e17);
        }
        assertEq(staking.exitsOf(V, ALICE).length, 64);
        nextEpoch();
        vm.prank(ALICE);
        vm.expectRevert(IStakeOutgoing.TooManyExits.selector);
        staking.undelegate(V, 1e17);
        assertEq(withdraw(V, ALICE), 7e18 + 53e17);
    }

    function test_depositsOfManyEpochsLeaveAsOneHolding() public {
        for (uint256 i = 0; i < 25; i++) {
            delegateTo(V, ALICE, 10e18);
            nextEpoch();
        }
        assertEq(staking.sharesOf(V, ALICE), 250e18);
        assertEq(staking.stakeOfHolder(V, ALICE), 250e18);
        undelegate(V, ALICE, 249e18);
        assertEq(staking.stakeOfHolder(V, ALICE), 1e18);
        assertEq(leavingOf(V, ALICE), 249e18);
        undelegate(V, ALICE, 1e18);
        skipUnbonding();
        assertEq(withdraw(V, ALICE), 250e18);
    }

    // ---------------------------------------------------------------- redelegation

    function test_redelegationBondsByItselfAfterItsShorterTime() public {
        registerValidator(W, 1000e18);
        delegateTo(V, ALICE, 60e18);
        vm.prank(ALICE);
        staking.redelegate(V, W, 60e18);
        uint256 free = (block.timestamp / EPOCH + 1) * EPOCH + params.liability();
        assertEq(staking.exitsOf(V, ALICE)[0].releaseAt, free);
        assertEq(staking.exitsOf(V, ALICE)[0].target, W);
        vm.warp(free - 1);
        vm.expectRevert(IStakeOutgoing.NothingToBond.selector);
        staking.bond(V, ALICE);
        vm.warp(free);
        vm.prank(BOB); // anybody's call
        assertEq(staking.bond(V, ALICE), 60e18);
        assertEq(staking.stakeOfHolder(W, ALICE), 60e18);
        assertEq(staking.stakeOfHolder(V, ALICE), 0);
        assertEq(staking.exitsOf(V, ALICE).length, 0);
        assertEq(staking.stakeOf(W), 1060e18);
    }

    function test_inTransitTheSourceAloneSlashes() public {
        registerValidator(W, 1000e18);
        delegateTo(V, ALICE, 1000e18);
        uint64 captured = epoch();
        vm.prank(ALICE);
        staking.redelegate(V, W, 1000e18);
        slash(W, captured, ALL / 2);
        assertEq(leavingOf(V, ALICE), 1000e18);
        // 20% of 1000 is the validator's own; of the other 800 it pays 800/1800 and Alice 1000/1800.
        assertEq(slash(V, captured, ALL / 2), 1000e18);
        assertNear(leavingOf(V, ALICE), 1000e18 - uint256(800e18) * 1000 / 1800, 1);
        skipEpochs(params.liability() / EPOCH + 2);
        uint256 moved = staking.bond(V, ALICE);
        // Bonded, it is not the source's any more, nor was it the target's in the captured epoch.
        slash(V, captured, ALL / 2);
        slash(W, captured, ALL / 2);
        assertEq(staking.stakeOfHolder(W, ALICE), moved);
    }

    function test_redelegationToWhoTakesNoDepositsWaitsAndIsPaidOutInTheEnd() public {
        registerValidator(W, 1000e18);
        delegateTo(V, ALICE, 60e18);
        vm.prank(ALICE);
        staking.redelegate(V, W, 60e18);
        staking.tombstone(W);
        skipEpochs(8);
        vm.expectRevert(IStakeOutgoing.NothingToBond.selector);
        staking.bond(V, ALICE);
        vm.prank(ALICE);
        vm.expectRevert(IStakeOutgoing.NothingToWithdraw.selector);
        staking.withdraw(V);
        skipEpochs(3);
        assertEq(withdraw(V, ALICE), 60e18);
    }

    function test_redelegationsOfOneEpochGoEachToItsOwn() public {
        registerValidator(W, 1000e18);
        registerValidator(BOB, 1000e18);
        delegateTo(V, ALICE, 60e18);
        vm.startPrank(ALICE);
        staking.redelegate(V, W, 10e18);
        staking.redelegate(V, BOB, 20e18);
        staking.redelegate(V, W, 5e18);
        vm.stopPrank();
        assertEq(staking.exitsOf(V, ALICE).length, 2);
        skipUnbonding();
        assertEq(staking.bond(V, ALICE), 35e18);
        assertEq(staking.stakeOfHolder(W, ALICE), 15e18);
        assertEq(staking.stakeOfHolder(BOB, ALICE), 20e18);
    }

    function test_whatASlashLeftNothingOfBondsNothingAndIsGone() public {
        registerValidator(W, 1000e18);
        delegateTo(V, ALICE, 60e18);
        uint64 captured = epoch();
        vm.prank(ALICE);
        staking.redelegate(V, W, 60e18);
        slash(V, captured, ALL);
        vm.warp(staking.exitsOf(V, ALICE)[0].releaseAt);
        assertEq(staking.bond(V, ALICE), 0);
        assertEq(staking.exitsOf(V, ALICE).length, 0);
        assertEq(staking.stakeOfHolder(W, ALICE), 0);
    }

    /// @dev Deposits of an epoch whose tranche was wiped wait for the next one; so does what would bond by itself.
    function test_redelegationWaitsWhereTodaysDepositsWereWiped() public {
        registerValidator(W, 1000e18);
        delegateTo(V, ALICE, 60e18);
        vm.prank(ALICE);
        staking.redelegate(V, W, 60e18);
        skipEpochs(10);
        delegateTo(W, BOB, 10e18);
        slash(W, epoch(), ALL);
        vm.expectRevert(IStakeOutgoing.NothingToBond.selector);
        staking.bond(V, ALICE);
        nextEpoch();
        assertEq(staking.bond(V, ALICE), 60e18);
    }

    function test_aVoteAfterARedelegationDoesNotPutItsReturnOff() public {
        registerValidator(W, 1000e18);
        delegateTo(V, ALICE, 60e18);
        vm.prank(ALICE);
        staking.redelegate(V, W, 60e18);
        staking.tombstone(W);
        uint256 end = (uint256(epoch()) + 1) * EPOCH;
        vm.warp(end + 1);
        params.set(Params.UNBONDING, 90 days);
        vm.warp(end + UNBONDING - 1);
        vm.prank(ALICE);
        vm.expectRevert(IStakeOutgoing.NothingToWithdraw.selector);
        staking.withdraw(V);
        vm.warp(end + UNBONDING);
        assertEq(withdraw(V, ALICE), 60e18);
    }


    function test_redelegationRefusesWhatMakesNoSense() public {
        registerValidator(W, 1000e18);
        vm.prank(V);
        vm.expectRevert(IStakeOutgoing.SelfBondStays.selector);
        staking.redelegate(V, W, 1e18);
        delegateTo(V, W, 10e18);
        vm.prank(W);
        vm.expectRevert(IStakeOutgoing.SameValidator.selector);
        staking.redelegate(V, W, 1e18);
        delegateTo(V, ALICE, 10e18);
        vm.prank(ALICE);
        vm.expectRevert(IStakeOutgoing.SameValidator.selector);
        staking.redelegate(V, V, 1e18);
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(StakeState.NotRegistered.selector, BOB));
        staking.redelegate(V, BOB, 1e18);
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

    // ---------------------------------------------------------------- helpers

    /// @dev One token in each of so many epochs.
    function depositInEpochs(address holder, uint256 count) private {
        for (uint256 i = 0; i < count; i++) {
            delegateTo(V, holder, 1e18);
            nextEpoch();
        }
    }

    /// @dev Of the number of registered validators: the slot that goes from one to two when the second comes.
    function slotOfCount() private returns (uint256 slot) {
        bool[64] memory isOne;
        for (uint256 i = 0; i < 64; i++) isOne[i] = uint256(vm.load(address(staking), bytes32(i))) == 1;
        registerValidator(W, MIN_BOND);
        while (!isOne[slot] || uint256(vm.load(address(staking), bytes32(slot))) != 2) slot++;
    }


    function withdrawAll(address validator, address who) private {
        if (staking.exitsOf(validator, who).length > 0) withdraw(validator, who);
        if (staking.rewardOf(validator, who) > 0) claim(validator, who);
    }
}
