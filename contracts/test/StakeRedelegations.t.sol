// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Params} from "../src/libraries/Params.sol";
import {IStakeOutgoing} from "../src/staking/IStakeOutgoing.sol";
import {StakeState} from "../src/staking/StakeState.sol";
import {StakingFixture} from "./StakingFixture.sol";

/// @title What moves to another validator answers at its source until it has arrived
contract StakeRedelegationsTest is StakingFixture {
    function setUp() public {
        setUpStaking();
        registerValidator(W, 1000e18);
    }

    function test_redelegationBondsByItselfAfterItsShorterTime() public {
        moveSixty();
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
        moveSixty();
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
        moveSixty();
        slash(V, epoch(), ALL);
        vm.warp(staking.exitsOf(V, ALICE)[0].releaseAt);
        assertEq(staking.bond(V, ALICE), 0);
        assertEq(staking.exitsOf(V, ALICE).length, 0);
        assertEq(staking.stakeOfHolder(W, ALICE), 0);
    }

    /// @dev Deposits of an epoch whose tranche was wiped wait for the next one; so does what would bond by itself.
    function test_redelegationWaitsWhereTodaysDepositsWereWiped() public {
        moveSixty();
        skipEpochs(10);
        delegateTo(W, BOB, 10e18);
        slash(W, epoch(), ALL);
        vm.expectRevert(IStakeOutgoing.NothingToBond.selector);
        staking.bond(V, ALICE);
        nextEpoch();
        assertEq(staking.bond(V, ALICE), 60e18);
    }

    function test_depositsOfTodayAreNoReasonToWait() public {
        moveSixty();
        skipEpochs(10);
        delegateTo(W, BOB, 10e18);
        assertEq(staking.bond(V, ALICE), 60e18);
    }

    function test_whomNobodyBacksYetTakesARedelegation() public {
        moveSixty();
        skipEpochs(10);
        staking.sync(W);
        assertEq(staking.bond(V, ALICE), 60e18);
        assertEq(staking.stakeOfHolder(W, ALICE), 60e18);
    }

    function test_aVoteAfterARedelegationDoesNotPutItsReturnOff() public {
        moveSixty();
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

    // ---------------------------------------------------------------- helpers

    /// @dev Alice's, on their way from V to W.
    function moveSixty() private {
        delegateTo(V, ALICE, 60e18);
        vm.prank(ALICE);
        staking.redelegate(V, W, 60e18);
    }
}
