// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DataChallenge} from "../src/faults/DataChallenge.sol";
import {ShownTapes} from "../src/faults/ShownTapes.sol";
import {Receipt} from "../src/libraries/ReceiptLib.sol";
import {TapeLib} from "../src/libraries/TapeLib.sol";
import {WordRun} from "../src/libraries/WordTree.sol";
import {BatchBook} from "../src/settlement/BatchBook.sol";
import {StakeState} from "../src/staking/StakeState.sol";
import {TapeFixture} from "./TapeFixture.sol";

/// @title Class 4: a tape's root under which there is no tape
contract TapeChallengeTest is TapeFixture {
    address private constant CHALLENGER = address(0xC4A1);
    address private constant HOLDER = address(0x401D);
    /// @dev Two parts and a bit: the fourth of the tree is empty.
    uint32 private constant WORDS = 1100;
    uint256 private constant PART = 512;

    bytes32 private id;

    function setUp() public {
        deployFaults();
        publishCircuit(ZK_MODEL, WORDS);
        token.transfer(CHALLENGER, 1000e18);
        vm.prank(CHALLENGER);
        token.approve(address(dataChallenge), type(uint256).max);
        commitStating(zkReceipt(), tapeRoot());
    }

    // ---------------------------------------------------------------- answered

    function test_aTapeIsShownInPartsInAnyOrderByAnybody() public {
        demand();
        showRoot();
        (bytes32 root, uint32 words, uint32 left) = dataChallenge.tapeOf(id);
        assertEq(root, tapeRoot());
        assertEq(words, WORDS);
        assertEq(left, 3);
        uint256 supply = token.totalSupply();
        dataChallenge.showTape(id, 2, partOf(2, PART));
        dataChallenge.showTape(id, 0, partOf(0, PART));
        assertTrue(dataChallenge.challenge(id).state == DataChallenge.State.Open);
        vm.expectEmit(address(dataChallenge));
        emit ShownTapes.TapeShown(id, batchId, HOLDER, 1, partOf(1, PART).words);
        vm.prank(HOLDER);
        dataChallenge.showTape(id, 1, partOf(1, PART));
        assertTrue(dataChallenge.challenge(id).state == DataChallenge.State.Answered);
        assertEq(dataChallenge.credit(HOLDER), CHALLENGE_BOND / 2);
        assertEq(supply - token.totalSupply(), CHALLENGE_BOND / 2);
        assertEq(settlement.batch(batchId).challenges, 0);
        assertEq(bondOf(COMMITTER), MIN_BOND);
    }

    function test_aTapeOfFewWordsIsOnePart() public {
        Receipt memory r = zkReceipt();
        r.modelId = keccak256("small model");
        publishCircuit(r.modelId, 5);
        commitStating(r, tapeRoot());
        demand();
        dataChallenge.showTapeRoot(id, stated(r, tapeRoot()));
        dataChallenge.showTape(id, 0, partOf(0, 8));
        assertTrue(dataChallenge.challenge(id).state == DataChallenge.State.Answered);
    }

    function test_whatHasNoTapeIsShownInstead() public {
        Receipt[2] memory receipts = [honest(7), zkReceipt()];
        receipts[1].evidenceHash = 0;
        for (uint256 i = 0; i < 2; i++) {
            commitStating(receipts[i], tapeRoot());
            demand();
            ShownTapes.StatedTape memory t = stated(receipts[i], tapeRoot());
            dataChallenge.showReceipt(id, t.entry, t.signature, t.path);
            assertTrue(dataChallenge.challenge(id).state == DataChallenge.State.Answered);
        }
    }

    // ---------------------------------------------------------------- not answered

    function test_aRootOfNoiseCostsCommitterAndAttesters() public {
        commitStating(zkReceipt(), keccak256("noise"));
        attestAll(batchId, 2);
        demand();
        dataChallenge.showTapeRoot(id, stated(zkReceipt(), keccak256("noise")));
        for (uint256 part = 0; part < 3; part++) refusePart(part, partOf(part, PART));
        slashedAtTheDeadline();
        faults.punish(faults.faultIdOf(4, batchId), 0, 64);
        for (uint256 i = 0; i < 2; i++) {
            assertEq(staking.stakeOf(validatorAt(i)), MIN_BOND * 95 / 100);
            assertTrue(staking.validator(validatorAt(i)).status == StakeState.Status.Jailed);
        }
    }

    function test_aTapeShownInPartIsNoAnswer() public {
        demand();
        showRoot();
        for (uint256 part = 0; part < 2; part++) dataChallenge.showTape(id, part, partOf(part, PART));
        uint64 deadline = dataChallenge.deadlineOf(id);
        vm.warp(deadline);
        vm.expectRevert(abi.encodeWithSelector(DataChallenge.TooLate.selector, id, deadline));
        dataChallenge.showTape(id, 2, partOf(2, PART));
        slashedAtTheDeadline();
        assertEq(dataChallenge.credit(CHALLENGER), CHALLENGE_BOND);
    }

    function test_aRootShownTooLateIsNoAnswer() public {
        demand();
        uint64 deadline = dataChallenge.deadlineOf(id);
        vm.warp(deadline);
        ShownTapes.StatedTape memory t = stated(zkReceipt(), tapeRoot());
        vm.expectRevert(abi.encodeWithSelector(DataChallenge.TooLate.selector, id, deadline));
        dataChallenge.showTapeRoot(id, t);
        slashedAtTheDeadline();
    }

    /// @dev Were there room behind the last part, a liar could show a tape and leave whoever judges it without the way to it.
    function test_nothingIsHiddenBehindTheLastPart() public {
        bytes32[] memory words = levels[0];
        words[2047] = keccak256("hidden");
        growTree(words);
        commitStating(zkReceipt(), tapeRoot());
        demand();
        showRoot();
        dataChallenge.showTape(id, 0, partOf(0, PART));
        dataChallenge.showTape(id, 1, partOf(1, PART));
        refusePart(2, partOf(2, PART));
        refusePart(3, partOf(3, PART));
        slashedAtTheDeadline();
    }

    // ---------------------------------------------------------------- what is refused

    function test_anotherRootThanTheFileStatesIsRefused() public {
        demand();
        ShownTapes.StatedTape memory t = stated(zkReceipt(), keccak256("foreign"));
        vm.expectRevert(abi.encodeWithSelector(TapeLib.NotThere.selector, t.start));
        dataChallenge.showTapeRoot(id, t);
        t = stated(zkReceipt(), tapeRoot());
        t.start += 1;
        vm.expectRevert(abi.encodeWithSelector(TapeLib.NotThere.selector, t.start));
        dataChallenge.showTapeRoot(id, t);
        t.start = type(uint256).max;
        vm.expectRevert(abi.encodeWithSelector(TapeLib.NotThere.selector, t.start));
        dataChallenge.showTapeRoot(id, t);
        t = stated(zkReceipt(), tapeRoot());
        t.signature = sign(zkReceipt(), ROGUE);
        vm.expectRevert(abi.encodeWithSelector(TapeLib.NotThere.selector, t.start));
        dataChallenge.showTapeRoot(id, t);
    }

    function test_anotherFileIsRefused() public {
        demand();
        bytes memory reason = abi.encodeWithSelector(TapeLib.NotTheFile.selector, batchId);
        ShownTapes.StatedTape memory t = stated(zkReceipt(), tapeRoot());
        t.chunks[0] = "{";
        vm.expectRevert(reason);
        dataChallenge.showTapeRoot(id, t);
        t = stated(zkReceipt(), tapeRoot());
        t.firstChunk = 1;
        vm.expectRevert(reason);
        dataChallenge.showTapeRoot(id, t);
        t = stated(zkReceipt(), tapeRoot());
        t.chunks = abi.encodePacked(t.chunks, "}");
        vm.expectRevert(reason);
        dataChallenge.showTapeRoot(id, t);
        t = stated(zkReceipt(), tapeRoot());
        t.length -= 1;
        vm.expectRevert(reason);
        dataChallenge.showTapeRoot(id, t);
    }

    function test_anotherCircuitIsRefused() public {
        demand();
        ShownTapes.StatedTape memory t = stated(zkReceipt(), tapeRoot());
        t.circuit.gates -= 1;
        vm.expectRevert(abi.encodeWithSelector(TapeLib.NotOfThisModel.selector, t.entry.receipt.requestId));
        dataChallenge.showTapeRoot(id, t);
        Receipt memory r = zkReceipt();
        r.mode = 1;
        commitStating(r, tapeRoot());
        demand();
        t = stated(r, tapeRoot());
        vm.expectRevert(abi.encodeWithSelector(TapeLib.NotOfThisModel.selector, r.requestId));
        dataChallenge.showTapeRoot(id, t);
    }

    function test_noReceiptStandsInForTheOneAskedFor() public {
        Receipt memory other = zkReceipt();
        other.seq += 1;
        demand();
        ShownTapes.StatedTape memory t = stated(other, tapeRoot());
        vm.expectRevert(abi.encodeWithSelector(DataChallenge.WrongAnswer.selector, id));
        dataChallenge.showTapeRoot(id, t);
        vm.prank(CHALLENGER);
        id = dataChallenge.demand(batchId, TAPE, POSITION + 1);
        t = stated(zkReceipt(), tapeRoot());
        vm.expectRevert(abi.encodeWithSelector(DataChallenge.WrongAnswer.selector, id));
        dataChallenge.showTapeRoot(id, t);
    }

    function test_aReceiptThatWasProvenIsNoAnswerForItsTape() public {
        demand();
        ShownTapes.StatedTape memory t = stated(zkReceipt(), tapeRoot());
        vm.expectRevert(abi.encodeWithSelector(DataChallenge.WrongAnswer.selector, id));
        dataChallenge.showReceipt(id, t.entry, t.signature, t.path);
    }

    function test_aPartInAnothersPlaceOrTwiceIsRefused() public {
        demand();
        refusePart(0, partOf(0, PART));
        showRoot();
        ShownTapes.StatedTape memory t = stated(zkReceipt(), tapeRoot());
        vm.expectRevert(abi.encodeWithSelector(ShownTapes.RootShown.selector, id));
        dataChallenge.showTapeRoot(id, t);
        refusePart(0, partOf(1, PART));
        refusePart(1, partOf(0, PART));
        refusePart(0, partOf(0, PART / 2));
        refusePart(4, partOf(0, PART));
        WordRun memory none;
        refusePart(0, none);
        dataChallenge.showTape(id, 1, partOf(1, PART));
        vm.expectRevert(abi.encodeWithSelector(ShownTapes.AlreadyShown.selector, id, 1));
        dataChallenge.showTape(id, 1, partOf(1, PART));
        (,, uint32 left) = dataChallenge.tapeOf(id);
        assertEq(left, 2);
    }

    function test_oneChallengeIsNotMetByTheAnswerToAnother() public {
        demand();
        bytes32 tape = id;
        vm.startPrank(CHALLENGER);
        bytes32 chunk = dataChallenge.demand(batchId, DataChallenge.Part.Chunk, 0);
        bytes32 receipt = dataChallenge.demand(batchId, DataChallenge.Part.Receipt, POSITION);
        vm.stopPrank();
        showRoot();
        ShownTapes.StatedTape memory t = stated(zkReceipt(), tapeRoot());
        for (uint256 i = 0; i < 2; i++) {
            id = i == 0 ? chunk : receipt;
            vm.expectRevert(abi.encodeWithSelector(DataChallenge.WrongAnswer.selector, id));
            dataChallenge.showTapeRoot(id, t);
            WordRun memory run = partOf(0, PART);
            vm.expectRevert(abi.encodeWithSelector(DataChallenge.WrongAnswer.selector, id));
            dataChallenge.showTape(id, 0, run);
        }
        // Another batch with the very same receipt: its tape is its own.
        commitStating(zkReceipt(), keccak256("noise"));
        demand();
        assertTrue(id != tape);
        refusePart(0, partOf(0, PART));
    }

    function test_noTapeIsDemandedBeyondTheReceipts() public {
        uint64 count = settlement.batch(batchId).count;
        vm.expectRevert(abi.encodeWithSelector(DataChallenge.NoSuchPart.selector, TAPE, count));
        vm.prank(CHALLENGER);
        dataChallenge.demand(batchId, TAPE, count);
    }

    // ---------------------------------------------------------------- helpers

    function demand() private {
        vm.prank(CHALLENGER);
        id = dataChallenge.demand(batchId, TAPE, POSITION);
    }

    function showRoot() private {
        dataChallenge.showTapeRoot(id, stated(zkReceipt(), tapeRoot()));
    }

    function refusePart(uint256 part, WordRun memory run) private {
        vm.expectRevert(abi.encodeWithSelector(ShownTapes.NotThisPart.selector, id, part));
        dataChallenge.showTape(id, part, run);
    }

    function slashedAtTheDeadline() private {
        vm.warp(dataChallenge.deadlineOf(id));
        dataChallenge.conclude(id);
        assertState(batchId, BatchBook.State.Void);
        assertEq(bondOf(COMMITTER), MIN_BOND * 95 / 100);
    }
}
