// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IGovernor} from "@openzeppelin/contracts/governance/IGovernor.sol";
import {Guardian} from "../src/Guardian.sol";
import {NodeBond} from "../src/NodeBond.sol";
import {OPG} from "../src/OPG.sol";
import {OpgGovernor} from "../src/OpgGovernor.sol";
import {OpgTimelock} from "../src/OpgTimelock.sol";
import {OpgVotes} from "../src/OpgVotes.sol";
import {ParamStore} from "../src/ParamStore.sol";
import {PauseClock} from "../src/PauseClock.sol";
import {TeeApprovals} from "../src/tee/TeeApprovals.sol";
import {TeeRegistry} from "../src/TeeRegistry.sol";
import {ValidatorStaking} from "../src/ValidatorStaking.sol";
import {Fixture} from "./Fixture.sol";
import {StakeLedger} from "./StakeLedger.sol";

/// @title Everything that governance rules, wired as a deployment wires it; this contract deploys and holds the supply
abstract contract GovernanceFixture is Fixture {
    uint256 internal constant M = 1_000_000e18;
    uint48 internal constant VOTING_DELAY = 10;
    uint32 internal constant VOTING_PERIOD = 100;
    uint48 internal constant EXTENSION = 30;
    uint256 internal constant DELAY = 2 days;
    uint256 internal constant THRESHOLD = 1000e18;
    uint256 internal constant QUORUM_BPS = 400;
    address internal constant ALICE = address(0xA11CE);
    address internal constant BOB = address(0xB0B);
    address internal constant MALLORY = address(0xBAD);
    bytes32 internal constant HARDWARE = keccak256("nitro-sim");
    bytes32 internal constant CODE = keccak256("code");

    OpgTimelock internal timelock;
    OpgGovernor internal governor;
    OpgVotes internal votes;
    StakeLedger internal ledger;

    function deployGovernance() internal {
        vm.warp(START);
        vm.roll(100);
        token = new OPG(address(this));
        timelock = new OpgTimelock(DELAY);
        params = deployParams(address(timelock));
        guardian = new Guardian(address(timelock), GUARDIAN, 365 days);
        pauseClock = new PauseClock(guardian, 3 days, 30 days);
        bonds = new NodeBond(token, params);
        staking = new ValidatorStaking(token, params);
        settlement = newSettlement(keccak256("deployment"));
        ledger = new StakeLedger();
        votes = new OpgVotes(token, ledger);
        tee = new TeeRegistry(
            address(timelock),
            guardian,
            bonds,
            staking,
            settlement,
            TeeRegistry.Times(SUSPENSION, HARDWARE_NOTICE, KEY_TERM),
            new TeeApprovals.Approval[](0)
        );
        governor = new OpgGovernor(
            votes, timelock, OpgGovernor.Rules(VOTING_DELAY, VOTING_PERIOD, EXTENSION, THRESHOLD, QUORUM_BPS)
        );
        timelock.wire(address(governor));
    }

    /// @dev With two whose tokens vote: Alice's 50 million and Bob's 30.
    function deployVoters() internal {
        deployGovernance();
        enfranchise(ALICE, 50 * M);
        enfranchise(BOB, 30 * M);
        nextBlocks(1);
    }

    /// @dev Tokens that vote, from the next block on.
    function enfranchise(address who, uint256 amount) internal {
        token.transfer(who, amount);
        vm.prank(who);
        token.delegate(who);
    }

    function nextBlocks(uint256 count) internal {
        vm.roll(vm.getBlockNumber() + count);
        vm.warp(vm.getBlockTimestamp() + 2 * count);
    }

    function proposeCall(address who, address target, bytes memory data) internal returns (uint256) {
        address[] memory targets = new address[](1);
        uint256[] memory values = new uint256[](1);
        bytes[] memory calls = new bytes[](1);
        (targets[0], calls[0]) = (target, data);
        vm.prank(who);
        return governor.propose(targets, values, calls, "a proposal");
    }

    function setCall(bytes32 key, uint256 value) internal pure returns (bytes memory) {
        return abi.encodeCall(ParamStore.set, (key, value));
    }

    function voteFor(address who, uint256 id) internal {
        vm.prank(who);
        governor.castVote(id, 1);
    }

    /// @dev From the proposal to the moment before its execution, by the votes of `who`.
    function ripen(address who, address target, bytes memory data) internal returns (uint256 id) {
        id = proposeCall(who, target, data);
        nextBlocks(VOTING_DELAY + 1);
        voteFor(who, id);
        nextBlocks(VOTING_PERIOD);
        governor.queue(id);
        vm.warp(vm.getBlockTimestamp() + timelock.getMinDelay());
    }

    function pass(address who, address target, bytes memory data) internal returns (uint256 id) {
        id = ripen(who, target, data);
        governor.execute(id);
    }

    /// @dev A vote that succeeds and whose call is refused when it comes to it.
    function passInVain(address who, address target, bytes memory data, bytes memory refusal) internal {
        uint256 id = ripen(who, target, data);
        vm.expectRevert(refusal);
        governor.execute(id);
    }

    function stateOf(uint256 id) internal view returns (uint256) {
        return uint256(governor.state(id));
    }

    function assertState(uint256 id, IGovernor.ProposalState expected) internal view {
        assertEq(stateOf(id), uint256(expected));
    }
}
