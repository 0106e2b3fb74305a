// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {InferenceEscrow} from "../src/InferenceEscrow.sol";
import {Group, SumNode} from "../src/libraries/MerkleSumLib.sol";
import {Receipt} from "../src/libraries/ReceiptLib.sol";
import {MerkleSumBuilder} from "./MerkleSumBuilder.sol";

/// @title Receipts as a batch commits to them: rows of one node each, under groups by node
abstract contract ReceiptTrees {
    /// @dev The escrow takes any hash here: validators have judged the signature itself.
    function signatureHashOf(Receipt memory receipt) internal pure returns (bytes32) {
        return keccak256(abi.encode("signature", receipt.requestId));
    }

    /// @dev Groups over rows of receipts, whose nodes ascend, and for every receipt its item, in order.
    function treeOf(Receipt[][] memory rows)
        internal
        pure
        returns (Group[] memory groups, InferenceEscrow.SettleItem[] memory items)
    {
        SumNode[][] memory ofNode = _rowsByNode(rows);
        groups = new Group[](ofNode.length);
        for (uint256 g = 0; g < ofNode.length; g++) groups[g] = MerkleSumBuilder.group(address(0), ofNode[g]);
        uint256 count = 0;
        (uint256 groupAt, uint256 inGroup) = (0, 0);
        for (uint256 i = 0; i < rows.length; i++) {
            groups[groupAt].node = rows[i][0].node;
            count += rows[i].length;
            if (++inGroup == ofNode[groupAt].length) (groupAt, inGroup) = (groupAt + 1, 0);
        }
        items = new InferenceEscrow.SettleItem[](count);
        (count, groupAt, inGroup) = (0, 0, 0);
        for (uint256 i = 0; i < rows.length; i++) {
            for (uint256 j = 0; j < rows[i].length; j++) {
                InferenceEscrow.SettleItem memory item = items[count++];
                item.entry.receipt = rows[i][j];
                item.entry.signatureHash = signatureHashOf(rows[i][j]);
                item.path.leafSiblings = MerkleSumBuilder.proof(_leaves(rows[i]), j);
                item.path.rowSiblings = MerkleSumBuilder.proof(ofNode[groupAt], inGroup);
                item.path.groupSiblings = MerkleSumBuilder.proof(MerkleSumBuilder.nodesOf(groups), groupAt);
            }
            if (++inGroup == ofNode[groupAt].length) (groupAt, inGroup) = (groupAt + 1, 0);
        }
    }

    function oneRow(Receipt memory receipt) internal pure returns (Receipt[][] memory rows) {
        rows = new Receipt[][](1);
        rows[0] = new Receipt[](1);
        rows[0][0] = receipt;
    }

    /// @dev Row nodes, those of one node together.
    function _rowsByNode(Receipt[][] memory rows) private pure returns (SumNode[][] memory ofNode) {
        uint256 nodes = 0;
        for (uint256 i = 0; i < rows.length; i++) {
            if (i == 0 || rows[i][0].node != rows[i - 1][0].node) nodes++;
        }
        ofNode = new SumNode[][](nodes);
        uint256 start = 0;
        for (uint256 g = 0; g < nodes; g++) {
            uint256 end = start + 1;
            while (end < rows.length && rows[end][0].node == rows[start][0].node) end++;
            ofNode[g] = new SumNode[](end - start);
            for (uint256 i = start; i < end; i++) {
                ofNode[g][i - start] = MerkleSumBuilder.row(rows[i][0], MerkleSumBuilder.top(_leaves(rows[i])));
            }
            start = end;
        }
    }

    function _leaves(Receipt[] memory receipts) private pure returns (SumNode[] memory nodes) {
        nodes = new SumNode[](receipts.length);
        for (uint256 i = 0; i < receipts.length; i++) {
            nodes[i] = MerkleSumBuilder.leaf(receipts[i], signatureHashOf(receipts[i]));
        }
    }
}
