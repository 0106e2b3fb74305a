// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Batches} from "../src/faults/Batches.sol";
import {Finding} from "../src/faults/IFaultAdapter.sol";
import {ZkFault} from "../src/faults/ZkFault.sol";
import {DataSibling} from "../src/libraries/DataLib.sol";
import {Receipt} from "../src/libraries/ReceiptLib.sol";
import {TapeLib} from "../src/libraries/TapeLib.sol";
import {WordRun} from "../src/libraries/WordTree.sol";
import {BatchBook} from "../src/settlement/BatchBook.sol";
import {ChunkTree} from "./ChunkTree.sol";
import {Told, ZkFixture} from "./ZkFixture.sol";

/// @title Class 2: only a step that is false, of the registered model, on the tape that the file states, convicts anybody
contract ZkFaultTest is ZkFixture {
    function setUp() public {
        deployZk();
    }

    // ---------------------------------------------------------------- who answers, and who does not

    function test_aFalseStepIsFoundAgainstTheBatchAndItsAttesters() public {
        Told memory told = falseStep();
        Receipt memory r = inferred(told);
        ZkFault.Proof memory p = committed(told);
        uint64 committedAt = uint64(block.timestamp);
        vm.warp(block.timestamp + 1);
        Finding memory f = zkFault.judge(abi.encode(p));
        bytes32 batchId = p.place.batchId;
        assertEq(f.faultKey, batchId);
        assertEq(f.batchId, batchId);
        assertTrue(f.voids && f.attesters);
        assertEq(f.committer, COMMITTER);
        assertEq(f.requestId, r.requestId);
        assertEq(f.payer, PAYER);
        assertEq(f.loss, r.price);
        assertEq(f.grantId, bytes32(0));
        // Two receipts stand before it, in the row before it.
        assertEq(f.row, 2);
        assertEq(f.position, 2);
        assertEq(f.offenceAt, committedAt);
        assertEq(f.validator, address(0));
        assertEq(f.bountyTo, address(0));
    }

    /// @dev Its signature covers the statement, not the tape, which a gateway could have exchanged.
    function test_theNodeKeepsItsBondAndTheLiarsLoseTheirs() public {
        ZkFault.Proof memory p = committed(falseStep());
        bytes32 batchId = p.place.batchId;
        attestAll(batchId, 2);
        payments.set(honest(1).requestId, PAYER, COMMITTER, 500, 1);
        bytes32 faultId = prove(ZK, abi.encode(p));
        faults.punish(faultId, 0, 64);
        assertState(batchId, BatchBook.State.Void);
        assertEq(bondOf(NODE), MIN_BOND);
        assertEq(bondOf(COMMITTER), MIN_BOND / 2);
        assertEq(staking.stakeOf(validatorAt(0)), 0);
        assertEq(staking.stakeOf(validatorAt(2)), MIN_BOND);
        assertTrue(payments.refunded(honest(1).requestId));
    }

    function test_anHonestStepConvictsNobody() public {
        Told memory told = honestStep();
        refused(committed(told), abi.encodeWithSelector(ZkFault.GateHolds.selector, told.gate));
    }

    function test_itJudgesForOneSettlementAndOneRegistry() public view {
        assertEq(address(zkFault.settlement()), address(settlement));
        assertEq(address(zkFault.models()), address(models));
    }

    // ---------------------------------------------------------------- the model

    function test_onlyTheProgramOfTheModelIsJudgedBy() public {
        ZkFault.Proof memory p = committed(falseStep());
        bytes memory reason = abi.encodeWithSelector(TapeLib.NotOfThisModel.selector, honest(1).requestId);
        p.modelRoot = ~p.modelRoot;
        refused(p, reason);
        p.modelRoot = ~p.modelRoot;
        p.weightsRoot = ~p.weightsRoot;
        refused(p, reason);
        p.weightsRoot = ~p.weightsRoot;
        p.programRoot = ~p.programRoot;
        refused(p, reason);
        p.programRoot = ~p.programRoot;
        p.gates++;
        refused(p, reason);
        p.gates--;
        zkFault.judge(abi.encode(p));
    }

    function test_aReceiptOfAnotherModelOrModeStatesNoProof() public {
        Told memory told = falseStep();
        bytes memory reason = abi.encodeWithSelector(TapeLib.NotOfThisModel.selector, honest(1).requestId);
        Receipt memory r = inferred(told);
        r.mode = 1;
        refused(committed(told, r, ACROSS), reason);
        (r.mode, r.modelId) = (2, MODEL);
        refused(committed(told, r, ACROSS), reason);
    }

    // ---------------------------------------------------------------- the file

    function test_theTapeIsReadWhereverItStands() public {
        uint256 length = stated(new bytes(65), 0).length;
        uint256[4] memory places = [0, CHUNK - length, CHUNK, LENGTH - length];
        for (uint256 i = 0; i < 4; i++) {
            Told memory told = falseStep();
            ZkFault.Proof memory p = committed(told, inferred(told), places[i]);
            assertEq(p.siblings.length, 1);
            assertEq(zkFault.judge(abi.encode(p)).batchId, p.place.batchId);
        }
    }

    function test_moreOfTheFileMayBeShownThanIsNeeded() public {
        Told memory told = falseStep();
        ZkFault.Proof memory p = committed(told);
        show(p, fileWith(stated(p.signature, p.tapeRoot), ACROSS), 0, 2);
        p.start = ACROSS;
        assertEq(zkFault.judge(abi.encode(p)).batchId, p.place.batchId);
    }

    function test_whatIsShownIsTheFileOfThisBatch() public {
        ZkFault.Proof memory p = committed(falseStep());
        bytes memory reason = abi.encodeWithSelector(TapeLib.NotTheFile.selector, p.place.batchId);
        bytes memory file = fileWith(stated(p.signature, p.tapeRoot), ACROSS);
        // Another batch's file.
        file[0] = "x";
        show(p, file, 1, 2);
        refused(p, reason);
        file[0] = 0;
        // The second chunk is not the first, nor the third.
        show(p, file, 1, 2);
        p.firstChunk = 0;
        refused(p, reason);
        p.firstChunk = 2;
        refused(p, reason);
        p.firstChunk = 1;
        p.length++;
        refused(p, reason);
        p.length--;
        zkFault.judge(abi.encode(p));
    }

    function test_noByteIsShownWithoutItsWayToTheFile() public {
        ZkFault.Proof memory p = committed(falseStep());
        bytes memory reason = abi.encodeWithSelector(TapeLib.NotTheFile.selector, p.place.batchId);
        bytes memory chunks = p.chunks;
        p.chunks = bytes.concat(chunks, "x");
        refused(p, reason);
        p.chunks = ChunkTree.slice(chunks, 0, chunks.length - 1);
        refused(p, reason);
        p.chunks = chunks;
        p.siblings[1] = p.siblings[0];
        refused(p, reason);
        // A chunk past the end is empty, and no part of the file.
        show(p, fileWith(stated(p.signature, p.tapeRoot), ACROSS), 2, 2);
        p.siblings = new DataSibling[][](2);
        p.siblings[0] = ChunkTree.proof(fileWith(stated(p.signature, p.tapeRoot), ACROSS), 2);
        refused(p, reason);
        // Whole statements that no chunk answers for.
        p.siblings = new DataSibling[][](0);
        (p.chunks, p.start) = (stated(p.signature, p.tapeRoot), 0);
        refused(p, reason);
    }

    /// @dev A committer's own tree may hold an empty chunk behind the last.
    function test_noChunkIsShownPastTheEnd() public {
        Told memory told = falseStep();
        ZkFault.Proof memory p = committed(told, inferred(told), 0);
        bytes memory file = p.chunks;
        (bytes32 whole, bytes32 empty) = (ChunkTree.leaf(0, file), ChunkTree.leaf(1, ""));
        bytes32 dataHash = ChunkTree.hashOf(uint64(file.length), ChunkTree.node(whole, empty));
        p.place.batchId = commitFile(NODE, p.place.key, leavesOf(only(p.place.entry)), dataHash);
        p.length = uint64(file.length);
        p.siblings = new DataSibling[][](1);
        p.siblings[0] = new DataSibling[](1);
        p.siblings[0][0] = DataSibling(empty, false);
        assertEq(zkFault.judge(abi.encode(p)).batchId, p.place.batchId);
        DataSibling[][] memory both = new DataSibling[][](2);
        (both[0], both[1]) = (p.siblings[0], new DataSibling[](1));
        both[1][0] = DataSibling(whole, true);
        p.siblings = both;
        refused(p, abi.encodeWithSelector(TapeLib.NotTheFile.selector, p.place.batchId));
    }

    function test_theFileOfABatchIsNoOtherBatchs() public {
        Told memory told = falseStep();
        Receipt memory r = inferred(told);
        ZkFault.Proof memory first = committed(told, r, ACROSS);
        ZkFault.Proof memory second = committed(told, r, 0);
        (first.chunks, first.siblings, first.firstChunk, first.start) =
            (second.chunks, second.siblings, second.firstChunk, second.start);
        refused(first, abi.encodeWithSelector(TapeLib.NotTheFile.selector, first.place.batchId));
    }

    // ---------------------------------------------------------------- the statement

    function test_theTapeIsThatOfThisReceipt() public {
        ZkFault.Proof memory p = committed(falseStep());
        p.signature[0] ^= 0x01;
        refused(p, abi.encodeWithSelector(TapeLib.NotThere.selector, p.start));
        p.signature[0] ^= 0x01;
        p.tapeRoot = ~p.tapeRoot;
        refused(p, abi.encodeWithSelector(TapeLib.NotThere.selector, p.start));
    }

    /// @dev A file that states the tape of another receipt says nothing of this one.
    function test_aTapeBesideAnotherSignatureIsNotThisReceipts() public {
        Told memory told = falseStep();
        ZkFault.Proof memory p = committed(told);
        bytes memory other = sign(inferred(told), ROGUE);
        bytes memory file = fileWith(stated(other, p.tapeRoot), ACROSS);
        p.place.batchId = commitFile(NODE, p.place.key, leavesOf(only(p.place.entry)), ChunkTree.dataHash(file));
        show(p, file, 1, 2);
        refused(p, abi.encodeWithSelector(TapeLib.NotThere.selector, p.start));
        // Nor does the signature that stands there, for it is not the receipt's.
        p.signature = other;
        refused(p, abi.encodeWithSelector(TapeLib.NotThere.selector, p.start));
    }

    function test_theTapeIsWhereItIsSaidToBe() public {
        Told memory told = falseStep();
        ZkFault.Proof memory p = committed(told);
        p.start++;
        refused(p, abi.encodeWithSelector(TapeLib.NotThere.selector, p.start));
        p.start -= 2;
        refused(p, abi.encodeWithSelector(TapeLib.NotThere.selector, p.start));
        p.start = p.chunks.length;
        refused(p, abi.encodeWithSelector(TapeLib.NotThere.selector, p.start));
    }

    // ---------------------------------------------------------------- the gate

    function test_theGateIsTheProgramsAndItsValueTheTapes() public {
        Told memory told = falseStep();
        ZkFault.Proof memory p = committed(told);
        bytes memory reason = abi.encodeWithSelector(ZkFault.NotInTheProgram.selector, told.gate);
        (p.shownGate, p.shownValue) = (told.shownValue, told.shownValue);
        refused(p, reason);
        (p.shownGate, p.shownValue) = (told.shownGate, told.shownGate);
        refused(p, reason);
        p.shownValue = told.shownValue;
        p.gate++;
        refused(p, abi.encodeWithSelector(ZkFault.NotInTheProgram.selector, told.gate + 1));
    }

    /// @dev A root stands under itself, at no depth.
    function test_noNodePosesAsAGateOrAValue() public {
        Told memory told = falseStep();
        ZkFault.Proof memory p = committed(told);
        bytes memory reason = abi.encodeWithSelector(ZkFault.NotInTheProgram.selector, told.gate);
        p.shownGate = WordRun(new bytes32[](1), new bytes32[](0));
        p.shownGate.words[0] = told.programRoot;
        refused(p, reason);
        p.shownGate = told.shownGate;
        p.shownValue = WordRun(new bytes32[](1), new bytes32[](0));
        p.shownValue.words[0] = told.tapeRoot;
        refused(p, reason);
    }

    function test_oneGateIsShownNotTwo() public {
        Told memory told = falseStep();
        ZkFault.Proof memory p = committed(told);
        bytes32 beside = told.shownGate.siblings[0];
        // The pair leads to the same root, and its first word is no more the gate than its second.
        p.shownGate = WordRun(new bytes32[](2), new bytes32[](told.shownGate.siblings.length - 1));
        (p.shownGate.words[0], p.shownGate.words[1]) =
            told.gate % 2 == 0 ? (told.shownGate.words[0], beside) : (beside, told.shownGate.words[0]);
        for (uint256 i = 1; i < told.shownGate.siblings.length; i++) {
            p.shownGate.siblings[i - 1] = told.shownGate.siblings[i];
        }
        refused(p, abi.encodeWithSelector(ZkFault.NotInTheProgram.selector, told.gate));
    }

    function test_aBatchThatIsNotThereIsJudgedByNobody() public {
        ZkFault.Proof memory p = committed(falseStep());
        p.place.batchId = keccak256("none");
        refused(p, abi.encodeWithSelector(Batches.UnknownBatch.selector, p.place.batchId));
    }

    // ---------------------------------------------------------------- helpers

    function refused(ZkFault.Proof memory p, bytes memory reason) private {
        vm.expectRevert(reason);
        zkFault.judge(abi.encode(p));
    }
}
