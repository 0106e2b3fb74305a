// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

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

    function overcharged(Receipt memory r) private {
        bytes memory signature = sign(r, ENCLAVE);
        Entry memory entry = entryOf(r, signature);
        Place memory p = placed(entry, keyOf(entry), NODE);
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
}
