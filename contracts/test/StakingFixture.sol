// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ValidatorStaking} from "../src/ValidatorStaking.sol";
import {Fixture} from "./Fixture.sol";

/// @title Staking with one validator of 1000 OPG, at the first second of an epoch; this contract judges
abstract contract StakingFixture is Fixture {
    address internal constant V = address(0xA1);
    address internal constant W = address(0xA2);
    address internal constant ALICE = address(0xB1);
    address internal constant BOB = address(0xB2);
    address internal constant CAROL = address(0xB3);
    uint256 internal constant ALL = 1e18;
    /// @dev A tenth of the unbonding time.
    uint256 internal constant EPOCH = 3;

    function setUpStaking() internal {
        deployAll();
        nextEpoch();
        registerValidator(V, 1000e18);
    }

    /// @dev To the first second of the next epoch, and some blocks on.
    function nextEpoch() internal {
        skipEpochs(1);
    }

    function skipEpochs(uint256 count) internal {
        vm.warp((vm.getBlockTimestamp() / EPOCH + count) * EPOCH);
        vm.roll(vm.getBlockNumber() + count);
    }

    function epoch() internal view returns (uint64) {
        return uint64(vm.getBlockTimestamp() / EPOCH);
    }

    /// @dev To the moment at which an exit that begins now is free.
    function skipUnbonding() internal {
        vm.warp((vm.getBlockTimestamp() / EPOCH + 1) * EPOCH + UNBONDING);
        vm.roll(vm.getBlockNumber() + 1);
    }

    function undelegate(address validator, address who, uint256 shares) internal {
        vm.prank(who);
        staking.undelegate(validator, shares);
    }

    function undelegateAll(address validator, address who) internal {
        undelegate(validator, who, staking.sharesOf(validator, who));
    }

    function withdraw(address validator, address who) internal returns (uint256) {
        vm.prank(who);
        return staking.withdraw(validator);
    }

    function claim(address validator, address who) internal returns (uint256) {
        vm.prank(who);
        return staking.claim(validator);
    }

    function addReward(uint256 amount) internal {
        token.approve(address(staking), amount);
        staking.notifyReward(amount);
    }

    function slash(address validator, uint64 captureEpoch, uint256 fraction) internal returns (uint256) {
        return staking.slash(validator, captureEpoch, fraction, FAULT);
    }

    /// @dev What a holder has at a validator: active and on its way out.
    function worthOf(address validator, address who) internal view returns (uint256) {
        return staking.stakeOfHolder(validator, who) + leavingOf(validator, who);
    }

    function leavingOf(address validator, address who) internal view returns (uint256 amount) {
        ValidatorStaking.ExitView[] memory exits = staking.exitsOf(validator, who);
        for (uint256 i = 0; i < exits.length; i++) amount += exits[i].amount;
    }

    function assertNear(uint256 actual, uint256 expected, uint256 tolerance) internal pure {
        uint256 apart = actual > expected ? actual - expected : expected - actual;
        require(apart <= tolerance, NotEqual(actual, expected));
    }
}
