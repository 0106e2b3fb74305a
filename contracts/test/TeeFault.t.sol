// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Batches} from "../src/faults/Batches.sol";
import {Finding} from "../src/faults/IFaultAdapter.sol";
import {TeeFault} from "../src/faults/TeeFault.sol";
import {Entry} from "../src/libraries/InclusionLib.sol";
import {Receipt} from "../src/libraries/ReceiptLib.sol";
import {BatchBook} from "../src/settlement/BatchBook.sol";
import {TeeApprovals} from "../src/tee/TeeApprovals.sol";
import {FaultFixture} from "./FaultFixture.sol";

/// @title Class 1: every way in which a receipt can lack a valid key, and that nothing else is one
contract TeeFaultTest is FaultFixture {
    function setUp() public {
        deployFaults();
    }

    // ---------------------------------------------------------------- true

    function test_aSignatureOfAnotherKeyIsAFault() public {
        Receipt memory r = honest(2);
        assertFault(r, sign(r, ROGUE));
    }

    function test_aSignatureOfWrongLengthIsAFault() public {
        Receipt memory r = honest(2);
        assertFault(r, abi.encodePacked(sign(r, ENCLAVE), uint8(0)));
    }

    function test_anEmptySignatureIsAFault() public {
        assertFault(honest(2), "");
    }

    function test_theMalleableTwinOfASignatureIsAFault() public {
        Receipt memory r = honest(2);
        (uint8 v, bytes32 rr, bytes32 s) = vm.sign(ENCLAVE, settlement.digestOf(keccak256("x")));
        (v, rr, s) = vm.sign(ENCLAVE, digest(r));
        bytes32 twin = bytes32(0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141 - uint256(s));
        assertFault(r, abi.encodePacked(rr, twin, v == 27 ? uint8(28) : uint8(27)));
    }

    function test_anUnregisteredKeyIsAFault() public {
        Receipt memory r = honest(2);
        r.key = vm.addr(ROGUE);
        assertFault(r, sign(r, ROGUE));
    }

    function test_aKeyOfAnotherOperatorIsAFault() public {
        Receipt memory r = honest(2);
        r.node = COMMITTER;
        assertFault(r, sign(r, ENCLAVE));
    }

    function test_aReceiptFromBeforeTheKeyIsAFault() public {
        Receipt memory r = honest(2);
        r.issuedAt = uint64(START - 1);
        assertFault(r, sign(r, ENCLAVE));
    }

    function test_anEngineClassThatTheCodeMayNotClaimIsAFault() public {
        Receipt memory r = honest(2);
        r.engineClass = 1;
        assertFault(r, sign(r, ENCLAVE));
    }

    function test_anEnclaveKeyThatPosesAsBondedIsAFault() public {
        Receipt memory r = honest(2);
        r.mode = 0;
        assertFault(r, sign(r, ENCLAVE));
    }

    function test_aRevocationKnownBeforeTheGraceIsAFault() public {
        tee.revokeMeasurement(HARDWARE, CODE);
        vm.warp(block.timestamp + 20);
        Receipt memory r = honest(2);
        assertFault(r, sign(r, ENCLAVE));
    }

    function test_aReceiptOlderThanAnyMayBeIsAFault() public {
        vm.warp(block.timestamp + 10 days);
        Receipt memory r = honest(2);
        r.issuedAt = uint64(block.timestamp - 1 days - GRACE - 1);
        assertFault(r, sign(r, ENCLAVE));
    }

    function test_aReceiptFromTheFutureIsAFault() public {
        Receipt memory r = honest(2);
        r.issuedAt = uint64(block.timestamp + 5 + GRACE + 1);
        assertFault(r, sign(r, ENCLAVE));
    }

    /// @dev Validators vote a bad batch down; its committer does not get off by that.
    function test_theCommitterOfABatchThatWasVotedDownPaysStill() public {
        Receipt memory r = honest(2);
        bytes memory signature = sign(r, ROGUE);
        Entry[] memory entries = among(entryOf(r, signature), 2, 5);
        bytes32 batchId = commitEntries(entries);
        attestWith(batchId, INVALID, firstKeys(2));
        assertState(batchId, BatchBook.State.Void);
        // It has paid the fee for that.
        uint256 bonded = bondOf(COMMITTER);
        prove(1, proofOf(batchId, entries, 2, signature));
        assertEq(bondOf(COMMITTER), bonded / 2);
    }

    // ---------------------------------------------------------------- false

    function test_anHonestReceiptIsNoFault() public {
        Receipt memory r = honest(2);
        assertNoFault(r, sign(r, ENCLAVE));
    }

    function test_theLastSecondOfEveryBoundIsNoFault() public {
        vm.warp(block.timestamp + 10 days);
        Receipt memory r = honest(2);
        r.issuedAt = uint64(block.timestamp - 1 days - GRACE);
        assertNoFault(r, sign(r, ENCLAVE));
        r.issuedAt = uint64(block.timestamp + 5 + GRACE);
        assertNoFault(r, sign(r, ENCLAVE));
    }

    /// @dev "Enabled checked now", seen elsewhere: revoking code must not unverify its honest history.
    function test_hole_aRevocationDoesNotReachBack() public {
        Receipt memory r = honest(2);
        bytes memory signature = sign(r, ENCLAVE);
        Entry[] memory entries = among(entryOf(r, signature), 2, 5);
        bytes32 batchId = commitEntries(entries);
        tee.revokeMeasurement(HARDWARE, CODE);
        tee.revokeHardware(HARDWARE);
        vm.prank(NODE);
        tee.revokeKey(r.key);
        vm.warp(block.timestamp + 1000);
        refuse(
            1,
            proofOf(batchId, entries, 2, signature),
            abi.encodeWithSelector(TeeFault.ReceiptHolds.selector, r.requestId)
        );
    }

    /// @dev Test first 8, registry races: nobody pays for a revocation that it could not know.
    function test_8_aRevocationWithinTheGraceCountsForNobody() public {
        tee.revokeMeasurement(HARDWARE, CODE);
        vm.warp(block.timestamp + GRACE - 1);
        Receipt memory r = honest(2);
        r.issuedAt = uint64(block.timestamp);
        assertNoFault(r, sign(r, ENCLAVE));
        // A second later everybody could know it.
        vm.warp(block.timestamp + 1);
        r.issuedAt = uint64(block.timestamp);
        assertFault(r, sign(r, ENCLAVE));
    }

    function test_8_aSuspensionWithinTheGraceCountsForNobody() public {
        vm.prank(GUARDIAN);
        tee.suspend(TeeApprovals.Kind.Measurement, HARDWARE, CODE);
        vm.warp(block.timestamp + GRACE - 1);
        Receipt memory r = honest(2);
        r.issuedAt = uint64(block.timestamp);
        assertNoFault(r, sign(r, ENCLAVE));
    }

    /// @dev "Unsigned leaves", seen elsewhere: the leaf holds the signature, so nobody pairs an honest one with garbage.
    function test_hole_anotherSignatureThanTheCommittedOneProvesNothing() public {
        Receipt memory r = honest(2);
        bytes memory signature = sign(r, ENCLAVE);
        bytes memory rogue = sign(r, ROGUE);
        Entry[] memory entries = among(entryOf(r, signature), 2, 5);
        bytes32 batchId = commitEntries(entries);
        refuse(
            1,
            proofOf(batchId, entries, 2, rogue),
            abi.encodeWithSelector(TeeFault.OtherSignature.selector, keccak256(signature), keccak256(rogue))
        );
    }

    function test_aReceiptThatIsNotInTheBatchProvesNothing() public {
        Receipt memory r = honest(2);
        Entry[] memory entries = among(entryOf(r, sign(r, ENCLAVE)), 2, 5);
        bytes32 batchId = commitEntries(entries);
        bytes memory rogue = sign(r, ROGUE);
        entries[2].signatureHash = keccak256(rogue);
        refuse(1, proofOf(batchId, entries, 2, rogue), abi.encodeWithSelector(Batches.NotInBatch.selector, batchId));
    }

    function test_anUnknownBatchProvesNothing() public {
        Receipt memory r = honest(2);
        bytes memory rogue = sign(r, ROGUE);
        Entry[] memory entries = among(entryOf(r, rogue), 2, 5);
        refuse(1, proofOf(CODE, entries, 2, rogue), abi.encodeWithSelector(Batches.UnknownBatch.selector, CODE));
    }

    /// @dev Two receipts stand before it, in the row before it; its call was paid under a grant.
    function test_theFindingSaysWhereTheReceiptStands() public {
        Receipt memory r = granted(7);
        bytes memory signature = sign(r, ROGUE);
        Entry[] memory entries = only(Entry(r, keccak256(signature), GRANT, 7));
        bytes32 batchId = commitEntries(entries);
        Finding memory f = teeFault.judge(abi.encode(TeeFault.Proof(batchId, entries[0], signature, pathOf(entries, 0))));
        assertEq(f.grantId, GRANT);
        assertEq(f.row, 2);
        assertEq(f.position, 2);
    }

    // ---------------------------------------------------------------- helpers

    function assertFault(Receipt memory r, bytes memory signature) private {
        uint256 before = bondOf(COMMITTER);
        uint256 nodes = bondOf(NODE);
        // Its row is its own where it names another node.
        Entry memory entry = entryOf(r, signature);
        Entry[] memory entries = r.node == NODE ? among(entry, 2, 5) : only(entry);
        bytes32 batchId = commitEntries(entries);
        prove(1, proofOf(batchId, entries, entries.length / 2, signature));
        assertState(batchId, BatchBook.State.Void);
        assertEq(bondOf(COMMITTER), before / 2);
        // Never the node that the receipt names.
        if (r.node == NODE) assertEq(bondOf(NODE), nodes);
    }

    function assertNoFault(Receipt memory r, bytes memory signature) private {
        Entry[] memory entries = among(entryOf(r, signature), 2, 5);
        bytes32 batchId = commitEntries(entries);
        bytes memory reason = abi.encodeWithSelector(TeeFault.ReceiptHolds.selector, r.requestId);
        refuse(1, proofOf(batchId, entries, 2, signature), reason);
        assertState(batchId, BatchBook.State.Committed);
    }

    function proofOf(bytes32 batchId, Entry[] memory entries, uint256 index, bytes memory signature)
        private
        pure
        returns (bytes memory)
    {
        return abi.encode(TeeFault.Proof(batchId, entries[index], signature, pathOf(entries, index)));
    }

    function digest(Receipt memory r) private view returns (bytes32) {
        return settlement.digestOf(keccak256(abi.encode(RECEIPT_TYPEHASH, r)));
    }

    bytes32 private constant RECEIPT_TYPEHASH = keccak256(
        "Receipt(uint8 version,bytes32 requestId,address payer,address node,address key,uint64 seq,address committer,uint64 includeBy,bytes32 modelId,uint64 priceVersion,uint8 engineClass,uint8 mode,uint8 status,bytes32 requestHash,bytes32 responseHash,bytes32 evidenceHash,uint64 inputUnits,uint64 outputUnits,uint128 price,uint128 valueAtRisk,uint64 anchorBlock,bytes32 anchorHash,uint64 issuedAt)"
    );
}
