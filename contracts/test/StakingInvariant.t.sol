// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ValidatorStaking} from "../src/ValidatorStaking.sol";
import {StakingFixture} from "./StakingFixture.sol";
import {StakingHandler} from "./StakingHandler.sol";

/// @title What holds after anything that users, time and faults can do to staking
contract StakingInvariantTest is StakingFixture {
    address private constant X = address(0xA3);
    StakingHandler private handler;

    function setUp() public {
        setUpStaking();
        registerValidator(W, 2000e18);
        registerValidator(X, 500e18);
        nextEpoch();
        handler = new StakingHandler(token, staking, address(settlement), [V, W, X]);
        token.approve(address(handler), type(uint256).max);
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// @dev Economics, test first 1: what the contract holds is what came in less what went out, and it suffices for
    /// every stake, every exit and every reward.
    function invariant_solvency() public view {
        uint256 balance = token.balanceOf(address(staking));
        assertEq(balance, handler.moneyIn() - handler.moneyOut());
        uint256 stakes = 0;
        uint256 rewards = 0;
        for (uint256 v = 0; v < 3; v++) {
            address validator = handler.validators(v);
            stakes += staking.stakeOf(validator) + handler.leaving(validator, validator);
            rewards += staking.rewardOf(validator, validator);
            for (uint256 h = 0; h < 4; h++) {
                stakes += handler.leaving(validator, handler.holders(h));
                rewards += staking.rewardOf(validator, handler.holders(h));
            }
        }
        assertTrue(rewards <= handler.rewardsIn() - handler.rewardsOut());
        assertTrue(stakes + rewards <= balance);
    }

    /// @dev Fairness: each holder has what a naive book of all slashes says, to a few base units a slash.
    function invariant_everyHolderHasWhatTheBookSays() public view {
        uint256 slack = 1e6 + 200 * handler.slashes();
        for (uint256 v = 0; v < 3; v++) {
            address validator = handler.validators(v);
            assertNear(handler.worth(validator, validator), handler.booked(validator, validator), slack);
            for (uint256 h = 0; h < 4; h++) {
                address holder = handler.holders(h);
                assertNear(handler.worth(validator, holder), handler.booked(holder, validator), slack);
            }
        }
    }

    /// @dev Exit liability: nothing on its way out is free before whatever its epoch still answers for has expired, and
    /// what is not yet free stays within reach of a slash.
    function invariant_noExitOutrunsItsLiability() public view {
        uint256 liability = params.liability();
        for (uint256 v = 0; v < 3; v++) {
            address validator = handler.validators(v);
            for (uint256 h = 0; h <= 4; h++) {
                address holder = h == 4 ? validator : handler.holders(h);
                ValidatorStaking.ExitView[] memory exits = staking.exitsOf(validator, holder);
                for (uint256 i = 0; i < exits.length; i++) {
                    assertTrue(exits[i].releaseAt >= uint256(exits[i].toEpoch) * EPOCH + liability);
                }
            }
        }
    }

    /// @dev Exposure is what stood in the epoch, whatever became of it.
    function invariant_exposureIsWhatStood() public view {
        uint256 slack = 1e6 + 200 * handler.slashes();
        uint256 now_ = handler.epoch();
        for (uint256 v = 0; v < 3; v++) {
            address validator = handler.validators(v);
            uint256 stood = handler.standing(validator) + handler.slashedWithin(validator, now_);
            assertNear(staking.exposureAt(validator, now_), stood, slack);
        }
    }

    /// @dev Coverage: what is open is what was reserved and not released.
    function invariant_coverageIsCounted() public view {
        for (uint256 v = 0; v < 3; v++) {
            address validator = handler.validators(v);
            assertEq(staking.openExposureOf(validator), handler.open(validator));
        }
    }

    /// @dev The totals that quorums and votes are counted by are the sums of their parts.
    function invariant_totalsAreSums() public view {
        uint256 counted = 0;
        uint256 staked = 0;
        uint256 votes = 0;
        uint256 past = block.number - 1;
        for (uint256 v = 0; v < 3; v++) {
            address validator = handler.validators(v);
            uint256 weight = staking.stakeAt(validator, block.number);
            assertEq(weight, staking.isActive(validator) ? staking.stakeOf(validator) : 0);
            counted += weight;
            staked += staking.stakeOf(validator);
            votes += staking.getPastStakeVotes(validator, past);
        }
        for (uint256 h = 0; h < 4; h++) votes += staking.getPastStakeVotes(handler.holders(h), past);
        assertEq(counted, staking.totalStake());
        assertEq(counted, staking.totalStakeAt(block.number));
        assertTrue(votes <= staking.getPastTotalStake(past) + 1e6);
    }
}
