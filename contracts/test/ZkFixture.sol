// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Place} from "../src/faults/Places.sol";
import {ZkFault} from "../src/faults/ZkFault.sol";
import {DataSibling} from "../src/libraries/DataLib.sol";
import {Entry} from "../src/libraries/InclusionLib.sol";
import {Receipt} from "../src/libraries/ReceiptLib.sol";
import {WordRun} from "../src/libraries/WordTree.sol";
import {ChunkTree} from "./ChunkTree.sol";
import {FaultFixture} from "./FaultFixture.sol";
import {ZkVectors} from "./ZkVectors.sol";

/// @dev A step of the check of a proof, as scripts/zkVectors.ts tells it.
struct Told {
    bytes32 evidenceHash;
    bytes32 tapeRoot;
    bytes32 modelRoot;
    bytes32 weightsRoot;
    bytes32 programRoot;
    uint32 gates;
    uint32 gate;
    WordRun shownGate;
    WordRun shownValue;
    WordRun[] reads;
}

/// @title The scorer of card payments on chain, and batch files that state the tape of an answer of it
abstract contract ZkFixture is FaultFixture {
    uint8 internal constant ZK = 2;
    bytes32 internal constant SCORER = keccak256("scorer");
    uint256 internal constant CHUNK = 8192;
    /// @dev Of three chunks the last is short.
    uint256 internal constant LENGTH = 2 * CHUNK + 300;
    /// @dev The statement begins in the second chunk and ends in the third.
    uint256 internal constant ACROSS = 2 * CHUNK - 100;

    ZkFault internal zkFault;

    function deployZk() internal {
        deployFaults();
        zkFault = new ZkFault(settlement, models);
        faults.addAdapter(ZK, zkFault, 1_500_000);
        models.publish(SCORER, "http://scorer.test", ZkVectors.CIRCUIT, 100, 2, 3);
    }

    /// @dev An answer that is off by one, and the gate that does not hold.
    function falseStep() internal pure returns (Told memory) {
        return abi.decode(ZkVectors.FALSE, (Told));
    }

    /// @dev The same gate of an honest answer.
    function honestStep() internal pure returns (Told memory) {
        return abi.decode(ZkVectors.HONEST, (Told));
    }

    function inferred(Told memory told) internal view returns (Receipt memory r) {
        r = honest(1);
        (r.modelId, r.mode, r.evidenceHash) = (SCORER, 2, told.evidenceHash);
    }

    /// @dev A file that says nothing but these words.
    function fileWith(bytes memory words, uint256 from) internal pure returns (bytes memory file) {
        file = new bytes(LENGTH);
        for (uint256 i = 0; i < words.length; i++) file[from + i] = words[i];
    }

    /// @dev Commits a receipt of `told` in a file that states its tape across two chunks, and shows the step.
    function committed(Told memory told) internal returns (ZkFault.Proof memory) {
        return committed(told, inferred(told), ACROSS);
    }

    function committed(Told memory told, Receipt memory r, uint256 from) internal returns (ZkFault.Proof memory p) {
        bytes memory signature = sign(r, ENCLAVE);
        bytes memory words = stated(signature, told.tapeRoot);
        bytes memory file = fileWith(words, from);
        Entry[] memory entries = only(entryOf(r, signature));
        bytes32 batchId = commitFile(NODE, keyOf(entries[0]), leavesOf(entries), ChunkTree.dataHash(file));
        p.place = Place(batchId, entries[0], keyOf(entries[0]), NODE, pathOf(entries, 0));
        (p.signature, p.tapeRoot, p.length) = (signature, told.tapeRoot, uint64(file.length));
        show(p, file, from / CHUNK, (from + words.length - 1) / CHUNK);
        p.start = from % CHUNK;
        (p.modelRoot, p.weightsRoot, p.programRoot) = (told.modelRoot, told.weightsRoot, told.programRoot);
        (p.gates, p.gate) = (told.gates, told.gate);
        (p.shownGate, p.shownValue, p.reads) = (told.shownGate, told.shownValue, told.reads);
    }

    /// @dev Puts chunks `first` to `last` of a file into a proof.
    function show(ZkFault.Proof memory p, bytes memory file, uint256 first, uint256 last) internal pure {
        p.firstChunk = uint64(first);
        p.siblings = new DataSibling[][](last - first + 1);
        p.chunks = "";
        for (uint256 i = first; i <= last; i++) {
            p.siblings[i - first] = ChunkTree.proof(file, i);
            p.chunks = bytes.concat(p.chunks, ChunkTree.chunk(file, i));
        }
    }
}
