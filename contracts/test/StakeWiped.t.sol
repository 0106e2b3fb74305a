// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IStakeOutgoing} from "../src/staking/IStakeOutgoing.sol";
import {StakePositions} from "../src/staking/StakePositions.sol";
import {StakingFixture} from "./StakingFixture.sol";

/// @title After a slash of almost all: no overflow, no brick, no contamination
contract StakeWipedTest is StakingFixture {
    function setUp() public {
        setUpStaking();
    }

    /// @dev Economics, test first 5: no overflow, no brick, no contamination, however often.
    function test_almostFullSlashThenRedepositAgainAndAgain() public {
        for (uint256 i = 0; i < 30; i++) {
            address holder = address(uint160(0xD000 + i));
            delegateTo(V, holder, 100e18);
            fund(V, 1000e18);
            vm.prank(V);
            staking.addSelfBond(1000e18);
            skipEpochs(12);
            uint256 own = staking.sharesOf(V, holder);
            assertEq(own, 100e18);
            assertEq(staking.stakeOfHolder(V, holder), 100e18);
            staking.sync(V);
            slash(V, epoch(), i % 2 == 0 ? ALL : ALL - 1);
            assertTrue(staking.stakeOf(V) < 1e9);
            nextEpoch();
        }
        // The newest holder is worth what it brings, and the others can all be cleared away.
        fund(V, 1000e18);
        vm.prank(V);
        staking.addSelfBond(1000e18);
        delegateTo(V, BOB, 77e18);
        skipEpochs(12);
        assertEq(staking.stakeOfHolder(V, BOB), 77e18);
        undelegateAll(V, BOB);
        skipUnbonding();
        assertEq(withdraw(V, BOB), 77e18);
    }

    /// @dev A young deposit is folded into a main pool that was slashed before it came: there, a share is worth less.
    function testFuzz_whatSharesOfSaysIsWhatLeaves(uint96 old, uint96 young, uint64 fraction, uint8 later) public {
        delegateTo(V, ALICE, 1e18 + old % 1e24);
        skipEpochs(12);
        slash(V, epoch(), 1 + fraction % 0.9e18);
        nextEpoch();
        delegateTo(V, BOB, 1e18 + young % 1e24);
        nextEpoch();
        delegateTo(V, BOB, 1e18);
        delegateTo(V, CAROL, 2e18);
        skipEpochs(later % 16);
        uint256 shares = staking.sharesOf(V, BOB);
        vm.prank(BOB);
        vm.expectRevert(abi.encodeWithSelector(IStakeOutgoing.NotEnoughShares.selector, shares, shares + 1));
        staking.undelegate(V, shares + 1);
        undelegate(V, BOB, shares);
        assertEq(staking.sharesOf(V, BOB), 0);
        assertEq(staking.stakeOfHolder(V, BOB), 0);
    }

    function test_theHolderOfAWipedPoolGetsItsDustAndHolderOfTheNextItsOwn() public {
        delegateTo(V, ALICE, 1000e18);
        skipEpochs(12);
        staking.sync(V);
        slash(V, epoch(), ALL - 1);
        assertEq(staking.sharesOf(V, ALICE), 0);
        uint256 end = (uint256(epoch()) + 1) * EPOCH;
        nextEpoch();
        delegateTo(V, ALICE, 10e18);
        assertEq(staking.exitsOf(V, ALICE)[0].releaseAt, end + UNBONDING);
        assertEq(staking.exitsOf(V, ALICE)[0].toEpoch, epoch() - 1);
        assertEq(staking.exitsOf(V, ALICE)[0].fromEpoch, 0);
        delegateTo(V, BOB, 10e18);
        skipUnbonding();
        staking.sync(V);
        assertEq(staking.stakeOfHolder(V, ALICE), 10e18);
        assertEq(staking.stakeOfHolder(V, BOB), 10e18);
        // 2000 wei were left of 2000 OPG; the fifth of the slash fell on the own bond.
        vm.prank(ALICE);
        uint256 dust = staking.withdraw(V);
        assertTrue(dust > 0 && dust < 2000);
    }

    function test_aWipedBucketTakesNoLaterLeaverDown() public {
        undelegate(V, V, 900e18);
        slash(V, epoch(), ALL);
        assertEq(leavingOf(V, V), 0);
        // Of the same validator, epoch and kind: without a new generation it would share with the dead.
        fund(V, 500e18);
        vm.prank(V);
        staking.addSelfBond(500e18);
        undelegate(V, V, 500e18);
        skipEpochs(10);
        vm.prank(V);
        vm.expectRevert(IStakeOutgoing.NothingToWithdraw.selector);
        staking.withdraw(V);
        nextEpoch();
        assertEq(withdraw(V, V), 500e18);
    }

    function test_depositsOfAnEpochThatWasWipedWaitForTheNext() public {
        delegateTo(V, ALICE, 100e18);
        slash(V, epoch(), ALL);
        fund(BOB, 10e18);
        vm.prank(BOB);
        vm.expectRevert(abi.encodeWithSelector(StakePositions.PoolBelowFloor.selector, V));
        staking.delegate(V, 10e18, 0);
        nextEpoch();
        vm.prank(BOB);
        staking.delegate(V, 10e18, 10e18);
        assertEq(staking.stakeOfHolder(V, BOB), 10e18);
        assertEq(staking.stakeOfHolder(V, ALICE), 0);
    }

    /// @dev What became an exit with its pool is on its way out, and answers like any exit.
    function test_theDustOfAWipedPoolIsLeavingAndStillAnswers() public {
        delegateTo(V, ALICE, 1000e18);
        skipEpochs(12);
        staking.sync(V);
        uint64 captured = epoch();
        slash(V, captured, ALL - 1);
        uint256 dust = staking.validator(V).leaving;
        assertTrue(dust > 0 && dust < 2000);
        assertEq(staking.stakeOf(V) + dust, 2000);
        slash(V, captured, ALL);
        assertEq(staking.validator(V).leaving, 0);
    }

    /// @dev Whoever was in the pool by its own claim, or only by its age, has no shares of the next.
    function test_aHolderOfAWipedPoolHasNoSharesWhicheverWayItCameIn() public {
        delegateTo(V, ALICE, 1000e18);
        delegateTo(V, BOB, 1000e18);
        skipEpochs(12);
        addReward(30e18);
        claim(V, ALICE);
        slash(V, epoch(), ALL - 1);
        assertEq(staking.sharesOf(V, ALICE), 0);
        assertEq(staking.sharesOf(V, BOB), 0);
        // Nor is it worth anything of what others bring, nor does it come back with what it brings itself.
        fund(V, 1000e18);
        vm.prank(V);
        staking.addSelfBond(1000e18);
        nextEpoch();
        delegateTo(V, CAROL, 1000e18);
        skipEpochs(12);
        staking.sync(V);
        assertEq(staking.stakeOfHolder(V, ALICE) + staking.stakeOfHolder(V, BOB), 0);
        for (uint256 i = 0; i < 2; i++) {
            address holder = i == 0 ? ALICE : BOB;
            delegateTo(V, holder, 10e18);
            assertEq(staking.sharesOf(V, holder), 10e18);
            assertEq(staking.exitsOf(V, holder).length, 1);
            assertTrue(leavingOf(V, holder) < 2000);
            delegateTo(V, holder, 10e18);
            assertEq(staking.sharesOf(V, holder), 20e18);
            assertEq(staking.exitsOf(V, holder).length, 1);
        }
    }

    /// @dev Who came after the wipe is in the new pool for good, from its first call there to its last.
    function test_whoComesAfterAWipedPoolStaysInTheNext() public {
        delegateTo(V, ALICE, 1000e18);
        skipEpochs(12);
        staking.sync(V);
        slash(V, epoch(), ALL - 1);
        nextEpoch();
        delegateTo(V, BOB, 10e18);
        delegateTo(V, CAROL, 10e18);
        skipEpochs(12);
        // What has grown old moves to the main pool at the first call, and is there at the second.
        delegateTo(V, CAROL, 1e18);
        assertEq(staking.stakeOfHolder(V, CAROL), 11e18);
        undelegate(V, CAROL, 4e18);
        assertEq(staking.stakeOfHolder(V, CAROL), 7e18);
        assertEq(leavingOf(V, CAROL), 4e18);
    }

    function test_aSingleBaseUnitGrowsOldAndAnswers() public {
        delegateTo(V, ALICE, 1);
        skipEpochs(12);
        staking.sync(V);
        slash(V, epoch(), ALL);
        assertEq(staking.stakeOfHolder(V, ALICE), 0);
    }
}
