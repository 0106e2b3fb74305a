// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EquivocationFault} from "../src/faults/EquivocationFault.sol";
import {Place} from "../src/faults/Places.sol";
import {RowFault} from "../src/faults/RowFault.sol";
import {SumFault} from "../src/faults/SumFault.sol";
import {TeeFault} from "../src/faults/TeeFault.sol";
import {FaultManager} from "../src/FaultManager.sol";
import {SpendingGrant} from "../src/libraries/GrantLib.sol";
import {Entry, Path} from "../src/libraries/InclusionLib.sol";
import {RowKey, Sibling, SumNode} from "../src/libraries/MerkleSumLib.sol";
import {Receipt} from "../src/libraries/ReceiptLib.sol";
import {SpendingGrants} from "../src/SpendingGrants.sol";
import {FaultFixture} from "./FaultFixture.sol";
import {MerkleSumBuilder} from "./MerkleSumBuilder.sol";

/// @title Who prepaid its calls is compensated for what a final batch took from it, and for nothing else
contract GrantCompensationTest is FaultFixture {
    uint96 private constant DEPOSIT = 10_000;
    uint8 private constant TEE = 1;
    uint8 private constant SUM = 6;
    uint8 private constant ROW = 7;

    bytes32 private _grant;
    Entry[] private _entries;

    function setUp() public {
        deployFaults();
        _grant = opened(1, DEPOSIT);
        // Five calls; nobody's key has signed the third.
        for (uint64 i = 0; i < 5; i++) _entries.push(called(i, i == 2 ? ROGUE : ENCLAVE));
    }

    function test_aPaidCallThatNoKeySignedIsCompensated() public {
        bytes32 batchId = finalBatch();
        assertEq(settled(batchId), 900);
        bytes memory proof = teeProof(batchId, 2);
        bytes32 faultId = prove(TEE, proof);
        assertEq(faults.claimsOf(faultId)[0].payer, PAYER);
        share(faultId);
        assertEq(faults.credit(PAYER), 180);
        assertEq(faults.claimedUnder(_grant), 180);
        assertTrue(faults.answered(faults.placeIdOf(batchId, 2 + 2)));
        refuseClaim(TEE, proof);
    }

    /// @dev Whoever claims may settle the row first; then it is owed like any other.
    function test_whatNobodyHasPaidIsNotLost() public {
        bytes32 batchId = finalBatch();
        bytes memory proof = teeProof(batchId, 2);
        bytes32 faultId = prove(TEE, proof);
        assertEq(faults.claimsOf(faultId).length, 0);
        refuseClaim(TEE, proof);
        settled(batchId);
        faults.claim(TEE, proof);
        assertEq(faults.claimsOf(faultId)[0].owed, 180);
        refuseClaim(TEE, proof);
    }

    function test_aRowThatItsDepositDidNotHoldIsNotCompensated() public {
        _grant = opened(2, 899);
        for (uint64 i = 0; i < 5; i++) _entries[i] = called(i, i == 2 ? ROGUE : ENCLAVE);
        bytes32 batchId = finalBatch();
        assertEq(settled(batchId), 899);
        assertTrue(!grants.paidInFull(batchId, 2));
        assertEq(faults.claimsOf(prove(TEE, teeProof(batchId, 2))).length, 0);
    }

    function test_onlyThePlaceOfTheRowWasPaid() public {
        bytes32 batchId = finalBatch();
        settled(batchId);
        assertTrue(grants.paidInFull(batchId, 2));
        assertTrue(!grants.paidInFull(batchId, 1));
        assertTrue(!grants.paidInFull(batchId, 258));
        assertTrue(!grants.paidInFull(keccak256("another"), 2));
    }

    function test_onceTheClaimsAreClosedNothingIsOwed() public {
        bytes32 batchId = finalBatch();
        bytes memory proof = teeProof(batchId, 2);
        prove(TEE, proof);
        settled(batchId);
        vm.warp(block.timestamp + GRACE);
        refuseClaim(TEE, proof);
    }

    function test_aVoidBatchTookNothing() public {
        bytes32 batchId = commitEntries(_entries);
        bytes32 faultId = prove(TEE, teeProof(batchId, 2));
        assertEq(faults.claimsOf(faultId).length, 0);
    }

    /// @dev What a receipt under a grant says of its request is nobody's word: it may name another's payment.
    function test_aClaimUnderAGrantAnswersNobodyElsesRequest() public {
        Receipt memory r = _entries[2].receipt;
        r.requestId = honest(1).requestId;
        _entries[2] = Entry(r, keccak256(sign(r, ROGUE)), _grant, 2);
        payments.set(r.requestId, PAYER, COMMITTER, 500, 1);
        bytes32 batchId = finalBatch();
        settled(batchId);
        bytes32 faultId = prove(TEE, abi.encode(TeeFault.Proof(batchId, _entries[2], sign(r, ROGUE), pathOf(_entries, 2))));
        assertEq(faults.claimsOf(faultId)[0].owed, 180);
        assertTrue(!faults.answered(r.requestId));
        assertTrue(!payments.refunded(r.requestId));
    }

    function test_ofAnOverchargeThePayerGetsTheSurplus() public {
        Receipt memory r = _entries[1].receipt;
        r.price = 200;
        _entries[1] = Entry(r, keccak256(sign(r, ENCLAVE)), _grant, 1);
        bytes32 batchId = finalBatch();
        settled(batchId);
        RowFault.Proof memory proof = RowFault.Proof(placeOf(batchId, 1), sign(r, ENCLAVE), new Place[](0));
        bytes32 faultId = prove(ROW, abi.encode(uint256(4), proof));
        assertEq(faults.claimsOf(faultId)[0].owed, 20);
    }

    function test_ofACallThatWasPaidTwiceTheLaterIsOwed() public {
        bytes32 first = finalBatch();
        settled(first);
        Place memory earlier = placeOf(first, 1);
        // The second time it cost less.
        Receipt memory r = _entries[1].receipt;
        r.price = 170;
        _entries[1] = Entry(r, keccak256(sign(r, ENCLAVE)), _grant, 1);
        bytes32 second = finalBatch();
        settled(second);
        Place[] memory other = new Place[](1);
        other[0] = placeOf(second, 1);
        bytes32 faultId = prove(ROW, abi.encode(uint256(2), RowFault.Proof(earlier, "", other)));
        assertEq(faults.fault(faultId).batchId, second);
        assertEq(faults.claimsOf(faultId)[0].owed, 170);
        assertTrue(faults.answered(faults.placeIdOf(second, 3)));
        assertTrue(!faults.answered(faults.placeIdOf(first, 3)));
    }

    function test_ofTwoAnswersUnderOneNumberTheOneThatWasPaidIsOwed() public {
        bytes32 batchId = finalBatch();
        settled(batchId);
        Receipt memory a = _entries[1].receipt;
        Receipt memory b = _entries[1].receipt;
        b.responseHash = keccak256("another response");
        bytes memory proof = abi.encode(
            0,
            EquivocationFault.NodeProof(
                a, sign(a, ENCLAVE), b, sign(b, ENCLAVE), batchId, _grant, 1, pathOf(_entries, 1)
            )
        );
        assertEq(faults.claimsOf(prove(3, proof))[0].owed, 180);
    }

    function test_whatARowStatesBeyondItsCallsIsOwed() public {
        SumNode memory truth = MerkleSumBuilder.top(leavesOf(_entries));
        SumNode memory accused = SumNode(truth.hash, truth.sum + 77, truth.exposure, truth.count);
        (bytes32 batchId, bytes memory proof) = lyingRow(accused);
        bytes32 faultId = prove(SUM, proof);
        assertEq(faults.claimsOf(faultId)[0].owed, 77);
        assertEq(faults.claimsOf(faultId)[0].payer, PAYER);
        assertTrue(faults.answered(faults.placeIdOf(batchId, 2)));
    }

    function test_aRowThatStatesTooLittleOwesNothing() public {
        SumNode memory truth = MerkleSumBuilder.top(leavesOf(_entries));
        (, bytes memory proof) = lyingRow(SumNode(truth.hash, truth.sum - 1, truth.exposure, truth.count));
        assertEq(faults.claimsOf(prove(SUM, proof)).length, 0);
    }

    /// @dev A row that claims to hold no receipts stands at the place of the next one, and only one of the two is paid.
    function test_nobodyIsOwedMoreThanItsGrantHasPaid() public {
        (bytes32 batchId, SumNode[] memory rows) = paidBefore(opened(3, 100), 100);
        assertTrue(grants.paidInFull(batchId, 0));
        bytes memory proof = teeProofIn(batchId, 2, rows);
        assertEq(faults.claimsOf(prove(TEE, proof)).length, 0);
        refuseClaim(TEE, proof);
    }

    function test_allClaimsTogetherAreNoMoreThanTheGrantHasPaid() public {
        _entries[2] = called(2, ROGUE);
        _entries[3] = called(3, ROGUE);
        (bytes32 batchId, SumNode[] memory rows) = paidBefore(_grant, 200);
        bytes32 faultId = prove(TEE, teeProofIn(batchId, 3, rows));
        faults.claim(TEE, teeProofIn(batchId, 2, rows));
        assertEq(faults.claimsOf(faultId)[0].owed, 180);
        assertEq(faults.claimsOf(faultId)[1].owed, 20);
        assertEq(faults.claimedUnder(_grant), 200);
    }

    // ---------------------------------------------------------------- helpers

    function opened(uint256 nonce, uint96 amount) private returns (bytes32 id) {
        SpendingGrant memory grant;
        (grant.payer, grant.gateway, grant.maxTotal) = (PAYER, COMMITTER, DEPOSIT);
        (grant.expiry, grant.nonce) = (uint64(block.timestamp + 1 days), nonce);
        id = grants.grantIdOf(grant);
        token.transfer(PAYER, amount);
        vm.startPrank(PAYER);
        token.approve(address(grants), amount);
        grants.open(grant, "", amount);
        vm.stopPrank();
        assertEq(grants.payerOf(id), PAYER);
    }

    function called(uint64 counter, uint256 key) private view returns (Entry memory) {
        Receipt memory r = honest(1000 + counter);
        r.requestId = payments.requestIdOf(PAYER, 3, keccak256(abi.encode(_grant, uint256(counter))));
        return Entry(r, keccak256(sign(r, key)), _grant, counter);
    }

    function finalBatch() private returns (bytes32 batchId) {
        batchId = commitEntries(_entries);
        finalise(batchId);
    }

    /// @return paid under the grant by this batch
    function settled(bytes32 batchId) private returns (uint256 paid) {
        return settledRow(batchId, MerkleSumBuilder.top(leavesOf(_entries)));
    }

    function settledRow(bytes32 batchId, SumNode memory top) private returns (uint256 paid) {
        RowKey memory key = keyOf(_entries[0]);
        SumNode[] memory rows = rowsAround(rowOf(key, top));
        SpendingGrants.RowItem[] memory items = new SpendingGrants.RowItem[](1);
        items[0] = SpendingGrants.RowItem(
            key, top, MerkleSumBuilder.proof(rows, 1), groupProof(MerkleSumBuilder.top(rows))
        );
        (, uint96 before,,) = grants.account(_grant);
        grants.settle(batchId, items);
        (, uint96 spent,,) = grants.account(_grant);
        return spent - before;
    }

    function groupProof(SumNode memory top) private pure returns (Sibling[] memory) {
        return MerkleSumBuilder.proof(MerkleSumBuilder.nodesOf(groupsWith(NODE, top)), 0);
    }

    /// @dev A final batch whose row is paid by totals that are not those of its calls.
    function lyingRow(SumNode memory accused) private returns (bytes32 batchId, bytes memory) {
        SumNode[] memory leaves = leavesOf(_entries);
        SumNode[] memory rows = rowsAround(rowOf(keyOf(_entries[0]), accused));
        batchId = commitGroups(groupsWith(NODE, MerkleSumBuilder.top(rows)), keccak256("data"));
        finalise(batchId);
        settledRow(batchId, accused);
        SumFault.Proof memory p;
        (p.batchId, p.accused, p.content) = (batchId, accused, SumFault.Content.Inner);
        // The last of five leaves moves up to the top.
        p.right = leaves[4];
        assembly ("memory-safe") {
            mstore(leaves, 4)
        }
        p.left = MerkleSumBuilder.top(leaves);
        (p.rowKey, p.inRow, p.node) = (keyOf(_entries[0]), true, NODE);
        p.rowSiblings = MerkleSumBuilder.proof(rows, 1);
        p.groupSiblings = groupProof(MerkleSumBuilder.top(rows));
        return (batchId, abi.encode(p));
    }

    /// @dev A final batch in which a row of no receipts, of `amount` under `grant`, stands before ours and is paid.
    function paidBefore(bytes32 grant, uint128 amount) private returns (bytes32 batchId, SumNode[] memory rows) {
        RowKey memory paid = keyOf(_entries[0]);
        paid.grantId = grant;
        SumNode memory nothing = SumNode(keccak256("no receipts"), amount, 1, 0);
        rows = rowsAround(rowOf(keyOf(_entries[0]), MerkleSumBuilder.top(leavesOf(_entries))));
        rows[0] = rowOf(paid, nothing);
        batchId = commitGroups(groupsWith(NODE, MerkleSumBuilder.top(rows)), keccak256("data"));
        finalise(batchId);
        SpendingGrants.RowItem[] memory items = new SpendingGrants.RowItem[](1);
        items[0] = SpendingGrants.RowItem(
            paid, nothing, MerkleSumBuilder.proof(rows, 0), groupProof(MerkleSumBuilder.top(rows))
        );
        grants.settle(batchId, items);
    }

    function placeOf(bytes32 batchId, uint256 index) private view returns (Place memory) {
        return Place(batchId, _entries[index], keyOf(_entries[index]), NODE, pathOf(_entries, index));
    }

    function teeProof(bytes32 batchId, uint256 index) private view returns (bytes memory) {
        Receipt memory r = _entries[index].receipt;
        return abi.encode(TeeFault.Proof(batchId, _entries[index], sign(r, ROGUE), pathOf(_entries, index)));
    }

    /// @dev In a batch of other rows than usual.
    function teeProofIn(bytes32 batchId, uint256 index, SumNode[] memory rows) private view returns (bytes memory) {
        Path memory path = pathOf(_entries, index);
        path.rowSiblings = MerkleSumBuilder.proof(rows, 1);
        path.groupSiblings = groupProof(MerkleSumBuilder.top(rows));
        bytes memory signature = sign(_entries[index].receipt, ROGUE);
        return abi.encode(TeeFault.Proof(batchId, _entries[index], signature, path));
    }

    function refuseClaim(uint8 class, bytes memory proof) private {
        vm.expectRevert(abi.encodeWithSelector(FaultManager.NothingToClaim.selector, _entries[2].receipt.requestId));
        faults.claim(class, proof);
    }

    function share(bytes32 faultId) private {
        vm.warp(block.timestamp + GRACE);
        faults.distribute(faultId);
    }
}
