// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {IGovernor} from "@openzeppelin/contracts/governance/IGovernor.sol";
import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {Guardian} from "../src/Guardian.sol";
import {NodeBond} from "../src/NodeBond.sol";
import {OpgGovernor} from "../src/OpgGovernor.sol";
import {OpgTimelock} from "../src/OpgTimelock.sol";
import {ParamStore} from "../src/ParamStore.sol";
import {PauseClock} from "../src/PauseClock.sol";
import {TeeApprovals} from "../src/tee/TeeApprovals.sol";
import {TeeRegistry} from "../src/TeeRegistry.sol";
import {ValidatorStaking} from "../src/ValidatorStaking.sol";
import {StakeState} from "../src/staking/StakeState.sol";
import {Params} from "../src/libraries/Params.sol";
import {GovernanceFixture} from "./GovernanceFixture.sol";

/// @notice Economics, "Test first" 14: guardian and governance cannot approve fast, shorten windows or void a pending
/// slash; flash votes fail.
contract GovernanceTest is GovernanceFixture {
    uint256 private constant M = 1_000_000e18;

    function setUp() public {
        deployGovernance();
        enfranchise(ALICE, 50 * M);
        enfranchise(BOB, 30 * M);
        nextBlocks(1);
    }

    // ---------------------------------------------------------------- what a vote weighs

    function test_votesAreDelegatedTokensAndOwnStake() public {
        token.transfer(MALLORY, 7 * M);
        ledger.set(MALLORY, 2 * M);
        uint256 now_ = vm.getBlockNumber();
        nextBlocks(1);
        // Tokens that nobody delegated do not vote; stake does.
        assertEq(votes.getPastVotes(MALLORY, now_), 2 * M);
        assertEq(votes.getPastVotes(ALICE, now_), 50 * M);
        vm.prank(MALLORY);
        token.delegate(ALICE);
        ledger.set(ALICE, 1 * M);
        now_ = vm.getBlockNumber();
        nextBlocks(1);
        assertEq(votes.getPastVotes(ALICE, now_), 58 * M);
        assertEq(votes.getPastVotes(MALLORY, now_), 2 * M);
        // A slash takes the votes with the stake, but never those of a snapshot before it.
        ledger.set(MALLORY, 1);
        nextBlocks(1);
        assertEq(votes.getPastVotes(MALLORY, vm.getBlockNumber() - 1), 1);
        assertEq(votes.getPastVotes(MALLORY, now_), 2 * M);
        assertEq(votes.clock(), vm.getBlockNumber());
    }

    function test_theQuorumIsAPartOfAllTokens() public {
        assertEq(votes.getPastTotalSupply(vm.getBlockNumber() - 1), 1000 * M);
        assertEq(governor.quorum(vm.getBlockNumber() - 1), 40 * M);
        // Thirty are not enough, however one-sided.
        uint256 id = proposeCall(BOB, address(params), setCall(Params.GRACE, 4));
        nextBlocks(VOTING_DELAY + 1);
        voteFor(BOB, id);
        nextBlocks(VOTING_PERIOD);
        assertState(id, IGovernor.ProposalState.Defeated);
        vm.expectRevert();
        governor.queue(id);
    }

    function test_proposingWantsVotesFromBefore() public {
        token.transfer(MALLORY, 999e18);
        vm.prank(MALLORY);
        token.delegate(MALLORY);
        nextBlocks(1);
        vm.expectRevert(
            abi.encodeWithSelector(
                IGovernor.GovernorInsufficientProposerVotes.selector, MALLORY, 999e18, THRESHOLD
            )
        );
        proposeCall(MALLORY, address(params), setCall(Params.GRACE, 4));
    }

    /// @dev 14: what was borrowed and returned within one block never voted, at whichever block it tries.
    function test14_flashVotesFail() public {
        // To propose.
        borrow(MALLORY, 900 * M);
        vm.expectRevert(
            abi.encodeWithSelector(IGovernor.GovernorInsufficientProposerVotes.selector, MALLORY, 0, THRESHOLD)
        );
        proposeCall(MALLORY, address(params), setCall(Params.GRACE, 4));
        giveBack(MALLORY, 900 * M);

        // In the block of the snapshot, and in every block of the vote.
        uint256 id = proposeCall(ALICE, address(params), setCall(Params.GRACE, 4));
        nextBlocks(VOTING_DELAY);
        assertEq(governor.proposalSnapshot(id), vm.getBlockNumber());
        borrow(MALLORY, 900 * M);
        vm.prank(MALLORY);
        vm.expectRevert();
        governor.castVote(id, 1);
        giveBack(MALLORY, 900 * M);
        nextBlocks(1);
        borrow(MALLORY, 900 * M);
        vm.prank(MALLORY);
        governor.castVote(id, 1);
        giveBack(MALLORY, 900 * M);
        (, uint256 inFavour,) = governor.proposalVotes(id);
        assertEq(inFavour, 0);
        // Bought for the vote, after the snapshot: no vote either.
        token.transfer(address(0xB1), 900 * M);
        vm.prank(address(0xB1));
        token.delegate(address(0xB1));
        nextBlocks(1);
        voteFor(address(0xB1), id);
        (, inFavour,) = governor.proposalVotes(id);
        assertEq(inFavour, 0);
    }

    function test14_aTokenVotesOnceHoweverItMoves() public {
        uint256 id = proposeCall(ALICE, address(params), setCall(Params.GRACE, 4));
        nextBlocks(VOTING_DELAY + 1);
        voteFor(ALICE, id);
        vm.prank(ALICE);
        token.transfer(MALLORY, 50 * M);
        vm.prank(MALLORY);
        token.delegate(MALLORY);
        nextBlocks(1);
        voteFor(MALLORY, id);
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(IGovernor.GovernorAlreadyCastVote.selector, ALICE));
        governor.castVote(id, 1);
        (, uint256 inFavour,) = governor.proposalVotes(id);
        assertEq(inFavour, 50 * M);
    }

    // ---------------------------------------------------------------- no haste

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

    // ---------------------------------------------------------------- nothing owed is remitted

    /// @dev 14: exits and windows that run keep the length that they began with.
    function test14_noVoteShortensAWindowThatIsOpen() public {
        registerValidator(MALLORY, 1000e18);
        delegateTo(MALLORY, BOB, 100e18);
        uint256 id = ripen(ALICE, address(params), setCall(Params.UNBONDING, 16));
        uint256 opened = vm.getBlockTimestamp();
        uint256 shares = staking.sharesOf(MALLORY, BOB);
        vm.prank(BOB);
        staking.undelegate(MALLORY, shares);
        governor.execute(id);
        assertEq(params.get(Params.UNBONDING), 16);
        assertEq(params.getAt(Params.UNBONDING, opened), UNBONDING);
        // All exits of an epoch are free together, the unbonding time after its end.
        uint256 free = (staking.epochAt(opened) + 1) * staking.epochLength() + UNBONDING;
        vm.warp(free - 1);
        vm.prank(BOB);
        vm.expectRevert();
        staking.withdraw(MALLORY);
        vm.warp(free);
        vm.prank(BOB);
        staking.withdraw(MALLORY);
        // Nor does any vote bring stake below what it answers for.
        passInVain(
            ALICE,
            address(params),
            setCall(Params.CHALLENGE_WINDOW, 6),
            abi.encodeWithSelector(ParamStore.UnbondingTooShort.selector, 16, 17)
        );
        passInVain(
            ALICE,
            address(params),
            setCall(Params.UNBONDING, 9),
            abi.encodeWithSelector(ParamStore.OutOfBounds.selector, Params.UNBONDING, 9, 10, 90 days)
        );
    }

    /// @dev 14: the contracts that hold stake answer to their fault manager alone, whoever the timelock is.
    function test14_noVoteVoidsOrMovesASlash() public {
        registerValidator(MALLORY, 1000e18);
        registerNode(BOB);
        staking.setFaultManager(address(this));
        bonds.setFaultManager(address(this));
        passInVain(
            ALICE,
            address(staking),
            abi.encodeWithSignature("setFaultManager(address)", ALICE),
            abi.encodeWithSelector(StakeState.AlreadyWired.selector)
        );
        passInVain(
            ALICE,
            address(bonds),
            abi.encodeWithSignature("setFaultManager(address)", ALICE),
            abi.encodeWithSelector(NodeBond.AlreadyWired.selector)
        );
        passInVain(
            ALICE,
            address(staking),
            abi.encodeWithSignature("slash(address,uint64,uint256,bytes32)", MALLORY, 0, 1e17, FAULT),
            abi.encodeWithSelector(StakeState.NotFaultManager.selector, address(timelock))
        );
        uint256 before = token.balanceOf(address(this));
        staking.slash(MALLORY, uint64(staking.currentEpoch()), 5e17, FAULT);
        assertEq(token.balanceOf(address(this)) - before, 500e18);
    }

    /// @dev 14: whatever the guardian may call, it approves, slashes and moves nothing.
    function test14_theGuardianOnlyStopsThings() public {
        pass(ALICE, address(tee), abi.encodeCall(TeeApprovals.approveMeasurement, (HARDWARE, CODE, 1)));
        registerValidator(MALLORY, 1000e18);
        registerNode(BOB);
        bytes32 other = keccak256("other");
        refuseGuardian(address(tee), abi.encodeCall(TeeApprovals.approveHardware, (other)));
        refuseGuardian(address(tee), abi.encodeCall(TeeApprovals.approveRoot, (HARDWARE, other)));
        refuseGuardian(address(tee), abi.encodeCall(TeeApprovals.approveMeasurement, (HARDWARE, other, 1)));
        refuseGuardian(address(tee), abi.encodeCall(TeeApprovals.revokeMeasurement, (HARDWARE, CODE)));
        refuseGuardian(address(params), setCall(Params.GRACE, 4));
        refuseGuardian(address(guardian), abi.encodeCall(Guardian.appoint, (GUARDIAN)));
        refuseGuardian(address(staking), abi.encodeWithSignature("slash(address,uint64,uint256,bytes32)", MALLORY, 0, 1, 0));
        refuseGuardian(address(bonds), abi.encodeWithSignature("slash(address,uint256,bytes32)", BOB, 1, 0));
        refuseGuardian(address(staking), abi.encodeWithSignature("setFaultManager(address)", GUARDIAN));
        refuseGuardian(address(staking), abi.encodeWithSignature("withdraw(address)", MALLORY));
        refuseGuardian(address(timelock), abi.encodeCall(timelock.updateDelay, (0)));
        refuseGuardian(address(timelock), abi.encodeCall(timelock.grantRole, (timelock.PROPOSER_ROLE(), GUARDIAN)));
        // What it may do: stop a record, stop new batches, each for a bounded time.
        vm.prank(GUARDIAN);
        tee.suspend(TeeApprovals.Kind.Measurement, HARDWARE, CODE);
        vm.prank(GUARDIAN);
        pauseClock.pause(type(uint64).max);
        assertTrue(pauseClock.paused());
        vm.warp(vm.getBlockTimestamp() + 3 days);
        assertTrue(!pauseClock.paused());
    }

    // ---------------------------------------------------------------- what governance is for

    function test_aSuspensionIsMadeFinalByVoteInTime() public {
        pass(ALICE, address(tee), abi.encodeCall(TeeApprovals.approveMeasurement, (HARDWARE, CODE, 1)));
        vm.prank(GUARDIAN);
        tee.suspend(TeeApprovals.Kind.Measurement, HARDWARE, CODE);
        uint256 suspended = vm.getBlockTimestamp();
        pass(ALICE, address(tee), abi.encodeCall(TeeApprovals.revokeMeasurement, (HARDWARE, CODE)));
        (, uint64 revokedAt,) = tee.measurement(HARDWARE, CODE);
        assertTrue(vm.getBlockTimestamp() > suspended);
        assertEq(revokedAt, suspended);
    }

    function test_governanceNamesTheNextGuardian() public {
        vm.warp(START + 365 days);
        assertTrue(!guardian.isGuardian(GUARDIAN));
        pass(ALICE, address(guardian), abi.encodeCall(Guardian.appoint, (BOB)));
        assertTrue(guardian.isGuardian(BOB));
        vm.prank(BOB);
        pauseClock.pause(1 days);
        // Lifting a pause by vote takes longer than any pause, so the guardian's own hand is the quick one.
        vm.prank(BOB);
        pauseClock.resume();
        assertTrue(!pauseClock.paused());
    }

    /// @dev Anybody can queue and execute from the chain's state alone: the governor keeps what was proposed.
    function test_proposalsAreKeptOnChain() public {
        uint256 id = proposeCall(ALICE, address(params), setCall(Params.GRACE, 4));
        assertEq(governor.proposalCount(), 1);
        (uint256 first,,,,) = governor.proposalDetailsAt(0);
        assertEq(first, id);
        (address[] memory targets,, bytes[] memory calls,) = governor.proposalDetails(id);
        assertEq(targets[0], address(params));
        assertEq(keccak256(calls[0]), keccak256(setCall(Params.GRACE, 4)));
    }

    // ---------------------------------------------------------------- helpers

    function setCall(bytes32 key, uint256 value) private pure returns (bytes memory) {
        return abi.encodeCall(ParamStore.set, (key, value));
    }

    function bounds(uint256 value, uint256 least, uint256 most) private pure returns (bytes memory) {
        return abi.encodeWithSelector(OpgGovernor.RuleOutOfBounds.selector, value, least, most);
    }

    /// @dev A flash loan's first half: tokens, and votes of them, within this block.
    function borrow(address who, uint256 amount) private {
        token.transfer(who, amount);
        vm.prank(who);
        token.delegate(who);
    }

    function giveBack(address who, uint256 amount) private {
        vm.prank(who);
        token.transfer(address(this), amount);
    }

    function refuseGuardian(address target, bytes memory call) private {
        vm.prank(GUARDIAN);
        (bool done,) = target.call(call);
        assertTrue(!done);
    }
}
