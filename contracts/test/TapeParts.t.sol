// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DataChallenge} from "../src/faults/DataChallenge.sol";
import {ShownTapes} from "../src/faults/ShownTapes.sol";
import {Receipt} from "../src/libraries/ReceiptLib.sol";
import {WordRun} from "../src/libraries/WordTree.sol";
import {TapeFixture} from "./TapeFixture.sol";

/// @title Tapes of every size at which parts begin and end: each word is shown in its own place, and none is left out
contract TapePartsTest is TapeFixture {
    uint256 private constant PART = 512;

    bytes32 private id;
    Receipt private receipt;

    function setUp() public {
        deployFaults();
        token.approve(address(dataChallenge), type(uint256).max);
    }

    function test_aTapeHasAsManyPartsAsItsWordsNeed() public {
        uint32[6] memory words = [uint32(1), 2, 511, 512, 513, 1025];
        uint32[6] memory parts = [uint32(1), 1, 1, 1, 2, 3];
        for (uint256 i = 0; i < 6; i++) {
            demandTapeOf(words[i]);
            (,, uint32 left) = dataChallenge.tapeOf(id);
            assertEq(left, parts[i]);
            uint256 size = levels[0].length < PART ? levels[0].length : PART;
            for (uint256 part = 0; part < parts[i]; part++) {
                assertTrue(dataChallenge.challenge(id).state == DataChallenge.State.Open);
                dataChallenge.showTape(id, part, partOf(part, size));
                assertTrue(dataChallenge.isPartShown(id, part));
            }
            assertTrue(dataChallenge.challenge(id).state == DataChallenge.State.Answered);
        }
    }

    function test_whereTheRootStandsIsToldWithTheNumberOfItsWords() public {
        publish(513);
        commitStating(receipt, tapeRoot());
        id = dataChallenge.demand(batchId, TAPE, POSITION);
        ShownTapes.StatedTape memory t = stated(receipt, tapeRoot());
        vm.expectEmit(address(dataChallenge));
        emit ShownTapes.TapeRootShown(id, batchId, HUNTER, tapeRoot(), 513);
        vm.prank(HUNTER);
        dataChallenge.showTapeRoot(id, t);
        assertEq(address(dataChallenge.models()), address(models));
    }

    /// @dev Places repeat past the end of the tree: shown under two numbers, one part would stand in for another.
    function test_noPartIsShownUnderANumberPastTheLast() public {
        demandTapeOf(512);
        refusePart(1, partOf(0, PART));
        demandTapeOf(1024);
        refusePart(2, partOf(0, PART));
        refusePart(3, partOf(1, PART));
        (,, uint32 left) = dataChallenge.tapeOf(id);
        assertEq(left, 2);
    }

    function test_noNodePosesAsAWord() public {
        demandTapeOf(1025);
        WordRun memory run;
        run.words = new bytes32[](PART);
        for (uint256 i = 0; i < PART; i++) run.words[i] = levels[1][i];
        run.siblings = new bytes32[](1);
        run.siblings[0] = levels[10][1];
        refusePart(0, run);
    }

    /// @dev Where the last part is full, and the tree is not.
    function test_nothingIsHiddenBehindAFullPart() public {
        publish(1536);
        bytes32[] memory words = levels[0];
        words[1536] = keccak256("hidden");
        growTree(words);
        demandTape();
        refusePart(2, partOf(2, PART));
    }

    /// @dev An enclave's answer may carry evidence, and still nothing was proven.
    function test_evidenceOfAnotherModeIsNoTape() public {
        publish(1);
        receipt.mode = 1;
        commitStating(receipt, tapeRoot());
        id = dataChallenge.demand(batchId, TAPE, POSITION);
        ShownTapes.StatedTape memory t = stated(receipt, tapeRoot());
        dataChallenge.showReceipt(id, t.entry, t.signature, t.path);
        assertTrue(dataChallenge.challenge(id).state == DataChallenge.State.Answered);
    }

    // ---------------------------------------------------------------- helpers

    /// @dev A model whose tapes have so many words, and a receipt of it.
    function publish(uint32 words) private {
        receipt = zkReceipt();
        receipt.modelId = keccak256(abi.encode("model of", words));
        publishCircuit(receipt.modelId, words);
    }

    /// @dev Commits a tape with the words that stand in the tree now, and shows its root.
    function demandTape() private {
        commitStating(receipt, tapeRoot());
        id = dataChallenge.demand(batchId, TAPE, POSITION);
        dataChallenge.showTapeRoot(id, stated(receipt, tapeRoot()));
    }

    function demandTapeOf(uint32 words) private {
        publish(words);
        demandTape();
    }

    function refusePart(uint256 part, WordRun memory run) private {
        vm.expectRevert(abi.encodeWithSelector(ShownTapes.NotThisPart.selector, id, part));
        dataChallenge.showTape(id, part, run);
    }
}
