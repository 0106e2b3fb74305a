// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SpendingGrant} from "../src/libraries/GrantLib.sol";
import {Entry} from "../src/libraries/InclusionLib.sol";
import {Group, RowKey, SumNode} from "../src/libraries/MerkleSumLib.sol";
import {Receipt} from "../src/libraries/ReceiptLib.sol";
import {Settlement} from "../src/Settlement.sol";
import {BatchBook} from "../src/settlement/BatchBook.sol";
import {SpendingGrants} from "../src/SpendingGrants.sol";
import {GrantFixture} from "./GrantFixture.sol";
import {MerkleSumBuilder} from "./MerkleSumBuilder.sol";

/// @title What a row of a final batch pays out of its grant
contract GrantSettlingTest is GrantFixture {
    function setUp() public {
        deployGrants();
    }

    function test_aFinalBatchSettlesItsPayerWithOneRow() public {
        SpendingGrant memory grant = openAs(1, DEPOSIT);
        bytes32 id = grants.grantIdOf(grant);
        (bytes32 batchId, SpendingGrants.RowItem[] memory rows) = finalRows(id, 10e18, 4);
        vm.expectEmit();
        emit SpendingGrants.RowSettled(batchId, id, MODEL, NODE, 10e18, 0);
        grants.settle(batchId, rows);
        (, uint96 spent,,) = grants.account(id);
        assertEq(spent, 10e18);
        assertEq(grants.takings(MODEL, NODE), 10e18);
        // A second time nothing more.
        grants.settle(batchId, rows);
        vm.expectEmit();
        emit SpendingGrants.TakingsPassedOn(MODEL, NODE, 10e18);
        vm.prank(STRANGER);
        grants.passOn(MODEL, NODE);
        assertEq(splitter.balanceOf(PUBLISHER), 7e18);
        assertEq(splitter.balanceOf(NODE), 1.5e18);
        assertEq(splitter.balanceOf(TREASURY), 0.5e18);
        assertEq(splitter.validatorsPending(), 1e18);
        assertEq(token.balanceOf(address(splitter)), 10e18);
        assertEq(token.balanceOf(address(grants)), DEPOSIT - 10e18);
        vm.expectRevert(abi.encodeWithSelector(SpendingGrants.NothingTaken.selector, MODEL, NODE));
        grants.passOn(MODEL, NODE);
    }

    function test_settlingMakesADueBatchFinal() public {
        bytes32 id = grants.grantIdOf(openAs(1, DEPOSIT));
        (Group[] memory groups, SpendingGrants.RowItem[] memory rows) = rowsOf(id, 10e18, 4);
        vm.prank(G);
        bytes32 batchId = settlement.commit(1, keccak256("data"), groups);
        vm.expectRevert(
            abi.encodeWithSelector(Settlement.WrongState.selector, batchId, BatchBook.State.Committed)
        );
        grants.settle(batchId, rows);
        attestWith(batchId, VALID, firstKeys(2));
        vm.expectRevert();
        grants.settle(batchId, rows);
        vm.warp(vm.getBlockTimestamp() + WINDOW);
        grants.settle(batchId, rows);
        assertState(batchId, BatchBook.State.Final);
        assertEq(grants.takings(MODEL, NODE), 10e18);
    }

    function testFuzz_aDepositPaysWhatItHoldsAndNeverMore(uint96 price, uint96 deposit) public {
        deposit = deposit % 500e18;
        price = price % 1000e18;
        bytes32 id = grants.grantIdOf(openAs(1, deposit));
        (bytes32 batchId, SpendingGrants.RowItem[] memory rows) = finalRows(id, price, 3);
        grants.settle(batchId, rows);
        uint256 paid = price < deposit ? price : deposit;
        assertEq(grants.takings(MODEL, NODE), paid);
        (uint96 funded, uint96 spent,,) = grants.account(id);
        assertEq(uint256(funded) - spent, deposit - paid);
        // What it earned is not the payer's any more, and what is left is.
        assertEq(token.balanceOf(address(grants)), deposit);
        if (paid > 0) grants.passOn(MODEL, NODE);
        assertEq(token.balanceOf(address(splitter)), paid);
        assertEq(token.balanceOf(address(grants)), deposit - paid);
    }

    /// @dev What a first row has spent no second one can spend.
    function test_rowsOfManyBatchesShareOneDeposit() public {
        bytes32 id = grants.grantIdOf(openAs(1, DEPOSIT));
        for (uint256 i = 0; i < 3; i++) {
            (bytes32 batchId, SpendingGrants.RowItem[] memory rows) = finalRows(id, 60e18, 4);
            vm.expectEmit(address(grants));
            uint256 paid = i == 0 ? 60e18 : i == 1 ? 40e18 : 0;
            emit SpendingGrants.RowSettled(batchId, id, MODEL, NODE, paid, 60e18 - paid);
            grants.settle(batchId, rows);
        }
        assertEq(grants.takings(MODEL, NODE), DEPOSIT);
    }

    function testFuzz_aChangedRowIsNotInTheBatch(uint8 what, uint64 delta) public {
        bytes32 id = grants.grantIdOf(openAs(1, DEPOSIT));
        bytes32 other = grants.grantIdOf(openAs(2, DEPOSIT));
        (bytes32 batchId, SpendingGrants.RowItem[] memory rows) = finalRows(id, 10e18, 4);
        delta = 1 + delta % 1e9;
        what = what % 9;
        RowKey memory key = rows[0].key;
        if (what == 0) rows[0].top.sum += delta;
        if (what == 1) rows[0].top.exposure += delta;
        if (what == 2) rows[0].top.count += delta;
        if (what == 3) rows[0].top.hash = keccak256(abi.encode(delta));
        if (what == 4) key.grantId = other;
        if (what == 5) key.modelId = keccak256("another model");
        if (what == 6) key.node = NODE_2;
        if (what == 7) key.payer = STRANGER;
        if (what == 8) key.priceVersion += delta;
        vm.expectRevert(abi.encodeWithSelector(SpendingGrants.NotInBatch.selector, key.grantId, batchId));
        grants.settle(batchId, rows);
    }

    /// @dev Whatever validators say: a call is never paid by two gateways, nor by what a stranger forced in.
    function test_aRowInAnotherGatewaysBatchIsNotPaid() public {
        bytes32 id = grants.grantIdOf(openAs(1, DEPOSIT));
        (Group[] memory groups, SpendingGrants.RowItem[] memory rows) = rowsOf(id, 10e18, 4);
        vm.prank(STRANGER);
        bytes32 batchId = settlement.commit(1, keccak256("data"), groups);
        finaliseBatch(batchId);
        vm.expectRevert(abi.encodeWithSelector(SpendingGrants.NotTheGateway.selector, id, STRANGER));
        grants.settle(batchId, rows);
        assertEq(grants.takings(MODEL, NODE), 0);
        (batchId, rows) = finalRows(id, 10e18, 4);
        grants.settle(batchId, rows);
        assertEq(grants.takings(MODEL, NODE), 10e18);
    }

    /// @dev A forced batch is nobody's, also under a grant that nobody opened, whose gateway is nobody.
    function test_nothingIsPaidOutOfWhatWasForcedIn() public {
        Receipt memory receipt = receiptOf(keccak256("request"), 10e18);
        receipt.key = vm.addr(0xE1);
        bytes memory signature = signDigest(0xE1, settlement.digestOf(MerkleSumBuilder.structHash(receipt)));
        vm.warp(receipt.includeBy + 1);
        Entry memory entry = Entry(receipt, keccak256(signature), bytes32(0), 0);
        bytes32 batchId = settlement.force(1, entry, signature);
        finaliseBatch(batchId);
        (bytes32 root, address committer) = settlement.finalRoot(batchId);
        assertTrue(root != bytes32(0));
        assertEq(committer, address(0));
        SpendingGrants.RowItem[] memory rows = new SpendingGrants.RowItem[](1);
        bytes32 unopened = keccak256("nobody's grant");
        rows[0].key = RowKey(NODE, payer, unopened, MODEL, 1);
        rows[0].top = SumNode(keccak256("leaves"), 1, 1, 1);
        vm.expectRevert(abi.encodeWithSelector(SpendingGrants.NotInBatch.selector, unopened, batchId));
        grants.settle(batchId, rows);
    }

    function test_aRowThatPaysForItselfIsNotSettledHere() public {
        (bytes32 batchId, SpendingGrants.RowItem[] memory rows) = finalRows(bytes32(0), 10e18, 4);
        vm.expectRevert(abi.encodeWithSelector(SpendingGrants.NotAGrantRow.selector, 0));
        grants.settle(batchId, rows);
    }

    /// @dev Rows are told apart by where they begin, and 256 of them share a slot.
    function test_everyRowOfALargeBatchIsPaidOnce() public {
        SumNode[] memory ofNode = new SumNode[](3);
        SpendingGrants.RowItem[] memory rows = new SpendingGrants.RowItem[](3);
        Receipt memory receipt = receiptOf(keccak256("request"), 0);
        for (uint256 i = 0; i < 3; i++) {
            // The last has half of what it owes.
            bytes32 id = grants.grantIdOf(openAs(i, i == 2 ? 0.5e18 : DEPOSIT));
            rows[i].key = RowKey(NODE, payer, id, MODEL, 1);
            // They begin at 0, 1 and 256.
            rows[i].top = SumNode(keccak256(abi.encode(i)), 1e18, 1e18, i == 1 ? 255 : 1);
            ofNode[i] = MerkleSumBuilder.row(receipt, id, rows[i].top);
        }
        for (uint256 i = 0; i < 3; i++) rows[i].rowSiblings = MerkleSumBuilder.proof(ofNode, i);
        Group[] memory groups = new Group[](1);
        groups[0] = MerkleSumBuilder.group(NODE, ofNode);
        vm.prank(G);
        bytes32 batchId = settlement.commit(1, keccak256("data"), groups);
        finaliseBatch(batchId);
        grants.settle(batchId, rows);
        grants.settle(batchId, rows);
        assertEq(grants.takings(MODEL, NODE), 2.5e18);
        assertTrue(grants.paidInFull(batchId, 0) && grants.paidInFull(batchId, 1));
        assertTrue(!grants.paidInFull(batchId, 256));
    }
}
