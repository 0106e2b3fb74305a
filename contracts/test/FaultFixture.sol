// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {EquivocationFault} from "../src/faults/EquivocationFault.sol";
import {BatchBook} from "../src/settlement/BatchBook.sol";
import {Entry, Path} from "../src/libraries/InclusionLib.sol";
import {Group, RowKey, SumNode} from "../src/libraries/MerkleSumLib.sol";
import {Receipt} from "../src/libraries/ReceiptLib.sol";
import {FaultDeployment} from "./FaultDeployment.sol";
import {MerkleSumBuilder} from "./MerkleSumBuilder.sol";

/// @title Receipts, batches and proofs, honest and false, for a deployment that judges them
abstract contract FaultFixture is FaultDeployment {
    uint64 internal height;
    uint256 internal bondedAnew;

    // ---------------------------------------------------------------- receipts

    /// @dev An honest receipt of the enclave, for 10 units in and 20 out: 100 + 2 · 10 + 3 · 20 = 180.
    function honest(uint256 nonce) internal view returns (Receipt memory r) {
        r.version = 1;
        r.requestId = keccak256(abi.encode("request", nonce));
        r.payer = PAYER;
        r.node = NODE;
        r.key = vm.addr(ENCLAVE);
        r.seq = uint64(nonce + 1);
        r.committer = COMMITTER;
        r.includeBy = uint64(block.timestamp + 600);
        r.modelId = MODEL;
        r.priceVersion = 1;
        r.mode = 1;
        r.requestHash = keccak256("request");
        r.responseHash = keccak256("response");
        r.inputUnits = 10;
        r.outputUnits = 20;
        r.price = 180;
        r.valueAtRisk = 1e18;
        r.issuedAt = uint64(block.timestamp - 10);
    }

    /// @dev One that a spending grant pays for.
    function granted(uint64 counter) internal view returns (Receipt memory r) {
        r = honest(1000 + counter);
        r.requestId = payments.requestIdOf(PAYER, 3, keccak256(abi.encode(GRANT, uint256(counter))));
    }

    function sign(Receipt memory r, uint256 key) internal view returns (bytes memory) {
        return signDigest(key, settlement.digestOf(MerkleSumBuilder.structHash(r)));
    }

    function entryOf(Receipt memory r, bytes memory signature) internal pure returns (Entry memory) {
        return Entry(r, keccak256(signature), bytes32(0), 0);
    }

    function honestEntry(uint256 nonce) internal view returns (Entry memory) {
        Receipt memory r = honest(nonce);
        return entryOf(r, sign(r, ENCLAVE));
    }

    function grantedEntry(uint64 counter) internal view returns (Entry memory) {
        Receipt memory r = granted(counter);
        return Entry(r, keccak256(sign(r, ENCLAVE)), GRANT, counter);
    }

    /// @dev As a batch file states the tape of a receipt, beside its signature.
    function stated(bytes memory signature, bytes32 tapeRoot) internal pure returns (bytes memory) {
        return abi.encodePacked(
            '"signature":"', Strings.toHexString(signature), '","tape":"', Strings.toHexString(uint256(tapeRoot), 32), '"'
        );
    }

    // ---------------------------------------------------------------- batches

    /// @dev `count` honest receipts in one row, with another in their midst.
    function among(Entry memory entry, uint256 place, uint256 count) internal view returns (Entry[] memory entries) {
        entries = new Entry[](count);
        for (uint256 i = 0; i < count; i++) entries[i] = i == place ? entry : honestEntry(i);
    }

    function only(Entry memory entry) internal pure returns (Entry[] memory entries) {
        entries = new Entry[](1);
        entries[0] = entry;
    }

    function leavesOf(Entry[] memory entries) internal pure returns (SumNode[] memory leaves) {
        leaves = new SumNode[](entries.length);
        for (uint256 i = 0; i < entries.length; i++) {
            leaves[i] = MerkleSumBuilder.leaf(entries[i].receipt, entries[i].signatureHash, entries[i].counter);
        }
    }

    function rowOf(RowKey memory key, SumNode memory top) internal pure returns (SumNode memory) {
        bytes32 hash = keccak256(abi.encode(keccak256("assay/row/v1"), key, top));
        return SumNode(hash, top.sum, top.exposure, top.count);
    }

    function keyOf(Entry memory e) internal pure returns (RowKey memory) {
        return RowKey(e.receipt.node, e.receipt.payer, e.grantId, e.receipt.modelId, e.receipt.priceVersion);
    }

    /// @dev Three rows, ours in the middle, in the first of two groups.
    function rowsAround(SumNode memory row) internal pure returns (SumNode[] memory rows) {
        rows = new SumNode[](3);
        rows[0] = SumNode(keccak256("row before"), 5, 6, 2);
        rows[1] = row;
        rows[2] = SumNode(keccak256("row after"), 7, 8, 1);
    }

    function groupsWith(address node, SumNode memory top) internal pure returns (Group[] memory groups) {
        groups = new Group[](2);
        groups[0] = Group(node, top.hash, top.sum, top.exposure, top.count);
        groups[1] = Group(address(type(uint160).max), keccak256("other group"), 1, 2, 3);
    }

    function commitRow(RowKey memory key, SumNode[] memory leaves) internal returns (bytes32 batchId) {
        return commitRowIn(key.node, key, leaves);
    }

    function commitRowIn(address group, RowKey memory key, SumNode[] memory leaves) internal returns (bytes32) {
        return commitFile(group, key, leaves, keccak256("data"));
    }

    function commitFile(address group, RowKey memory key, SumNode[] memory leaves, bytes32 dataHash)
        internal
        returns (bytes32)
    {
        SumNode memory top = MerkleSumBuilder.top(rowsAround(rowOf(key, MerkleSumBuilder.top(leaves))));
        return commitGroups(groupsWith(group, top), dataHash);
    }

    function commitGroups(Group[] memory groups, bytes32 dataHash) internal returns (bytes32 batchId) {
        // Who was punished before bonds anew.
        if (!bonds.isBonded(COMMITTER)) {
            fund(COMMITTER, MIN_BOND);
            vm.prank(COMMITTER);
            bonds.add(MIN_BOND);
            bondedAnew += MIN_BOND;
        }
        vm.roll(block.number + 1);
        vm.prank(COMMITTER);
        batchId = settlement.commit(++height, dataHash, groups);
    }

    function commitEntries(Entry[] memory entries) internal returns (bytes32) {
        return commitRow(keyOf(entries[0]), leavesOf(entries));
    }

    function pathOf(Entry[] memory entries, uint256 index) internal pure returns (Path memory) {
        return pathIn(keyOf(entries[index]).node, keyOf(entries[index]), leavesOf(entries), index);
    }

    function pathIn(address group, RowKey memory key, SumNode[] memory leaves, uint256 index)
        internal
        pure
        returns (Path memory path)
    {
        SumNode[] memory rows = rowsAround(rowOf(key, MerkleSumBuilder.top(leaves)));
        path.leafSiblings = MerkleSumBuilder.proof(leaves, index);
        path.rowSiblings = MerkleSumBuilder.proof(rows, 1);
        Group[] memory groups = groupsWith(group, MerkleSumBuilder.top(rows));
        path.groupSiblings = MerkleSumBuilder.proof(MerkleSumBuilder.nodesOf(groups), 0);
    }

    /// @dev As many to a call as it takes.
    function attestAll(bytes32 batchId, uint256 count) internal {
        for (uint256 from = 0; from < count; from += 64) {
            uint256[] memory keys = new uint256[](count - from < 64 ? count - from : 64);
            for (uint256 i = 0; i < keys.length; i++) keys[i] = validatorKeys[from + i];
            attestWith(batchId, VALID, keys);
        }
    }

    function finalise(bytes32 batchId) internal {
        attestAll(batchId, 3);
        vm.warp(block.timestamp + WINDOW);
        settlement.finalise(batchId);
    }

    // ---------------------------------------------------------------- proving

    function announce(address who, uint8 class, bytes memory proof) internal {
        bytes32 commitment = faults.commitmentOf(who, class, keccak256(proof), SALT);
        vm.prank(who);
        faults.announce(commitment);
        vm.roll(block.number + 1);
    }

    function prove(uint8 class, bytes memory proof) internal returns (bytes32 faultId) {
        announce(HUNTER, class, proof);
        vm.prank(HUNTER);
        faultId = faults.prove(class, proof, SALT);
    }

    /// @dev `prove` that must fail.
    function refuse(uint8 class, bytes memory proof, bytes memory reason) internal {
        announce(HUNTER, class, proof);
        vm.expectRevert(reason);
        vm.prank(HUNTER);
        faults.prove(class, proof, SALT);
    }

    function bondOf(address operator) internal view returns (uint256 bonded) {
        (bonded,,,,) = bonds.node(operator);
    }

    function validatorAt(uint256 index) internal view returns (address) {
        return vm.addr(validatorKeys[index]);
    }

    /// @dev Two receipts of the enclave under one sequence number.
    function twoAnswers() internal view returns (Receipt memory a, Receipt memory b) {
        (a, b) = (honest(2), honest(2));
        b.responseHash = keccak256("another response");
    }

    function nodeProof(Receipt memory a, bytes memory sa, Receipt memory b, bytes memory sb)
        internal
        pure
        returns (bytes memory)
    {
        Path memory nowhere;
        return abi.encode(0, EquivocationFault.NodeProof(a, sa, b, sb, 0, 0, 0, nowhere));
    }

    function nodeProofIn(Receipt memory a, Receipt memory b, bytes32 batchId, Path memory path)
        internal
        view
        returns (bytes memory)
    {
        return abi.encode(
            0, EquivocationFault.NodeProof(a, sign(a, ENCLAVE), b, sign(b, ENCLAVE), batchId, 0, 0, path)
        );
    }

    /// @dev An attestation of the batch, and one of another root of the same committer.
    function fork(bytes32 batchId, uint256 key, uint64 height_)
        internal
        view
        returns (EquivocationFault.ValidatorProof memory p)
    {
        BatchBook.Batch memory b = settlement.batch(batchId);
        p.first = EquivocationFault.Attestation(batchId, b.root, b.committedBlock, true, VALID);
        p.firstName = EquivocationFault.BatchName(b.committer, b.height, b.root, keccak256("data"));
        p.firstSignature = signAttestation(p.first, key);
        bytes32 root = keccak256("another root");
        bytes32 other = settlement.batchIdOf(b.committer, height_, root, keccak256("data"));
        p.second = EquivocationFault.Attestation(other, root, b.committedBlock, true, VALID);
        p.secondName = EquivocationFault.BatchName(b.committer, height_, root, keccak256("data"));
        p.secondSignature = signAttestation(p.second, key);
    }

    function signAttestation(EquivocationFault.Attestation memory a, uint256 key) internal view returns (bytes memory) {
        bytes32 hash = attestationHash(a.batchId, a.root, a.registryBlock, a.dataAvailable, a.verdict);
        return signDigest(key, typedDigest(domainOf(address(settlement), DEPLOYMENT), hash));
    }
}
