// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Entry, InclusionLib, Spot} from "../libraries/InclusionLib.sol";
import {MerkleSumLib, RowKey, Sibling, SumNode} from "../libraries/MerkleSumLib.sol";
import {BatchBook} from "../settlement/BatchBook.sol";
import {Settlement} from "../Settlement.sol";
import {Batches} from "./Batches.sol";
import {Finding, IFaultAdapter} from "./IFaultAdapter.sol";
import {ProofBytes} from "./ProofBytes.sol";

/// @title Class 6: a node of the batch tree states another sum, exposure or count than what it stands on
/// @notice The highest such node can always be shown: above it every parent is what its children make it, so its
/// siblings fold to the root. Groups and what is above them are added up on chain and cannot lie.
contract SumFault is IFaultAdapter {
    using Batches for Settlement;

    /// @dev What the hash of the accused node is made of.
    enum Content {
        Leaf,
        Inner,
        Row
    }

    struct Proof {
        bytes32 batchId;
        /// As the committer states it.
        SumNode accused;
        Content content;
        Entry leaf;
        SumNode left;
        SumNode right;
        RowKey rowKey;
        /// Top of the row, where the accused is one.
        SumNode rowTop;
        /// Whether the accused stands below a row, of which `rowKey` then is the key.
        bool inRow;
        /// Whose group it stands in.
        address node;
        Sibling[] leafSiblings;
        Sibling[] rowSiblings;
        Sibling[] groupSiblings;
    }

    /// @dev As a node, wide enough for children whose sum does not fit.
    struct Truth {
        bytes32 hash;
        uint256 sum;
        uint256 exposure;
        uint256 count;
    }

    Settlement public immutable settlement;

    error OtherContent(bytes32 accused, bytes32 content);
    error SumHolds();

    constructor(Settlement settlement_) {
        settlement = settlement_;
    }

    /// @param proof abi.encode(Proof)
    function judge(bytes calldata proof) external view returns (Finding memory f) {
        Proof calldata p = _proof(proof);
        BatchBook.Batch memory b = settlement.known(p.batchId);
        SumNode memory accused = p.accused;
        Truth memory truth = _truthOf(p);
        if (truth.hash != accused.hash) revert OtherContent(accused.hash, truth.hash);
        if (truth.sum == accused.sum && truth.exposure == accused.exposure && truth.count == accused.count) {
            revert SumHolds();
        }
        Spot memory spot = _spotOf(p, accused);
        if (spot.root != b.root) revert Batches.NotInBatch(p.batchId);
        f.faultKey = p.batchId;
        f.batchId = p.batchId;
        f.voids = true;
        f.attesters = true;
        f.committer = b.committer;
        f.offenceAt = b.committedAt;
        if (p.content == Content.Leaf) {
            (f.requestId, f.payer, f.loss) = (p.leaf.receipt.requestId, p.leaf.receipt.payer, p.leaf.receipt.price);
        }
        if (!p.inRow || p.rowKey.grantId == bytes32(0)) return f;
        // A row under a grant is paid by the sum that it states.
        (f.grantId, f.row, f.position) = (p.rowKey.grantId, spot.row, spot.position);
        // Safe cast: the greater of the two has this width.
        f.loss = accused.sum > truth.sum ? uint128(accused.sum - truth.sum) : 0;
    }

    function _truthOf(Proof calldata p) private pure returns (Truth memory) {
        if (p.content == Content.Leaf) {
            SumNode memory leaf = InclusionLib.leaf(p.leaf);
            return Truth(leaf.hash, leaf.sum, leaf.exposure, leaf.count);
        }
        if (p.content == Content.Row) {
            SumNode memory row = MerkleSumLib.row(p.rowKey, p.rowTop);
            return Truth(row.hash, row.sum, row.exposure, row.count);
        }
        SumNode memory l = p.left;
        SumNode memory r = p.right;
        return Truth(
            keccak256(
                abi.encode(
                    MerkleSumLib.NODE_TAG, l.hash, l.sum, l.exposure, l.count, r.hash, r.sum, r.exposure, r.count
                )
            ),
            uint256(l.sum) + r.sum,
            uint256(l.exposure) + r.exposure,
            uint256(l.count) + r.count
        );
    }

    function _spotOf(Proof calldata p, SumNode memory accused) private pure returns (Spot memory spot) {
        SumNode memory top = accused;
        (uint64 inRow, uint64 before) = (0, 0);
        if (p.inRow) {
            (top, inRow) = MerkleSumLib.fold(top, p.leafSiblings);
            top = MerkleSumLib.row(p.rowKey, top);
        }
        (top, spot.row) = MerkleSumLib.fold(top, p.rowSiblings);
        (top, before) = MerkleSumLib.fold(MerkleSumLib.group(p.node, top), p.groupSiblings);
        spot.row += before;
        (spot.root, spot.position) = (top.hash, spot.row + inRow);
    }

    function _proof(bytes calldata proof) private pure returns (Proof calldata p) {
        uint256 offset = ProofBytes.member(proof, 0);
        assembly ("memory-safe") {
            p := offset
        }
    }
}
