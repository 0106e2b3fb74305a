// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice One step of the way from a chunk to the chunk root.
struct DataSibling {
    bytes32 hash;
    bool left;
}

/// @notice The hash that stands for a batch file (docs/spec.md §6): of its length and the tree of its chunks, so that
/// one chunk can be demanded, and answered, in a transaction.
library DataLib {
    bytes32 internal constant DATA_TAG = keccak256("assay/data/v1");
    bytes32 internal constant CHUNK_TAG = keccak256("assay/data-chunk/v1");
    bytes32 internal constant NODE_TAG = keccak256("assay/data-node/v1");
    uint256 internal constant CHUNK_BYTES = 8192;
    uint256 internal constant MAX_DEPTH = 16;

    error ProofTooDeep(uint256 depth);

    function chunkCount(uint64 length) internal pure returns (uint256) {
        return (uint256(length) + CHUNK_BYTES - 1) / CHUNK_BYTES;
    }

    /// @notice Bytes that chunk `index` of a file holds; the last one may be short.
    function chunkLength(uint64 length, uint256 index) internal pure returns (uint256) {
        uint256 start = index * CHUNK_BYTES;
        if (start >= length) return 0;
        return length - start < CHUNK_BYTES ? length - start : CHUNK_BYTES;
    }

    /// @notice Data hash that a chunk and its siblings lead to. The index is in the leaf, so no chunk poses as another.
    function dataHash(uint64 length, uint64 index, bytes calldata chunk, DataSibling[] calldata siblings)
        internal
        pure
        returns (bytes32)
    {
        if (siblings.length > MAX_DEPTH) revert ProofTooDeep(siblings.length);
        bytes32 node = keccak256(abi.encode(CHUNK_TAG, index, keccak256(chunk)));
        for (uint256 i = 0; i < siblings.length; i++) {
            DataSibling calldata s = siblings[i];
            node = s.left
                ? keccak256(abi.encode(NODE_TAG, s.hash, node))
                : keccak256(abi.encode(NODE_TAG, node, s.hash));
        }
        return hashOf(length, node);
    }

    function hashOf(uint64 length, bytes32 chunkRoot) internal pure returns (bytes32) {
        return keccak256(abi.encode(DATA_TAG, length, chunkRoot));
    }
}
