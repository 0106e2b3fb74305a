// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {InferenceEscrow} from "../InferenceEscrow.sol";
import {Spot} from "../libraries/InclusionLib.sol";
import {RowKey} from "../libraries/MerkleSumLib.sol";
import {Receipt, ReceiptLib} from "../libraries/ReceiptLib.sol";
import {ModelRegistry} from "../ModelRegistry.sol";
import {BatchBook} from "../settlement/BatchBook.sol";
import {Settlement} from "../Settlement.sol";
import {TeeRegistry} from "../TeeRegistry.sol";
import {Batches} from "./Batches.sol";
import {Finding, IFaultAdapter} from "./IFaultAdapter.sol";
import {Place, Places} from "./Places.sol";
import {ProofBytes} from "./ProofBytes.sol";

/// @title Class 7: a settlement row holds what does not belong there
/// @notice Rows under a grant are settled whole, so what single receipts are checked for elsewhere must be provable here.
contract RowFault is IFaultAdapter {
    struct Proof {
        Place place;
        /// Of the receipt, for OVERCHARGE; else empty.
        bytes signature;
        /// One more for TWICE; else empty.
        Place[] other;
    }

    /// @notice Under a row of another payer, node, model or price, or a row in the group of another node.
    uint256 public constant FOREIGN_ROW = 0;
    /// @notice Under a grant whose counter does not give the receipt's request id.
    uint256 public constant FOREIGN_GRANT = 1;
    /// @notice Under a grant twice, in batches of one committer that stand.
    uint256 public constant TWICE = 2;
    /// @notice Under a grant, in another's batch than its committer's.
    uint256 public constant STRANGER = 3;
    /// @notice Priced above what the price row gives: the node signed it, the committer took it.
    uint256 public constant OVERCHARGE = 4;

    uint8 private constant SCHEME_GRANT = 3;
    uint8 private constant STATUS_FAILED = 2;

    Settlement public immutable settlement;
    InferenceEscrow public immutable escrow;
    ModelRegistry public immutable models;
    TeeRegistry public immutable teeRegistry;

    error UnknownKind(uint256 kind);
    error RowHolds(bytes32 requestId);

    constructor(Settlement settlement_, InferenceEscrow escrow_, ModelRegistry models_, TeeRegistry teeRegistry_) {
        settlement = settlement_;
        escrow = escrow_;
        models = models_;
        teeRegistry = teeRegistry_;
    }

    /// @param proof abi.encode(uint256 kind, Proof)
    function judge(bytes calldata proof) external view returns (Finding memory f) {
        uint256 kind = ProofBytes.word(proof, 0);
        uint256 offset = ProofBytes.member(proof, 1);
        Proof calldata p;
        assembly ("memory-safe") {
            p := offset
        }
        (BatchBook.Batch memory b, Spot memory spot) = Places.find(settlement, p.place);
        Receipt memory r = p.place.entry.receipt;
        bytes32 batchId = p.place.batchId;
        f.faultKey = batchId;
        f.loss = r.price;
        f.grantId = p.place.key.grantId;
        if (kind == OVERCHARGE) {
            f.loss = _overcharge(p, r);
            f.node = r.node;
            // Each node answers for its own receipts.
            f.faultKey = keccak256(abi.encode(batchId, OVERCHARGE, r.node));
        } else if (kind == TWICE) {
            bool isSecond;
            (isSecond, b, spot) = _laterOf(p, b, spot);
            Place calldata later = isSecond ? p.other[0] : p.place;
            batchId = f.faultKey = later.batchId;
            (f.grantId, f.loss) = (later.key.grantId, later.entry.receipt.price);
        } else if (!_misplaced(kind, p.place, b)) {
            revert RowHolds(r.requestId);
        }
        f.batchId = batchId;
        f.voids = true;
        f.attesters = true;
        f.committer = b.committer;
        f.requestId = r.requestId;
        f.payer = p.place.key.payer;
        (f.row, f.position) = (spot.row, spot.position);
        f.offenceAt = b.committedAt;
    }

    // ------------------------------------------------------------------ predicates

    function _misplaced(uint256 kind, Place calldata place, BatchBook.Batch memory b) private view returns (bool) {
        RowKey calldata key = place.key;
        Receipt calldata r = place.entry.receipt;
        if (kind == FOREIGN_ROW) {
            return key.node != place.group || key.node != r.node || key.payer != r.payer || key.modelId != r.modelId
                || key.priceVersion != r.priceVersion;
        }
        if (kind != FOREIGN_GRANT && kind != STRANGER) revert UnknownKind(kind);
        if (key.grantId == bytes32(0)) return false;
        if (kind == STRANGER) return b.committer != r.committer;
        bytes32 nonce = keccak256(abi.encode(key.grantId, uint256(place.entry.counter)));
        return r.requestId != escrow.requestIdOf(key.payer, SCHEME_GRANT, nonce);
    }

    /// @dev Another's batch is no proof: whoever copies a receipt first would make its own committer guilty.
    function _laterOf(Proof calldata p, BatchBook.Batch memory b, Spot memory spot)
        private
        view
        returns (bool isSecond, BatchBook.Batch memory, Spot memory)
    {
        bytes32 requestId = p.place.entry.receipt.requestId;
        if (p.other.length != 1) revert RowHolds(requestId);
        Place calldata second = p.other[0];
        (BatchBook.Batch memory c, Spot memory other) = Places.find(settlement, second);
        bool bothUnderGrants = p.place.key.grantId != bytes32(0) && second.key.grantId != bytes32(0);
        bool apart = p.place.batchId != second.batchId || spot.position != other.position;
        if (
            !bothUnderGrants || !apart || second.entry.receipt.requestId != requestId || b.committer != c.committer
                || !Batches.stands(b) || !Batches.stands(c)
        ) revert RowHolds(requestId);
        return b.height > c.height ? (false, b, spot) : (true, c, other);
    }

    /// @return surplus over what the row gives, OPG base units; a row that does not exist gives nothing.
    function _overcharge(Proof calldata p, Receipt memory r) private view returns (uint128 surplus) {
        uint256 due = 0;
        if (r.status != STATUS_FAILED && r.outputUnits != 0) {
            (uint128 perCall, uint128 inputPrice, uint128 outputPrice,) = models.priceRow(r.modelId, r.priceVersion);
            due = perCall + uint256(inputPrice) * r.inputUnits + uint256(outputPrice) * r.outputUnits;
        }
        if (r.price <= due) revert RowHolds(r.requestId);
        // Only its own signature makes the node guilty.
        bool committed = keccak256(p.signature) == p.place.entry.signatureHash;
        (address operator,,,,,,,,) = teeRegistry.key(r.key);
        bytes32 digest = settlement.digestOf(ReceiptLib.structHash(r));
        if (!committed || operator != r.node || ECDSA.recoverCalldata(digest, p.signature) != r.key) {
            revert RowHolds(r.requestId);
        }
        // Safe cast: due < price, which has this width.
        return r.price - uint128(due);
    }
}
