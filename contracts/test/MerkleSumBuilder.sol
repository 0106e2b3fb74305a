// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Group, Sibling, SumNode} from "../src/libraries/MerkleSumLib.sol";
import {Receipt} from "../src/libraries/ReceiptLib.sol";

/// @title Builds batch trees and inclusion proofs from docs/spec.md §5
/// @dev Written from the page, not from the contracts: of them it takes the types only.
library MerkleSumBuilder {
    bytes32 internal constant RECEIPT_TYPEHASH = keccak256(
        "Receipt(uint8 version,bytes32 requestId,address payer,address node,address key,uint64 seq,address committer,uint64 includeBy,bytes32 modelId,uint64 priceVersion,uint8 engineClass,uint8 mode,uint8 status,bytes32 requestHash,bytes32 responseHash,bytes32 evidenceHash,uint64 inputUnits,uint64 outputUnits,uint128 price,uint128 valueAtRisk,uint64 anchorBlock,bytes32 anchorHash,uint64 issuedAt)"
    );

    function structHash(Receipt memory receipt) internal pure returns (bytes32) {
        return keccak256(abi.encode(RECEIPT_TYPEHASH, receipt));
    }

    function leaf(Receipt memory receipt, bytes32 signatureHash) internal pure returns (SumNode memory) {
        return leaf(receipt, signatureHash, 0);
    }

    function leaf(Receipt memory receipt, bytes32 signatureHash, uint64 counter)
        internal
        pure
        returns (SumNode memory)
    {
        bytes32 inner =
            keccak256(abi.encode(keccak256("assay/leaf/v1"), structHash(receipt), signatureHash, counter));
        uint128 exposure = receipt.valueAtRisk > receipt.price ? receipt.valueAtRisk : receipt.price;
        return SumNode(keccak256(bytes.concat(inner)), receipt.price, exposure, 1);
    }

    function row(Receipt memory receipt, SumNode memory tree) internal pure returns (SumNode memory) {
        return row(receipt, bytes32(0), tree);
    }

    function row(Receipt memory receipt, bytes32 grantId, SumNode memory tree)
        internal
        pure
        returns (SumNode memory)
    {
        bytes32 hash = keccak256(
            abi.encode(
                keccak256("assay/row/v1"),
                receipt.node,
                receipt.payer,
                grantId,
                receipt.modelId,
                receipt.priceVersion,
                tree
            )
        );
        return SumNode(hash, tree.sum, tree.exposure, tree.count);
    }

    /// @dev All rows of one node, as the committer states them.
    function group(address node, SumNode[] memory rows) internal pure returns (Group memory) {
        SumNode memory tree = top(rows);
        return Group(node, tree.hash, tree.sum, tree.exposure, tree.count);
    }

    function nodeOf(Group memory g) internal pure returns (SumNode memory) {
        SumNode memory tree = SumNode(g.top, g.sum, g.exposure, g.count);
        return SumNode(keccak256(abi.encode(keccak256("assay/group/v1"), g.node, tree)), g.sum, g.exposure, g.count);
    }

    function nodesOf(Group[] memory groups) internal pure returns (SumNode[] memory nodes) {
        nodes = new SumNode[](groups.length);
        for (uint256 i = 0; i < groups.length; i++) nodes[i] = nodeOf(groups[i]);
    }

    function parent(SumNode memory a, SumNode memory b) internal pure returns (SumNode memory) {
        bytes32 hash = keccak256(abi.encode(keccak256("assay/node/v1"), a, b));
        // Sums wrap here, so that a test can build the overflowing tree which the contract must refuse.
        unchecked {
            return SumNode(hash, a.sum + b.sum, a.exposure + b.exposure, a.count + b.count);
        }
    }

    function top(SumNode[] memory nodes) internal pure returns (SumNode memory) {
        while (nodes.length > 1) nodes = _level(nodes);
        return nodes[0];
    }

    /// @dev From the node at `index` upwards; an odd last node moves up without a sibling.
    function proof(SumNode[] memory nodes, uint256 index) internal pure returns (Sibling[] memory siblings) {
        Sibling[] memory found = new Sibling[](32);
        uint256 depth = 0;
        while (nodes.length > 1) {
            uint256 other = index ^ 1;
            if (other < nodes.length) {
                SumNode memory n = nodes[other];
                found[depth++] = Sibling(n.hash, n.sum, n.exposure, n.count, other < index);
            }
            nodes = _level(nodes);
            index /= 2;
        }
        siblings = new Sibling[](depth);
        for (uint256 i = 0; i < depth; i++) siblings[i] = found[i];
    }

    function _level(SumNode[] memory nodes) private pure returns (SumNode[] memory up) {
        up = new SumNode[]((nodes.length + 1) / 2);
        for (uint256 i = 0; i < up.length; i++) {
            up[i] = 2 * i + 1 < nodes.length ? parent(nodes[2 * i], nodes[2 * i + 1]) : nodes[2 * i];
        }
    }
}
