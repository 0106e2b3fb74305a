// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Entry, InclusionLib, Path, Spot} from "../libraries/InclusionLib.sol";
import {Params} from "../libraries/Params.sol";
import {Receipt, ReceiptLib} from "../libraries/ReceiptLib.sol";
import {ParamStore} from "../ParamStore.sol";
import {BatchBook} from "../settlement/BatchBook.sol";
import {Settlement} from "../Settlement.sol";
import {TeeRegistry} from "../TeeRegistry.sol";
import {Batches} from "./Batches.sol";
import {Finding, IFaultAdapter} from "./IFaultAdapter.sol";
import {ProofBytes} from "./ProofBytes.sol";

/// @title Class 1: a batch holds a receipt that no valid key signed
/// @notice Falls on the committer and on whoever called the batch valid, never on the node that the receipt names: it
/// may never have seen it.
contract TeeFault is IFaultAdapter {
    using Batches for Settlement;

    struct Proof {
        bytes32 batchId;
        Entry entry;
        bytes signature;
        Path path;
    }

    uint8 private constant MODE_BONDED = 0;
    /// @notice docs/spec.md §4, seconds.
    uint64 public constant SKEW = 5;
    uint64 public constant MAX_AGE = 86_400;

    Settlement public immutable settlement;
    TeeRegistry public immutable teeRegistry;
    ParamStore public immutable params;

    error OtherSignature(bytes32 committed, bytes32 given);
    error ReceiptHolds(bytes32 requestId);

    constructor(Settlement settlement_, TeeRegistry teeRegistry_, ParamStore params_) {
        settlement = settlement_;
        teeRegistry = teeRegistry_;
        params = params_;
    }

    /// @param proof abi.encode(Proof)
    function judge(bytes calldata proof) external view returns (Finding memory f) {
        Proof calldata p = _proof(proof);
        BatchBook.Batch memory b = settlement.known(p.batchId);
        Entry memory entry = p.entry;
        Receipt memory r = entry.receipt;
        if (keccak256(p.signature) != entry.signatureHash) {
            revert OtherSignature(entry.signatureHash, keccak256(p.signature));
        }
        Spot memory spot = InclusionLib.spotOf(entry, p.path);
        if (spot.root != b.root) revert Batches.NotInBatch(p.batchId);
        uint64 grace = uint64(params.getAt(Params.GRACE, b.committedAt));
        if (_signed(r, p.signature) && _keyHeld(r, b.committedAt, grace) && _timely(r, b.committedAt, grace)) {
            revert ReceiptHolds(r.requestId);
        }
        f.faultKey = p.batchId;
        f.batchId = p.batchId;
        f.voids = true;
        f.attesters = true;
        f.committer = b.committer;
        (f.requestId, f.payer, f.loss) = (r.requestId, r.payer, r.price);
        (f.grantId, f.row, f.position) = (entry.grantId, spot.row, spot.position);
        f.offenceAt = b.committedAt;
    }

    /// @dev Any form but the canonical one (65 bytes, low s, v 27 or 28) is no signature.
    function _signed(Receipt memory r, bytes calldata signature) private view returns (bool) {
        bytes32 digest = settlement.digestOf(ReceiptLib.structHash(r));
        (address signer, ECDSA.RecoverError failure,) = ECDSA.tryRecoverCalldata(digest, signature);
        return failure == ECDSA.RecoverError.NoError && signer == r.key;
    }

    /// @dev What was revoked only shortly before the commit, or since, nobody could be expected to know.
    function _keyHeld(Receipt memory r, uint64 committedAt, uint64 grace) private view returns (bool) {
        uint64 knownAt = committedAt > grace ? committedAt - grace : 0;
        return teeRegistry.wasKeyValid(
            r.key, r.node, r.engineClass, r.mode == MODE_BONDED, r.issuedAt, knownAt
        );
    }

    /// @dev Without it a stolen key could date its receipts back to when it was valid. The grace is for what waits to
    /// be mined, and for receipts of a void batch that are committed again.
    function _timely(Receipt memory r, uint64 committedAt, uint64 grace) private pure returns (bool) {
        uint256 issuedAt = r.issuedAt;
        return issuedAt <= uint256(committedAt) + SKEW + grace && committedAt <= issuedAt + MAX_AGE + grace;
    }

    function _proof(bytes calldata proof) private pure returns (Proof calldata p) {
        uint256 offset = ProofBytes.member(proof, 0);
        assembly ("memory-safe") {
            p := offset
        }
    }
}
