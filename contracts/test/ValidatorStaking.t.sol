// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ValidatorStaking} from "../src/ValidatorStaking.sol";
import {Params} from "../src/libraries/Params.sol";
import {StakePositions} from "../src/staking/StakePositions.sol";
import {StakeState} from "../src/staking/StakeState.sol";
import {StakingFixture} from "./StakingFixture.sol";

/// @title Who registers, and what a share is
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
        number(Params.UNBONDING, 9);
        assertEq(new ValidatorStaking(token, newParams(address(this))).epochLength(), 1);
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

    // ---------------------------------------------------------------- helpers

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
