// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @dev Words that follow each other under a root: a power of two of them, of which the place of the first is a multiple.
struct WordRun {
    bytes32[] words;
    bytes32[] siblings;
}

/// @notice Merkle trees over words of 32 bytes (packages/zkml/src/tape/tape.ts). The depth is known to whoever asks, so no
/// node poses as a leaf; what lies past the last word is zero, and zeros alone hash to zero.
library WordTree {
    /// @param run of a power of two of words
    /// @return root that it leads to from word `first`
    /// @return depth of the tree in which it does
    function rootOf(WordRun calldata run, uint256 first) internal pure returns (bytes32 root, uint256 depth) {
        bytes32[] memory level = run.words;
        for (uint256 size = level.length; size > 1; size /= 2) {
            depth++;
            // Each pair gives way to its parent, in place.
            assembly ("memory-safe") {
                let to := add(level, 32)
                let end := add(to, mul(size, 32))
                for { let from := to } lt(from, end) { from := add(from, 64) } {
                    let full := iszero(iszero(or(mload(from), mload(add(from, 32)))))
                    mstore(to, mul(full, keccak256(from, 64)))
                    to := add(to, 32)
                }
            }
        }
        root = level[0];
        uint256 place = first >> depth;
        for (uint256 i = 0; i < run.siblings.length; i++) {
            bytes32 sibling = run.siblings[i];
            root = place & 1 == 0 ? _parent(root, sibling) : _parent(sibling, root);
            place >>= 1;
        }
        depth += run.siblings.length;
    }

    /// @return bits the least for which `count` is at most 2^bits
    function bitsOf(uint256 count) internal pure returns (uint256 bits) {
        while (1 << bits < count) bits++;
    }

    function _parent(bytes32 left, bytes32 right) private pure returns (bytes32 hash) {
        if (left | right == 0) return 0;
        assembly ("memory-safe") {
            mstore(0, left)
            mstore(32, right)
            hash := keccak256(0, 64)
        }
    }
}
