// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {StakingFixture} from "./StakingFixture.sol";

/// @title What the views of stake and rewards say is what happens, wherever deposits, slashes and time have led
contract StakeViewsTest is StakingFixture {
    uint256 private constant STEPS = 24;

    function setUp() public {
        setUpStaking();
        fund(V, 1e24);
        fund(ALICE, 1e24);
        fund(BOB, 1e24);
    }

    function testFuzz_rewardsSharesAndStakeAreWhatTheViewsSay(uint256 seed) public {
        for (uint256 i = 0; i < STEPS; i++) {
            step(uint256(keccak256(abi.encode(seed, i))));
            address[3] memory holders = [ALICE, BOB, V];
            for (uint256 j = 0; j < 3; j++) {
                assertRewardIsPaid(holders[j]);
                assertSharesLeave(holders[j]);
            }
        }
    }

    /// @dev A pool that was slashed to nothing, a new one in its place, and what its holders earned before.
    function test_aWipedPoolLeavesItsRewardAndNoShares() public {
        delegateTo(V, ALICE, 1000e18);
        skipEpochs(12);
        staking.sync(V);
        addReward(40e18);
        slash(V, epoch(), ALL);
        assertRewardIsPaid(ALICE);
        assertEq(staking.sharesOf(V, ALICE), 0);
        assertEq(staking.stakeOfHolder(V, ALICE), 0);
        nextEpoch();
        vm.prank(V);
        staking.addSelfBond(1000e18);
        delegateTo(V, BOB, 1000e18);
        skipEpochs(12);
        staking.sync(V);
        addReward(40e18);
        assertEq(staking.rewardOf(V, ALICE), 20e18);
        assertEq(staking.rewardOf(V, BOB), 20e18);
        assertEq(staking.sharesOf(V, ALICE), 0);
        for (uint256 i = 0; i < 2; i++) assertRewardIsPaid(i == 0 ? ALICE : BOB);
    }

    /// @dev The dust of a wiped pool earns nothing of what is paid for the next.
    function test_theRewardOfAWipedPoolIsWhatItWas() public {
        delegateTo(V, ALICE, 1000e18);
        skipEpochs(12);
        staking.sync(V);
        slash(V, epoch(), ALL - 1);
        vm.prank(V);
        staking.addSelfBond(1000e18);
        nextEpoch();
        reward(1e26);
        assertEq(staking.rewardOf(V, ALICE), 0);
        assertRewardIsPaid(V);
    }

    /// @dev To the second: what is old enough is in the main pool, where a share is worth less since a slash.
    function test_aDepositIsYoungUntilItsSecondAndOldFromIt() public {
        delegateTo(V, ALICE, 1000e18);
        skipEpochs(12);
        slash(V, epoch(), ALL / 2);
        nextEpoch();
        delegateTo(V, BOB, 100e18);
        uint256 old = uint256(epoch()) * EPOCH + UNBONDING;
        vm.warp(old - 1);
        assertEq(staking.sharesOf(V, BOB), 100e18);
        assertSharesLeave(BOB);
        vm.warp(old);
        assertTrue(staking.sharesOf(V, BOB) > 150e18);
        assertSharesLeave(BOB);
    }

    /// @dev So that no call is too dear, however many epochs have waited.
    function test_twoYoungTranchesFoldInOneCall() public {
        delegateTo(V, ALICE, 1000e18);
        skipEpochs(12);
        slash(V, epoch(), ALL / 2);
        for (uint256 i = 0; i < 3; i++) {
            nextEpoch();
            delegateTo(V, address(uint160(0xD000 + i)), 100e18);
        }
        skipEpochs(14);
        for (uint256 round = 0; round < 2; round++) {
            for (uint160 i = 0; i < 3; i++) {
                bool folded = i < 2 || round > 0;
                assertTrue(staking.sharesOf(V, address(0xD000 + i)) > 100e18 == folded);
                assertSharesLeave(address(0xD000 + i));
            }
            staking.sync(V);
            for (uint160 i = 0; i < 3; i++) {
                bool folded = i < 2 || round > 0;
                assertTrue(staking.sharesOf(V, address(0xD000 + i)) > 100e18 == folded);
            }
            nextEpoch();
        }
    }

    // ---------------------------------------------------------------- helpers

    /// @dev One of eight things; what the contract refuses does not happen.
    function step(uint256 dice) private {
        (uint256 what, uint256 amount) = (dice % 10, 1 + (dice >> 8) % 1000e18);
        if (what == 0) attempt(ALICE, abi.encodeCall(staking.delegate, (V, amount, 0)));
        else if (what == 1) attempt(BOB, abi.encodeCall(staking.delegate, (V, amount, 0)));
        else if (what == 2) attempt(V, abi.encodeCall(staking.addSelfBond, (amount)));
        else if (what == 3) attempt(ALICE, abi.encodeCall(staking.undelegate, (V, 1 + amount % (1 + staking.sharesOf(V, ALICE)))));
        else if (what == 4) attempt(BOB, abi.encodeCall(staking.claim, (V)));
        else if (what == 5) staking.sync(V);
        else if (what == 6) slash(V, epoch() - uint64(amount % 3), amount % 4 == 0 ? ALL : 1 + amount % ALL);
        else if (what == 7) skipEpochs(1 + amount % 14);
        else if (staking.totalStake() > 0) reward(amount);
    }

    function reward(uint256 amount) private {
        token.approve(address(staking), amount);
        attempt(address(this), abi.encodeCall(staking.notifyReward, (amount)));
    }

    function attempt(address who, bytes memory call) private returns (bool ok, bytes memory result) {
        vm.prank(who);
        (ok, result) = address(staking).call(call);
    }

    function assertRewardIsPaid(address who) private {
        uint256 said = staking.rewardOf(V, who);
        uint256 state = vm.snapshotState();
        (bool ok, bytes memory result) = attempt(who, abi.encodeCall(staking.claim, (V)));
        assertEq(ok ? abi.decode(result, (uint256)) : 0, said);
        vm.revertToState(state);
    }

    /// @dev All of them, and not one more; for what they are worth, but for what rounding leaves to those who stay.
    function assertSharesLeave(address who) private {
        (uint256 shares, uint256 worth) = (staking.sharesOf(V, who), staking.stakeOfHolder(V, who));
        uint256 state = vm.snapshotState();
        (bool ok,) = attempt(who, abi.encodeCall(staking.undelegate, (V, shares + 1)));
        assertTrue(!ok);
        if (shares > 0) {
            uint256 before = leavingOf(V, who);
            vm.prank(who);
            staking.undelegate(V, shares);
            assertNear(leavingOf(V, who) - before, worth, STEPS);
            assertEq(staking.sharesOf(V, who), 0);
        }
        vm.revertToState(state);
    }
}
