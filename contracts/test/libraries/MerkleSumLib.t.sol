// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Group, MAX_GROUPS, MerkleSumLib, Sibling, SumNode} from "../../src/libraries/MerkleSumLib.sol";
import {MerkleSumBuilder} from "../MerkleSumBuilder.sol";
import {TestBase} from "../TestBase.sol";

/// @title Trees of sums against those that the tests build from docs/spec.md §5
contract MerkleSumLibTest is TestBase {
    uint256 private constant MAX_DEPTH = 32;

    // ---------------------------------------------------------------- folding

    function testFuzz_everyNodeFoldsToTheTopAndKnowsItsPlace(uint8 width, uint256 index) public view {
        SumNode[] memory nodes = someNodes(1 + width % 40);
        index %= nodes.length;
        uint64 before = 0;
        for (uint256 i = 0; i < index; i++) before += nodes[i].count;
        (SumNode memory top, uint64 found) = this.fold(nodes[index], MerkleSumBuilder.proof(nodes, index));
        assertSame(top, MerkleSumBuilder.top(nodes));
        assertEq(found, before);
    }

    function test_aPathMayBeThirtyTwoStepsLongAndNoLonger() public {
        SumNode memory node = SumNode(keccak256("node"), 1, 1, 1);
        (SumNode memory top,) = this.fold(node, new Sibling[](MAX_DEPTH));
        assertEq(top.count, 1);
        vm.expectRevert(abi.encodeWithSelector(MerkleSumLib.ProofTooDeep.selector, MAX_DEPTH + 1));
        this.fold(node, new Sibling[](MAX_DEPTH + 1));
    }

    function test_aSumThatDoesNotFitReverts() public {
        SumNode memory node = SumNode(keccak256("node"), type(uint128).max, type(uint128).max, type(uint64).max);
        for (uint256 member = 0; member < 3; member++) {
            Sibling[] memory siblings = new Sibling[](1);
            if (member == 0) siblings[0].sum = 1;
            else if (member == 1) siblings[0].exposure = 1;
            else siblings[0].count = 1;
            vm.expectRevert();
            this.fold(node, siblings);
        }
    }

    // ---------------------------------------------------------------- groups

    function testFuzz_theRootIsThatOfTheGroups(uint8 width) public view {
        Group[] memory groups = someGroups(1 + width % MAX_GROUPS);
        assertSame(this.root(groups), MerkleSumBuilder.top(MerkleSumBuilder.nodesOf(groups)));
    }

    function test_aBatchHasOneToThirtyTwoGroups() public {
        this.root(someGroups(1));
        this.root(someGroups(MAX_GROUPS));
        vm.expectRevert(abi.encodeWithSelector(MerkleSumLib.BadGroups.selector, 0));
        this.root(new Group[](0));
        vm.expectRevert(abi.encodeWithSelector(MerkleSumLib.BadGroups.selector, MAX_GROUPS + 1));
        this.root(someGroups(MAX_GROUPS + 1));
    }

    function test_groupsAscendStrictlyByNode() public {
        Group[] memory groups = someGroups(3);
        groups[2].node = groups[1].node;
        vm.expectRevert(abi.encodeWithSelector(MerkleSumLib.BadGroups.selector, 2));
        this.root(groups);
        groups[2].node = groups[0].node;
        vm.expectRevert(abi.encodeWithSelector(MerkleSumLib.BadGroups.selector, 2));
        this.root(groups);
        groups[0].node = address(0);
        vm.expectRevert(abi.encodeWithSelector(MerkleSumLib.BadGroups.selector, 0));
        this.root(groups);
    }

    function test_noGroupIsEmpty() public {
        Group[] memory groups = someGroups(3);
        groups[1].count = 0;
        vm.expectRevert(abi.encodeWithSelector(MerkleSumLib.BadGroups.selector, 1));
        this.root(groups);
        groups[1].count = 1;
        this.root(groups);
    }

    // ---------------------------------------------------------------- helpers

    /// @dev External, for what the library reads stands in calldata.
    function fold(SumNode memory node, Sibling[] calldata siblings) external pure returns (SumNode memory, uint64) {
        return MerkleSumLib.fold(node, siblings);
    }

    function root(Group[] calldata groups) external pure returns (SumNode memory) {
        return MerkleSumLib.root(groups);
    }

    function someNodes(uint256 count) private pure returns (SumNode[] memory nodes) {
        nodes = new SumNode[](count);
        for (uint256 i = 0; i < count; i++) {
            nodes[i] = SumNode(keccak256(abi.encode(i)), uint128(1000 + i), uint128(2000 + 3 * i), uint64(1 + i % 5));
        }
    }

    function someGroups(uint256 count) private pure returns (Group[] memory groups) {
        SumNode[] memory nodes = someNodes(count);
        groups = new Group[](count);
        for (uint256 i = 0; i < count; i++) {
            (bytes32 top, uint128 sum) = (nodes[i].hash, nodes[i].sum);
            groups[i] = Group(address(uint160(i + 1)), top, sum, nodes[i].exposure, nodes[i].count);
        }
    }

    function assertSame(SumNode memory a, SumNode memory b) private pure {
        assertEq(keccak256(abi.encode(a)), keccak256(abi.encode(b)));
    }
}
