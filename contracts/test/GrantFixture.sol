// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SpendingGrant} from "../src/libraries/GrantLib.sol";
import {Group, RowKey, SumNode} from "../src/libraries/MerkleSumLib.sol";
import {Receipt} from "../src/libraries/ReceiptLib.sol";
import {SpendingGrants} from "../src/SpendingGrants.sol";
import {EscrowFixture} from "./EscrowFixture.sol";
import {MerkleSumBuilder} from "./MerkleSumBuilder.sol";

/// @title A payer that opens grants, and final batches with one row under them
abstract contract GrantFixture is EscrowFixture {
    uint96 internal constant DEPOSIT = 100e18;

    function deployGrants() internal {
        deployEscrow();
        vm.prank(payer);
        token.approve(address(grants), type(uint256).max);
    }

    function grantOf(uint256 nonce) internal view returns (SpendingGrant memory grant) {
        grant.payer = payer;
        grant.gateway = G;
        grant.maxTotal = 500e18;
        grant.maxPerCall = 5e18;
        grant.ratePerHour = 50e18;
        grant.models = new bytes32[](2);
        (grant.models[0], grant.models[1]) = (MODEL, keccak256("another model"));
        grant.nodes = new address[](1);
        grant.nodes[0] = NODE;
        grant.expiry = uint64(START + 1 days);
        grant.nonce = nonce;
    }

    function openAs(uint256 nonce, uint96 amount) internal returns (SpendingGrant memory grant) {
        grant = grantOf(nonce);
        vm.prank(payer);
        grants.open(grant, "", amount);
    }

    /// @dev One row of `count` receipts, with a neighbour to its left and another node's group to its right.
    function rowsOf(bytes32 grantId, uint128 price, uint64 count)
        internal
        view
        returns (Group[] memory groups, SpendingGrants.RowItem[] memory rows)
    {
        Receipt memory receipt = receiptOf(keccak256("request"), 0);
        SumNode memory top = SumNode(keccak256("leaves"), price, price, count);
        SumNode[] memory ofNode = new SumNode[](2);
        ofNode[0] = SumNode(keccak256("neighbour"), 1, 1, 2);
        ofNode[1] = MerkleSumBuilder.row(receipt, grantId, top);
        groups = new Group[](2);
        groups[0] = MerkleSumBuilder.group(NODE, ofNode);
        groups[1] = Group(NODE_2, keccak256("other"), 1, 1, 1);
        rows = new SpendingGrants.RowItem[](1);
        rows[0].key = RowKey(NODE, payer, grantId, MODEL, 1);
        rows[0].top = top;
        rows[0].rowSiblings = MerkleSumBuilder.proof(ofNode, 1);
        rows[0].groupSiblings = MerkleSumBuilder.proof(MerkleSumBuilder.nodesOf(groups), 0);
    }

    function finalRows(bytes32 grantId, uint128 price, uint64 count)
        internal
        returns (bytes32 batchId, SpendingGrants.RowItem[] memory rows)
    {
        Group[] memory groups;
        (groups, rows) = rowsOf(grantId, price, count);
        uint64 height = settlement.lastHeight(G) + 1;
        vm.prank(G);
        batchId = settlement.commit(height, keccak256("data"), groups);
        finaliseBatch(batchId);
    }
}
