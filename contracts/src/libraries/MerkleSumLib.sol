// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @dev Nodes whose receipts one batch may hold.
uint256 constant MAX_GROUPS = 32;

/// @notice Node of a Merkle-sum tree.
struct SumNode {
    bytes32 hash;
    /// Prices, OPG base units.
    uint128 sum;
    /// What would be lost if it were a lie: Σ max(price, valueAtRisk), OPG base units.
    uint128 exposure;
    uint64 count;
}

/// @notice One step of an inclusion proof; `left` says that the sibling stands on the left.
struct Sibling {
    bytes32 hash;
    uint128 sum;
    uint128 exposure;
    uint64 count;
    bool left;
}

/// @notice What the receipts of one settlement row share. `grantId` is zero where each call pays for itself.
struct RowKey {
    address node;
    address payer;
    bytes32 grantId;
    bytes32 modelId;
    uint64 priceVersion;
}

/// @notice All rows of one node in a batch: `top` is the hash that their tree leads to.
struct Group {
    address node;
    bytes32 top;
    uint128 sum;
    uint128 exposure;
    uint64 count;
}

/// @notice Folding of Merkle-sum proofs (docs/spec.md §5). Checked arithmetic: an overflowing sum or count reverts.
library MerkleSumLib {
    bytes32 internal constant NODE_TAG = keccak256("assay/node/v1");
    bytes32 internal constant ROW_TAG = keccak256("assay/row/v1");
    bytes32 internal constant GROUP_TAG = keccak256("assay/group/v1");
    uint256 internal constant MAX_DEPTH = 32;

    error ProofTooDeep(uint256 depth);
    error BadGroups(uint256 index);

    function parent(SumNode memory l, SumNode memory r) internal pure returns (SumNode memory) {
        bytes32 hash = keccak256(
            abi.encode(NODE_TAG, l.hash, l.sum, l.exposure, l.count, r.hash, r.sum, r.exposure, r.count)
        );
        return SumNode(hash, l.sum + r.sum, l.exposure + r.exposure, l.count + r.count);
    }

    /// @return top where `node` and its siblings lead
    /// @return before receipts to the left of `node`: its place, which no other node on its level shares
    function fold(SumNode memory node, Sibling[] calldata siblings)
        internal
        pure
        returns (SumNode memory top, uint64 before)
    {
        if (siblings.length > MAX_DEPTH) revert ProofTooDeep(siblings.length);
        top = node;
        for (uint256 i = 0; i < siblings.length; i++) {
            Sibling calldata s = siblings[i];
            SumNode memory other = SumNode(s.hash, s.sum, s.exposure, s.count);
            if (s.left) {
                before += s.count;
                top = parent(other, top);
            } else {
                top = parent(top, other);
            }
        }
    }

    /// @notice Node that stands for a row whose leaves fold to `top`.
    function row(RowKey memory key, SumNode memory top) internal pure returns (SumNode memory) {
        bytes32 hash = keccak256(abi.encode(ROW_TAG, key, top.hash, top.sum, top.exposure, top.count));
        return SumNode(hash, top.sum, top.exposure, top.count);
    }

    /// @notice Node that stands for all rows of one inference node.
    function group(address node, SumNode memory top) internal pure returns (SumNode memory) {
        bytes32 hash = keccak256(abi.encode(GROUP_TAG, node, top.hash, top.sum, top.exposure, top.count));
        return SumNode(hash, top.sum, top.exposure, top.count);
    }

    /// @notice Root of a batch: groups ascend strictly by node, none is empty; an odd last node moves up unchanged.
    function root(Group[] calldata groups) internal pure returns (SumNode memory) {
        uint256 width = groups.length;
        if (width == 0 || width > MAX_GROUPS) revert BadGroups(width);
        SumNode[] memory level = new SumNode[](width);
        address previous = address(0);
        for (uint256 i = 0; i < width; i++) {
            Group calldata g = groups[i];
            if (g.node <= previous || g.count == 0) revert BadGroups(i);
            previous = g.node;
            level[i] = group(g.node, SumNode(g.top, g.sum, g.exposure, g.count));
        }
        while (width > 1) {
            uint256 up = (width + 1) / 2;
            for (uint256 i = 0; i < up; i++) {
                level[i] = 2 * i + 1 < width ? parent(level[2 * i], level[2 * i + 1]) : level[2 * i];
            }
            width = up;
        }
        return level[0];
    }
}
