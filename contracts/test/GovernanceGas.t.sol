// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Guardian} from "../src/Guardian.sol";
import {PauseClock} from "../src/PauseClock.sol";
import {ParamStore} from "../src/ParamStore.sol";
import {TeeApprovals} from "../src/tee/TeeApprovals.sol";
import {Params} from "../src/libraries/Params.sol";
import {GovernanceFixture} from "./GovernanceFixture.sol";

/// @title What governance costs, in gas of whole transactions, held to the table in docs/governance.md
/// @notice Each call is a transaction of its own. A change of more than a tenth wants the table changed.
contract GovernanceGasTest is GovernanceFixture {
    bytes32 private constant ROOT = keccak256("root");

    error Costs(string what, uint256 gas, uint256 documented);

    function setUp() public {
        deployGovernance();
        enfranchise(ALICE, 50_000_000e18);
        ledger.set(ALICE, 1e18);
        nextBlocks(1);
    }

    /// @dev Isolated, so that every call pays for cold storage and for being a transaction.
    /// forge-config: default.isolate = true
    function test_theWayOfAProposal() public {
        address[] memory targets = new address[](1);
        bytes[] memory calls = new bytes[](1);
        (targets[0], calls[0]) = (address(params), abi.encodeCall(ParamStore.set, (Params.GRACE, 4)));
        uint256[] memory values = new uint256[](1);
        vm.startPrank(ALICE);
        costs("propose", address(governor), abi.encodeCall(governor.propose, (targets, values, calls, "why")), 319_000);
        uint256 id = governor.hashProposal(targets, values, calls, keccak256("why"));
        nextBlocks(VOTING_DELAY + 1);
        costs("vote", address(governor), abi.encodeCall(governor.castVote, (id, 1)), 140_000);
        nextBlocks(VOTING_PERIOD);
        costs("queue", address(governor), abi.encodeWithSignature("queue(uint256)", id), 171_000);
        vm.warp(vm.getBlockTimestamp() + DELAY);
        costs("execute: shorten a window", address(governor), abi.encodeWithSignature("execute(uint256)", id), 194_000);
        vm.stopPrank();
    }

    /// forge-config: default.isolate = true
    function test_whatTheTimelockCalls() public {
        vm.prank(MALLORY);
        costs("announce a root", address(tee), abi.encodeCall(TeeApprovals.proposeHardware, (HARDWARE, ROOT, "https://reports.test/1")), 51_300);
        vm.warp(vm.getBlockTimestamp() + HARDWARE_NOTICE);
        vm.startPrank(address(timelock));
        costs("approve hardware", address(tee), abi.encodeCall(TeeApprovals.approveHardware, (HARDWARE)), 45_700);
        costs("approve a root", address(tee), abi.encodeCall(TeeApprovals.approveRoot, (HARDWARE, ROOT)), 49_200);
        costs("approve a measurement", address(tee), abi.encodeCall(TeeApprovals.approveMeasurement, (HARDWARE, CODE, 1)), 69_500);
        costs("revoke a measurement", address(tee), abi.encodeCall(TeeApprovals.revokeMeasurement, (HARDWARE, CODE)), 30_000);
        costs("appoint a guardian", address(guardian), abi.encodeCall(Guardian.appoint, (GUARDIAN)), 31_300);
        vm.stopPrank();
        vm.startPrank(GUARDIAN);
        costs("suspend a record", address(tee), abi.encodeCall(TeeApprovals.suspend, (TeeApprovals.Kind.Root, HARDWARE, ROOT)), 37_500);
        costs("pause", address(pauseClock), abi.encodeCall(PauseClock.pause, (1 days)), 76_100);
        costs("resume", address(pauseClock), abi.encodeCall(PauseClock.resume, ()), 36_200);
        vm.stopPrank();
    }

    function costs(string memory what, address target, bytes memory call, uint256 documented) private {
        uint256 before = gasleft();
        (bool done,) = target.call(call);
        uint256 gas = before - gasleft();
        assertTrue(done);
        if (gas * 10 > documented * 11 || gas * 11 < documented * 10) revert Costs(what, gas, documented);
    }
}
