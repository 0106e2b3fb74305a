// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Node of a Merkle-sum tree.
struct SumNode {
    bytes32 hash;
    uint128 sum;
    uint64 count;
}

/// @notice One step of an inclusion proof; `left` says that the sibling stands on the left.
struct Sibling {
    bytes32 hash;
    uint128 sum;
    uint64 count;
    bool left;
}

/// @notice Folding of Merkle-sum proofs (docs/spec.md §5). Checked arithmetic: an overflowing sum or count reverts.
library MerkleSumLib {
    bytes32 internal constant NODE_TAG = keccak256("assay/node/v1");
    bytes32 internal constant ROW_TAG = keccak256("assay/row/v1");
    uint256 internal constant MAX_DEPTH = 32;

    error ProofTooDeep(uint256 depth);

    function fold(SumNode memory node, Sibling[] calldata siblings) internal pure returns (SumNode memory) {
        if (siblings.length > MAX_DEPTH) revert ProofTooDeep(siblings.length);
        for (uint256 i = 0; i < siblings.length; i++) {
            Sibling calldata s = siblings[i];
            node.hash = s.left
                ? keccak256(abi.encode(NODE_TAG, s.hash, s.sum, s.count, node.hash, node.sum, node.count))
                : keccak256(abi.encode(NODE_TAG, node.hash, node.sum, node.count, s.hash, s.sum, s.count));
            node.sum += s.sum;
            node.count += s.count;
        }
        return node;
    }

    /// @notice Node of the upper tree for a row whose leaves fold to `top`.
    function row(address payer, bytes32 modelId, address node, uint64 priceVersion, SumNode memory top)
        internal
        pure
        returns (SumNode memory)
    {
        bytes32 hash = keccak256(
            abi.encode(ROW_TAG, payer, modelId, node, priceVersion, top.hash, top.sum, top.count)
        );
        return SumNode(hash, top.sum, top.count);
    }
}
