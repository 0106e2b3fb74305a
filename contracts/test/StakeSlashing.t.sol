// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ValidatorStaking} from "../src/ValidatorStaking.sol";
import {CorrelatedFault} from "../src/libraries/CorrelatedFault.sol";
import {Params} from "../src/libraries/Params.sol";
import {IStakeOutgoing} from "../src/staking/IStakeOutgoing.sol";
import {StakeOutgoing} from "../src/staking/StakeOutgoing.sol";
import {StakeState} from "../src/staking/StakeState.sol";
import {StakingFixture} from "./StakingFixture.sol";
import {StubbornToken} from "./StubbornToken.sol";

/// @title Who may slash, and what a fault costs: once, and never more than stood in its epoch
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

    /// @dev All faults of an epoch cost no more than what stood in it, whatever the validator has brought since.
    function test_aFaultThatIsPaidInFullCostsNoLaterBond() public {
        uint64 captured = epoch();
        assertEq(slash(V, captured, ALL), 1000e18);
        nextEpoch();
        fund(V, 1000e18);
        vm.prank(V);
        staking.addSelfBond(1000e18);
        assertEq(slash(V, captured, ALL), 0);
        assertEq(staking.stakeOf(V), 1000e18);
    }

    // ---------------------------------------------------------------- how much

    function test_aSharedSafetyFaultCostsNineTimesTheSquareOfItsShare() public pure {
        assertEq(CorrelatedFault.fraction(1000e18, 10_000e18, ALL / 100), ALL * 9 / 100);
        assertEq(CorrelatedFault.fraction(1000e18, 10_000e18, ALL / 2), ALL / 2);
        assertEq(CorrelatedFault.fraction(2000e18, 10_000e18, ALL / 100), ALL * 36 / 100);
        assertEq(CorrelatedFault.fraction(10_000e18, 30_000e18, ALL / 100), ALL);
        assertEq(CorrelatedFault.fraction(10_000e18, 10_000e18, ALL / 100), ALL);
        assertEq(CorrelatedFault.fraction(0, 0, ALL / 100), ALL / 100);
    }

    function test_thePartOfAFaultIsRoundedUpAndAUnitIsTakenFromSomebody() public {
        params.set(Params.MIN_SELF_BOND, 1);
        registerValidator(W, 1e18 + 1);
        assertEq(slash(W, epoch(), 1), 2);
        registerValidator(BOB, 1e18);
        uint256 mine = token.balanceOf(address(this));
        assertEq(slash(BOB, epoch(), 1), 1);
        assertEq(staking.stakeOf(BOB), 1e18 - 1);
        assertEq(token.balanceOf(address(this)), mine + 1);
    }

    function test_aBondThatPaysAllFirstMayBeAllThereIs() public {
        params.set(Params.SELF_FIRST_BPS, 10_000);
        nextEpoch();
        assertEq(slash(V, epoch(), ALL), 1000e18);
        assertEq(staking.stakeOf(V), 0);
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
}
