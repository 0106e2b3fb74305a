// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DataSibling} from "../src/libraries/DataLib.sol";

/// @title Builds the hash of a batch file and the way of each chunk to it from docs/spec.md §6
/// @dev Written from the page, not from the contracts: of them it takes the type only.
library ChunkTree {
    uint256 internal constant CHUNK = 8192;

    function dataHash(bytes memory file) internal pure returns (bytes32) {
        return hashOf(uint64(file.length), root(file));
    }

    /// @dev Of whatever length and tree a committer says.
    function hashOf(uint64 length, bytes32 chunkRoot) internal pure returns (bytes32) {
        return keccak256(abi.encode(keccak256("assay/data/v1"), length, chunkRoot));
    }

    function leaf(uint256 index, bytes memory data) internal pure returns (bytes32) {
        return keccak256(abi.encode(keccak256("assay/data-chunk/v1"), index, keccak256(data)));
    }

    function node(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return keccak256(abi.encode(keccak256("assay/data-node/v1"), left, right));
    }

    function root(bytes memory file) internal pure returns (bytes32) {
        bytes32[] memory level = leaves(file);
        while (level.length > 1) level = above(level);
        return level[0];
    }

    function proof(bytes memory file, uint256 index) internal pure returns (DataSibling[] memory siblings) {
        bytes32[] memory level = leaves(file);
        DataSibling[] memory way = new DataSibling[](64);
        uint256 count = 0;
        for (; level.length > 1; level = above(level)) {
            uint256 beside = index ^ 1;
            if (beside < level.length) way[count++] = DataSibling(level[beside], beside < index);
            index /= 2;
        }
        siblings = new DataSibling[](count);
        for (uint256 i = 0; i < count; i++) siblings[i] = way[i];
    }

    function chunk(bytes memory file, uint256 index) internal pure returns (bytes memory) {
        uint256 end = (index + 1) * CHUNK;
        return slice(file, index * CHUNK, end < file.length ? end : file.length);
    }

    function slice(bytes memory data, uint256 from, uint256 to) internal pure returns (bytes memory part) {
        part = new bytes(to - from);
        require(to <= data.length);
        // Byte by byte it took most of the time of the suites that show files.
        assembly ("memory-safe") {
            mcopy(add(part, 32), add(add(data, 32), from), sub(to, from))
        }
    }

    function leaves(bytes memory file) private pure returns (bytes32[] memory level) {
        level = new bytes32[]((file.length + CHUNK - 1) / CHUNK);
        for (uint256 i = 0; i < level.length; i++) level[i] = leaf(i, chunk(file, i));
    }

    /// @dev Who has nobody beside it goes up as it is.
    function above(bytes32[] memory level) private pure returns (bytes32[] memory next) {
        next = new bytes32[]((level.length + 1) / 2);
        for (uint256 i = 0; i < next.length; i++) {
            next[i] = 2 * i + 1 == level.length ? level[2 * i] : node(level[2 * i], level[2 * i + 1]);
        }
    }
}
