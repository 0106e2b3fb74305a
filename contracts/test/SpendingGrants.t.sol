// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SpendingGrant} from "../src/libraries/GrantLib.sol";
import {Entry} from "../src/libraries/InclusionLib.sol";
import {Group, RowKey, SumNode} from "../src/libraries/MerkleSumLib.sol";
import {Receipt} from "../src/libraries/ReceiptLib.sol";
import {Settlement} from "../src/Settlement.sol";
import {BatchBook} from "../src/settlement/BatchBook.sol";
import {SpendingGrants} from "../src/SpendingGrants.sol";
import {EscrowFixture} from "./EscrowFixture.sol";
import {MerkleSumBuilder} from "./MerkleSumBuilder.sol";

/// @title Prepaid calls: who may open, fund, spend and take back, and what a row pays
contract SpendingGrantsTest is EscrowFixture {
    uint96 private constant DEPOSIT = 100e18;

    function setUp() public {
        deployEscrow();
        vm.prank(payer);
        token.approve(address(grants), type(uint256).max);
    }

    // ---------------------------------------------------------------- opening and funding

    function test_thePayersSignatureOpensForAnybodyWhoPaysIn() public {
        SpendingGrant memory grant = grantOf(1);
        bytes32 id = grants.grantIdOf(grant);
        fundStranger(DEPOSIT);
        bytes memory signature = signDigest(PAYER_KEY, id);
        vm.prank(STRANGER);
        vm.expectEmit(address(grants));
        emit SpendingGrants.GrantOpened(id, payer, G, grant);
        vm.expectEmit(address(grants));
        emit SpendingGrants.GrantFunded(id, STRANGER, DEPOSIT);
        grants.open(grant, signature, DEPOSIT);
        assertEq(grants.gatewayOf(id), G);
        (uint96 funded, uint96 spent, uint64 revokedAt, bool opened) = grants.account(id);
        assertEq(funded, DEPOSIT);
        assertEq(uint256(spent) + revokedAt, 0);
        assertTrue(opened);
        assertEq(token.balanceOf(address(grants)), DEPOSIT);
    }

    function test_nobodyOpensInAnothersName() public {
        SpendingGrant memory grant = grantOf(1);
        bytes32 id = grants.grantIdOf(grant);
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(SpendingGrants.BadSignature.selector, id));
        grants.open(grant, signDigest(0xBAD5, id), 0);
    }

    function test_theIdIsTheDigestOfThePage() public view {
        SpendingGrant memory grant = grantOf(7);
        bytes32 typeHash = keccak256(
            "SpendingGrant(address payer,address gateway,uint128 maxTotal,uint128 maxPerCall,uint128 ratePerHour,bytes32[] models,address[] nodes,uint64 expiry,uint256 nonce)"
        );
        bytes memory fields = abi.encode(
            typeHash, payer, G, grant.maxTotal, grant.maxPerCall, grant.ratePerHour
        );
        bytes32 models_ = keccak256(abi.encode(grant.models[0], grant.models[1]));
        bytes32 nodes_ = keccak256(abi.encode(grant.nodes[0]));
        bytes32 structHash =
            keccak256(bytes.concat(fields, abi.encode(models_, nodes_, grant.expiry, grant.nonce)));
        assertEq(grants.grantIdOf(grant), typedDigest(domainOf(address(settlement), DEPLOYMENT), structHash));
    }

    function test_openedOnceAndNotAfterItsEnd() public {
        SpendingGrant memory grant = openAs(1, DEPOSIT);
        vm.prank(payer);
        vm.expectRevert(abi.encodeWithSelector(SpendingGrants.AlreadyOpened.selector, grants.grantIdOf(grant)));
        grants.open(grant, "", 0);
        SpendingGrant memory late = grantOf(2);
        late.expiry = uint64(vm.getBlockTimestamp());
        vm.prank(payer);
        vm.expectRevert(abi.encodeWithSelector(SpendingGrants.Expired.selector, late.expiry));
        grants.open(late, "", 0);
    }

    function testFuzz_neverMoreThanTheGrantsMaximumIsHeld(uint96 first, uint96 second) public {
        first = first % 600e18;
        second = second % 600e18;
        SpendingGrant memory grant = grantOf(1);
        vm.startPrank(payer);
        if (first > grant.maxTotal) {
            vm.expectRevert(abi.encodeWithSelector(SpendingGrants.OverMaximum.selector, first, grant.maxTotal));
            grants.open(grant, "", first);
            return;
        }
        grants.open(grant, "", first);
        uint256 sum = uint256(first) + second;
        if (sum > grant.maxTotal) {
            vm.expectRevert(abi.encodeWithSelector(SpendingGrants.OverMaximum.selector, sum, grant.maxTotal));
            sum = first;
        }
        grants.fund(grant, second);
        vm.stopPrank();
        assertEq(token.balanceOf(address(grants)), sum);
    }

    function test_whatWasNeverOpenedTakesNoMoney() public {
        SpendingGrant memory grant = grantOf(1);
        vm.prank(payer);
        vm.expectRevert(abi.encodeWithSelector(SpendingGrants.NotOpened.selector, grants.grantIdOf(grant)));
        grants.fund(grant, 1);
    }

    // ---------------------------------------------------------------- settling

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

    // ---------------------------------------------------------------- taking back

    function test_whatIsLeftGoesBackAfterTheDelayAndToThePayerAlone() public {
        SpendingGrant memory grant = openAs(1, DEPOSIT);
        bytes32 id = grants.grantIdOf(grant);
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(SpendingGrants.NotThePayer.selector, STRANGER, payer));
        grants.revoke(grant);
        vm.prank(payer);
        vm.expectEmit(address(grants));
        emit SpendingGrants.GrantRevoked(id, uint64(vm.getBlockTimestamp()));
        grants.revoke(grant);
        vm.prank(payer);
        vm.expectRevert(abi.encodeWithSelector(SpendingGrants.AlreadyRevoked.selector, id));
        grants.revoke(grant);
        uint64 dueAt = uint64(vm.getBlockTimestamp() + DEPOSIT_WITHDRAWAL);
        // Calls from before the revocation are paid still.
        (bytes32 batchId, SpendingGrants.RowItem[] memory rows) = finalRows(id, 30e18, 4);
        grants.settle(batchId, rows);
        vm.expectRevert(abi.encodeWithSelector(SpendingGrants.WithdrawalNotDue.selector, id, dueAt));
        grants.withdraw(grant);
        vm.warp(dueAt);
        uint256 before = token.balanceOf(payer);
        vm.prank(STRANGER);
        vm.expectEmit(address(grants));
        emit SpendingGrants.GrantWithdrawn(id, payer, 70e18);
        assertEq(grants.withdraw(grant), 70e18);
        assertEq(token.balanceOf(payer) - before, 70e18);
        vm.expectRevert(abi.encodeWithSelector(SpendingGrants.NothingLeft.selector, id));
        grants.withdraw(grant);
        vm.prank(payer);
        vm.expectRevert(abi.encodeWithSelector(SpendingGrants.AlreadyRevoked.selector, id));
        grants.fund(grant, 1);
    }

    function test_aGrantRevokedBeforeItWasOpenedNeverOpens() public {
        SpendingGrant memory grant = grantOf(1);
        bytes32 id = grants.grantIdOf(grant);
        vm.prank(payer);
        grants.revoke(grant);
        vm.expectRevert(abi.encodeWithSelector(SpendingGrants.AlreadyOpened.selector, id));
        grants.open(grant, signDigest(PAYER_KEY, id), 0);
    }

    function test_aGrantThatExpiredIsPaidBackFromItsExpiryOnWhateverIsRevokedThen() public {
        SpendingGrant memory grant = openAs(1, 1);
        bytes32 id = grants.grantIdOf(grant);
        uint64 dueAt = grant.expiry + uint64(DEPOSIT_WITHDRAWAL);
        vm.warp(grant.expiry + 1);
        vm.prank(payer);
        grants.revoke(grant);
        vm.warp(dueAt - 1);
        vm.expectRevert(abi.encodeWithSelector(SpendingGrants.WithdrawalNotDue.selector, id, dueAt));
        grants.withdraw(grant);
        vm.warp(dueAt);
        assertEq(grants.withdraw(grant), 1);
    }

    function test_openingWithoutMoneyMovesNone() public {
        vm.recordLogs();
        openAs(1, 0);
        assertEq(vm.getRecordedLogs().length, 1);
    }

    /// @dev Rows are told apart by where they begin, and 256 of them share a slot.
    function test_everyRowOfALargeBatchIsPaidOnce() public {
        SumNode[] memory ofNode = new SumNode[](3);
        SpendingGrants.RowItem[] memory rows = new SpendingGrants.RowItem[](3);
        Receipt memory receipt = receiptOf(keccak256("request"), 0);
        for (uint256 i = 0; i < 3; i++) {
            bytes32 id = grants.grantIdOf(openAs(i, DEPOSIT));
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
        assertEq(grants.takings(MODEL, NODE), 3e18);
    }


    // ---------------------------------------------------------------- helpers

    function grantOf(uint256 nonce) private view returns (SpendingGrant memory grant) {
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

    function openAs(uint256 nonce, uint96 amount) private returns (SpendingGrant memory grant) {
        grant = grantOf(nonce);
        vm.prank(payer);
        grants.open(grant, "", amount);
    }

    function fundStranger(uint256 amount) private {
        token.transfer(STRANGER, amount);
        vm.prank(STRANGER);
        token.approve(address(grants), amount);
    }

    /// @dev One row of `count` receipts, with a neighbour to its left and another node's group to its right.
    function rowsOf(bytes32 grantId, uint128 price, uint64 count)
        private
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
        private
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
