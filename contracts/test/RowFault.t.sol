// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Finding} from "../src/faults/IFaultAdapter.sol";
import {Place} from "../src/faults/Places.sol";
import {RowFault} from "../src/faults/RowFault.sol";
import {Entry} from "../src/libraries/InclusionLib.sol";
import {RowKey, SumNode} from "../src/libraries/MerkleSumLib.sol";
import {Receipt} from "../src/libraries/ReceiptLib.sol";
import {BatchBook} from "../src/settlement/BatchBook.sol";
import {FaultFixture} from "./FaultFixture.sol";
import {MerkleSumBuilder} from "./MerkleSumBuilder.sol";

/// @title Class 7: receipts that stand where they do not belong, or cost what they must not
contract RowFaultTest is FaultFixture {
    uint256 private constant FOREIGN_ROW = 0;
    uint256 private constant FOREIGN_GRANT = 1;
    uint256 private constant TWICE = 2;
    uint256 private constant STRANGERS = 3;
    uint256 private constant OVERCHARGE = 4;
    address private constant STRANGER = address(0xBAD);

    function setUp() public {
        deployFaults();
    }

    // ---------------------------------------------------------------- foreign row

    function test_aReceiptUnderAnotherPayersNodesModelsOrPricesRowIsAFault() public {
        for (uint256 member = 0; member < 4; member++) {
            RowKey memory key = keyOf(honestEntry(1));
            if (member == 0) key.payer = STRANGER;
            else if (member == 1) key.node = STRANGER;
            else if (member == 2) key.modelId = CODE;
            else key.priceVersion = 2;
            assertFault(FOREIGN_ROW, placed(honestEntry(1), key, key.node));
        }
    }

    function test_aRowInTheGroupOfAnotherNodeIsAFault() public {
        assertFault(FOREIGN_ROW, placed(honestEntry(1), keyOf(honestEntry(1)), STRANGER));
    }

    function test_aReceiptInItsOwnRowIsNoFault() public {
        Place memory p = placed(honestEntry(1), keyOf(honestEntry(1)), NODE);
        for (uint256 kind = 0; kind < 5; kind++) assertNoFault(kind, p);
        p = placed(grantedEntry(7), keyOf(grantedEntry(7)), NODE);
        for (uint256 kind = 0; kind < 5; kind++) assertNoFault(kind, p);
    }

    // ---------------------------------------------------------------- grants

    function test_aReceiptUnderAGrantThatDoesNotPayForItIsAFault() public {
        RowKey memory key = keyOf(grantedEntry(7));
        assertFault(FOREIGN_GRANT, placed(honestEntry(1), key, NODE));
        Entry memory otherCounter = grantedEntry(7);
        otherCounter.counter = 8;
        assertFault(FOREIGN_GRANT, placed(otherCounter, key, NODE));
        key.grantId = keccak256("another grant");
        assertFault(FOREIGN_GRANT, placed(grantedEntry(7), key, NODE));
    }

    function test_oneCallTwiceUnderAGrantIsAFaultInOneBatch() public {
        Entry[] memory entries = new Entry[](3);
        (entries[0], entries[1], entries[2]) = (grantedEntry(7), grantedEntry(8), grantedEntry(7));
        bytes32 batchId = commitEntries(entries);
        RowFault.Proof memory p = pair(placeOf(batchId, entries, 0), placeOf(batchId, entries, 2));
        prove(7, abi.encode(TWICE, p));
        assertState(batchId, BatchBook.State.Void);
        assertEq(bondOf(COMMITTER), MIN_BOND / 2);
    }

    function test_oneCallTwiceUnderAGrantIsAFaultOfTheLaterBatch() public {
        Entry[] memory entries = only(grantedEntry(7));
        bytes32 first = commitEntries(entries);
        bytes32 second = commitEntries(entries);
        prove(7, abi.encode(TWICE, pair(placeOf(second, entries, 0), placeOf(first, entries, 0))));
        assertState(first, BatchBook.State.Committed);
        assertState(second, BatchBook.State.Void);
        assertEq(bondOf(COMMITTER), MIN_BOND / 2);
    }

    function test_8_theSamePlaceShownTwiceIsNoFault() public {
        Entry[] memory entries = only(grantedEntry(7));
        Place memory p = placeOf(commitEntries(entries), entries, 0);
        refuse(7, abi.encode(TWICE, pair(p, p)), holds(entries[0].receipt.requestId));
    }

    function test_8_twoCallsUnderOneGrantAreNoFault() public {
        Place memory one = placeOf(commitEntries(only(grantedEntry(7))), only(grantedEntry(7)), 0);
        Place memory other = placeOf(commitEntries(only(grantedEntry(8))), only(grantedEntry(8)), 0);
        refuse(7, abi.encode(TWICE, pair(one, other)), holds(one.entry.receipt.requestId));
    }

    /// @dev The escrow pays a request once, however often it is batched: only grants pay by the row.
    function test_8_aCallThatStandsUnderAGrantOnlyOnceIsNoFault() public {
        Entry[] memory granted_ = only(grantedEntry(7));
        Entry[] memory bare = only(entryOf(granted(7), sign(granted(7), ENCLAVE)));
        Place memory paid = placeOf(commitEntries(granted_), granted_, 0);
        Place memory first = placeOf(commitEntries(bare), bare, 0);
        Place memory second = placeOf(commitEntries(bare), bare, 0);
        bytes memory reason = holds(bare[0].receipt.requestId);
        refuse(7, abi.encode(TWICE, pair(paid, first)), reason);
        refuse(7, abi.encode(TWICE, pair(first, paid)), reason);
        refuse(7, abi.encode(TWICE, pair(first, second)), reason);
    }

    function test_8_aCallBatchedAgainAfterItsBatchExpiredIsNoFault() public {
        Entry[] memory entries = only(grantedEntry(7));
        bytes32 first = commitEntries(entries);
        vm.warp(block.timestamp + ATTEST_TIMEOUT);
        settlement.expire(first);
        bytes32 second = commitEntries(entries);
        bytes memory proof = abi.encode(TWICE, pair(placeOf(first, entries, 0), placeOf(second, entries, 0)));
        refuse(7, proof, holds(entries[0].receipt.requestId));
    }

    /// @dev Whoever copies receipts and commits them first must not make their own committer guilty.
    function test_8_aCopyInAStrangersBatchIsTheStrangersFault() public {
        Entry[] memory entries = only(grantedEntry(7));
        SumNode[] memory leaves = leavesOf(entries);
        vm.roll(block.number + 1);
        bytes32 copied = commitAs(STRANGER, keyOf(entries[0]), leaves);
        bytes32 own = commitEntries(entries);
        bytes memory proof = abi.encode(TWICE, pair(placeOf(copied, entries, 0), placeOf(own, entries, 0)));
        refuse(7, proof, holds(entries[0].receipt.requestId));
        Place memory p = placeOf(copied, entries, 0);
        prove(7, abi.encode(STRANGERS, single(p, "")));
        assertState(copied, BatchBook.State.Void);
        assertState(own, BatchBook.State.Committed);
        assertEq(bondOf(STRANGER), MIN_BOND / 2);
        assertEq(bondOf(COMMITTER), MIN_BOND);
    }

    /// @dev However late it is: two gateways would be paid for one call, and no node's word is its payer's.
    function test_twoGatewaysNeverBatchOneCallUnderAGrant() public {
        Entry[] memory entries = only(grantedEntry(7));
        commitEntries(entries);
        vm.warp(entries[0].receipt.includeBy + 1);
        bytes32 late = commitAs(STRANGER, keyOf(entries[0]), leavesOf(entries));
        prove(7, abi.encode(STRANGERS, single(placeOf(late, entries, 0), "")));
        assertState(late, BatchBook.State.Void);
        assertEq(bondOf(STRANGER), MIN_BOND / 2);
    }

    function test_afterIncludeByAnyoneBatchesACallThatPaysForItself() public {
        Entry[] memory entries = only(honestEntry(7));
        vm.warp(entries[0].receipt.includeBy + 1);
        bytes32 late = commitAs(STRANGER, keyOf(entries[0]), leavesOf(entries));
        assertNoFault(STRANGERS, placeOf(late, entries, 0));
    }

    // ---------------------------------------------------------------- overcharge

    function test_aPriceAboveTheRowFallsOnNodeAndCommitter() public {
        Receipt memory r = honest(1);
        r.price = 181;
        overcharged(r);
        assertEq(bondOf(COMMITTER), MIN_BOND / 2);
        assertEq(bondOf(NODE), MIN_BOND / 2);
    }

    function test_aPriceForAFailedOrEmptyAnswerIsAnOvercharge() public {
        Receipt memory r = honest(1);
        r.status = 2;
        overcharged(r);
        r.status = 0;
        r.outputUnits = 0;
        overcharged(r);
        assertEq(bondOf(NODE), MIN_BOND / 4);
    }

    /// @dev Not one base unit, and not what the row asks for a call or for what went in.
    function test_aFailedOrEmptyAnswerCostsNothing() public {
        Receipt memory r = honest(1);
        (r.status, r.price) = (2, 1);
        assertEq(overcharged(r).loss, 1);
        (r.status, r.outputUnits, r.price) = (0, 0, 120);
        assertEq(overcharged(r).loss, 120);
    }

    /// @dev Its own signature under the price of the row, or under less, makes no node guilty.
    function test_8_anHonestPriceIsNoOvercharge() public {
        Receipt memory r = honest(1);
        for (uint256 i = 0; i < 3; i++) {
            if (i == 1) r.price = 179;
            // One unit out: 100 + 2 · 10 + 3.
            if (i == 2) (r.price, r.outputUnits) = (123, 1);
            bytes memory signature = sign(r, ENCLAVE);
            Entry memory entry = entryOf(r, signature);
            bytes memory proof = abi.encode(OVERCHARGE, single(placed(entry, keyOf(entry), NODE), signature));
            refuse(7, proof, holds(r.requestId));
        }
        assertEq(bondOf(NODE), MIN_BOND);
    }

    function test_aPriceOfARowThatDoesNotExistIsAnOvercharge() public {
        Receipt memory r = honest(1);
        r.priceVersion = 9;
        overcharged(r);
        assertEq(bondOf(NODE), MIN_BOND / 2);
    }

    function test_8_aRevisedPriceDoesNotReachBack() public {
        models.setPrice(MODEL, 1, 1, 1);
        assertNoFault(OVERCHARGE, placed(honestEntry(1), keyOf(honestEntry(1)), NODE));
    }

    /// @dev The committer may have made the receipt up: that is class 1, and the node has nothing to do with it.
    function test_8_anOverchargeThatTheNodeDidNotSignIsNotItsFault() public {
        Receipt memory r = honest(1);
        r.price = 1e18;
        bytes memory rogue = sign(r, ROGUE);
        Place memory p = placed(entryOf(r, rogue), keyOf(entryOf(r, rogue)), NODE);
        refuse(7, abi.encode(OVERCHARGE, single(p, rogue)), holds(r.requestId));
        // Its signature on another receipt, or another signature than the committed one, do not help.
        p = placed(entryOf(r, sign(r, ENCLAVE)), keyOf(entryOf(r, rogue)), NODE);
        refuse(7, abi.encode(OVERCHARGE, single(p, rogue)), holds(r.requestId));
        p = placed(entryOf(r, rogue), keyOf(entryOf(r, rogue)), NODE);
        refuse(7, abi.encode(OVERCHARGE, single(p, sign(r, ENCLAVE))), holds(r.requestId));
        r.key = vm.addr(ROGUE);
        rogue = sign(r, ROGUE);
        p = placed(entryOf(r, rogue), keyOf(entryOf(r, rogue)), NODE);
        refuse(7, abi.encode(OVERCHARGE, single(p, rogue)), holds(r.requestId));
        assertEq(bondOf(NODE), MIN_BOND);
    }

    function test_anUnknownKindProvesNothing() public {
        Place memory p = placed(honestEntry(1), keyOf(honestEntry(1)), NODE);
        refuse(7, abi.encode(5, single(p, "")), abi.encodeWithSelector(RowFault.UnknownKind.selector, 5));
    }

    // ---------------------------------------------------------------- what is found

    /// @dev Two receipts stand before ours, in the row before it.
    function test_theFindingSaysWhoLostWhatAndWhere() public {
        Receipt memory r = honest(1);
        r.price = 181;
        bytes memory signature = sign(r, ENCLAVE);
        Place memory p = placed(entryOf(r, signature), keyOf(entryOf(r, signature)), NODE);
        vm.warp(block.timestamp + 1);
        Finding memory f = rowFault.judge(abi.encode(OVERCHARGE, single(p, signature)));
        assertFound(f, p, 1);
        assertEq(f.faultKey, keccak256(abi.encode(p.batchId, OVERCHARGE, NODE)));
        assertEq(f.node, NODE);
        RowKey memory key = keyOf(honestEntry(1));
        key.payer = STRANGER;
        p = placed(honestEntry(1), key, NODE);
        vm.warp(block.timestamp + 1);
        f = rowFault.judge(abi.encode(FOREIGN_ROW, single(p, "")));
        assertFound(f, p, 180);
        assertEq(f.faultKey, p.batchId);
        assertEq(f.node, address(0));
    }

    /// @dev Whichever of the two is shown first.
    function test_ofTwoCallsTheLaterIsFound() public {
        Entry[] memory early = only(grantedEntry(7));
        bytes32 first = commitEntries(early);
        Entry[] memory late = only(grantedEntry(7));
        late[0].receipt.price = 200;
        bytes32 second = commitEntries(late);
        Place memory p = placeOf(second, late, 0);
        vm.warp(block.timestamp + 1);
        Finding memory f = rowFault.judge(abi.encode(TWICE, pair(placeOf(first, early, 0), p)));
        assertFound(f, p, 200);
        assertEq(f.faultKey, second);
        f = rowFault.judge(abi.encode(TWICE, pair(p, placeOf(first, early, 0))));
        assertFound(f, p, 200);
        assertEq(f.faultKey, second);
    }

    function test_8_aCallBatchedAgainAfterItsBatchWasVoidedIsNoFault() public {
        Entry[] memory entries = only(grantedEntry(7));
        bytes32 first = commitEntries(entries);
        attestWith(first, INVALID, firstKeys(2));
        bytes32 second = commitEntries(entries);
        (Place memory a, Place memory b) = (placeOf(first, entries, 0), placeOf(second, entries, 0));
        refuse(7, abi.encode(TWICE, pair(a, b)), holds(entries[0].receipt.requestId));
        refuse(7, abi.encode(TWICE, pair(b, a)), holds(entries[0].receipt.requestId));
    }

    /// @dev In one batch neither is later, and the one shown second is found.
    function test_ofTwoCallsInOneBatchTheSecondShownIsFound() public {
        Entry[] memory entries = new Entry[](2);
        (entries[0], entries[1]) = (grantedEntry(7), grantedEntry(7));
        bytes32 batchId = commitEntries(entries);
        (Place memory a, Place memory b) = (placeOf(batchId, entries, 0), placeOf(batchId, entries, 1));
        vm.warp(block.timestamp + 1);
        assertEq(rowFault.judge(abi.encode(TWICE, pair(a, b))).position, 3);
        assertEq(rowFault.judge(abi.encode(TWICE, pair(b, a))).position, 2);
    }

    // ---------------------------------------------------------------- helpers

    function holds(bytes32 requestId) private pure returns (bytes memory) {
        return abi.encodeWithSelector(RowFault.RowHolds.selector, requestId);
    }

    function single(Place memory place, bytes memory signature)
        private
        pure
        returns (RowFault.Proof memory)
    {
        return RowFault.Proof(place, signature, new Place[](0));
    }

    function pair(Place memory a, Place memory b) private pure returns (RowFault.Proof memory p) {
        p = RowFault.Proof(a, "", new Place[](1));
        p.other[0] = b;
    }

    function placeOf(bytes32 batchId, Entry[] memory entries, uint256 index)
        private
        pure
        returns (Place memory)
    {
        Entry memory e = entries[index];
        return Place(batchId, e, keyOf(e), e.receipt.node, pathOf(entries, index));
    }

    /// @dev Commits one receipt under a row and in a group of our choice.
    function placed(Entry memory entry, RowKey memory key, address group)
        private
        returns (Place memory place)
    {
        SumNode[] memory leaves = leavesOf(only(entry));
        bytes32 batchId = commitRowIn(group, key, leaves);
        return Place(batchId, entry, key, group, pathIn(group, key, leaves, 0));
    }

    function commitAs(address who, RowKey memory key, SumNode[] memory leaves) private returns (bytes32) {
        SumNode[] memory rows = rowsAround(rowOf(key, MerkleSumBuilder.top(leaves)));
        vm.roll(block.number + 1);
        vm.prank(who);
        return settlement.commit(1, keccak256("data"), groupsWith(key.node, MerkleSumBuilder.top(rows)));
    }

    function overcharged(Receipt memory r) private returns (Finding memory f) {
        bytes memory signature = sign(r, ENCLAVE);
        Entry memory entry = entryOf(r, signature);
        Place memory p = placed(entry, keyOf(entry), NODE);
        f = rowFault.judge(abi.encode(OVERCHARGE, single(p, signature)));
        prove(7, abi.encode(OVERCHARGE, single(p, signature)));
        assertState(p.batchId, BatchBook.State.Void);
    }

    function assertFault(uint256 kind, Place memory place) private {
        uint256 before = bondOf(COMMITTER);
        prove(7, abi.encode(kind, single(place, "")));
        assertState(place.batchId, BatchBook.State.Void);
        assertEq(bondOf(COMMITTER), before / 2);
        assertEq(bondOf(NODE), MIN_BOND);
    }

    function assertNoFault(uint256 kind, Place memory place) private {
        refuse(7, abi.encode(kind, single(place, "")), holds(place.entry.receipt.requestId));
        assertState(place.batchId, BatchBook.State.Committed);
    }

    function assertFound(Finding memory f, Place memory p, uint128 loss) private view {
        assertEq(f.batchId, p.batchId);
        assertTrue(f.voids && f.attesters);
        assertEq(f.committer, COMMITTER);
        assertEq(f.requestId, p.entry.receipt.requestId);
        assertEq(f.payer, p.key.payer);
        assertEq(f.loss, loss);
        assertEq(f.grantId, p.key.grantId);
        assertEq(f.row, 2);
        assertEq(f.position, 2);
        assertEq(f.offenceAt, settlement.batch(p.batchId).committedAt);
    }
}
