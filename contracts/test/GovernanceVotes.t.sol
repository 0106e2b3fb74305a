// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IGovernor} from "@openzeppelin/contracts/governance/IGovernor.sol";
import {Params} from "../src/libraries/Params.sol";
import {GovernanceFixture} from "./GovernanceFixture.sol";

/// @title What a vote weighs, and that borrowed and moved tokens weigh nothing more
/// @notice Economics, "Test first" 14: flash votes fail.
contract GovernanceVotesTest is GovernanceFixture {
    function setUp() public {
        deployVoters();
    }

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

    // ---------------------------------------------------------------- helpers

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
}
