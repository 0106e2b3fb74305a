// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Batches} from "../src/faults/Batches.sol";
import {Finding} from "../src/faults/IFaultAdapter.sol";
import {SumFault} from "../src/faults/SumFault.sol";
import {Entry} from "../src/libraries/InclusionLib.sol";
import {Group, RowKey, SumNode} from "../src/libraries/MerkleSumLib.sol";
import {BatchBook} from "../src/settlement/BatchBook.sol";
import {FaultFixture} from "./FaultFixture.sol";
import {MerkleSumBuilder} from "./MerkleSumBuilder.sol";

/// @title Class 6: a committer that overclaims at any level of its tree
contract SumFaultTest is FaultFixture {
    function setUp() public {
        deployFaults();
    }

    // ---------------------------------------------------------------- true

    function test_aLeafThatClaimsMoreThanItsPriceIsAFault() public {
        for (uint256 member = 0; member < 3; member++) {
            SumNode[] memory leaves = leavesOf(among(honestEntry(2), 2, 5));
            lie(leaves[2], member);
            (SumFault.Proof memory p, bytes32 batchId) = leafProof(leaves, 2);
            p.accused = leaves[2];
            assertFault(p, batchId);
        }
    }

    function test_anInnerNodeThatClaimsMoreThanItsChildrenIsAFault() public {
        for (uint256 member = 0; member < 3; member++) {
            // The row's tree is built on two parents, the first of which lies.
            SumNode[] memory leaves = leavesOf(among(honestEntry(2), 2, 4));
            SumNode[] memory parents = new SumNode[](2);
            parents[0] = MerkleSumBuilder.parent(leaves[0], leaves[1]);
            parents[1] = MerkleSumBuilder.parent(leaves[2], leaves[3]);
            lie(parents[0], member);
            (SumFault.Proof memory p, bytes32 batchId) = leafProof(parents, 0);
            p.content = SumFault.Content.Inner;
            (p.left, p.right) = (leaves[0], leaves[1]);
            assertFault(p, batchId);
        }
    }

    function test_aRowThatClaimsMoreThanItsTreeIsAFault() public {
        for (uint256 member = 0; member < 3; member++) {
            Entry[] memory entries = among(honestEntry(2), 2, 4);
            SumNode memory top = MerkleSumBuilder.top(leavesOf(entries));
            SumNode memory row = rowOf(keyOf(entries[0]), top);
            lie(row, member);
            (SumFault.Proof memory p, bytes32 batchId) = rowProof(row);
            p.content = SumFault.Content.Row;
            (p.rowKey, p.rowTop) = (keyOf(entries[0]), top);
            assertFault(p, batchId);
        }
    }

    function test_theTopOfAGroupThatClaimsMoreThanItsRowsIsAFault() public {
        SumNode memory row = rowOf(keyOf(honestEntry(1)), leavesOf(only(honestEntry(1)))[0]);
        SumNode memory left = SumNode(keccak256("row before"), 5, 6, 2);
        SumNode memory top = MerkleSumBuilder.parent(left, row);
        top.sum += 1000e18;
        Group[] memory groups = groupsWith(NODE, top);
        SumFault.Proof memory p;
        p.batchId = commitGroups(groups, keccak256("data"));
        p.accused = top;
        p.content = SumFault.Content.Inner;
        (p.left, p.right) = (left, row);
        p.node = NODE;
        p.groupSiblings = MerkleSumBuilder.proof(MerkleSumBuilder.nodesOf(groups), 0);
        assertFault(p, p.batchId);
    }

    /// @dev Children whose sum does not fit their parent: no parent of theirs tells the truth.
    function test_aSumThatOverflowsIsAFault() public {
        SumNode[] memory parents = new SumNode[](2);
        SumNode memory left = SumNode(keccak256("a"), type(uint128).max, 1, 1);
        SumNode memory right = SumNode(keccak256("b"), 2, 1, 1);
        parents[0] = MerkleSumBuilder.parent(left, right);
        assertEq(parents[0].sum, 1);
        parents[1] = leavesOf(only(honestEntry(1)))[0];
        (SumFault.Proof memory p, bytes32 batchId) = leafProof(parents, 0);
        p.content = SumFault.Content.Inner;
        (p.left, p.right) = (left, right);
        assertFault(p, batchId);
    }

    // ---------------------------------------------------------------- what it finds

    function test_aFalseLeafVoidsItsBatchAndNamesWhoIsGuiltyAndWhoLost() public {
        Entry[] memory entries = among(honestEntry(2), 2, 5);
        SumNode[] memory leaves = leavesOf(entries);
        lie(leaves[2], 0);
        (SumFault.Proof memory p, bytes32 batchId) = leafProof(leaves, 2);
        Finding memory expected = againstCommitterOf(batchId);
        expected.requestId = entries[2].receipt.requestId;
        (expected.payer, expected.loss) = (PAYER, entries[2].receipt.price);
        assertFinds(p, expected);
    }

    function test_aFalseInnerNodeIsNobodysOwnLoss() public {
        SumNode[] memory leaves = leavesOf(among(honestEntry(2), 2, 2));
        SumNode[] memory parents = new SumNode[](2);
        parents[0] = MerkleSumBuilder.parent(leaves[0], leaves[1]);
        parents[1] = leaves[1];
        lie(parents[0], 0);
        (SumFault.Proof memory p, bytes32 batchId) = leafProof(parents, 0);
        p.content = SumFault.Content.Inner;
        (p.left, p.right) = (leaves[0], leaves[1]);
        assertFinds(p, againstCommitterOf(batchId));
    }

    /// @dev Behind another node's three receipts and a row of two; of the row under a grant it is the third leaf.
    function test_underAGrantThePayerLosesWhatTheNodeOverstates() public {
        int256[3] memory lies = [int256(1000e18), -1, 0];
        for (uint256 i = 0; i < 3; i++) {
            Entry[] memory entries = new Entry[](5);
            for (uint64 j = 0; j < 5; j++) entries[j] = grantedEntry(j + 1);
            SumNode[] memory leaves = leavesOf(entries);
            leaves[2].sum = uint128(uint256(int256(uint256(leaves[2].sum)) + lies[i]));
            // Where the sum is true it is the count that is not.
            if (lies[i] == 0) leaves[2].count++;
            SumFault.Proof memory p = behindAnotherNode(keyOf(entries[0]), leaves, 2);
            p.leaf = entries[2];
            Finding memory expected = againstCommitterOf(p.batchId);
            (expected.requestId, expected.payer) = (entries[2].receipt.requestId, PAYER);
            (expected.grantId, expected.row, expected.position) = (GRANT, 5, 7);
            expected.loss = lies[i] > 0 ? uint128(uint256(lies[i])) : 0;
            assertFinds(p, expected);
        }
    }

    /// @dev What a grant pays is what the tree below its row states, not what the row's node does.
    function test_aFalseRowIsNoLossUnderItsGrant() public {
        Entry[] memory entries = only(grantedEntry(1));
        SumNode memory top = leavesOf(entries)[0];
        SumNode memory row = rowOf(keyOf(entries[0]), top);
        lie(row, 0);
        (SumFault.Proof memory p, bytes32 batchId) = rowProof(row);
        p.content = SumFault.Content.Row;
        (p.rowKey, p.rowTop) = (keyOf(entries[0]), top);
        assertFinds(p, againstCommitterOf(batchId));
    }

    // ---------------------------------------------------------------- false

    function test_honestNodesOfEveryLevelAreNoFault() public {
        Entry[] memory entries = among(honestEntry(2), 2, 4);
        SumNode[] memory leaves = leavesOf(entries);
        (SumFault.Proof memory p,) = leafProof(leaves, 2);
        refuse(6, abi.encode(p), holds());

        SumNode[] memory parents = new SumNode[](2);
        parents[0] = MerkleSumBuilder.parent(leaves[0], leaves[1]);
        parents[1] = MerkleSumBuilder.parent(leaves[2], leaves[3]);
        (p,) = leafProof(parents, 1);
        p.content = SumFault.Content.Inner;
        (p.left, p.right) = (leaves[2], leaves[3]);
        refuse(6, abi.encode(p), holds());

        SumNode memory top = MerkleSumBuilder.top(leaves);
        (p,) = rowProof(rowOf(keyOf(entries[0]), top));
        p.content = SumFault.Content.Row;
        (p.rowKey, p.rowTop) = (keyOf(entries[0]), top);
        refuse(6, abi.encode(p), holds());
    }

    function test_aLieThatTheCommitterNeverToldProvesNothing() public {
        SumNode[] memory leaves = leavesOf(among(honestEntry(2), 2, 5));
        (SumFault.Proof memory p, bytes32 batchId) = leafProof(leaves, 2);
        p.accused.sum++;
        refuse(6, abi.encode(p), abi.encodeWithSelector(Batches.NotInBatch.selector, batchId));
    }

    function test_contentOfAnotherNodeProvesNothing() public {
        SumNode[] memory leaves = leavesOf(among(honestEntry(2), 2, 5));
        (SumFault.Proof memory p,) = leafProof(leaves, 2);
        p.leaf = honestEntry(3);
        bytes memory reason = abi.encodeWithSelector(SumFault.OtherContent.selector, leaves[2].hash, leaves[3].hash);
        refuse(6, abi.encode(p), reason);
    }

    // ---------------------------------------------------------------- helpers

    function holds() private pure returns (bytes memory) {
        return abi.encodeWithSelector(SumFault.SumHolds.selector);
    }

    function lie(SumNode memory node, uint256 member) private pure {
        if (member == 0) node.sum += 1000e18;
        else if (member == 1) node.exposure -= 1;
        else node.count += 1;
    }

    function assertFault(SumFault.Proof memory p, bytes32 batchId) private {
        uint256 before = bondOf(COMMITTER);
        prove(6, abi.encode(p));
        assertState(batchId, BatchBook.State.Void);
        assertEq(bondOf(COMMITTER), before / 2);
        assertEq(bondOf(NODE), MIN_BOND);
    }

    function againstCommitterOf(bytes32 batchId) private view returns (Finding memory f) {
        f.faultKey = f.batchId = batchId;
        f.voids = f.attesters = true;
        f.committer = COMMITTER;
        f.offenceAt = uint64(block.timestamp);
    }

    function assertFinds(SumFault.Proof memory p, Finding memory expected) private view {
        assertEq(keccak256(abi.encode(sumFault.judge(abi.encode(p)))), keccak256(abi.encode(expected)));
    }

    /// @dev Accuses a leaf in a batch whose first group is another node's, of three receipts.
    function behindAnotherNode(RowKey memory key, SumNode[] memory leaves, uint256 index)
        private
        returns (SumFault.Proof memory p)
    {
        SumNode[] memory rows = rowsAround(rowOf(key, MerkleSumBuilder.top(leaves)));
        Group[] memory groups = new Group[](2);
        groups[0] = Group(address(0xBAD), keccak256("other group"), 1, 2, 3);
        groups[1] = MerkleSumBuilder.group(NODE, rows);
        p.batchId = commitGroups(groups, keccak256("data"));
        (p.accused, p.rowKey, p.inRow, p.node) = (leaves[index], key, true, NODE);
        p.leafSiblings = MerkleSumBuilder.proof(leaves, index);
        p.rowSiblings = MerkleSumBuilder.proof(rows, 1);
        p.groupSiblings = MerkleSumBuilder.proof(MerkleSumBuilder.nodesOf(groups), 1);
    }

    /// @dev Accuses a node below a row, as a leaf of entry 2.
    function leafProof(SumNode[] memory nodes, uint256 index)
        private
        returns (SumFault.Proof memory p, bytes32 batchId)
    {
        RowKey memory key = keyOf(honestEntry(2));
        batchId = commitRow(key, nodes);
        p.batchId = batchId;
        p.accused = nodes[index];
        p.leaf = honestEntry(2);
        p.rowKey = key;
        p.inRow = true;
        p.node = NODE;
        p.leafSiblings = pathIn(NODE, key, nodes, index).leafSiblings;
        p.rowSiblings = pathIn(NODE, key, nodes, index).rowSiblings;
        p.groupSiblings = pathIn(NODE, key, nodes, index).groupSiblings;
    }

    function rowProof(SumNode memory row) private returns (SumFault.Proof memory p, bytes32 batchId) {
        SumNode[] memory rows = rowsAround(row);
        Group[] memory groups = groupsWith(NODE, MerkleSumBuilder.top(rows));
        batchId = commitGroups(groups, keccak256("data"));
        p.batchId = batchId;
        p.accused = row;
        p.node = NODE;
        p.rowSiblings = MerkleSumBuilder.proof(rows, 1);
        p.groupSiblings = MerkleSumBuilder.proof(MerkleSumBuilder.nodesOf(groups), 0);
    }
}
