// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Entry, InclusionLib} from "../libraries/InclusionLib.sol";
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
        if (_rootOf(p, accused) != b.root) revert Batches.NotInBatch(p.batchId);
        f.faultKey = p.batchId;
        f.batchId = p.batchId;
        f.voids = true;
        f.attesters = true;
        f.committer = b.committer;
        f.offenceAt = b.committedAt;
        if (p.content == Content.Leaf) {
            (f.requestId, f.payer, f.loss) = (p.leaf.receipt.requestId, p.leaf.receipt.payer, p.leaf.receipt.price);
        }
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

    function _rootOf(Proof calldata p, SumNode memory accused) private pure returns (bytes32) {
        SumNode memory top = accused;
        if (p.inRow) {
            (top,) = MerkleSumLib.fold(top, p.leafSiblings);
            top = MerkleSumLib.row(p.rowKey, top);
        }
        (top,) = MerkleSumLib.fold(top, p.rowSiblings);
        (top,) = MerkleSumLib.fold(MerkleSumLib.group(p.node, top), p.groupSiblings);
        return top.hash;
    }

    function _proof(bytes calldata proof) private pure returns (Proof calldata p) {
        uint256 offset = ProofBytes.member(proof, 0);
        assembly ("memory-safe") {
            p := offset
        }
    }
}
