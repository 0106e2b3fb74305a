// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {WordRun} from "../src/libraries/WordTree.sol";

/// @title Builds programs and tapes as trees of words, and the way of a run of them to the root, from docs/zkml.md
/// @dev Written from the page, not from the contracts: of them it takes the type only.
library WordTreeBuilder {
    /// @dev From the words, which are as many as a power of two, up to the root.
    function grow(bytes32[] memory words) internal pure returns (bytes32[][] memory levels) {
        levels = new bytes32[][](heightOf(words.length) + 1);
        levels[0] = words;
        for (uint256 i = 1; i < levels.length; i++) {
            bytes32[] memory below = levels[i - 1];
            levels[i] = new bytes32[](below.length / 2);
            for (uint256 j = 0; j < levels[i].length; j++) levels[i][j] = node(below[2 * j], below[2 * j + 1]);
        }
    }

    function root(bytes32[] memory words) internal pure returns (bytes32) {
        bytes32[][] memory levels = grow(words);
        return levels[levels.length - 1][0];
    }

    /// @dev A subtree that holds `count` words, from its first one on.
    function run(bytes32[][] memory levels, uint256 first, uint256 count) internal pure returns (WordRun memory shown) {
        uint256 height = heightOf(count);
        shown.words = new bytes32[](1 << height);
        for (uint256 i = 0; i < shown.words.length; i++) shown.words[i] = levels[0][first + i];
        shown.siblings = new bytes32[](levels.length - 1 - height);
        for (uint256 i = 0; i < shown.siblings.length; i++) {
            shown.siblings[i] = levels[height + i][(first >> height + i) ^ 1];
        }
    }

    /// @dev Zeros alone hash to zero.
    function node(bytes32 left, bytes32 right) private pure returns (bytes32) {
        return left | right == 0 ? bytes32(0) : keccak256(abi.encodePacked(left, right));
    }

    function heightOf(uint256 count) private pure returns (uint256 height) {
        while (1 << height < count) height++;
    }
}
