// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DataChallenge} from "../src/faults/DataChallenge.sol";
import {ShownTapes} from "../src/faults/ShownTapes.sol";
import {DataSibling} from "../src/libraries/DataLib.sol";
import {Entry} from "../src/libraries/InclusionLib.sol";
import {SumNode} from "../src/libraries/MerkleSumLib.sol";
import {Receipt} from "../src/libraries/ReceiptLib.sol";
import {Circuit} from "../src/libraries/TapeLib.sol";
import {WordRun} from "../src/libraries/WordTree.sol";
import {ChunkTree} from "./ChunkTree.sol";
import {FaultFixture} from "./FaultFixture.sol";
import {MerkleSumBuilder} from "./MerkleSumBuilder.sol";
import {WordTreeBuilder} from "./WordTreeBuilder.sol";

/// @title A batch whose file states a tape beside a receipt of mode zk
abstract contract TapeFixture is FaultFixture {
    bytes32 internal constant ZK_MODEL = keccak256("zk model");
    /// @dev Rows of the fixture stand before the receipt with two others.
    uint64 internal constant POSITION = 2;
    DataChallenge.Part internal constant TAPE = DataChallenge.Part.Tape;
    /// @dev What is stated begins in the first chunk of its file and ends in the second.
    uint256 private constant BEFORE = ChunkTree.CHUNK - 100;

    /// @dev Of the tape, from the words up.
    bytes32[][] internal levels;
    Circuit internal circuit;
    bytes internal file;
    bytes32 internal batchId;

    /// @dev A circuit whose tapes have so many words, and one of them.
    function publishCircuit(bytes32 modelId, uint32 words) internal {
        circuit = Circuit(keccak256("model root"), keccak256("weights"), keccak256("program"), words);
        bytes32 hash = keccak256(abi.encode(keccak256("assay/zk-circuit/v1"), circuit));
        models.publish(modelId, "http://model.test", hash, 100, 2, 3);
        uint256 size = 1;
        while (size < words) size *= 2;
        bytes32[] memory level = new bytes32[](size);
        for (uint256 i = 0; i < words; i++) level[i] = keccak256(abi.encode("word", i));
        growTree(level);
    }

    function growTree(bytes32[] memory words) internal {
        levels = WordTreeBuilder.grow(words);
    }

    function tapeRoot() internal view returns (bytes32) {
        return levels[levels.length - 1][0];
    }

    function partOf(uint256 part, uint256 size) internal view returns (WordRun memory) {
        return WordTreeBuilder.run(levels, part * size, size);
    }

    function zkReceipt() internal view returns (Receipt memory r) {
        r = honest(1);
        (r.mode, r.modelId, r.evidenceHash) = (2, ZK_MODEL, keccak256("evidence"));
    }

    /// @dev Commits a batch with the receipt, of whose file two chunks meet in the middle of what it states.
    function commitStating(Receipt memory r, bytes32 root) internal {
        bytes memory signature = sign(r, ENCLAVE);
        file = bytes.concat(new bytes(BEFORE), stated(signature, root), "}");
        Entry memory entry = entryOf(r, signature);
        SumNode memory row = rowOf(keyOf(entry), leavesOf(only(entry))[0]);
        batchId = commitGroups(groupsWith(NODE, MerkleSumBuilder.top(rowsAround(row))), ChunkTree.dataHash(file));
    }

    function stated(Receipt memory r, bytes32 root) internal view returns (ShownTapes.StatedTape memory t) {
        t.signature = sign(r, ENCLAVE);
        t.entry = entryOf(r, t.signature);
        t.path = pathOf(only(t.entry), 0);
        t.root = root;
        t.length = uint64(file.length);
        t.chunks = file;
        t.siblings = new DataSibling[][](2);
        for (uint256 i = 0; i < 2; i++) t.siblings[i] = ChunkTree.proof(file, i);
        t.start = BEFORE;
        t.circuit = circuit;
    }
}
