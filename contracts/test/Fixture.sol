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
import {TestBase} from "./TestBase.sol";

/// @title Registries, bonds and stake, wired as a deployment wires them; this contract governs, deploys and judges
abstract contract Fixture is TestBase {
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
        return new TeeRegistry(
            address(this), guardian, bonds, staking, settlement, TeeRegistry.Times(SUSPENSION, HARDWARE_NOTICE, KEY_TERM), approvals
        );
    }

    function deployParams(address governor_) internal returns (ParamStore) {
        bytes32[15] memory names = [
            Params.UNBONDING,
            Params.CHALLENGE_WINDOW,
            Params.ADJUDICATION,
            Params.GRACE,
            Params.ATTEST_TIMEOUT,
            Params.REFUND_TIMEOUT,
            Params.MIN_SELF_BOND,
            Params.MIN_NODE_BOND,
            Params.COVERAGE_KAPPA_BPS,
            Params.PRICE_RISE_DELAY,
            Params.SELF_FIRST_BPS,
            Params.COMMISSION_CAP_BPS,
            Params.COMMISSION_STEP_BPS,
            Params.COMMISSION_DELAY,
            Params.VOID_FEE_BPS
        ];
        uint256[15] memory starts =
            [UNBONDING, 5, 5, 5, 1, 900, MIN_BOND, MIN_BOND, 6667, 1 days, 2000, 2000, 100, 60, 100];
        uint256[15] memory lows = [uint256(10), 1, 1, 1, 1, 1, 1, 1, 6667, 1 hours, 1000, 100, 1, 1, 0];
        uint256[15] memory highs =
            [uint256(90 days), 30 days, 30 days, 30 days, 7 days, 60 days, 1e25, 1e25, 10_000, 30 days, 10_000, 5000, 500, 30 days, 1000];
        bytes32[] memory keys = new bytes32[](15);
        uint256[] memory values = new uint256[](15);
        uint256[] memory mins = new uint256[](15);
        uint256[] memory maxs = new uint256[](15);
        for (uint256 i = 0; i < 15; i++) {
            (keys[i], values[i], mins[i], maxs[i]) = (names[i], starts[i], lows[i], highs[i]);
        }
        return new ParamStore(governor_, keys, values, mins, maxs);
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
