// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {StakeCoverage} from "../src/staking/StakeCoverage.sol";
import {StakeState} from "../src/staking/StakeState.sol";
import {StakingFixture} from "./StakingFixture.sol";

contract StakeCoverageTest is StakingFixture {
    /// @dev κ of the fixture, 1/10,000.
    uint256 private constant KAPPA = 6667;

    function setUp() public {
        setUpStaking();
        registerValidator(W, 500e18);
    }

    function test_onlySettlementReserves() public {
        vm.expectRevert(abi.encodeWithSelector(StakeState.NotSettlement.selector, address(this)));
        staking.reserve(both(), 1, 1);
        vm.expectRevert(abi.encodeWithSelector(StakeState.NotSettlement.selector, address(this)));
        staking.release(new uint256[](1), 1);
    }

    /// @dev Economics, test first 7, its staking half.
    function test_openExposureNeverExceedsKappaTimesTheStakeOverConcurrentBatches() public {
        uint256 covered = 1000e18 * KAPPA / 10_000;
        assertEq(staking.coverageLeft(V), covered);
        assertEq(reserve(both(), 300e18), 3);
        // The second can bear no more; it does not keep the first from a batch.
        assertEq(reserve(both(), 300e18), 1);
        assertEq(staking.openExposureOf(V), 600e18);
        assertEq(staking.openExposureOf(W), 300e18);
        assertEq(reserve(both(), uint128(covered - 600e18 + 1)), 0);
        assertEq(reserve(one(V), uint128(covered - 600e18)), 1);
        assertEq(reserve(one(V), 1), 0);
        assertEq(staking.coverageLeft(V), 0);
        release(one(V), 300e18);
        assertEq(reserve(one(V), 300e18), 1);
        release(both(), 300e18);
        assertEq(staking.openExposureOf(W), 0);
    }

    function test_whatIsLeftIsWhatIsNotOpen() public {
        uint256 covered = 1000e18 * KAPPA / 10_000;
        reserve(one(V), 300e18);
        assertEq(staking.coverageLeft(V), covered - 300e18);
        reserve(one(V), uint128(covered - 300e18));
        assertEq(staking.coverageLeft(V), 0);
    }

    /// @dev The end of a batch must not hang on a number that is too small.
    function test_aReleaseNeverReverts() public {
        reserve(one(V), 2);
        release(one(V), 3);
        assertEq(staking.openExposureOf(V), 0);
    }

    function test_theStakeOfABlockToComeIsNotKnown() public {
        assertEq(staking.totalStakeAt(block.number), 1500e18);
        assertEq(staking.stakeAt(V, block.number), 1000e18);
        vm.expectRevert(abi.encodeWithSelector(StakeState.FutureBlock.selector, block.number + 1));
        staking.totalStakeAt(block.number + 1);
        vm.expectRevert(abi.encodeWithSelector(StakeState.FutureBlock.selector, block.number + 1));
        staking.stakeAt(V, block.number + 1);
    }

    function test_delegatedStakeCoversAndLeavingStakeDoesNot() public {
        delegateTo(V, ALICE, 1000e18);
        assertEq(staking.coverageLeft(V), 2000e18 * KAPPA / 10_000);
        undelegateAll(V, ALICE);
        assertEq(staking.coverageLeft(V), 1000e18 * KAPPA / 10_000);
    }

    function test_aSlashedJailedOrTombstonedValidatorCoversLessOrNothing() public {
        reserve(one(V), 600e18);
        slash(V, epoch(), ALL / 2);
        assertEq(staking.coverageLeft(V), 0);
        assertEq(reserve(one(V), 1), 0);
        release(one(V), 600e18);
        assertEq(staking.coverageLeft(V), 500e18 * KAPPA / 10_000);
        staking.jail(V);
        assertEq(reserve(one(V), 1), 0);
        staking.tombstone(W);
        assertEq(reserve(one(W), 1), 0);
        assertEq(reserve(one(ALICE), 1), 0);
    }

    function testFuzz_concurrentBatchesStayCovered(uint128[12] memory exposures, uint8 releases) public {
        uint256 open = 0;
        uint256 covered = 1000e18 * KAPPA / 10_000;
        for (uint256 i = 0; i < 12; i++) {
            uint128 exposure = uint128(uint256(exposures[i]) % 400e18);
            uint256 fits = reserve(one(V), exposure);
            assertEq(fits, open + exposure <= covered ? 1 : 0);
            if (fits == 0) continue;
            open += exposure;
            if (uint256(releases) >> (i % 8) & 1 == 1) {
                release(one(V), exposure);
                open -= exposure;
            }
            assertEq(staking.openExposureOf(V), open);
        }
    }

    function test_whoReservesNothingIsHeardWhateverASlashHasLeft() public {
        assertEq(reserve(one(V), 600e18), 1);
        staking.slash(V, epoch(), ALL / 2, FAULT);
        assertEq(reserve(one(V), 1), 0);
        assertEq(reserve(one(V), 0), 1);
        assertEq(staking.openExposureOf(V), 600e18);
    }

    /// @dev The weight in the covering slot and the checkpoints behind it are one history.
    function testFuzz_everyPastBlockKeepsItsWeight(uint96[8] calldata deposits, uint8 gaps) public {
        uint256[] memory weights = new uint256[](8);
        uint256[] memory totals = new uint256[](8);
        uint256[] memory blocks = new uint256[](8);
        for (uint256 i = 0; i < 8; i++) {
            delegateTo(V, ALICE, 1 + uint256(deposits[i]) % 1e24);
            if (deposits[i] % 3 == 0) delegateTo(W, ALICE, 1e18);
            blocks[i] = block.number;
            (weights[i], totals[i]) = (staking.stakeOf(V), staking.stakeOf(V) + staking.stakeOf(W));
            vm.roll(block.number + 1 + (gaps >> i) % 2);
        }
        for (uint256 i = 0; i < 8; i++) {
            vm.prank(address(settlement));
            (StakeCoverage.Voice[] memory voices, uint256 total) = staking.reserve(both(), 0, blocks[i]);
            assertEq(voices[0].stake, weights[i]);
            assertEq(voices[0].stake, staking.stakeAt(V, blocks[i]));
            assertEq(voices[0].stake + voices[1].stake, total);
            assertEq(total, totals[i]);
            assertEq(voices[1].index, 1);
        }
    }

    // ---------------------------------------------------------------- helpers

    function both() private pure returns (address[] memory all) {
        all = new address[](2);
        (all[0], all[1]) = (V, W);
    }

    function one(address validator) private pure returns (address[] memory all) {
        all = new address[](1);
        all[0] = validator;
    }

    /// @return fits bit i is set if validator i bears it
    function reserve(address[] memory all, uint128 exposure) private returns (uint256 fits) {
        vm.prank(address(settlement));
        (StakeCoverage.Voice[] memory voices,) = staking.reserve(all, uint96(exposure), block.number);
        for (uint256 i = 0; i < voices.length; i++) if (voices[i].bears) fits |= 1 << i;
    }

    function release(address[] memory all, uint128 exposure) private {
        uint256[] memory indexes = new uint256[](all.length);
        for (uint256 i = 0; i < all.length; i++) indexes[i] = staking.indexOf(all[i]);
        vm.prank(address(settlement));
        staking.release(indexes, uint96(exposure));
    }
}
