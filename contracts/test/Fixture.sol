// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Guardian} from "../src/Guardian.sol";
import {NodeBond} from "../src/NodeBond.sol";
import {OPG} from "../src/OPG.sol";
import {ParamStore} from "../src/ParamStore.sol";
import {PauseClock} from "../src/PauseClock.sol";
import {Settlement} from "../src/Settlement.sol";
import {TeeApprovals} from "../src/tee/TeeApprovals.sol";
import {TeeRegistry} from "../src/TeeRegistry.sol";
import {ValidatorStaking} from "../src/ValidatorStaking.sol";
import {Params} from "../src/libraries/Params.sol";
import {ParamTable} from "./ParamTable.sol";
import {TestBase} from "./TestBase.sol";

/// @title Registries, bonds and stake, wired as a deployment wires them; this contract governs, deploys and judges
abstract contract Fixture is TestBase, ParamTable {
    uint256 internal constant START = 1_700_000_000;
    uint256 internal constant UNBONDING = 30;
    uint256 internal constant MIN_BOND = 100e18;
    bytes32 internal constant FAULT = keccak256("fault");

    address internal constant GUARDIAN = address(0x6A);
    uint64 internal constant SUSPENSION = 14 days;
    uint64 internal constant HARDWARE_NOTICE = 7 days;
    /// @dev Longer than any test but those of the term itself.
    uint64 internal constant KEY_TERM = 3650 days;

    OPG internal token;
    Guardian internal guardian;
    ParamStore internal params;
    PauseClock internal pauseClock;
    NodeBond internal bonds;
    ValidatorStaking internal staking;
    Settlement internal settlement;
    TeeRegistry internal tee;

    function deployAll() internal {
        vm.warp(START);
        vm.roll(100);
        token = new OPG(address(this));
        params = deployParams(address(this));
        bonds = new NodeBond(token, params);
        staking = new ValidatorStaking(token, params);
        guardian = new Guardian(address(this), GUARDIAN, 365 days);
        settlement = newSettlement(keccak256("deployment"));
        tee = deployTee(new TeeApprovals.Approval[](0));
        bonds.setFaultManager(address(this));
        staking.setFaultManager(address(this));
        bonds.setSettlement(address(settlement));
        staking.setSettlement(address(settlement));
    }

    /// @dev With a clock of its own, which the guardian may stop.
    function newSettlement(bytes32 deploymentId) internal returns (Settlement) {
        pauseClock = new PauseClock(guardian, 3 days, 30 days);
        return new Settlement(staking, bonds, params, pauseClock, deploymentId);
    }

    function deployTee(TeeApprovals.Approval[] memory approvals) internal returns (TeeRegistry) {
        return deployTee(approvals, KEY_TERM);
    }

    function deployTee(TeeApprovals.Approval[] memory approvals, uint64 keyTerm) internal returns (TeeRegistry) {
        TeeRegistry.Times memory times = TeeRegistry.Times(SUSPENSION, HARDWARE_NOTICE, keyTerm);
        return new TeeRegistry(address(this), guardian, bonds, staking, settlement, times, approvals);
    }

    function deployParams(address governor) internal returns (ParamStore) {
        number(Params.UNBONDING, UNBONDING, 10, 90 days);
        number(Params.CHALLENGE_WINDOW, 5, 1, 30 days);
        number(Params.ADJUDICATION, 5, 1, 30 days);
        number(Params.GRACE, 5, 1, 30 days);
        number(Params.ATTEST_TIMEOUT, 1, 1, 7 days);
        number(Params.REFUND_TIMEOUT, 900, 1, 60 days);
        number(Params.MIN_SELF_BOND, MIN_BOND, 1, 1e25);
        number(Params.MIN_NODE_BOND, MIN_BOND, 1, 1e25);
        number(Params.COVERAGE_KAPPA_BPS, 6667, 6667, 10_000);
        number(Params.PRICE_RISE_DELAY, 1 days, 1 hours, 30 days);
        number(Params.SELF_FIRST_BPS, 2000, 1000, 10_000);
        number(Params.COMMISSION_CAP_BPS, 2000, 100, 5000);
        number(Params.COMMISSION_STEP_BPS, 100, 1, 500);
        number(Params.COMMISSION_DELAY, 60, 1, 30 days);
        number(Params.VOID_FEE_BPS, 100, 0, 1000);
        return newParams(governor);
    }

    /// @dev Gives `who` tokens and lets both staking contracts take them.
    function fund(address who, uint256 amount) internal {
        token.transfer(who, amount);
        vm.startPrank(who);
        token.approve(address(staking), type(uint256).max);
        token.approve(address(bonds), type(uint256).max);
        vm.stopPrank();
    }

    function registerValidator(address who, uint256 selfBond) internal {
        fund(who, selfBond);
        vm.prank(who);
        staking.register("http://validator.test", selfBond);
    }

    function delegateTo(address validator, address who, uint256 amount) internal {
        fund(who, amount);
        vm.prank(who);
        staking.delegate(validator, amount, 0);
    }

    function registerNode(address who) internal {
        fund(who, MIN_BOND);
        vm.prank(who);
        bonds.register("http://node.test", MIN_BOND);
    }
}
