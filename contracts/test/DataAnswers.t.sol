// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Finding} from "../src/faults/IFaultAdapter.sol";
import {DataChallenge} from "../src/faults/DataChallenge.sol";
import {DataSibling} from "../src/libraries/DataLib.sol";
import {Entry, Path} from "../src/libraries/InclusionLib.sol";
import {BatchBook} from "../src/settlement/BatchBook.sol";
import {ChunkTree} from "./ChunkTree.sol";
import {FaultFixture} from "./FaultFixture.sol";

/// @title Class 4: what a committer that chose its own tree cannot pass off as an answer, and when and what may be demanded
contract DataAnswersTest is FaultFixture {
    address private constant CHALLENGER = address(0xC4A1);
    address private constant HOLDER = address(0x401D);
    DataChallenge.Part private constant CHUNK = DataChallenge.Part.Chunk;
    DataChallenge.Part private constant RECEIPT = DataChallenge.Part.Receipt;

    bytes32 private batchId;

    function setUp() public {
        deployFaults();
        token.transfer(CHALLENGER, 1000e18);
        vm.prank(CHALLENGER);
        token.approve(address(dataChallenge), type(uint256).max);
        commitData(ChunkTree.dataHash("one chunk"));
    }

    // ---------------------------------------------------------------- what is no answer

    function test_aFileOfNoBytesHasNoChunkButAnEnd() public {
        bytes32 root = ChunkTree.leaf(0, "");
        commitData(ChunkTree.hashOf(0, root));
        bytes32 id = demand(CHUNK, 0);
        refuse(id, 0, "");
        vm.expectEmit(address(dataChallenge));
        emit DataChallenge.ChunkAbsent(id, batchId, HOLDER, 0);
        vm.prank(HOLDER);
        dataChallenge.showEnd(id, 0, root);
        assertTrue(challengeState(id) == DataChallenge.State.Answered);
    }

    /// @dev Who cannot fetch the file cannot know its length: any chunk that a file may have is demanded, and its absence shown.
    function test_aDemandReachesToTheEndOfTheLargestFileHoweverSmallTheBatch() public {
        bytes32 id = demand(CHUNK, 1023);
        dataChallenge.showEnd(id, 9, ChunkTree.root("one chunk"));
        assertTrue(challengeState(id) == DataChallenge.State.Answered);
        vm.expectRevert(abi.encodeWithSelector(DataChallenge.NoSuchPart.selector, CHUNK, 1024));
        demand(CHUNK, 1024);
    }

    /// @dev The committer says that a chunk is longer than what its own tree holds of it.
    function test_aChunkCutShortIsNoAnswer() public {
        commitData(ChunkTree.hashOf(9, ChunkTree.leaf(0, "cut off")));
        refuse(demand(CHUNK, 0), 9, "cut off");
    }

    function test_aReceiptIsNoAnswerForTheChunkOfTheSameNumber() public {
        Entry[] memory entries = only(honestEntry(1));
        bytes memory signature = sign(entries[0].receipt, ENCLAVE);
        Path memory path = pathOf(entries, 0);
        batchId = commitEntries(entries);
        bytes32 id = demand(CHUNK, 2);
        vm.expectRevert(abi.encodeWithSelector(DataChallenge.WrongAnswer.selector, id));
        dataChallenge.showReceipt(id, entries[0], signature, path);
        id = demand(RECEIPT, 2);
        dataChallenge.showReceipt(id, entries[0], signature, path);
        assertTrue(challengeState(id) == DataChallenge.State.Answered);
    }

    function test_nothingIsAnsweredThatNobodyDemanded() public {
        bytes32 id = dataChallenge.challengeIdOf(batchId, CHUNK, 0);
        bytes memory reason = abi.encodeWithSelector(DataChallenge.NotOpen.selector, id, DataChallenge.State.None);
        vm.expectRevert(reason);
        dataChallenge.conclude(id);
        vm.expectRevert(reason);
        dataChallenge.show(id, 9, "one chunk", new DataSibling[](0));
        vm.expectRevert(reason);
        dataChallenge.judge(abi.encode(id));
    }

    // ---------------------------------------------------------------- in time

    function test_theLastSecondIsInTimeAndAPauseMovesIt() public {
        bytes32 id = demand(CHUNK, 0);
        uint64 deadline = uint64(block.timestamp + DATA_RESPONSE);
        assertEq(dataChallenge.deadlineOf(id), deadline);
        vm.prank(GUARDIAN);
        clock.pause(10);
        vm.warp(deadline + 9);
        assertEq(dataChallenge.deadlineOf(id), deadline + 10);
        vm.expectRevert(abi.encodeWithSelector(DataChallenge.TooEarly.selector, id, deadline + 10));
        dataChallenge.conclude(id);
        answer(id);
        assertTrue(challengeState(id) == DataChallenge.State.Answered);
    }

    function test_demandsAreTakenUntilTheWindowEndsAndAPauseMovesIt() public {
        attestAll(batchId, 3);
        uint64 end = uint64(block.timestamp + WINDOW);
        vm.prank(GUARDIAN);
        clock.pause(10);
        vm.warp(end + 9);
        answer(demand(CHUNK, 0));
        vm.warp(end + 10);
        vm.expectRevert(abi.encodeWithSelector(DataChallenge.WindowClosed.selector, batchId, end + 10));
        demand(CHUNK, 1);
    }

    /// @dev Nobody withholds it: it stands in the event of the call that forced it in.
    function test_whatWasForcedInHasNoFile() public {
        Entry memory entry = honestEntry(1);
        bytes memory signature = sign(entry.receipt, ENCLAVE);
        vm.warp(entry.receipt.includeBy + 1);
        batchId = settlement.force(1, entry, signature);
        vm.expectRevert(abi.encodeWithSelector(DataChallenge.NoFile.selector, batchId));
        demand(CHUNK, 0);
    }

    // ---------------------------------------------------------------- what is known of a challenge

    function test_aDemandIsKeptAsItWasMade() public {
        attestAll(batchId, 1);
        bytes32 id = keccak256(abi.encode(batchId, CHUNK, uint64(3)));
        uint256 bond = CHALLENGE_BOND + MIN_BOND / 1000;
        vm.expectEmit(address(dataChallenge));
        emit DataChallenge.PartDemanded(id, batchId, CHALLENGER, CHUNK, 3, bond);
        assertEq(demand(CHUNK, 3), id);
        DataChallenge.Challenge memory c = dataChallenge.challenge(id);
        assertEq(c.challenger, CHALLENGER);
        assertTrue(c.state == DataChallenge.State.Open && c.part == CHUNK);
        assertEq(c.openedAt, block.timestamp);
        assertEq(c.index, 3);
        assertEq(c.bond, bond);
        assertEq(c.batchId, batchId);
        assertEq(token.balanceOf(address(dataChallenge)), bond);
        assertEq(address(dataChallenge.params()), address(params));
        assertEq(address(dataChallenge.clock()), address(clock));
    }

    function test_aBondIsHandedOutOnce() public {
        bytes32 id = demand(CHUNK, 0);
        bytes32 other = demand(CHUNK, 1);
        vm.warp(block.timestamp + DATA_RESPONSE);
        dataChallenge.conclude(id);
        vm.expectRevert(abi.encodeWithSelector(DataChallenge.NotOpen.selector, id, DataChallenge.State.Unanswered));
        dataChallenge.conclude(id);
        dataChallenge.conclude(other);
        assertEq(settlement.batch(batchId).challenges, 0);
        vm.expectRevert(abi.encodeWithSelector(DataChallenge.NoCredit.selector, HOLDER));
        vm.prank(HOLDER);
        dataChallenge.withdraw();
        uint256 before = token.balanceOf(CHALLENGER);
        vm.prank(CHALLENGER);
        assertEq(dataChallenge.withdraw(), 2 * CHALLENGE_BOND);
        assertEq(token.balanceOf(CHALLENGER), before + 2 * CHALLENGE_BOND);
        vm.expectRevert(abi.encodeWithSelector(DataChallenge.NoCredit.selector, CHALLENGER));
        vm.prank(CHALLENGER);
        dataChallenge.withdraw();
    }

    function test_whatNobodyShowedIsFoundAgainstCommitterAndAttesters() public {
        uint64 committedAt = uint64(block.timestamp);
        vm.warp(committedAt + 2);
        bytes32 id = demand(CHUNK, 0);
        vm.warp(committedAt + 2 + DATA_RESPONSE);
        dataChallenge.conclude(id);
        assertState(batchId, BatchBook.State.Void);
        Finding memory f = dataChallenge.judge(abi.encode(id));
        assertEq(f.faultKey, batchId);
        assertEq(f.batchId, batchId);
        assertTrue(f.voids && f.attesters);
        assertEq(f.committer, COMMITTER);
        assertEq(f.offenceAt, committedAt);
        assertEq(f.bountyTo, CHALLENGER);
        assertEq(f.node, address(0));
        assertEq(f.loss, 0);
    }

    // ---------------------------------------------------------------- helpers

    function commitData(bytes32 dataHash) private {
        batchId = commitGroups(groupsWith(NODE, leavesOf(only(honestEntry(1)))[0]), dataHash);
    }

    function demand(DataChallenge.Part part, uint64 index) private returns (bytes32) {
        vm.prank(CHALLENGER);
        return dataChallenge.demand(batchId, part, index);
    }

    function answer(bytes32 id) private {
        dataChallenge.show(id, 9, "one chunk", new DataSibling[](0));
    }

    function refuse(bytes32 id, uint64 length, bytes memory chunk) private {
        vm.expectRevert(abi.encodeWithSelector(DataChallenge.WrongAnswer.selector, id));
        dataChallenge.show(id, length, chunk, new DataSibling[](0));
        assertTrue(challengeState(id) == DataChallenge.State.Open);
    }

    function challengeState(bytes32 id) private view returns (DataChallenge.State) {
        return dataChallenge.challenge(id).state;
    }
}
