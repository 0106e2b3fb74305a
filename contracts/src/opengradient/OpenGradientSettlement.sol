// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Entry, InclusionLib, Path} from "../libraries/InclusionLib.sol";
import {BatchBook} from "../settlement/BatchBook.sol";
import {Settlement} from "../Settlement.sol";
import {OpenGradientRegistry} from "./OpenGradientRegistry.sol";
import {RsaPss} from "./RsaPss.sol";

/// @title OpenGradient's settlement events, for what settled on Assay
/// @notice Whoever reads OpenGradient's events finds here what its settlement relay would have emitted. Nothing is paid or
/// decided by them; and nothing is said of a batch that validators have not made final.
contract OpenGradientSettlement {
    using InclusionLib for Entry;

    // ------------------------------------------------------------------ storage, events, errors

    Settlement public immutable settlement;
    OpenGradientRegistry public immutable registry;
    /// @notice Root that was told of a batch; zero for none.
    mapping(bytes32 batchId => bytes32 merkleRoot) public rootOf;
    mapping(bytes32 requestId => bool) public isTold;

    /// @param merkleRoot of OpenZeppelin's StandardMerkleTree over (teeId, request hash, output hash, signature, timestamp)
    /// @param walrusBlobId hash of the file of the Assay batch, where OpenGradient names a Walrus blob
    event BatchSettlement(bytes32 indexed merkleRoot, uint256 batchSize, bytes walrusBlobId);
    event IndividualSettlement(
        bytes32 indexed teeId,
        address indexed ethAddress,
        bytes32 inputHash,
        bytes32 outputHash,
        uint256 timestamp,
        bytes walrusBlobId,
        bytes signature
    );

    error NotFinal(bytes32 batchId);
    error NotTheCommitter(bytes32 batchId, address caller);
    error NotItsData(bytes32 batchId, bytes32 dataHash);
    error AlreadyTold(bytes32 id);
    error BadSize(uint256 size, uint64 count);
    error NotInBatch(bytes32 batchId);
    error OtherEnclave(bytes32 teeId, address key);
    error BadSignature(bytes32 teeId);

    constructor(Settlement settlement_, OpenGradientRegistry registry_) {
        settlement = settlement_;
        registry = registry_;
    }

    /// @notice What an enclave said of one answer.
    struct Statement {
        bytes32 teeId;
        bytes32 inputHash;
        bytes32 outputHash;
        uint256 timestamp;
        bytes signature;
    }

    // ------------------------------------------------------------------ writes

    /// @notice Tells of a final batch, once, by who committed it.
    /// @param dataHash of the batch's file, which its id commits to
    /// @param size leaves below `merkleRoot`: receipts that were asked for under OpenGradient's `batch`, so at most all
    /// @dev Warning: that the leaves are those of the batch's answers is for a reader to check, who has an answer's bytes:
    /// Assay's receipt covers them, and they carry the leaf.
    function settleBatch(bytes32 batchId, bytes32 dataHash, bytes32 merkleRoot, uint256 size) external {
        BatchBook.Batch memory b = _final(batchId, dataHash);
        if (b.committer != msg.sender) revert NotTheCommitter(batchId, msg.sender);
        if (rootOf[batchId] != bytes32(0)) revert AlreadyTold(batchId);
        if (size == 0 || size > b.count || merkleRoot == bytes32(0)) revert BadSize(size, b.count);
        rootOf[batchId] = merkleRoot;
        emit BatchSettlement(merkleRoot, size, abi.encodePacked(dataHash));
    }

    /// @notice Tells of one answer in a final batch, once, by who committed it.
    /// @dev Checked here: the answer's receipt is in the batch, and the RSA key that signed the statement is registered and
    /// lives beside the key that signed the receipt.
    function settleIndividual(
        bytes32 batchId,
        bytes32 dataHash,
        Entry calldata entry,
        Path calldata path,
        Statement calldata s
    ) external {
        BatchBook.Batch memory b = _final(batchId, dataHash);
        if (b.committer != msg.sender) revert NotTheCommitter(batchId, msg.sender);
        bytes32 requestId = entry.receipt.requestId;
        if (isTold[requestId]) revert AlreadyTold(requestId);
        if (entry.rootOf(path).hash != b.root) revert NotInBatch(batchId);
        if (registry.keyOf(s.teeId) != entry.receipt.key) revert OtherEnclave(s.teeId, entry.receipt.key);
        if (!isSignedBy(s)) revert BadSignature(s.teeId);
        isTold[requestId] = true;
        emit IndividualSettlement(
            s.teeId,
            entry.receipt.payer,
            s.inputHash,
            s.outputHash,
            s.timestamp,
            abi.encodePacked(dataHash),
            s.signature
        );
    }

    // ------------------------------------------------------------------ views

    /// @notice Whether the enclave's registered RSA key signed this.
    function isSignedBy(Statement calldata s) public view returns (bool) {
        bytes memory message =
            abi.encodePacked(keccak256(abi.encodePacked(s.inputHash, s.outputHash, s.timestamp)));
        return RsaPss.verify(message, s.signature, registry.modulusOf(s.teeId));
    }

    // ------------------------------------------------------------------ internal

    function _final(bytes32 batchId, bytes32 dataHash) private view returns (BatchBook.Batch memory b) {
        b = settlement.batch(batchId);
        if (b.state != BatchBook.State.Final) revert NotFinal(batchId);
        if (settlement.batchIdOf(b.committer, b.height, b.root, dataHash) != batchId) {
            revert NotItsData(batchId, dataHash);
        }
    }
}
