// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Params} from "../src/libraries/Params.sol";
import {IStakeOutgoing} from "../src/staking/IStakeOutgoing.sol";
import {StakePositions} from "../src/staking/StakePositions.sol";
import {StakeState} from "../src/staking/StakeState.sol";
import {StakingFixture} from "./StakingFixture.sol";

/// @title Who stood in the epoch of a fault pays for it, each its part, and nobody else
contract StakeLiabilityTest is StakingFixture {
    function setUp() public {
        setUpStaking();
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

    function test_whoLeftTogetherIsCountedOnce() public {
        delegateTo(V, ALICE, 500e18);
        delegateTo(V, BOB, 500e18);
        undelegateAll(V, ALICE);
        undelegateAll(V, BOB);
        // 200 from the own bond, 800 over the remaining 1800.
        assertEq(slash(V, epoch(), ALL / 2), 1000e18);
        assertNear(leavingOf(V, ALICE), 500e18 - uint256(800e18) * 500 / 1800, 1);
        assertNear(leavingOf(V, BOB), 500e18 - uint256(800e18) * 500 / 1800, 1);
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
