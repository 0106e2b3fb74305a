// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {OpgVotes} from "../src/OpgVotes.sol";
import {IVotesSource} from "../src/interfaces/IVotesSource.sol";
import {StakingFixture} from "./StakingFixture.sol";

/// @notice Votes over the real stake: where it lies, what a slash takes, and that nothing counts twice.
contract StakedVotesTest is StakingFixture {
    OpgVotes private votes;
    address[4] private holders = [V, ALICE, BOB, CAROL];

    function setUp() public {
        setUpStaking();
        votes = new OpgVotes(token, IVotesSource(address(staking)));
        for (uint256 i = 0; i < holders.length; i++) {
            vm.prank(holders[i]);
            token.delegate(holders[i]);
        }
    }

    function test_votesAreCountedByTheTokensClock() public view {
        assertEq(votes.clock(), token.clock());
        assertEq(keccak256(bytes(votes.CLOCK_MODE())), keccak256(bytes(token.CLOCK_MODE())));
    }

    function test_stakingMovesAVoteAndNeverDoublesIt() public {
        fund(ALICE, 500e18);
        assertEq(votesNow(ALICE), 500e18);
        vm.prank(ALICE);
        staking.delegate(V, 300e18, 0);
        assertEq(votesNow(ALICE), 500e18);
        assertEq(token.getVotes(address(staking)), 0);
        // On its way out it votes for nobody: it is neither at work nor free.
        undelegate(V, ALICE, staking.sharesOf(V, ALICE) / 3);
        uint256 left = votesNow(ALICE);
        assertNear(left, 400e18, 2);
        skipUnbonding();
        withdraw(V, ALICE);
        assertNear(votesNow(ALICE), 500e18, 2);
    }

    function test_aSlashTakesVotesFromNowOnAndNoneOfAPastSnapshot() public {
        delegateTo(V, ALICE, 1000e18);
        uint256 snapshot = vm.getBlockNumber();
        nextEpoch();
        uint256 before = votesNow(ALICE);
        slash(V, epoch() - 1, ALL / 2);
        assertTrue(votesNow(ALICE) < before);
        assertNear(votesNow(ALICE), staking.stakeOfHolder(V, ALICE), 4);
        assertEq(votes.getPastVotes(ALICE, snapshot), before);
    }

    /// @dev Borrowed stake is no better than borrowed tokens: in and out of staking within a block votes nowhere.
    function test14_flashStakeDoesNotVote() public {
        fund(CAROL, 900_000e18);
        vm.startPrank(CAROL);
        staking.delegate(V, 900_000e18, 0);
        staking.undelegate(V, staking.sharesOf(V, CAROL));
        vm.stopPrank();
        assertEq(votesNow(CAROL), 0);
    }

    /// @dev However tokens, stake, exits and slashes are mixed, all votes together are never more than all tokens.
    function testFuzz_votesNeverExceedTokens(uint96[8] memory amounts, uint8[8] memory moves) public {
        for (uint256 i = 0; i < 8; i++) {
            address who = holders[1 + i % 3];
            uint256 amount = 1e18 + uint256(amounts[i]) % 1_000_000e18;
            if (moves[i] % 4 == 0) {
                fund(who, amount);
            } else if (moves[i] % 4 == 1) {
                delegateTo(V, who, amount);
            } else if (moves[i] % 4 == 2 && staking.sharesOf(V, who) > 1) {
                undelegate(V, who, 1 + amount % staking.sharesOf(V, who));
            } else if (epoch() > 0) {
                nextEpoch();
                slash(V, epoch() - 1, 1 + amount % (ALL / 10));
            }
            checkSum();
        }
    }

    function checkSum() private {
        uint256 sum;
        for (uint256 i = 0; i < holders.length; i++) sum += votesNow(holders[i]);
        uint256 outside = token.balanceOf(address(this));
        // This contract holds the rest of the supply and delegates to nobody.
        assertTrue(sum + outside <= votes.getPastTotalSupply(vm.getBlockNumber() - 1));
    }

    /// @dev As of the end of the present block.
    function votesNow(address who) private returns (uint256) {
        vm.roll(vm.getBlockNumber() + 1);
        return votes.getPastVotes(who, vm.getBlockNumber() - 1);
    }
}
