// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ValidatorStaking} from "../src/ValidatorStaking.sol";
import {Params} from "../src/libraries/Params.sol";
import {IStakeOutgoing} from "../src/staking/IStakeOutgoing.sol";
import {StakingFixture} from "./StakingFixture.sol";

/// @title What leaves is paid at its time, in full, to whom it belongs
contract StakeExitsTest is StakingFixture {
    function setUp() public {
        setUpStaking();
    }

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

    /// @dev Also one that began in the epoch of the vote: what was shown when it began is when it is paid.
    function test_anExitIsPaidWhenItSaidAlsoInTheEpochOfAVote() public {
        delegateTo(V, ALICE, 50e18);
        params.set(Params.UNBONDING, UNBONDING + EPOCH);
        undelegateAll(V, ALICE);
        uint256 free = (block.timestamp / EPOCH + 1) * EPOCH + UNBONDING + EPOCH;
        assertEq(staking.exitsOf(V, ALICE)[0].releaseAt, free);
        vm.warp(free - 1);
        vm.prank(ALICE);
        vm.expectRevert(IStakeOutgoing.NothingToWithdraw.selector);
        staking.withdraw(V);
        vm.warp(free);
        assertEq(withdraw(V, ALICE), 50e18);
    }

    function test_anOperatorTakesOutWhatItHasAndNeverNothing() public {
        uint256 self = staking.stakeOf(V);
        vm.startPrank(V);
        vm.expectRevert(abi.encodeWithSelector(IStakeOutgoing.NotEnoughShares.selector, self, 0));
        staking.undelegate(V, 0);
        vm.expectRevert(abi.encodeWithSelector(IStakeOutgoing.NotEnoughShares.selector, self, self + 1));
        staking.undelegate(V, self + 1);
        staking.undelegate(V, 1);
        vm.stopPrank();
        assertEq(staking.stakeOf(V), self - 1);
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
        // Once they are free, the next leave through buckets of their own again.
        vm.warp(vm.getBlockTimestamp() + 94 days);
        depositInEpochs(BOB, 2);
        undelegateAll(V, BOB);
        assertEq(staking.exitsOf(V, BOB)[staking.exitsOf(V, BOB).length - 1].fromEpoch, epoch() - 1);
    }

    /// @dev Nor by what was ever opened: a second hundred leaves, and a third, as the first did.
    function test_bucketsThatAreOverMakeRoomHoweverManyThereWere() public {
        params.set(Params.UNBONDING, 90 days);
        address[3] memory holders = [ALICE, BOB, CAROL];
        for (uint256 i = 0; i < 3; i++) {
            depositInEpochs(holders[i], 60);
            undelegateAll(V, holders[i]);
            assertEq(staking.exitsOf(V, holders[i])[59].fromEpoch, epoch() - 1);
            vm.warp(vm.getBlockTimestamp() + 94 days);
        }
    }

    function test_aBondOfTodayLeavesWithOlderBond() public {
        nextEpoch();
        fund(V, 500e18);
        vm.prank(V);
        staking.addSelfBond(500e18);
        undelegate(V, V, 1200e18);
        assertEq(staking.stakeOfHolder(V, V), 300e18);
        assertEq(leavingOf(V, V), 1200e18);
        // It answers for every epoch before.
        assertEq(staking.exitsOf(V, V)[0].fromEpoch, 0);
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

    function test_theLastBaseUnitLeavesLikeAnyOther() public {
        delegateTo(V, ALICE, 10);
        nextEpoch();
        delegateTo(V, ALICE, 10);
        // The first deposit and one unit of the second; then all but one, and that one.
        undelegate(V, ALICE, 11);
        undelegate(V, ALICE, 8);
        undelegate(V, ALICE, 1);
        assertEq(leavingOf(V, ALICE), 20);
        delegateTo(V, BOB, 10);
        skipEpochs(12);
        staking.sync(V);
        // Of the main pool as well.
        undelegate(V, BOB, 1);
        undelegate(V, BOB, 9);
        assertEq(leavingOf(V, BOB), 10);
    }

    /// @dev What is left of a holding says nothing of when the part that goes is free.
    function test_aPartThatLeavesIsFreeInItsTimeHoweverMuchStays() public {
        delegateTo(V, ALICE, 10e18);
        nextEpoch();
        delegateTo(V, ALICE, 10e18);
        uint256 free = (uint256(epoch()) + 1) * EPOCH + UNBONDING;
        vm.prank(ALICE);
        vm.expectEmit(address(staking));
        emit IStakeOutgoing.Undelegated(V, ALICE, 5e18, 5e18, uint64(free));
        staking.undelegate(V, 5e18);
    }


    // ---------------------------------------------------------------- helpers

    /// @dev One token in each of so many epochs.
    function depositInEpochs(address holder, uint256 count) private {
        for (uint256 i = 0; i < count; i++) {
            delegateTo(V, holder, 1e18);
            nextEpoch();
        }
    }
}
