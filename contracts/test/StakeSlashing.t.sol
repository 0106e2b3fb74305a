// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ValidatorStaking} from "../src/ValidatorStaking.sol";
import {CorrelatedFault} from "../src/libraries/CorrelatedFault.sol";
import {Params} from "../src/libraries/Params.sol";
import {IStakeOutgoing} from "../src/staking/IStakeOutgoing.sol";
import {StakeOutgoing} from "../src/staking/StakeOutgoing.sol";
import {StakePositions} from "../src/staking/StakePositions.sol";
import {StakeState} from "../src/staking/StakeState.sol";
import {StakingFixture} from "./StakingFixture.sol";
import {StubbornToken} from "./StubbornToken.sol";

contract StakeSlashingTest is StakingFixture {
    function setUp() public {
        setUpStaking();
    }

    // ---------------------------------------------------------------- who may

    function test_onlyTheFaultManagerJudges() public {
        bytes memory refusal = abi.encodeWithSelector(StakeState.NotFaultManager.selector, ALICE);
        vm.startPrank(ALICE);
        vm.expectRevert(refusal);
        staking.slash(V, 0, ALL, FAULT);
        vm.expectRevert(refusal);
        staking.freeze(list(V));
        vm.expectRevert(refusal);
        staking.unfreeze(list(V));
        vm.expectRevert(refusal);
        staking.jail(V);
        vm.expectRevert(refusal);
        staking.tombstone(V);
        vm.stopPrank();
    }

    function test_theOtherHalfOfTheCodeCanDoNothingByItself() public {
        StakeOutgoing half = new StakeOutgoing(token, params);
        vm.expectRevert(abi.encodeWithSelector(StakeState.NotFaultManager.selector, address(this)));
        half.slash(V, 0, ALL, FAULT);
        vm.expectRevert(abi.encodeWithSelector(StakeState.NotRegistered.selector, V));
        half.undelegate(V, 1);
        vm.expectRevert(IStakeOutgoing.NothingToWithdraw.selector);
        half.withdraw(V);
        assertEq(token.balanceOf(address(half)), 0);
    }

    function test_aFractionIsAPartOfOne() public {
        vm.expectRevert(abi.encodeWithSelector(IStakeOutgoing.BadFraction.selector, 0));
        staking.slash(V, epoch(), 0, FAULT);
        vm.expectRevert(abi.encodeWithSelector(IStakeOutgoing.BadFraction.selector, ALL + 1));
        staking.slash(V, epoch(), ALL + 1, FAULT);
        uint64 next = epoch() + 1;
        vm.expectRevert(abi.encodeWithSelector(StakeState.FutureEpoch.selector, next));
        staking.slash(V, next, ALL, FAULT);
        vm.expectRevert(abi.encodeWithSelector(StakeState.NotRegistered.selector, ALICE));
        staking.slash(ALICE, 0, ALL, FAULT);
    }

    // ---------------------------------------------------------------- test first 2: liability

    /// @dev Economics, test first 2. Whoever stood in an epoch is reached until the last second in which a fault of that
    /// epoch can be proven, however it left.
    function testFuzz_noExitBeforeTheCaptureEpochsLiabilityExpires(uint8 wait, uint8 again, bool moves) public {
        registerValidator(W, 1000e18);
        delegateTo(V, ALICE, 500e18);
        uint64 captured = epoch();
        uint256 liableUntil = (uint256(captured) + 1) * EPOCH + 15;
        vm.warp(block.timestamp + uint256(wait) % 4);
        if (moves) {
            vm.prank(ALICE);
            staking.redelegate(V, W, 500e18);
        } else {
            undelegateAll(V, ALICE);
        }
        uint256 time = block.timestamp + uint256(again) % 40;
        vm.warp(time);
        bool out = moves ? tryBond() : tryWithdraw();
        assertTrue(!out || time >= liableUntil);
        if (time >= liableUntil) return;
        assertTrue(slash(V, captured, ALL) == 1500e18);
        assertEq(worthOf(V, ALICE), 0);
    }

    function test_anExitIsFreeOfFaultsThatCameAfterIt() public {
        delegateTo(V, ALICE, 500e18);
        undelegateAll(V, ALICE);
        nextEpoch();
        assertEq(staking.exposureAt(V, epoch()), 1000e18);
        assertEq(slash(V, epoch(), ALL), 1000e18);
        assertEq(leavingOf(V, ALICE), 500e18);
    }

    function test_anExitThatIsFreeIsNobodysAnyMore() public {
        delegateTo(V, ALICE, 500e18);
        uint64 captured = epoch();
        undelegateAll(V, ALICE);
        skipUnbonding();
        assertEq(slash(V, captured, ALL), 1000e18);
        assertEq(withdraw(V, ALICE), 500e18);
    }

    // ---------------------------------------------------------------- test first 3: once, and never more

    /// @dev Economics, test first 3.
    function testFuzz_aSlashHitsEachExposedTokenOnceAndNeverMoreThanTheExposure(uint64[6] memory fractions) public {
        delegateTo(V, ALICE, 700e18);
        uint64 captured = epoch();
        nextEpoch();
        delegateTo(V, BOB, 900e18);
        undelegate(V, ALICE, 300e18);
        uint256 exposure = staking.exposureAt(V, captured);
        assertEq(exposure, 1700e18);
        uint256 sum = 0;
        for (uint256 i = 0; i < 6; i++) {
            uint256 before = staking.slashedFor(V, captured);
            uint256 fraction = 1 + uint256(fractions[i]) % ALL;
            uint256 taken = slash(V, captured, fraction);
            uint256 owed = (exposure * fraction + ALL - 1) / ALL;
            assertEq(taken, owed < exposure - before ? owed : exposure - before);
            sum += taken;
            assertEq(staking.slashedFor(V, captured), sum);
        }
        assertTrue(sum <= exposure);
        assertNear(exposure - sum, staking.stakeOfHolder(V, V) + worthOf(V, ALICE), 12);
        assertEq(staking.stakeOfHolder(V, BOB), 900e18);
    }

    function test_faultsOfTwoEpochsTakeWhatIsThere() public {
        uint64 first = epoch();
        nextEpoch();
        delegateTo(V, ALICE, 1000e18);
        uint64 second = epoch();
        assertEq(slash(V, first, ALL), 1000e18);
        assertEq(staking.stakeOfHolder(V, ALICE), 1000e18);
        // 2000 stood in the second epoch, and half of it is gone.
        assertEq(staking.exposureAt(V, second), 2000e18);
        assertEq(slash(V, second, ALL), 1000e18);
        assertEq(staking.stakeOfHolder(V, ALICE), 0);
        assertEq(token.balanceOf(address(staking)), 0);
        assertEq(slash(V, second, ALL), 0);
    }

    // ---------------------------------------------------------------- fairness

    function test_theOwnBondPaysAFifthFirstAndTheRestIsShared() public {
        delegateTo(V, ALICE, 3000e18);
        delegateTo(V, BOB, 1000e18);
        undelegate(V, BOB, 1000e18);
        // A = 1000 of 5000; 200 from the own bond, 800 over the remaining 4800.
        uint256 mine = token.balanceOf(address(this));
        assertEq(slash(V, epoch(), ALL / 5), 1000e18);
        assertEq(token.balanceOf(address(this)) - mine, 1000e18);
        assertNear(staking.stakeOfHolder(V, V), 800e18 - uint256(800e18) * 800 / 4800, 1);
        assertNear(staking.stakeOfHolder(V, ALICE), 3000e18 - uint256(800e18) * 3000 / 4800, 1);
        assertNear(leavingOf(V, BOB), 1000e18 - uint256(800e18) * 1000 / 4800, 1);
    }

    function test_anOwnBondThatLeavesStillPaysFirst() public {
        delegateTo(V, ALICE, 4000e18);
        uint64 captured = epoch();
        undelegateAll(V, V);
        nextEpoch();
        assertEq(slash(V, captured, ALL / 2), 2500e18);
        // 500 first, then 2000 over 500 + 4000.
        assertNear(leavingOf(V, V), 500e18 - uint256(2000e18) * 500 / 4500, 1);
        assertNear(staking.stakeOfHolder(V, ALICE), 4000e18 - uint256(2000e18) * 4000 / 4500, 1);
    }

    /// @dev To the last base unit: each part is rounded up in turn, and the last one pays what is left.
    function test_partsAreRoundedUpInTurnAndTheSumIsExact() public {
        delegateTo(V, ALICE, 333e18 + 7);
        uint64 captured = epoch();
        undelegate(V, V, 400e18 + 1);
        uint256 taken = slash(V, captured, ALL / 7);
        uint256 first = taken * 2000 / 10_000;
        // The bond that stayed, then the delegator's young deposit, then the bond that leaves.
        uint256 bond = 600e18 - 1;
        uint256 own = up(first, bond, 1000e18);
        (uint256 rest, uint256 over) = (taken - first, 1333e18 + 7 - first);
        uint256 more = up(rest, bond - own, over);
        assertEq(staking.stakeOfHolder(V, V), bond - own - more);
        (rest, over) = (rest - more, over - (bond - own));
        more = up(rest, 333e18 + 7, over);
        assertEq(staking.stakeOfHolder(V, ALICE), 333e18 + 7 - more);
        assertEq(leavingOf(V, V), 400e18 + 1 - (first - own) - (rest - more));
    }

    function test_aSlashChangesNothingOfWhatStoodInItsEpoch() public {
        delegateTo(V, ALICE, 500e18);
        undelegate(V, ALICE, 100e18);
        assertEq(staking.exposureAt(V, epoch()), 1500e18);
        slash(V, epoch(), ALL / 3);
        assertEq(staking.exposureAt(V, epoch()), 1500e18);
        skipEpochs(12);
        staking.sync(V);
        uint256 stood = staking.stakeOf(V);
        assertEq(staking.exposureAt(V, epoch()), stood);
        slash(V, epoch(), ALL - 1);
        // Its pool has become an exit since.
        assertEq(staking.exposureAt(V, epoch()), stood);
        nextEpoch();
        assertEq(staking.exposureAt(V, epoch()), staking.stakeOf(V));
        assertTrue(staking.stakeOf(V) < 1e6);
    }


    function test_aVoteAfterTheFaultDoesNotChangeWhoPays() public {
        delegateTo(V, ALICE, 1000e18);
        uint64 captured = epoch();
        nextEpoch();
        nextEpoch();
        params.set(Params.SELF_FIRST_BPS, 10_000);
        vm.warp(block.timestamp + 1);
        slash(V, captured, ALL / 10);
        assertNear(staking.stakeOfHolder(V, V), 960e18 - uint256(160e18) * 960 / 1960, 1);
    }

    /// @dev Fairness, not solvency alone: whoever stood, in whatever tranche, loses the same part; who came later none.
    function testFuzz_everyExposedHolderLosesTheSamePart(uint80[4] memory amounts, uint64 fraction, uint8 gap) public {
        for (uint256 i = 0; i < 4; i++) amounts[i] = uint80(1e18 + uint256(amounts[i]) % 1e23);
        delegateTo(V, ALICE, amounts[0]); // grows old
        skipEpochs(uint256(gap) % 15);
        delegateTo(V, BOB, amounts[1]); // young
        delegateTo(V, CAROL, amounts[2]); // leaves
        uint64 captured = epoch();
        nextEpoch();
        undelegateAll(V, CAROL);
        delegateTo(V, address(0xB9), amounts[3]); // late
        uint256 before = uint256(amounts[0]) + amounts[1] + amounts[2];
        uint256 self = staking.stakeOfHolder(V, V);
        uint256 taken = slash(V, captured, 1 + uint256(fraction) % ALL);
        uint256 own = taken / 5 < self ? taken / 5 : self;
        uint256 rest = taken - own;
        uint256 base = before + self - own;
        assertNear(worthOf(V, ALICE), amounts[0] - uint256(amounts[0]) * rest / base, 2);
        assertNear(worthOf(V, BOB), amounts[1] - uint256(amounts[1]) * rest / base, 2);
        assertNear(worthOf(V, CAROL), amounts[2] - uint256(amounts[2]) * rest / base, 2);
        assertNear(staking.stakeOfHolder(V, V), (self - own) - (self - own) * rest / base, 2);
        assertEq(worthOf(V, address(0xB9)), amounts[3]);
    }

    // ---------------------------------------------------------------- test first 4: who came late

    /// @dev Economics, test first 4. They neither pay nor make the guilty pay less, whether they stay, leave or move on.
    function test_lateDelegatorsNeitherDiluteNorAreHit() public {
        registerValidator(W, 1000e18);
        delegateTo(V, ALICE, 1000e18);
        uint64 captured = epoch();
        uint256 snapshot = vm.snapshotState();
        nextEpoch();
        uint256 alone = slash(V, captured, ALL / 3);
        uint256 left = staking.stakeOfHolder(V, ALICE);
        assertTrue(vm.revertToState(snapshot));
        nextEpoch();
        delegateTo(V, BOB, 50_000e18);
        delegateTo(V, CAROL, 50_000e18);
        delegateTo(V, address(0xB9), 50_000e18);
        undelegateAll(V, CAROL);
        vm.prank(address(0xB9));
        staking.redelegate(V, W, 50_000e18);
        assertEq(slash(V, captured, ALL / 3), alone);
        assertEq(staking.stakeOfHolder(V, ALICE), left);
        assertEq(worthOf(V, BOB), 50_000e18);
        assertEq(worthOf(V, CAROL), 50_000e18);
        assertEq(worthOf(V, address(0xB9)), 50_000e18);
        // For a fault of their own epoch they answer like anybody.
        nextEpoch();
        slash(V, epoch() - 1, ALL / 2);
        assertTrue(worthOf(V, BOB) < 30_000e18);
        assertEq(worthOf(V, BOB), worthOf(V, CAROL));
    }

    function test_anOpenChallengeHoldsBackDepositsAndNoExit() public {
        registerValidator(W, 1000e18);
        delegateTo(V, ALICE, 100e18);
        delegateTo(W, BOB, 100e18);
        undelegate(V, ALICE, 50e18);
        vm.prank(BOB);
        staking.redelegate(W, V, 100e18);
        staking.freeze(list(V));
        staking.freeze(list(V));
        bytes memory refusal =
            abi.encodeWithSelector(StakePositions.NotAccepting.selector, V, StakeState.Status.Active, 2);
        fund(CAROL, 10e18);
        vm.prank(CAROL);
        vm.expectRevert(refusal);
        staking.delegate(V, 10e18, 0);
        vm.prank(V);
        vm.expectRevert(refusal);
        staking.addSelfBond(1);
        undelegate(V, ALICE, 50e18);
        skipEpochs(7);
        vm.expectRevert(IStakeOutgoing.NothingToBond.selector);
        staking.bond(W, BOB);
        staking.unfreeze(list(V));
        vm.expectRevert(IStakeOutgoing.NothingToBond.selector);
        staking.bond(W, BOB);
        staking.unfreeze(list(V));
        assertEq(staking.bond(W, BOB), 100e18);
        vm.expectRevert(abi.encodeWithSelector(IStakeOutgoing.NotFrozen.selector, V));
        staking.unfreeze(list(V));
        skipUnbonding();
        assertEq(withdraw(V, ALICE), 100e18);
    }

    // ---------------------------------------------------------------- test first 5: after a slash of almost all

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
        skipUnbonding();
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

    // ---------------------------------------------------------------- test first 9: never on a transfer

    /// @dev Economics, test first 9, its staking half.
    function test_aSlashNeverRevertsOnATransfer() public {
        StubbornToken stubborn = new StubbornToken();
        ValidatorStaking other = new ValidatorStaking(stubborn, params);
        other.setFaultManager(address(this));
        stubborn.transfer(V, 1000e18);
        vm.startPrank(V);
        stubborn.approve(address(other), 1000e18);
        other.register("http://v.test", 1000e18);
        vm.stopPrank();
        stubborn.refuse(address(this), false);
        assertEq(other.slash(V, epoch(), ALL / 4, FAULT), 250e18);
        assertEq(other.unsentProceeds(), 250e18);
        stubborn.refuse(address(this), true);
        assertEq(other.slash(V, epoch(), ALL / 4, FAULT), 250e18);
        other.sendProceeds();
        assertEq(other.unsentProceeds(), 500e18);
        stubborn.refuse(address(0), false);
        uint256 mine = stubborn.balanceOf(address(this));
        other.sendProceeds();
        assertEq(stubborn.balanceOf(address(this)) - mine, 500e18);
        assertEq(other.unsentProceeds(), 0);
        assertEq(stubborn.balanceOf(address(other)), 500e18);
    }

    // ---------------------------------------------------------------- jail and tombstone

    function test_jailTakesOffDutyUntilTheOperatorComesBack() public {
        delegateTo(V, ALICE, 100e18);
        staking.jail(V);
        assertTrue(!staking.isActive(V));
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

    // ---------------------------------------------------------------- correlated faults

    function test_aSharedSafetyFaultCostsNineTimesTheSquareOfItsShare() public pure {
        assertEq(CorrelatedFault.fraction(1000e18, 10_000e18, ALL / 100), ALL * 9 / 100);
        assertEq(CorrelatedFault.fraction(1000e18, 10_000e18, ALL / 2), ALL / 2);
        assertEq(CorrelatedFault.fraction(2000e18, 10_000e18, ALL / 100), ALL * 36 / 100);
        assertEq(CorrelatedFault.fraction(10_000e18, 30_000e18, ALL / 100), ALL);
        assertEq(CorrelatedFault.fraction(10_000e18, 10_000e18, ALL / 100), ALL);
        assertEq(CorrelatedFault.fraction(0, 0, ALL / 100), ALL / 100);
    }

    function test_whoWentToJailSinceWeighsAsItStood() public {
        vm.roll(block.number + 1);
        uint256 before = block.number - 1;
        staking.jail(V);
        assertEq(staking.stakeAt(V, before), 1000e18);
        assertEq(staking.totalStakeAt(before), 1000e18);
    }

    // ---------------------------------------------------------------- helpers

    function up(uint256 amount, uint256 part, uint256 whole) private pure returns (uint256) {
        return (amount * part + whole - 1) / whole;
    }


    function tryBond() private returns (bool) {
        try staking.bond(V, ALICE) {
            return true;
        } catch {
            return false;
        }
    }

    function tryWithdraw() private returns (bool) {
        vm.prank(ALICE);
        try staking.withdraw(V) {
            return true;
        } catch {
            return false;
        }
    }
}
