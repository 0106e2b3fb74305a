// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {WordRun, WordTree} from "../../src/libraries/WordTree.sol";
import {TestBase} from "../TestBase.sol";
import {WordTreeBuilder} from "../WordTreeBuilder.sol";
import {Told} from "../ZkFixture.sol";
import {ZkVectors} from "../ZkVectors.sol";

/// @title Programs and tapes as trees of words, against docs/zkml.md and the recorder's own
contract WordTreeTest is TestBase {
    uint256 private constant DEPTH = 4;
    uint256 private constant SIZE = 16;

    bytes32[] private words;

    function setUp() public {
        for (uint256 i = 0; i < SIZE; i++) words.push(keccak256(abi.encode(i)));
    }

    function test_everyRunLeadsToTheRootFromItsPlace() public view {
        for (uint256 height = 0; height <= DEPTH; height++) {
            for (uint256 first = 0; first < SIZE; first += 1 << height) {
                (bytes32 root, uint256 depth) = this.rootOf(run(first, height), first);
                assertEq(root, WordTreeBuilder.root(words));
                assertEq(depth, DEPTH);
            }
        }
    }

    function test_fromAnotherPlaceItLeadsElsewhere() public view {
        for (uint256 first = 1; first < SIZE; first++) {
            (bytes32 root,) = this.rootOf(run(0, 0), first);
            assertTrue(root != WordTreeBuilder.root(words));
        }
        (bytes32 half,) = this.rootOf(run(0, 3), 8);
        assertTrue(half != WordTreeBuilder.root(words));
    }

    /// @dev Past the last word there are zeros; a word that is left of them alone is hashed with them.
    function test_zerosAloneHashToZero() public {
        for (uint256 count = 0; count <= SIZE; count++) {
            for (uint256 i = 0; i < SIZE; i++) words[i] = i < count ? keccak256(abi.encode(i)) : bytes32(0);
            for (uint256 height = 0; height <= DEPTH; height++) {
                (bytes32 root,) = this.rootOf(run(SIZE - (1 << height), height), SIZE - (1 << height));
                assertEq(root, WordTreeBuilder.root(words));
                (root,) = this.rootOf(run(0, height), 0);
                assertEq(root, WordTreeBuilder.root(words));
            }
        }
    }

    function test_zerosOnOneSideAreHashed() public {
        for (uint256 i = 0; i < SIZE; i++) words[i] = 0;
        words[6] = keccak256("alone");
        for (uint256 height = 0; height <= DEPTH; height++) {
            uint256 first = 6 >> height << height;
            (bytes32 root,) = this.rootOf(run(first, height), first);
            assertEq(root, WordTreeBuilder.root(words));
        }
    }

    function test_theRecordersTreesAreThese() public view {
        Told memory told = abi.decode(ZkVectors.HONEST, (Told));
        uint256 depth = WordTree.bitsOf(told.gates);
        (bytes32 root, uint256 levels) = this.rootOf(told.shownGate, told.gate);
        assertEq(root, told.programRoot);
        assertEq(levels, depth);
        (root, levels) = this.rootOf(told.shownValue, told.gate);
        assertEq(root, told.tapeRoot);
        assertEq(levels, depth);
    }

    function test_theDepthIsTheLeastThatHoldsAll() public pure {
        assertEq(WordTree.bitsOf(0), 0);
        assertEq(WordTree.bitsOf(1), 0);
        for (uint256 bits = 1; bits <= 32; bits++) {
            assertEq(WordTree.bitsOf((1 << bits) - 1), bits == 1 ? 0 : bits);
            assertEq(WordTree.bitsOf(1 << bits), bits);
            assertEq(WordTree.bitsOf((1 << bits) + 1), bits + 1);
        }
    }

    // ---------------------------------------------------------------- helpers

    /// @dev External, for what the library reads stands in calldata.
    function rootOf(WordRun calldata shown, uint256 first) external pure returns (bytes32, uint256) {
        return WordTree.rootOf(shown, first);
    }

    function run(uint256 first, uint256 height) private view returns (WordRun memory) {
        return WordTreeBuilder.run(WordTreeBuilder.grow(words), first, 1 << height);
    }
}
