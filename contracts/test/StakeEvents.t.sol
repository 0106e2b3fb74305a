// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ValidatorStaking} from "../src/ValidatorStaking.sol";
import {IStakeOutgoing} from "../src/staking/IStakeOutgoing.sol";
import {StakePositions} from "../src/staking/StakePositions.sol";
import {StakeRewards} from "../src/staking/StakeRewards.sol";
import {StakingFixture} from "./StakingFixture.sol";

/// @title What an indexer and a page read of stake: every event, and the whole view of a validator
contract StakeEventsTest is StakingFixture {
    function setUp() public {
        setUpStaking();
    }

    function test_whatComesInIsAnEvent() public {
        fund(W, 700e18);
        vm.prank(W);
        told();
        emit ValidatorStaking.ValidatorRegistered(W, "http://w.test", 500e18);
        told();
        emit StakePositions.Delegated(W, W, 500e18, 500e18);
        staking.register("http://w.test", 500e18);
        vm.prank(W);
        told();
        emit ValidatorStaking.ValidatorUrlSet(W, "http://w2.test");
        staking.setUrl("http://w2.test");
        vm.prank(W);
        told();
        emit StakePositions.Delegated(V, W, 200e18, 200e18);
        staking.delegate(V, 200e18, 0);
    }

    function test_whatLeavesIsAnEventAndWhenItIsFree() public {
        registerValidator(W, 1000e18);
        delegateTo(V, ALICE, 60e18);
        uint64 end = (epoch() + 1) * uint64(EPOCH);
        vm.prank(ALICE);
        told();
        emit IStakeOutgoing.Undelegated(V, ALICE, 20e18, 20e18, end + uint64(UNBONDING));
        staking.undelegate(V, 20e18);
        vm.prank(V);
        told();
        emit IStakeOutgoing.Undelegated(V, V, 5e18, 5e18, end + uint64(UNBONDING));
        staking.undelegate(V, 5e18);
        uint64 bondsAt = end + uint64(params.liability());
        vm.prank(ALICE);
        told();
        emit IStakeOutgoing.Redelegated(V, W, ALICE, 40e18, 40e18, bondsAt);
        staking.redelegate(V, W, 40e18);
        vm.warp(bondsAt);
        told();
        emit StakePositions.Delegated(W, ALICE, 40e18, 40e18);
        told();
        emit IStakeOutgoing.RedelegationBonded(V, W, ALICE, 40e18);
        staking.bond(V, ALICE);
        skipUnbonding();
        vm.prank(ALICE);
        told();
        emit IStakeOutgoing.StakeWithdrawn(V, ALICE, 20e18);
        staking.withdraw(V);
    }

    function test_whatIsEarnedIsAnEvent() public {
        nextEpoch();
        token.approve(address(staking), 10e18);
        told();
        emit StakeRewards.RewardAdded(10e18);
        staking.notifyReward(10e18);
        vm.prank(V);
        told();
        emit StakeRewards.RewardClaimed(V, V, 10e18);
        staking.claim(V);
        uint256 next = epoch() + 1;
        vm.prank(V);
        told();
        emit StakeRewards.CommissionQueued(V, 700, next);
        staking.queueCommission(700);
    }

    function test_whatAFaultDoesIsAnEvent() public {
        told();
        emit IStakeOutgoing.ValidatorsFrozen(list(V));
        staking.freeze(list(V));
        told();
        emit IStakeOutgoing.ValidatorsUnfrozen(list(V));
        staking.unfreeze(list(V));
        uint64 captured = epoch();
        told();
        emit IStakeOutgoing.ValidatorSlashed(V, captured, 250e18, ALL / 4, FAULT);
        slash(V, captured, ALL / 4);
        uint64 until = (captured + 2) * uint64(EPOCH);
        told();
        emit IStakeOutgoing.ValidatorJailed(V, until);
        staking.jail(V);
        vm.warp(until);
        vm.prank(V);
        told();
        emit IStakeOutgoing.ValidatorUnjailed(V);
        staking.unjail();
        told();
        emit IStakeOutgoing.ValidatorTombstoned(V);
        staking.tombstone(V);
    }

    function test_theViewOfAValidatorShowsAllOfIt() public {
        delegateTo(V, ALICE, 50e18);
        undelegate(V, ALICE, 20e18);
        undelegate(V, V, 100e18);
        vm.prank(V);
        staking.queueCommission(0);
        staking.freeze(list(V));
        vm.prank(address(settlement));
        staking.reserve(list(V), 7e18, block.number);
        uint64 next = epoch() + 1;
        ValidatorStaking.ValidatorView memory seen = staking.validator(V);
        assertEq(uint256(seen.status), 1);
        assertTrue(seen.active);
        assertEq(seen.self, 900e18);
        assertEq(seen.delegated, 30e18);
        assertEq(seen.leaving, 120e18);
        assertEq(seen.openExposure, 7e18);
        assertEq(seen.openChallenges, 1);
        assertEq(seen.jailedUntil, 0);
        assertEq(uint256(seen.commissionBps) + seen.nextCommissionBps, 0);
        assertEq(seen.commissionEpoch, next);
        assertEq(keccak256(bytes(seen.url)), keccak256("http://validator.test"));
        ValidatorStaking.ExitView memory exit = staking.exitsOf(V, ALICE)[0];
        assertEq(exit.fromEpoch, epoch());
        assertEq(exit.toEpoch, epoch());
    }

    function test_whatIsFreeIsNotOnItsWayOutAnyMore() public {
        delegateTo(V, ALICE, 50e18);
        undelegate(V, ALICE, 20e18);
        uint256 free = staking.exitsOf(V, ALICE)[0].releaseAt;
        nextEpoch();
        undelegate(V, ALICE, 30e18);
        assertEq(staking.validator(V).leaving, 50e18);
        vm.warp(free - 1);
        assertEq(staking.validator(V).leaving, 50e18);
        vm.warp(free);
        assertEq(staking.validator(V).leaving, 30e18);
    }

    function test_everyNumberNamesItsValidator() public {
        registerValidator(W, 500e18);
        uint256[] memory numbers = new uint256[](2);
        numbers[0] = 1;
        address[] memory found = staking.validatorsAt(numbers);
        assertEq(found.length, 2);
        assertEq(found[0], W);
        assertEq(found[1], V);
        assertEq(staking.validators().length, 2);
        assertEq(staking.validators()[1], W);
    }

    function test_anAddressIsAtMost256Bytes() public {
        vm.startPrank(V);
        staking.setUrl(string(new bytes(256)));
        vm.expectRevert(abi.encodeWithSelector(ValidatorStaking.UrlTooLong.selector, 257));
        staking.setUrl(string(new bytes(257)));
        vm.stopPrank();
        vm.prank(ALICE);
        vm.expectRevert();
        staking.setUrl("");
    }

    function told() private {
        vm.expectEmit(address(staking));
    }
}
