// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Entry, InclusionLib, Path, Spot} from "../libraries/InclusionLib.sol";
import {Receipt, ReceiptLib} from "../libraries/ReceiptLib.sol";
import {BatchBook} from "../settlement/BatchBook.sol";
import {Settlement} from "../Settlement.sol";
import {TeeRegistry} from "../TeeRegistry.sol";
import {ValidatorStaking} from "../ValidatorStaking.sol";
import {Batches} from "./Batches.sol";
import {Finding, IFaultAdapter} from "./IFaultAdapter.sol";
import {ProofBytes} from "./ProofBytes.sol";

/// @title Class 3: somebody signed two things of which only one can be true
/// @notice A node: two receipts under one (key, seq). A validator: two batches at one (committer, height), or two
/// verdicts on one batch. A committer cannot: Settlement takes each of its heights once, from the committer itself.
contract EquivocationFault is IFaultAdapter {
    using Batches for Settlement;

    /// @dev `batchId`, `grantId`, `counter` and `path` place `first` in a batch, which then is void; batchId zero: none.
    struct NodeProof {
        Receipt first;
        bytes firstSignature;
        Receipt second;
        bytes secondSignature;
        bytes32 batchId;
        bytes32 grantId;
        uint64 counter;
        Path path;
    }

    struct Attestation {
        bytes32 batchId;
        bytes32 root;
        uint64 registryBlock;
        bool dataAvailable;
        uint8 verdict;
    }

    /// @dev What a batchId is the hash of.
    struct BatchName {
        address committer;
        uint64 height;
        bytes32 root;
        bytes32 dataHash;
    }

    struct ValidatorProof {
        Attestation first;
        bytes firstSignature;
        BatchName firstName;
        Attestation second;
        bytes secondSignature;
        BatchName secondName;
    }

    uint256 public constant NODE = 0;
    uint256 public constant VALIDATOR = 1;
    bytes32 private constant ATTESTATION_TYPEHASH =
        keccak256("Attestation(bytes32 batchId,bytes32 root,uint64 registryBlock,bool dataAvailable,uint8 verdict)");

    Settlement public immutable settlement;
    TeeRegistry public immutable teeRegistry;
    ValidatorStaking public immutable staking;

    error UnknownKind(uint256 kind);
    error NotSigned(address signer, address expected);
    error NoContradiction();
    error KeyNotInForce(address key, uint64 time);
    error NotNamed(bytes32 batchId);
    error NotAValidator(address signer);

    constructor(Settlement settlement_, TeeRegistry teeRegistry_, ValidatorStaking staking_) {
        settlement = settlement_;
        teeRegistry = teeRegistry_;
        staking = staking_;
    }

    /// @param proof abi.encode(uint256 kind, NodeProof | ValidatorProof)
    function judge(bytes calldata proof) external view returns (Finding memory) {
        uint256 kind = ProofBytes.word(proof, 0);
        uint256 offset = ProofBytes.member(proof, 1);
        if (kind == NODE) {
            NodeProof calldata n;
            assembly ("memory-safe") {
                n := offset
            }
            return _node(n);
        }
        if (kind != VALIDATOR) revert UnknownKind(kind);
        ValidatorProof calldata v;
        assembly ("memory-safe") {
            v := offset
        }
        return _validator(v);
    }

    // ------------------------------------------------------------------ a node

    function _node(NodeProof calldata p) private view returns (Finding memory f) {
        Receipt memory a = p.first;
        Receipt memory b = p.second;
        if (a.key != b.key || a.seq != b.seq) revert NoContradiction();
        (bytes32 hashA, bytes32 hashB) = (ReceiptLib.structHash(a), ReceiptLib.structHash(b));
        if (hashA == hashB) revert NoContradiction();
        _requireSigned(hashA, p.firstSignature, a.key);
        _requireSigned(hashB, p.secondSignature, b.key);
        // What is signed outside the key's life binds nobody: no such receipt is ever worth anything.
        f.node = _requireInForce(a);
        _requireInForce(b);
        f.faultKey = keccak256(abi.encode(NODE, a.key, a.seq));
        uint64 latest = a.issuedAt > b.issuedAt ? a.issuedAt : b.issuedAt;
        f.offenceAt = latest < block.timestamp ? latest : uint64(block.timestamp);
        if (p.batchId == bytes32(0)) return f;

        BatchBook.Batch memory batch = settlement.known(p.batchId);
        Entry memory entry = Entry(a, keccak256(p.firstSignature), p.grantId, p.counter);
        Spot memory spot = InclusionLib.spotOf(entry, p.path);
        if (spot.root != batch.root) revert Batches.NotInBatch(p.batchId);
        f.batchId = p.batchId;
        f.voids = true;
        (f.requestId, f.payer, f.loss) = (a.requestId, a.payer, a.price);
        (f.grantId, f.row, f.position) = (p.grantId, spot.row, spot.position);
    }

    /// @return operator whose key signed
    function _requireInForce(Receipt memory r) private view returns (address operator) {
        uint64 validFrom;
        uint64 revokedAt;
        (operator,,,,,, validFrom, revokedAt,) = teeRegistry.key(r.key);
        (, uint64 expiresAt) = teeRegistry.term(r.key);
        if (
            validFrom == 0 || r.issuedAt < validFrom || (revokedAt != 0 && r.issuedAt >= revokedAt)
                || (expiresAt != 0 && r.issuedAt >= expiresAt)
        ) revert KeyNotInForce(r.key, r.issuedAt);
    }

    // ------------------------------------------------------------------ a validator

    function _validator(ValidatorProof calldata p) private view returns (Finding memory f) {
        if (p.first.batchId == p.second.batchId) {
            if (p.first.verdict == p.second.verdict) revert NoContradiction();
        } else {
            _requireNamed(p.first.batchId, p.firstName);
            _requireNamed(p.second.batchId, p.secondName);
            if (p.firstName.committer != p.secondName.committer || p.firstName.height != p.secondName.height) {
                revert NoContradiction();
            }
        }
        bytes32 firstDigest = settlement.digestOf(_hashOf(p.first));
        address validator = ECDSA.recoverCalldata(firstDigest, p.firstSignature);
        _requireSigned(_hashOf(p.second), p.secondSignature, validator);

        // At least one of the two is on chain: it says when this was, and what the validator weighed then.
        bytes32 batchId = p.first.batchId;
        BatchBook.Batch memory batch = settlement.batch(batchId);
        if (batch.state == BatchBook.State.None) {
            batchId = p.second.batchId;
            batch = settlement.known(batchId);
        }
        if (staking.stakeAt(validator, batch.committedBlock - 1) == 0) revert NotAValidator(validator);
        f.faultKey = keccak256(abi.encode(VALIDATOR, validator, batch.committer, batch.height));
        f.batchId = batchId;
        f.validator = validator;
        f.offenceAt = batch.committedAt;
    }

    function _requireNamed(bytes32 batchId, BatchName calldata name) private view {
        if (settlement.batchIdOf(name.committer, name.height, name.root, name.dataHash) != batchId) {
            revert NotNamed(batchId);
        }
    }

    function _hashOf(Attestation calldata a) private pure returns (bytes32) {
        return keccak256(
            abi.encode(ATTESTATION_TYPEHASH, a.batchId, a.root, a.registryBlock, a.dataAvailable, a.verdict)
        );
    }

    // ------------------------------------------------------------------ both

    function _requireSigned(bytes32 structHash, bytes calldata signature, address expected) private view {
        address signer = ECDSA.recoverCalldata(settlement.digestOf(structHash), signature);
        if (signer != expected) revert NotSigned(signer, expected);
    }
}
