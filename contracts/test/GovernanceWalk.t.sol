// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IGovernor} from "@openzeppelin/contracts/governance/IGovernor.sol";
import {TeeApprovals} from "../src/tee/TeeApprovals.sol";
import {Params} from "../src/libraries/Params.sol";
import {GovernanceFixture} from "./GovernanceFixture.sol";
import {IWalk, WalkTest} from "./WalkTest.sol";

/// @title Everything that holders, stakers, the guardian and time can do, one public function a move
/// @notice Keeps books of its own of what was proposed and when, and `check` holds the contracts against them. A move
/// takes random words and reverts only where a promise is broken; a refusal of a contract is an outcome like another.
contract GovernanceWalk is GovernanceFixture {
    uint256 private constant ACTORS = 5;
    uint256 private constant CODES = 6;
    address private constant VAULT = address(0x57A8E);

    struct Book {
        uint256 id;
        uint256 proposedBlock;
        uint256 queuedTime;
        /// Index of the measurement that it approves, plus one; 0 for anything else.
        uint256 code;
    }

    Book[] private _books;
    uint256 private _begun;
    mapping(uint256 code => uint256) private _approvedTime;
    mapping(address actor => uint256) private _staked;
    uint256 public executed;
    uint256 public suggested;

    function deploy() external {
        deployGovernance();
        _begun = vm.getBlockTimestamp();
        for (uint256 i = 0; i < ACTORS; i++) enfranchise(actor(i), (i + 1) * 20_000_000e18);
        nextBlocks(1);
    }

    // ---------------------------------------------------------------- moves of holders

    function move(uint256 from, uint256 to, uint256 amount) external {
        address sender = actor(from);
        uint256 most = token.balanceOf(sender);
        vm.prank(sender);
        token.transfer(actor(to), most == 0 ? 0 : amount % most);
    }

    function delegate(uint256 from, uint256 to) external {
        vm.prank(actor(from));
        token.delegate(actor(to));
    }

    function stake(uint256 who, uint256 amount) external {
        address holder = actor(who);
        uint256 most = token.balanceOf(holder);
        uint256 value = most == 0 ? 0 : amount % most;
        vm.prank(holder);
        token.transfer(VAULT, value);
        _staked[holder] += value;
        ledger.set(holder, _staked[holder]);
    }

    /// @dev An exit, or a slash of a part that goes to nobody who votes.
    function unstake(uint256 who, uint256 amount, uint256 slashed) external {
        address holder = actor(who);
        uint256 value = _staked[holder] == 0 ? 0 : amount % _staked[holder];
        _staked[holder] -= value;
        ledger.set(holder, _staked[holder]);
        vm.prank(VAULT);
        token.transfer(slashed % 2 == 1 ? address(0xDEAD) : holder, value);
    }

    // ---------------------------------------------------------------- moves of governance

    function suggest(uint256 who, uint256 kind, uint256 word) external {
        (address target, bytes memory data, uint256 code) = idea(kind % 8, uint64(word));
        address[] memory targets = new address[](1);
        bytes[] memory calls = new bytes[](1);
        (targets[0], calls[0]) = (target, data);
        vm.prank(actor(who));
        try governor.propose(targets, new uint256[](1), calls, "") returns (uint256 id) {
            _books.push(Book(id, vm.getBlockNumber(), 0, code));
            suggested++;
        } catch {}
    }

    function vote(uint256 who, uint256 which, uint256 choice) external {
        if (_books.length == 0) return;
        vm.prank(actor(who));
        try governor.castVote(_books[which % _books.length].id, uint8(choice % 3)) {} catch {}
    }

    /// @dev Takes a young proposal one legitimate step further, waiting as long as that takes, so that many get somewhere.
    function push(uint256 which, uint256 againstIt) external {
        if (_books.length == 0) return;
        uint256 young = _books.length < 3 ? _books.length : 3;
        Book storage book = _books[_books.length - 1 - which % young];
        IGovernor.ProposalState now_ = governor.state(book.id);
        if (now_ == IGovernor.ProposalState.Pending) {
            rollTo(governor.proposalSnapshot(book.id) + 1);
        } else if (now_ == IGovernor.ProposalState.Active) {
            for (uint256 i = 0; i < ACTORS; i++) {
                vm.prank(actor(i));
                try governor.castVote(book.id, againstIt % 4 == 0 ? 0 : 1) {} catch {}
            }
            rollTo(governor.proposalDeadline(book.id) + 1);
        } else if (now_ == IGovernor.ProposalState.Succeeded) {
            governor.queue(book.id);
            book.queuedTime = vm.getBlockTimestamp();
        } else if (now_ == IGovernor.ProposalState.Queued) {
            uint256 eta = governor.proposalEta(book.id);
            if (vm.getBlockTimestamp() < eta) vm.warp(eta);
            run(book);
        }
    }

    /// @dev In whatever state it is, and however early.
    function force(uint256 which) external {
        if (_books.length == 0) return;
        Book storage book = _books[which % _books.length];
        try governor.queue(book.id) {
            book.queuedTime = vm.getBlockTimestamp();
        } catch {}
        run(book);
    }

    // ---------------------------------------------------------------- moves of the guardian, and of time

    function guard(uint256 kind, uint256 code, uint256 duration) external {
        vm.prank(GUARDIAN);
        if (kind % 4 == 0) {
            try pauseClock.pause(uint64(duration)) {} catch {}
        } else if (kind % 4 == 1) {
            try pauseClock.resume() {} catch {}
        } else if (kind % 4 == 2) {
            try tee.suspend(TeeApprovals.Kind.Measurement, HARDWARE, codeOf(code % CODES)) {} catch {}
        } else {
            try tee.approveMeasurement(HARDWARE, codeOf(code % CODES), 1) {
                revert NotTrue();
            } catch {}
        }
    }

    function wait(uint256 blocks) external {
        nextBlocks(1 + blocks % (2 * VOTING_PERIOD));
    }

    function waitLong(uint256 time) external {
        vm.warp(vm.getBlockTimestamp() + time % 20 days);
    }

    // ---------------------------------------------------------------- promises

    function check() external view {
        checkVotes();
        checkApprovals();
        checkRules();
        checkPauses();
    }

    /// @dev No token votes twice: the votes of everybody are never more than there are tokens.
    function checkVotes() private view {
        uint256 timepoint = vm.getBlockNumber() - 1;
        uint256 sum;
        for (uint256 i = 0; i < ACTORS; i++) sum += votes.getPastVotes(actor(i), timepoint);
        assertTrue(sum <= votes.getPastTotalSupply(timepoint));
        assertEq(token.getVotes(VAULT), 0);
    }

    /// @dev Nothing is approved but by an executed proposal, and never before it.
    function checkApprovals() private view {
        for (uint256 i = 0; i < CODES; i++) {
            (uint64 validFrom,,) = tee.measurement(HARDWARE, codeOf(i));
            assertEq(validFrom, _approvedTime[i]);
            (uint64 from, uint64 until) = tee.suspension(TeeApprovals.Kind.Measurement, HARDWARE, codeOf(i));
            assertTrue(until <= from + SUSPENSION);
        }
    }

    /// @dev Governance never becomes faster or looser than it was deployed, and no window outlasts the stake behind it.
    function checkRules() private view {
        assertTrue(governor.votingDelay() >= VOTING_DELAY);
        assertTrue(governor.votingPeriod() >= VOTING_PERIOD);
        assertTrue(governor.lateQuorumVoteExtension() >= EXTENSION);
        assertTrue(governor.quorumNumerator() >= QUORUM_BPS);
        assertTrue(timelock.getMinDelay() >= DELAY && timelock.getMinDelay() <= 16 * DELAY);
        uint256 liability =
            params.get(Params.CHALLENGE_WINDOW) + params.get(Params.ADJUDICATION) + params.get(Params.GRACE);
        assertTrue(params.get(Params.UNBONDING) >= liability);
        bytes32[] memory keys = params.keys();
        for (uint256 i = 0; i < keys.length; i++) {
            (uint256 min, uint256 max) = params.bounds(keys[i]);
            assertTrue(params.get(keys[i]) >= min && params.get(keys[i]) <= max);
        }
    }

    /// @dev Three days of pause in thirty at most, whatever the guardian does.
    function checkPauses() private view {
        uint256 passed = vm.getBlockTimestamp() - _begun;
        assertTrue(pauseClock.pausedSeconds() <= (passed / 30 days + 1) * 3 days);
    }

    // ---------------------------------------------------------------- internal

    function run(Book storage book) private {
        uint256 before = uint256(governor.state(book.id));
        try governor.execute(book.id) {
            executed++;
            // The whole way was gone, however it was hurried.
            assertEq(before, uint256(IGovernor.ProposalState.Queued));
            assertTrue(vm.getBlockNumber() > book.proposedBlock + VOTING_DELAY + VOTING_PERIOD);
            assertTrue(vm.getBlockTimestamp() >= book.queuedTime + DELAY);
            (uint256 no, uint256 yes, uint256 abstain) = governor.proposalVotes(book.id);
            assertTrue(yes > no && yes + abstain >= 40_000_000e18);
            if (book.code != 0) _approvedTime[book.code - 1] = vm.getBlockTimestamp();
        } catch {}
    }

    /// @dev What somebody may think of, sound or not.
    function idea(uint256 kind, uint256 word) private view returns (address, bytes memory, uint256 code) {
        if (kind == 0) {
            code = word % CODES + 1;
            return (address(tee), abi.encodeCall(TeeApprovals.approveMeasurement, (HARDWARE, codeOf(code - 1), 1)), code);
        }
        if (kind == 1) {
            return (address(tee), abi.encodeCall(TeeApprovals.revokeMeasurement, (HARDWARE, codeOf(word % CODES))), 0);
        }
        if (kind == 2) return (address(params), setCall(Params.UNBONDING, word % 60), 0);
        if (kind == 3) return (address(params), setCall(Params.CHALLENGE_WINDOW, word % 40), 0);
        if (kind == 4) return (address(timelock), abi.encodeCall(timelock.updateDelay, (word % (40 days))), 0);
        if (kind == 5) {
            uint32 period = uint32(VOTING_PERIOD / 2 + word % (2 * VOTING_PERIOD));
            return (address(governor), abi.encodeCall(governor.setVotingPeriod, (period)), 0);
        }
        if (kind == 6) return (address(governor), abi.encodeCall(governor.updateQuorumNumerator, (word % 900)), 0);
        return (address(staking), abi.encodeWithSignature("setFaultManager(address)", actor(word)), 0);
    }

    function rollTo(uint256 blockNumber) private {
        if (vm.getBlockNumber() < blockNumber) nextBlocks(blockNumber - vm.getBlockNumber());
    }

    function actor(uint256 index) private pure returns (address) {
        return address(uint160(0xAC70 + index % ACTORS));
    }

    function codeOf(uint256 index) private pure returns (bytes32) {
        return keccak256(abi.encode("code", index));
    }

    function moves() external pure returns (bytes4[] memory list) {
        list = new bytes4[](13);
        list[0] = this.move.selector;
        list[1] = this.delegate.selector;
        list[2] = this.stake.selector;
        list[3] = this.unstake.selector;
        list[4] = this.suggest.selector;
        list[5] = this.vote.selector;
        list[6] = this.force.selector;
        list[7] = this.guard.selector;
        list[8] = this.wait.selector;
        list[9] = this.waitLong.selector;
        // Named several times: most of the way of a proposal is one push after another.
        list[10] = list[11] = list[12] = this.push.selector;
    }
}

contract GovernanceWalkTest is WalkTest {
    GovernanceWalk private walk;

    function setUp() public {
        walk = new GovernanceWalk();
        walk.deploy();
    }

    function walked() internal view override returns (IWalk) {
        return IWalk(address(walk));
    }

    /// @dev Depth for a pass over every kind of move; the long campaign raises the runs.
    /// forge-config: default.invariant.depth = 48
    /// forge-config: default.invariant.fail-on-revert = true
    function invariant_governanceKeepsItsPromises() public view {
        walk.check();
    }

    /// @dev A walk that reaches nothing would keep every promise: some proposals come into effect, and most do not.
    function test_theWalkGetsSomewhere() public {
        bytes4[] memory moves = walk.moves();
        for (uint256 i = 0; i < 300; i++) {
            uint256 dice = uint256(keccak256(abi.encode(i)));
            uint256 second = moves[dice % 13] == GovernanceWalk.suggest.selector ? dice >> 4 : dice >> 240;
            make(abi.encodeWithSelector(moves[dice % 13], dice >> 8, second % 256, uint256(uint32(dice >> 20))));
        }
        walk.check();
        assertTrue(walk.executed() >= 3);
        assertTrue(walk.suggested() > walk.executed() + 5);
    }
}
