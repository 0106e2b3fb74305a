// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {IGovernor} from "@openzeppelin/contracts/governance/IGovernor.sol";
import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {Guardian} from "../src/Guardian.sol";
import {OpgGovernor} from "../src/OpgGovernor.sol";
import {OpgTimelock} from "../src/OpgTimelock.sol";
import {ParamStore} from "../src/ParamStore.sol";
import {TeeApprovals} from "../src/tee/TeeApprovals.sol";
import {Params} from "../src/libraries/Params.sol";
import {GovernanceFixture} from "./GovernanceFixture.sol";

/// @title Nothing is decided in haste, nor past the vote
/// @notice Economics, "Test first" 14: guardian and governance cannot approve fast.
contract GovernanceHasteTest is GovernanceFixture {
    function setUp() public {
        deployVoters();
    }

    /// @dev 14: the whole way, each step refused a block or a second too early.
    function test14_nothingIsApprovedFast() public {
        bytes memory call = abi.encodeCall(TeeApprovals.approveMeasurement, (HARDWARE, CODE, 1));
        address[5] memory everybody = [address(this), ALICE, GUARDIAN, address(governor), MALLORY];
        for (uint256 i = 0; i < everybody.length; i++) {
            vm.prank(everybody[i]);
            vm.expectRevert(abi.encodeWithSelector(TeeApprovals.NotGovernor.selector, everybody[i]));
            tee.approveMeasurement(HARDWARE, CODE, 1);
        }
        uint256 begun = vm.getBlockNumber();
        uint256 id = proposeCall(ALICE, address(tee), call);
        nextBlocks(VOTING_DELAY);
        vm.prank(ALICE);
        vm.expectRevert();
        governor.castVote(id, 1);
        nextBlocks(1);
        voteFor(ALICE, id);
        vm.expectRevert();
        governor.queue(id);
        nextBlocks(VOTING_PERIOD - 1);
        assertEq(vm.getBlockNumber(), begun + VOTING_DELAY + VOTING_PERIOD);
        vm.expectRevert();
        governor.queue(id);
        nextBlocks(1);
        vm.expectRevert();
        governor.execute(id);
        governor.queue(id);
        uint256 queued = vm.getBlockTimestamp();
        assertEq(governor.proposalEta(id), queued + DELAY);
        vm.warp(queued + DELAY - 1);
        vm.expectRevert();
        governor.execute(id);
        vm.warp(queued + DELAY);
        vm.prank(MALLORY);
        governor.execute(id);
        (uint64 validFrom,,) = tee.measurement(HARDWARE, CODE);
        assertEq(validFrom, queued + DELAY);
        vm.expectRevert();
        governor.execute(id);
    }

    function test14_theGovernorAloneProposesAndCancels() public view {
        assertTrue(timelock.hasRole(timelock.PROPOSER_ROLE(), address(governor)));
        assertTrue(timelock.hasRole(timelock.CANCELLER_ROLE(), address(governor)));
    }

    function test14_nobodyReachesTheTimelockPastTheGovernor() public {
        bytes memory call = abi.encodeCall(TeeApprovals.approveHardware, (HARDWARE));
        address[4] memory others = [address(this), ALICE, GUARDIAN, MALLORY];
        for (uint256 i = 0; i < others.length; i++) {
            bytes32 role = timelock.PROPOSER_ROLE();
            bytes memory refusal = abi.encodeWithSelector(
                IAccessControl.AccessControlUnauthorizedAccount.selector, others[i], role
            );
            vm.prank(others[i]);
            vm.expectRevert(refusal);
            timelock.schedule(address(tee), 0, call, 0, 0, DELAY);
            role = timelock.CANCELLER_ROLE();
            refusal = abi.encodeWithSelector(
                IAccessControl.AccessControlUnauthorizedAccount.selector, others[i], role
            );
            vm.prank(others[i]);
            vm.expectRevert(refusal);
            timelock.cancel(bytes32(0));
            vm.prank(others[i]);
            vm.expectRevert(
                abi.encodeWithSelector(TimelockController.TimelockUnauthorizedCaller.selector, others[i])
            );
            timelock.updateDelay(0);
        }
    }

    /// @dev The deployer never held a role, so it cannot have kept one.
    function test14_theDeployerKeepsNoPower() public {
        bytes32[4] memory roles = [
            timelock.DEFAULT_ADMIN_ROLE(),
            timelock.PROPOSER_ROLE(),
            timelock.EXECUTOR_ROLE(),
            timelock.CANCELLER_ROLE()
        ];
        for (uint256 i = 0; i < 4; i++) assertTrue(!timelock.hasRole(roles[i], address(this)));
        vm.expectRevert(OpgTimelock.AlreadyWired.selector);
        timelock.wire(address(this));
        OpgTimelock fresh = new OpgTimelock(DELAY);
        vm.prank(MALLORY);
        vm.expectRevert(OpgTimelock.AlreadyWired.selector);
        fresh.wire(MALLORY);
        vm.expectRevert(abi.encodeWithSelector(ParamStore.NotGovernor.selector, address(this)));
        params.set(Params.GRACE, 4);
        vm.expectRevert(abi.encodeWithSelector(Guardian.NotGovernor.selector, address(this)));
        guardian.appoint(address(this));
        assertEq(params.governor(), address(timelock));
        assertEq(tee.governor(), address(timelock));
        assertEq(guardian.governor(), address(timelock));
    }

    /// @dev 14: governance cannot first vote itself fast and then approve.
    function test14_theWayOfAVoteIsNeverShortened() public {
        passInVain(
            ALICE,
            address(governor),
            abi.encodeCall(governor.setVotingDelay, (VOTING_DELAY - 1)),
            bounds(VOTING_DELAY - 1, VOTING_DELAY, 16 * uint256(VOTING_DELAY))
        );
        passInVain(
            ALICE,
            address(governor),
            abi.encodeCall(governor.setVotingPeriod, (VOTING_PERIOD - 1)),
            bounds(VOTING_PERIOD - 1, VOTING_PERIOD, 16 * uint256(VOTING_PERIOD))
        );
        passInVain(
            ALICE,
            address(governor),
            abi.encodeCall(governor.setLateQuorumVoteExtension, (EXTENSION - 1)),
            bounds(EXTENSION - 1, EXTENSION, 16 * uint256(EXTENSION))
        );
        passInVain(
            ALICE,
            address(governor),
            abi.encodeCall(governor.updateQuorumNumerator, (QUORUM_BPS - 1)),
            bounds(QUORUM_BPS - 1, QUORUM_BPS, 3000)
        );
        passInVain(
            ALICE,
            address(governor),
            abi.encodeCall(governor.updateTimelock, (TimelockController(payable(MALLORY)))),
            abi.encodeWithSelector(OpgGovernor.TimelockIsFixed.selector)
        );
        // The delay itself may be set to nothing; it counts as that of the deployment.
        pass(ALICE, address(timelock), abi.encodeCall(timelock.updateDelay, (0)));
        assertEq(timelock.getMinDelay(), DELAY);
        uint256 id = proposeCall(ALICE, address(params), setCall(Params.GRACE, 4));
        nextBlocks(VOTING_DELAY + 1);
        voteFor(ALICE, id);
        nextBlocks(VOTING_PERIOD);
        governor.queue(id);
        assertEq(governor.proposalEta(id), vm.getBlockTimestamp() + DELAY);
    }

    function test_governanceMayBecomeSlowerAndStricterWithinBounds() public {
        pass(ALICE, address(governor), abi.encodeCall(governor.setVotingDelay, (VOTING_DELAY + 5)));
        assertEq(governor.votingDelay(), VOTING_DELAY + 5);
        // The way there is the new one, so the helper's blocks no longer suffice.
        uint256 id = proposeCall(ALICE, address(governor), abi.encodeCall(governor.setVotingDelay, (VOTING_DELAY)));
        nextBlocks(VOTING_DELAY + 6);
        voteFor(ALICE, id);
        nextBlocks(VOTING_PERIOD);
        governor.queue(id);
        vm.warp(vm.getBlockTimestamp() + DELAY);
        governor.execute(id);
        assertEq(governor.votingDelay(), VOTING_DELAY);
        passInVain(
            ALICE,
            address(governor),
            abi.encodeCall(governor.setProposalThreshold, (1_000_000e18 + 1)),
            bounds(1_000_000e18 + 1, 0, 1_000_000e18)
        );
        pass(ALICE, address(governor), abi.encodeCall(governor.setProposalThreshold, (1_000_000e18)));
        assertEq(governor.proposalThreshold(), 1_000_000e18);
        passInVain(
            ALICE,
            address(governor),
            abi.encodeCall(governor.setVotingPeriod, (16 * VOTING_PERIOD + 1)),
            bounds(16 * VOTING_PERIOD + 1, VOTING_PERIOD, 16 * VOTING_PERIOD)
        );
        pass(ALICE, address(timelock), abi.encodeCall(timelock.updateDelay, (100 * DELAY)));
        // Never asleep: the delay counts as sixteen times that of the deployment at most.
        assertEq(timelock.getMinDelay(), 16 * DELAY);
        pass(ALICE, address(governor), abi.encodeCall(governor.updateQuorumNumerator, (450)));
        nextBlocks(1);
        assertEq(governor.quorum(vm.getBlockNumber() - 1), 45 * M);
    }

    function test14_aLateQuorumLeavesTimeToAnswer() public {
        enfranchise(MALLORY, 45 * M);
        nextBlocks(1);
        uint256 id = proposeCall(MALLORY, address(params), setCall(Params.GRACE, 4));
        nextBlocks(VOTING_DELAY + VOTING_PERIOD);
        uint256 deadline = governor.proposalDeadline(id);
        assertEq(deadline, vm.getBlockNumber());
        voteFor(MALLORY, id);
        assertEq(governor.proposalDeadline(id), deadline + EXTENSION);
        nextBlocks(EXTENSION);
        vm.prank(ALICE);
        governor.castVote(id, 0);
        nextBlocks(1);
        assertState(id, IGovernor.ProposalState.Defeated);
    }

    function test_onlyItsProposerCancelsAndOnlyBeforeTheVote() public {
        uint256 id = proposeCall(ALICE, address(params), setCall(Params.GRACE, 4));
        vm.prank(MALLORY);
        vm.expectRevert();
        governor.cancel(id);
        vm.prank(ALICE);
        governor.cancel(id);
        assertState(id, IGovernor.ProposalState.Canceled);
        id = proposeCall(ALICE, address(params), setCall(Params.GRACE, 3));
        nextBlocks(VOTING_DELAY + 1);
        vm.prank(ALICE);
        vm.expectRevert();
        governor.cancel(id);
    }

    // ---------------------------------------------------------------- helpers

    function bounds(uint256 value, uint256 least, uint256 most) private pure returns (bytes memory) {
        return abi.encodeWithSelector(OpgGovernor.RuleOutOfBounds.selector, value, least, most);
    }
}
