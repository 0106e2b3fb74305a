// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DataSibling} from "../libraries/DataLib.sol";
import {Spot} from "../libraries/InclusionLib.sol";
import {Circuit, TapeLib} from "../libraries/TapeLib.sol";
import {WordRun, WordTree} from "../libraries/WordTree.sol";
import {ModelRegistry} from "../ModelRegistry.sol";
import {BatchBook} from "../settlement/BatchBook.sol";
import {Settlement} from "../Settlement.sol";
import {Finding, IFaultAdapter} from "./IFaultAdapter.sol";
import {Place, Places} from "./Places.sol";
import {ProofBytes} from "./ProofBytes.sol";
import {ZkGates} from "./ZkGates.sol";

/// @title Class 2: beside a receipt of mode zk stands the tape of a verification of which a step does not hold
/// @notice For a given model the verifier is a program, a list of gates, whose root its publisher registers; the tape holds
/// the value of every gate, and its root stands in the batch file beside the receipt. Were all gates to hold, the tape would
/// show the receipt's statement. A proof shows one gate that does not.
/// @dev The node is not guilty: its signature covers the statement, not the tape, which a gateway could have exchanged.
contract ZkFault is IFaultAdapter {
    struct Proof {
        Place place;
        /// Of the receipt: it says where in the file the tape's root stands.
        bytes signature;
        bytes32 tapeRoot;
        /// Of the whole batch file, bytes.
        uint64 length;
        /// Index of the first chunk shown.
        uint64 firstChunk;
        /// Chunks that follow each other, joined.
        bytes chunks;
        /// Of each chunk shown.
        DataSibling[][] siblings;
        /// Where in `chunks` the receipt's signature begins, with its name.
        uint256 start;
        /// What the registry's hash of the model's weights stands for.
        bytes32 modelRoot;
        bytes32 weightsRoot;
        bytes32 programRoot;
        /// Gates of the program.
        uint32 gates;
        /// The gate that does not hold, and its value.
        uint32 gate;
        WordRun shownGate;
        WordRun shownValue;
        /// What the gate reads of the tape, in the order of its members.
        WordRun[] reads;
    }

    Settlement public immutable settlement;
    ModelRegistry public immutable models;

    error NotInTheProgram(uint256 gate);
    error GateHolds(uint256 gate);

    constructor(Settlement settlement_, ModelRegistry models_) {
        settlement = settlement_;
        models = models_;
    }

    /// @param proof abi.encode(Proof)
    function judge(bytes calldata proof) external view returns (Finding memory f) {
        uint256 offset = ProofBytes.member(proof, 0);
        Proof calldata p;
        assembly ("memory-safe") {
            p := offset
        }
        (BatchBook.Batch memory b, Spot memory spot) = Places.find(settlement, p.place);
        TapeLib.requireModel(
            models, p.place.entry.receipt, Circuit(p.modelRoot, p.weightsRoot, p.programRoot, p.gates)
        );
        TapeLib.requireFile(settlement, p.place.batchId, p.length, p.firstChunk, p.chunks, p.siblings);
        TapeLib.requireStated(p.place.entry, p.signature, p.tapeRoot, p.chunks, p.start);
        _requireViolated(p);
        f.faultKey = p.place.batchId;
        f.batchId = p.place.batchId;
        f.voids = true;
        f.attesters = true;
        f.committer = b.committer;
        f.requestId = p.place.entry.receipt.requestId;
        (f.payer, f.loss) = (p.place.key.payer, p.place.entry.receipt.price);
        (f.grantId, f.row, f.position) = (p.place.key.grantId, spot.row, spot.position);
        f.offenceAt = b.committedAt;
    }

    /// @notice Whether a gate holds, as `judge` sees it.
    /// @param reads what it reads of the tape, in the order of its members
    function holds(ZkGates.Step memory step, WordRun[] calldata reads) external pure returns (bool) {
        return ZkGates.holds(step, reads);
    }

    // ------------------------------------------------------------------ internal

    function _requireViolated(Proof calldata p) private pure {
        uint256 depth = WordTree.bitsOf(p.gates);
        ZkGates.Step memory step = ZkGates.Step({
            gate: _shown(p.shownGate, p.gate, p.programRoot, depth),
            value: _shown(p.shownValue, p.gate, p.tapeRoot, depth),
            tapeRoot: p.tapeRoot,
            depth: depth,
            modelRoot: p.modelRoot,
            weightsRoot: p.weightsRoot,
            evidenceHash: p.place.entry.receipt.evidenceHash
        });
        if (ZkGates.holds(step, p.reads)) revert GateHolds(p.gate);
    }

    function _shown(WordRun calldata run, uint256 place, bytes32 root, uint256 depth) private pure returns (bytes32) {
        if (run.words.length != 1) revert NotInTheProgram(place);
        (bytes32 found, uint256 levels) = WordTree.rootOf(run, place);
        if (found != root || levels != depth) revert NotInTheProgram(place);
        return run.words[0];
    }
}
