// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DataSibling} from "../libraries/DataLib.sol";
import {Entry, Path} from "../libraries/InclusionLib.sol";
import {Circuit, TapeLib} from "../libraries/TapeLib.sol";
import {WordRun, WordTree} from "../libraries/WordTree.sol";
import {ModelRegistry} from "../ModelRegistry.sol";
import {Settlement} from "../Settlement.sol";

/// @title Tapes that are shown word by word
/// @notice Beside a receipt of mode zk a batch file holds the root of a tape (docs/zkml.md, "On chain: fault 2"). That there is a
/// tape under it nobody knows until its words are shown: first where the root stands and how many words are under it,
/// then the words, in parts of `PART_WORDS`, in any order. What is shown stands in the log, so that whoever reads it can convict.
abstract contract ShownTapes {
    // ------------------------------------------------------------------ types, constants

    /// @notice A receipt where it stands, and beside it in the file the root of its tape.
    struct StatedTape {
        Entry entry;
        Path path;
        /// Of the receipt: it says where in the file the root stands.
        bytes signature;
        bytes32 root;
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
        Circuit circuit;
    }

    /// @notice What is known of a demanded tape.
    struct Tape {
        bytes32 root;
        /// Words: one for each gate of the model's program.
        uint32 words;
        /// Parts that nobody has shown yet.
        uint32 left;
    }

    /// @notice Words of one part: with 16 KiB of calldata it stays below a million gas whatever they are.
    uint256 public constant PART_WORDS = 512;

    // ------------------------------------------------------------------ storage

    ModelRegistry public immutable models;
    /// @notice Zero until its root was shown.
    mapping(bytes32 challengeId => Tape) public tapeOf;
    mapping(bytes32 challengeId => mapping(uint256 part => bool)) public isPartShown;

    // ------------------------------------------------------------------ events, errors

    event TapeRootShown(bytes32 indexed challengeId, bytes32 indexed batchId, address indexed by, bytes32 root, uint32 words);
    event TapeShown(
        bytes32 indexed challengeId, bytes32 indexed batchId, address indexed by, uint256 part, bytes32[] words
    );

    error NotThisPart(bytes32 challengeId, uint256 part);
    error AlreadyShown(bytes32 challengeId, uint256 part);
    error RootShown(bytes32 challengeId);

    constructor(ModelRegistry models_) {
        models = models_;
    }

    // ------------------------------------------------------------------ internal

    /// @dev Whether the receipt stands where the challenge says is the caller's to check.
    function _showRoot(Settlement settlement, bytes32 challengeId, bytes32 batchId, StatedTape calldata t) internal {
        if (tapeOf[challengeId].words != 0) revert RootShown(challengeId);
        TapeLib.requireModel(models, t.entry.receipt, t.circuit);
        TapeLib.requireFile(settlement, batchId, t.length, t.firstChunk, t.chunks, t.siblings);
        TapeLib.requireStated(t.entry, t.signature, t.root, t.chunks, t.start);
        uint256 parts = (uint256(t.circuit.gates) + PART_WORDS - 1) / PART_WORDS;
        tapeOf[challengeId] = Tape(t.root, t.circuit.gates, uint32(parts));
        emit TapeRootShown(challengeId, batchId, msg.sender, t.root, t.circuit.gates);
    }

    /// @return whether all words are shown now
    function _showPart(bytes32 challengeId, bytes32 batchId, uint256 part, WordRun calldata run)
        internal
        returns (bool)
    {
        Tape memory tape = tapeOf[challengeId];
        uint256 depth = WordTree.bitsOf(tape.words);
        uint256 size = 1 << depth < PART_WORDS ? 1 << depth : PART_WORDS;
        uint256 first = part * PART_WORDS;
        if (first >= tape.words || run.words.length != size) revert NotThisPart(challengeId, part);
        if (isPartShown[challengeId][part]) revert AlreadyShown(challengeId, part);
        (bytes32 root, uint256 levels) = WordTree.rootOf(run, first);
        bool last = first + size >= tape.words;
        if (root != tape.root || levels != depth || (last && !_endsHere(part, run.siblings))) {
            revert NotThisPart(challengeId, part);
        }
        isPartShown[challengeId][part] = true;
        tapeOf[challengeId].left = --tape.left;
        emit TapeShown(challengeId, batchId, msg.sender, part, run.words);
        return tape.left == 0;
    }

    /// @dev What lies past the last part is zero, so the parts are the whole tree: nothing is hidden behind them.
    function _endsHere(uint256 part, bytes32[] calldata siblings) private pure returns (bool) {
        for (uint256 i = 0; i < siblings.length; i++) {
            if (part >> i & 1 == 0 && siblings[i] != 0) return false;
        }
        return true;
    }
}
