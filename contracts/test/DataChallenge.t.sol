// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DataChallenge} from "../src/faults/DataChallenge.sol";
import {FaultManager} from "../src/FaultManager.sol";
import {DataSibling} from "../src/libraries/DataLib.sol";
import {Entry} from "../src/libraries/InclusionLib.sol";
import {RowKey, SumNode} from "../src/libraries/MerkleSumLib.sol";
import {Params} from "../src/libraries/Params.sol";
import {ParamStore} from "../src/ParamStore.sol";
import {BatchBook} from "../src/settlement/BatchBook.sol";
import {StakeState} from "../src/staking/StakeState.sol";
import {ChunkTree} from "./ChunkTree.sol";
import {FaultFixture} from "./FaultFixture.sol";
import {MerkleSumBuilder} from "./MerkleSumBuilder.sol";
import {Vm} from "./Vm.sol";

/// @title Class 4: a committer that withholds its batch file, and a challenger that only says so
contract DataChallengeTest is FaultFixture {
    address private constant CHALLENGER = address(0xC4A1);
    address private constant HOLDER = address(0x401D);
    uint64 private constant LENGTH = 2 * 8192 + 100;
    DataChallenge.Part private constant CHUNK = DataChallenge.Part.Chunk;
    DataChallenge.Part private constant RECEIPT = DataChallenge.Part.Receipt;

    bytes private file;
    bytes32 private batchId;

    function setUp() public {
        deployFaults();
        file = new bytes(LENGTH);
        for (uint256 i = 0; i < 3; i++) file[i * ChunkTree.CHUNK] = bytes1(uint8(i + 1));
        batchId = commitGroups(groupsWith(NODE, leavesOf(only(honestEntry(1)))[0]), ChunkTree.dataHash(file));
        token.transfer(CHALLENGER, 1000e18);
        vm.prank(CHALLENGER);
        token.approve(address(dataChallenge), type(uint256).max);
    }

    // ---------------------------------------------------------------- answered

    function test_everyChunkCanBeShownAndTheBondIsShared() public {
        for (uint64 i = 0; i < 3; i++) {
            bytes32 id = demand(i);
            uint256 supply = token.totalSupply();
            vm.prank(HOLDER);
            dataChallenge.show(id, LENGTH, chunk(i), siblings(i));
            assertEq(dataChallenge.credit(HOLDER), CHALLENGE_BOND / 2 * (i + 1));
            assertEq(supply - token.totalSupply(), CHALLENGE_BOND / 2);
            assertEq(settlement.batch(batchId).challenges, 0);
        }
        vm.prank(HOLDER);
        dataChallenge.withdraw();
        assertEq(token.balanceOf(HOLDER), CHALLENGE_BOND * 3 / 2);
        assertEq(token.balanceOf(address(dataChallenge)), 0);
        assertEq(bondOf(COMMITTER), MIN_BOND);
    }

    function test_aChunkBeyondTheEndIsAnsweredByTheLength() public {
        bytes32 id = demand(3);
        vm.expectRevert(abi.encodeWithSelector(DataChallenge.WrongAnswer.selector, id));
        dataChallenge.showEnd(id, LENGTH + 1, ChunkTree.root(file));
        vm.prank(HOLDER);
        dataChallenge.showEnd(id, LENGTH, ChunkTree.root(file));
        assertEq(dataChallenge.credit(HOLDER), CHALLENGE_BOND / 2);
        // But not one before it.
        id = demand(2);
        vm.expectRevert(abi.encodeWithSelector(DataChallenge.WrongAnswer.selector, id));
        dataChallenge.showEnd(id, LENGTH, ChunkTree.root(file));
    }

    function test_anotherChunkALengthOrASiblingIsNoAnswer() public {
        bytes32 id = demand(1);
        bytes memory reason = abi.encodeWithSelector(DataChallenge.WrongAnswer.selector, id);
        vm.expectRevert(reason);
        dataChallenge.show(id, LENGTH, chunk(0), siblings(0));
        vm.expectRevert(reason);
        dataChallenge.show(id, LENGTH, chunk(1), siblings(0));
        vm.expectRevert(reason);
        dataChallenge.show(id, LENGTH - 1, chunk(1), siblings(1));
        vm.expectRevert(reason);
        dataChallenge.show(id, LENGTH, "", siblings(1));
        dataChallenge.show(id, LENGTH, chunk(1), siblings(1));
        vm.expectRevert(
            abi.encodeWithSelector(DataChallenge.NotOpen.selector, id, DataChallenge.State.Answered)
        );
        dataChallenge.show(id, LENGTH, chunk(1), siblings(1));
    }

    function test_whatWasShownIsNotDemandedAgain() public {
        bytes32 id = demand(1);
        dataChallenge.show(id, LENGTH, chunk(1), siblings(1));
        vm.expectRevert(abi.encodeWithSelector(DataChallenge.AlreadyDemanded.selector, id));
        vm.prank(CHALLENGER);
        dataChallenge.demand(batchId, CHUNK, 1);
    }

    // ---------------------------------------------------------------- receipts

    function test_everyReceiptOfAnHonestBatchCanBeShown() public {
        Entry[] memory entries = among(honestEntry(2), 2, 5);
        batchId = commitEntries(entries);
        for (uint64 i = 0; i < 5; i++) {
            // Two receipts stand in the row before.
            bytes32 id = demandReceipt(i + 2);
            bytes memory signature = sign(entries[i].receipt, ENCLAVE);
            bytes memory rogue = sign(entries[i].receipt, ROGUE);
            uint64 next = (i + 1) % 5;
            bytes memory another = sign(entries[next].receipt, ENCLAVE);
            vm.expectRevert(abi.encodeWithSelector(DataChallenge.WrongAnswer.selector, id));
            dataChallenge.showReceipt(id, entries[next], another, pathOf(entries, next));
            vm.expectRevert(abi.encodeWithSelector(DataChallenge.WrongAnswer.selector, id));
            dataChallenge.showReceipt(id, entries[i], rogue, pathOf(entries, i));
            vm.expectRevert(abi.encodeWithSelector(DataChallenge.WrongAnswer.selector, id));
            dataChallenge.show(id, LENGTH, chunk(0), siblings(0));
            dataChallenge.showReceipt(id, entries[i], signature, pathOf(entries, i));
        }
        assertEq(settlement.batch(batchId).challenges, 0);
    }

    /// @dev A quorum that colludes calls a row valid that has no receipts behind it. Its file is there to the last byte.
    function test_oneHonestPartyStopsAQuorumThatInventsARow() public {
        SumNode memory invented = SumNode(keccak256("nothing"), 10e18, 10e18, 4);
        SumNode memory row = rowOf(keyOf(grantedEntry(1)), invented);
        batchId = commitGroups(groupsWith(NODE, MerkleSumBuilder.top(rowsAround(row))), ChunkTree.dataHash(file));
        attestAll(batchId, 3);
        bytes32 id = demandReceipt(3);
        Entry[] memory entries = only(grantedEntry(1));
        bytes memory signature = sign(entries[0].receipt, ENCLAVE);
        vm.expectRevert(abi.encodeWithSelector(DataChallenge.WrongAnswer.selector, id));
        dataChallenge.showReceipt(id, entries[0], signature, pathOf(entries, 0));
        vm.warp(block.timestamp + DATA_RESPONSE);
        dataChallenge.conclude(id);
        assertState(batchId, BatchBook.State.Void);
        assertEq(bondOf(COMMITTER), MIN_BOND * 95 / 100);
    }

    function test_aReceiptInAForeignRowCannotBeShown() public {
        Entry memory entry = honestEntry(1);
        RowKey memory key = keyOf(entry);
        key.payer = HOLDER;
        SumNode[] memory leaves = leavesOf(only(entry));
        batchId = commitRow(key, leaves);
        bytes32 id = demandReceipt(2);
        bytes memory signature = sign(entry.receipt, ENCLAVE);
        vm.expectRevert(abi.encodeWithSelector(DataChallenge.WrongAnswer.selector, id));
        dataChallenge.showReceipt(id, entry, signature, pathIn(NODE, key, leaves, 0));
    }

    function test_noReceiptIsDemandedBeyondTheCount() public {
        uint64 count = settlement.batch(batchId).count;
        vm.expectRevert(abi.encodeWithSelector(DataChallenge.NoSuchPart.selector, RECEIPT, count));
        vm.prank(CHALLENGER);
        dataChallenge.demand(batchId, RECEIPT, count);
    }

    // ---------------------------------------------------------------- unanswered

    function test_withheldDataVoidsTheBatchAndCostsCommitterAndAttesters() public {
        attestAll(batchId, 2);
        bytes32 id = demand(0);
        vm.warp(block.timestamp + DATA_RESPONSE - 1);
        vm.expectRevert(
            abi.encodeWithSelector(DataChallenge.TooEarly.selector, id, uint64(block.timestamp + 1))
        );
        dataChallenge.conclude(id);
        vm.warp(block.timestamp + 1);
        vm.expectRevert(abi.encodeWithSelector(DataChallenge.TooLate.selector, id, uint64(block.timestamp)));
        dataChallenge.show(id, LENGTH, chunk(0), siblings(0));
        dataChallenge.conclude(id);
        assertState(batchId, BatchBook.State.Void);
        assertEq(settlement.batch(batchId).challenges, 0);
        assertEq(dataChallenge.credit(CHALLENGER), bondPaid(2));
        assertEq(bondOf(COMMITTER), MIN_BOND * 95 / 100);
        bytes32 faultId = faults.faultIdOf(4, batchId);
        faults.punish(faultId, 0, 64);
        for (uint256 i = 0; i < 2; i++) {
            // A small penalty, whatever their share: an outage is no lie.
            assertEq(staking.stakeOf(validatorAt(i)), MIN_BOND * 95 / 100);
            assertTrue(staking.validator(validatorAt(i)).status == StakeState.Status.Jailed);
            assertEq(staking.validator(validatorAt(i)).openChallenges, 0);
        }
        assertEq(staking.stakeOf(validatorAt(2)), MIN_BOND);
        vm.warp(block.timestamp + GRACE);
        faults.distribute(faultId);
        // 5 % of three bonds of 100, a fifth of it to the challenger.
        assertEq(faults.credit(CHALLENGER), 3e18);
        assertEq(faults.credit(INSURANCE), 4.5e18);
    }

    function test_oneBatchIsPunishedOnceHoweverManyChunksAreMissing() public {
        bytes32 first = demand(0);
        bytes32 second = demand(1);
        vm.warp(block.timestamp + DATA_RESPONSE);
        dataChallenge.conclude(first);
        dataChallenge.conclude(second);
        assertEq(bondOf(COMMITTER), MIN_BOND * 95 / 100);
        assertEq(dataChallenge.credit(CHALLENGER), 2 * CHALLENGE_BOND);
    }

    function test_anOpenOrAnsweredChallengeProvesNothing() public {
        bytes32 id = demand(0);
        vm.expectRevert(abi.encodeWithSelector(DataChallenge.NotOpen.selector, id, DataChallenge.State.Open));
        faults.prove(4, abi.encode(id), SALT);
        dataChallenge.show(id, LENGTH, chunk(0), siblings(0));
        vm.warp(block.timestamp + DATA_RESPONSE);
        vm.expectRevert(abi.encodeWithSelector(DataChallenge.NotOpen.selector, id, DataChallenge.State.Answered));
        faults.prove(4, abi.encode(id), SALT);
    }

    function test_aPauseLengthensTheTimeToAnswer() public {
        bytes32 id = demand(0);
        vm.prank(GUARDIAN);
        clock.pause(10);
        vm.warp(block.timestamp + DATA_RESPONSE + 5);
        dataChallenge.show(id, LENGTH, chunk(0), siblings(0));
    }

    // ---------------------------------------------------------------- opening

    function test_theBondGrowsWithTheStakeThatItHoldsIn() public {
        assertEq(dataChallenge.bondFor(batchId), CHALLENGE_BOND);
        attestAll(batchId, 3);
        assertEq(dataChallenge.bondFor(batchId), bondPaid(3));
    }

    function test_afterTheWindowNothingPutsFinalityOff() public {
        attestAll(batchId, 3);
        vm.warp(block.timestamp + WINDOW);
        vm.expectRevert(
            abi.encodeWithSelector(DataChallenge.WindowClosed.selector, batchId, uint64(block.timestamp))
        );
        vm.prank(CHALLENGER);
        dataChallenge.demand(batchId, CHUNK, 0);
        settlement.finalise(batchId);
        vm.expectRevert(
            abi.encodeWithSelector(DataChallenge.NotChallengeable.selector, batchId, BatchBook.State.Final)
        );
        vm.prank(CHALLENGER);
        dataChallenge.demand(batchId, CHUNK, 0);
    }

    function test_noFileOfThatSizeIsEverAccepted() public {
        vm.expectRevert(abi.encodeWithSelector(DataChallenge.NoSuchPart.selector, CHUNK, 1024));
        vm.prank(CHALLENGER);
        dataChallenge.demand(batchId, CHUNK, 1024);
    }

    function test_serialChallengesHoldDepositsBackForAdjudicationAtMost() public {
        attestAll(batchId, 1);
        bytes32 first = demand(0);
        assertEq(staking.validator(validatorAt(0)).openChallenges, 1);
        vm.warp(block.timestamp + 1);
        bytes32 second = demand(1);
        // It would end after ADJUDICATION from the first: the batch waits, the validator does not.
        assertEq(staking.validator(validatorAt(0)).openChallenges, 1);
        assertEq(settlement.batch(batchId).challenges, 2);
        dataChallenge.show(first, LENGTH, chunk(0), siblings(0));
        assertEq(staking.validator(validatorAt(0)).openChallenges, 0);
        dataChallenge.show(second, LENGTH, chunk(1), siblings(1));
        assertEq(staking.validator(validatorAt(0)).openChallenges, 0);
        assertEq(settlement.batch(batchId).challenges, 0);
    }

    /// @dev Test first 14: no vote keeps a challenge open for longer than stake and refunds are reckoned with.
    function test_14_noVoteLetsAResponseOutlastAdjudication() public {
        params.set(Params.DATA_RESPONSE, 19);
        params.set(Params.DATA_RESPONSE, 20);
        vm.expectRevert(abi.encodeWithSelector(ParamStore.ResponseAfterAdjudication.selector, 21, 20));
        params.set(Params.DATA_RESPONSE, 21);
        vm.expectRevert(abi.encodeWithSelector(ParamStore.ResponseAfterAdjudication.selector, 20, 19));
        params.set(Params.ADJUDICATION, 19);
    }

    function test_onlyChallengesOpenChallenges() public {
        vm.expectRevert(abi.encodeWithSelector(FaultManager.NotAChallenge.selector, address(this)));
        faults.openChallenge(batchId, batchId);
        vm.expectRevert(abi.encodeWithSelector(FaultManager.NotAChallenge.selector, address(this)));
        faults.closeChallenge(batchId, batchId);
    }

    /// @dev Test first 13: whoever withholds its own data and says so itself, or answers itself, loses by it.
    function test_13_challengingOneselfLoses() public {
        uint256 before = token.balanceOf(CHALLENGER);
        bytes32 id = demand(0);
        vm.startPrank(CHALLENGER);
        dataChallenge.show(id, LENGTH, chunk(0), siblings(0));
        dataChallenge.withdraw();
        vm.stopPrank();
        assertEq(before - token.balanceOf(CHALLENGER), CHALLENGE_BOND / 2);

        before = token.balanceOf(CHALLENGER) + bondOf(COMMITTER);
        id = demand(1);
        vm.warp(block.timestamp + DATA_RESPONSE);
        dataChallenge.conclude(id);
        vm.warp(block.timestamp + GRACE);
        faults.distribute(faults.faultIdOf(4, batchId));
        vm.startPrank(CHALLENGER);
        dataChallenge.withdraw();
        faults.withdraw();
        vm.stopPrank();
        // 5 slashed, 1 back.
        assertEq(before - token.balanceOf(CHALLENGER) - bondOf(COMMITTER), 4e18);
    }

    // ---------------------------------------------------------------- what an indexer reads

    function test_theWayOfADemandIsToldByEvents() public {
        vm.recordLogs();
        bytes32 id = demand(0);
        assertEq(firstTopicOf(vm.getRecordedLogs()), DataChallenge.PartDemanded.selector);
        vm.expectEmit(address(dataChallenge));
        emit DataChallenge.ChunkShown(id, batchId, address(this), chunk(0));
        dataChallenge.show(id, LENGTH, chunk(0), siblings(0));
        id = demand(3);
        vm.expectEmit(address(dataChallenge));
        emit DataChallenge.ChunkAbsent(id, batchId, address(this), LENGTH);
        dataChallenge.showEnd(id, LENGTH, ChunkTree.root(file));
        id = demand(1);
        vm.warp(vm.getBlockTimestamp() + DATA_RESPONSE);
        vm.expectEmit(address(dataChallenge));
        emit DataChallenge.PartWithheld(id, batchId);
        dataChallenge.conclude(id);
        vm.expectEmit(address(dataChallenge));
        emit DataChallenge.CreditWithdrawn(address(this), CHALLENGE_BOND);
        dataChallenge.withdraw();
        Entry[] memory entries = only(honestEntry(1));
        batchId = commitEntries(entries);
        id = demandReceipt(2);
        bytes memory signature = sign(entries[0].receipt, ENCLAVE);
        vm.expectEmit(address(dataChallenge));
        emit DataChallenge.ReceiptShown(id, batchId, address(this), entries[0], signature);
        dataChallenge.showReceipt(id, entries[0], signature, pathOf(entries, 0));
    }

    // ---------------------------------------------------------------- helpers

    function firstTopicOf(Vm.Log[] memory logs) private pure returns (bytes32) {
        return logs[0].topics[0];
    }

    function demand(uint64 index) private returns (bytes32) {
        vm.prank(CHALLENGER);
        return dataChallenge.demand(batchId, CHUNK, index);
    }

    function demandReceipt(uint64 index) private returns (bytes32) {
        vm.prank(CHALLENGER);
        return dataChallenge.demand(batchId, RECEIPT, index);
    }

    function bondPaid(uint256 attesters) private pure returns (uint256) {
        return CHALLENGE_BOND + attesters * MIN_BOND / 1000;
    }

    function chunk(uint256 index) private view returns (bytes memory) {
        return ChunkTree.chunk(file, index);
    }

    function siblings(uint256 index) private view returns (DataSibling[] memory) {
        return ChunkTree.proof(file, index);
    }
}
