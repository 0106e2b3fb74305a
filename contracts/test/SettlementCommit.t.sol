// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Group, MerkleSumLib} from "../src/libraries/MerkleSumLib.sol";
import {Settlement} from "../src/Settlement.sol";
import {BatchBook} from "../src/settlement/BatchBook.sol";
import {CommitterFixture} from "./CommitterFixture.sol";

/// @title What a committer may commit, at which height, and what is recorded of it
contract SettlementCommitTest is CommitterFixture {
    function setUp() public {
        deployCommitter();
    }

    function test_commitRecordsWhatWasGivenAndWhen() public {
        vm.expectEmit();
        emit Settlement.BatchCommitted(idOf(7), G, 7, rootOf(2), DATA, oneGroup(NODE, TOP, 10, 2));
        bytes32 id = commitAt(7);
        assertEq(id, idOf(7));
        BatchBook.Batch memory batch = settlement.batch(id);
        assertEq(batch.committer, G);
        assertEq(batch.height, 7);
        assertEq(batch.root, rootOf(2));
        assertEq(batch.exposure, 10);
        assertEq(batch.count, 2);
        assertTrue(!batch.forced);
        assertEq(batch.committedAt, START);
        assertEq(batch.committedBlock, 101);
        assertEq(uint256(batch.quorumAt) + batch.finalisedAt, 0);
        assertState(id, BatchBook.State.Committed);
    }

    function testFuzz_heightsStrictlyIncrease(uint32 first, uint32 second) public {
        vm.assume(first > 0);
        commitAt(first);
        if (second <= first) {
            vm.expectRevert(abi.encodeWithSelector(Settlement.HeightTaken.selector, second, first));
            commitAt(second);
            assertEq(settlement.lastHeight(G), first);
        } else {
            commitAt(second);
            assertEq(settlement.lastHeight(G), second);
        }
    }

    function test_heightZeroIsNone() public {
        vm.expectRevert(abi.encodeWithSelector(Settlement.HeightTaken.selector, 0, 0));
        commitAt(0);
    }

    function test_aHeightFits32Bits() public {
        vm.expectRevert(abi.encodeWithSelector(Settlement.HeightTooHigh.selector, uint64(1) << 32));
        commitAt(uint64(1) << 32);
        bytes32 id = commitAt(type(uint32).max);
        assertEq(settlement.batch(id).height, type(uint32).max);
    }

    function test_neverTwoRootsAtOneHeight() public {
        bytes32 id = commitAt(1);
        vm.prank(G);
        vm.expectRevert(abi.encodeWithSelector(Settlement.HeightTaken.selector, 1, 1));
        settlement.commit(1, DATA, oneGroup(NODE, keccak256("other top"), 10, 2));
        // Nor after the first one came to nothing.
        settlement.voidBatch(id, FAULT);
        vm.prank(G);
        vm.expectRevert(abi.encodeWithSelector(Settlement.HeightTaken.selector, 1, 1));
        settlement.commit(1, DATA, oneGroup(NODE, keccak256("other top"), 10, 2));
    }

    function test_committersDoNotShareHeights() public {
        commitAt(1);
        vm.prank(STRANGER);
        bytes32 other = settlement.commit(1, DATA, oneGroup(NODE, TOP, 10, 2));
        assertTrue(other != idOf(1));
        assertState(other, BatchBook.State.Committed);
    }

    function test_countIsBounded() public {
        vm.prank(G);
        vm.expectRevert(abi.encodeWithSelector(MerkleSumLib.BadGroups.selector, 0));
        settlement.commit(1, DATA, oneGroup(NODE, TOP, 10, 0));
        vm.prank(G);
        vm.expectRevert(abi.encodeWithSelector(Settlement.BadCount.selector, 4097));
        settlement.commit(1, DATA, oneGroup(NODE, TOP, 10, 4097));
        vm.prank(G);
        settlement.commit(1, DATA, oneGroup(NODE, TOP, 10, 4096));
    }

    function test_groupsAscendByNodeAndNoneIsEmpty() public {
        Group[] memory two = new Group[](2);
        two[0] = Group(NODE, TOP, 1, 1, 1);
        for (uint160 other = uint160(NODE) - 1; other <= uint160(NODE); other++) {
            two[1] = Group(address(other), TOP, 1, 1, 1);
            vm.prank(G);
            vm.expectRevert(abi.encodeWithSelector(MerkleSumLib.BadGroups.selector, 1));
            settlement.commit(1, DATA, two);
        }
        two[1] = Group(address(uint160(NODE) + 1), TOP, 1, 1, 0);
        vm.prank(G);
        vm.expectRevert(abi.encodeWithSelector(MerkleSumLib.BadGroups.selector, 1));
        settlement.commit(1, DATA, two);
        vm.prank(G);
        vm.expectRevert(abi.encodeWithSelector(MerkleSumLib.BadGroups.selector, 0));
        settlement.commit(1, DATA, new Group[](0));
        Group[] memory many = new Group[](33);
        for (uint160 i = 0; i < 33; i++) many[i] = Group(address(i + 1), TOP, 1, 1, 1);
        vm.prank(G);
        vm.expectRevert(abi.encodeWithSelector(MerkleSumLib.BadGroups.selector, 33));
        settlement.commit(1, DATA, many);
    }

    function test_sumsOfManyNodesAddUpAndOverflowReverts() public {
        Group[] memory three = new Group[](3);
        for (uint160 i = 0; i < 3; i++) registerNode(address(i + 1));
        for (uint160 i = 0; i < 3; i++) three[i] = Group(address(i + 1), TOP, uint128(10 + i), uint128(20 + i), uint64(5 + i));
        vm.prank(G);
        BatchBook.Batch memory batch = settlement.batch(settlement.commit(1, DATA, three));
        assertEq(batch.exposure, 63);
        assertEq(batch.count, 18);
        three[1].exposure = type(uint128).max;
        vm.expectRevert(abi.encodeWithSignature("Panic(uint256)", 0x11));
        vm.prank(G);
        settlement.commit(2, DATA, three);
    }

    function test_aBatchWithoutDataIsRefused() public {
        vm.prank(G);
        vm.expectRevert(Settlement.NoData.selector);
        settlement.commit(1, bytes32(0), oneGroup(NODE, TOP, 10, 2));
    }
}
