// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Base64} from "@openzeppelin/contracts/utils/Base64.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {DataLib, DataSibling} from "../libraries/DataLib.sol";
import {Spot} from "../libraries/InclusionLib.sol";
import {Receipt} from "../libraries/ReceiptLib.sol";
import {BatchBook} from "../settlement/BatchBook.sol";
import {Settlement} from "../Settlement.sol";
import {Batches} from "./Batches.sol";
import {Finding, IFaultAdapter} from "./IFaultAdapter.sol";
import {Place, Places} from "./Places.sol";
import {ProofBytes} from "./ProofBytes.sol";
import {ZkFractions} from "./ZkFractions.sol";

/// @title Class 2: beside a receipt of mode zk stands a proof that the verifier refuses
/// @notice Replays the verifier from the proof's first byte, which the batch file holds, down to the step that fails: the
/// transcript from the statement that the receipt commits to, the root of the tree of fractions, and the sumchecks of its
/// upper layers. Those steps are the same for every model, so nothing but the batch has to be known.
/// @dev What fails only later is not judged here, and no proof of it holds. The node is not guilty: its signature covers
/// the statement and not the proof, which a gateway could have exchanged.
contract ZkFault is IFaultAdapter {
    struct Proof {
        Place place;
        /// Of the receipt: with the attachment behind it, it says where in the file the proof stands.
        bytes signature;
        bytes32 modelRoot;
        bytes32 inputHash;
        bytes32 outputHash;
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
        /// Characters of the model's card, which stands before the proof.
        uint256 cardLength;
        /// Down to which layer of the tree is replayed, 0 = its root.
        uint256 layers;
    }

    /// @notice Layers below the root that are replayed at most. Every circuit's tree has eight: a circuit has a lookup, in a
    /// table of at least 256 rows. Five take less than a million gas.
    uint256 public constant MAX_LAYERS = 5;
    uint8 private constant MODE_ZK = 2;
    bytes32 private constant EVIDENCE_TAG = keccak256("assay/zk-evidence/v1");

    Settlement public immutable settlement;

    error NotTheStatement(bytes32 requestId);
    error NotTheFile(bytes32 batchId);
    error NotThere(uint256 position);
    error TooDeep(uint256 layers);
    error ProofHolds(bytes32 requestId);

    constructor(Settlement settlement_) {
        settlement = settlement_;
    }

    /// @param proof abi.encode(Proof)
    function judge(bytes calldata proof) external view returns (Finding memory f) {
        uint256 offset = ProofBytes.member(proof, 0);
        Proof calldata p;
        assembly ("memory-safe") {
            p := offset
        }
        (BatchBook.Batch memory b, Spot memory spot) = Places.find(settlement, p.place);
        Receipt calldata r = p.place.entry.receipt;
        if (!_states(r, p)) revert NotTheStatement(r.requestId);
        _requireFile(p, b);
        (ZkFractions.Flaw flaw,) = replay(p.modelRoot, p.inputHash, p.outputHash, _proofText(p), p.layers);
        if (flaw == ZkFractions.Flaw.None) revert ProofHolds(r.requestId);
        f.faultKey = p.place.batchId;
        f.batchId = p.place.batchId;
        f.voids = true;
        f.attesters = true;
        f.committer = b.committer;
        (f.requestId, f.payer, f.loss) = (r.requestId, p.place.key.payer, r.price);
        (f.grantId, f.row, f.position) = (p.place.key.grantId, spot.row, spot.position);
        f.offenceAt = b.committedAt;
    }

    /// @notice What the verifier says of the beginning of a proof.
    /// @param text the proof in base64, all of it or as much as `layers` layers take
    /// @return flaw the first that it meets
    /// @return layer in which, 0 = the root
    function replay(
        bytes32 modelRoot,
        bytes32 inputHash,
        bytes32 outputHash,
        string memory text,
        uint256 layers
    ) public pure returns (ZkFractions.Flaw flaw, uint256 layer) {
        return ZkFractions.replay(modelRoot, inputHash, outputHash, Base64.decode(text), layers);
    }

    // ------------------------------------------------------------------ internal

    function _states(Receipt calldata r, Proof calldata p) private pure returns (bool) {
        return r.mode == MODE_ZK
            && r.evidenceHash == keccak256(abi.encode(EVIDENCE_TAG, p.modelRoot, p.inputHash, p.outputHash));
    }

    /// @dev The chunks are those of the file that the batch's id commits to.
    function _requireFile(Proof calldata p, BatchBook.Batch memory b) private view {
        bytes32 batchId = p.place.batchId;
        uint256 from = 0;
        for (uint256 i = 0; i < p.siblings.length; i++) {
            uint64 index = p.firstChunk + uint64(i);
            uint256 size = DataLib.chunkLength(p.length, index);
            if (size == 0 || from + size > p.chunks.length) revert NotTheFile(batchId);
            bytes32 dataHash = DataLib.dataHash(p.length, index, p.chunks[from:from + size], p.siblings[i]);
            if (settlement.batchIdOf(b.committer, b.height, b.root, dataHash) != batchId) revert NotTheFile(batchId);
            from += size;
        }
        if (from != p.chunks.length) revert NotTheFile(batchId);
    }

    /// @dev `"signature":"0x…","zk":{"card":"…","proof":"…`: no text inside a canonical JSON file holds such quotes, so these
    /// bytes stand in it only where it states the attachment of this receipt.
    function _proofText(Proof calldata p) private pure returns (string memory) {
        if (p.layers > MAX_LAYERS) revert TooDeep(p.layers);
        if (keccak256(p.signature) != p.place.entry.signatureHash) revert NotThere(p.start);
        bytes memory opening =
            abi.encodePacked('"signature":"', Strings.toHexString(p.signature), '","zk":{"card":"');
        uint256 position = _after(p, p.start, opening);
        uint256 behind = position + p.cardLength;
        if (behind > p.chunks.length || _end(p.chunks[position:behind]) != p.cardLength) revert NotThere(position);
        position = _after(p, behind, '","proof":"');
        // Base64: four characters for three bytes.
        uint256 wanted = (ZkFractions.lengthFor(p.layers) + 2) / 3 * 4;
        bytes calldata rest = p.chunks[position:];
        uint256 end = _end(rest);
        if (end < wanted && end == rest.length) revert NotThere(position);
        return string(rest[:end < wanted ? end : wanted]);
    }

    /// @return behind `expected`, which must stand at `position`
    function _after(Proof calldata p, uint256 position, bytes memory expected) private pure returns (uint256 behind) {
        behind = position + expected.length;
        if (behind > p.chunks.length || keccak256(p.chunks[position:behind]) != keccak256(expected)) {
            revert NotThere(position);
        }
    }

    /// @return length characters before the first quote, or all of them
    function _end(bytes calldata text) private pure returns (uint256 length) {
        // A word at a time: with `"` turned to zero, borrows show whether a byte of it is zero.
        uint256 low = type(uint256).max / 255;
        unchecked {
            while (length + 32 <= text.length) {
                uint256 word;
                assembly ("memory-safe") {
                    word := xor(calldataload(add(text.offset, length)), mul(low, 0x22))
                }
                if ((word - low) & ~word & (low << 7) != 0) break;
                length += 32;
            }
            while (length < text.length && text[length] != '"') length++;
        }
    }
}
