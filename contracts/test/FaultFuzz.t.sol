// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EquivocationFault} from "../src/faults/EquivocationFault.sol";
import {Finding, IFaultAdapter} from "../src/faults/IFaultAdapter.sol";
import {Place} from "../src/faults/Places.sol";
import {RowFault} from "../src/faults/RowFault.sol";
import {SumFault} from "../src/faults/SumFault.sol";
import {TeeFault} from "../src/faults/TeeFault.sol";
import {Entry, Path} from "../src/libraries/InclusionLib.sol";
import {Receipt} from "../src/libraries/ReceiptLib.sol";
import {BatchBook} from "../src/settlement/BatchBook.sol";
import {FaultFixture} from "./FaultFixture.sol";

/// @title 10,000 attempts against an honest committer, an honest node and honest validators
/// @notice Every proof is built from what they really signed and committed, then one thing is changed. None may hold.
contract FaultFuzzTest is FaultFixture {
    bytes32 private first;
    bytes32 private second;
    bytes[] private honestProofs;
    uint8[] private classes;
    uint256 private bonded;
    uint256 private staked;

    function setUp() public {
        deployFaults();
        Entry[] memory own = new Entry[](5);
        for (uint256 i = 0; i < 5; i++) own[i] = honestEntry(i);
        first = commitEntries(own);
        Entry[] memory calls = new Entry[](4);
        for (uint64 i = 0; i < 4; i++) calls[i] = grantedEntry(i);
        second = commitEntries(calls);
        attestAll(first, 3);
        attestAll(second, 3);
        Receipt memory r = own[2].receipt;
        bytes memory signature = sign(r, ENCLAVE);
        add(1, abi.encode(TeeFault.Proof(first, own[2], signature, pathOf(own, 2))));
        add(1, abi.encode(TeeFault.Proof(second, calls[1], sign(calls[1].receipt, ENCLAVE), pathOf(calls, 1))));
        add(3, nodeProof(own[2].receipt, own[3].receipt, pathOf(own, 2)));
        add(3, abi.encode(1, attestations(first, second)));
        add(3, abi.encode(1, attestations(second, second)));
        add(6, sumProof(own, 2));
        Place memory a = placeOf(first, own, 2);
        Place memory b = placeOf(second, calls, 1);
        Place memory c = placeOf(second, calls, 2);
        for (uint256 kind = 0; kind < 5; kind++) {
            add(7, abi.encode(kind, rowProof(a, signature, b)));
            add(7, abi.encode(kind, rowProof(c, sign(calls[2].receipt, ENCLAVE), b)));
        }
        bonded = bondOf(NODE) + bondOf(COMMITTER);
        staked = staking.totalStake();
    }

    /// @dev Test first 8. One word of a proof gets another value: random, from elsewhere in the proof, or one bit off.
    /// forge-config: default.fuzz.runs = 5000
    function testFuzz_8_oneWordChangedNeverProvesAFault(uint256 seed) public view {
        (uint8 class, bytes memory proof) = pick(seed);
        uint256 place = 32 * (uint256(keccak256(abi.encode(seed, "at"))) % (proof.length / 32));
        uint256 from = 32 * (uint256(keccak256(abi.encode(seed, "from"))) % (proof.length / 32));
        uint256 how = seed >> 128;
        bytes32 value = how % 4 == 0
            ? keccak256(abi.encode(seed))
            : how % 4 == 1
                ? wordAt(proof, from)
                : how % 4 == 2 ? bytes32(uint256(wordAt(proof, place)) ^ (1 << (how >> 8) % 256)) : bytes32((how >> 8) % 1000);
        assembly ("memory-safe") {
            mstore(add(add(proof, 32), place), value)
        }
        attempt(class, proof);
    }

    /// @dev Two honest proofs cut and joined, cut short, or shown as another class.
    /// forge-config: default.fuzz.runs = 2500
    function testFuzz_8_honestProofsCutAndJoinedNeverProveAFault(uint256 seed, uint256 other, uint16 cut) public view {
        (uint8 class, bytes memory proof) = pick(seed);
        (uint8 otherClass, bytes memory tail) = pick(other);
        uint256 words = cut % (proof.length / 32);
        bytes memory joined = new bytes(seed % 2 == 0 ? 32 * words : tail.length);
        for (uint256 i = 0; i < joined.length; i += 32) {
            bytes32 value = i < 32 * words && i < proof.length ? wordAt(proof, i) : wordAt(tail, i);
            assembly ("memory-safe") {
                mstore(add(add(joined, 32), i), value)
            }
        }
        attempt(seed % 3 == 0 ? otherClass : class, joined);
    }

    /// @dev What a stranger can sign, claim or commit about them: receipts of its own making under their names.
    /// forge-config: default.fuzz.runs = 2500
    function testFuzz_8_aStrangersWordNeverProvesAFault(uint256 seed, uint256 key) public view {
        key = key % 1e18 + 0x10000;
        Receipt memory r = honest(seed % 5);
        r.responseHash = keccak256(abi.encode(seed));
        r.price = uint128(seed);
        bytes memory forged = sign(r, key);
        Path memory nowhere;
        Receipt memory own = honest(seed % 5);
        attempt(
            3,
            abi.encode(0, EquivocationFault.NodeProof(own, sign(own, ENCLAVE), r, forged, 0, 0, 0, nowhere))
        );
        EquivocationFault.ValidatorProof memory v = attestations(first, second);
        v.second.verdict = 2;
        v.secondSignature = signDigest(key, settlement.digestOf(keccak256(abi.encode(seed))));
        attempt(3, abi.encode(1, v));
        Entry[] memory own5 = new Entry[](5);
        for (uint256 i = 0; i < 5; i++) own5[i] = honestEntry(i);
        Entry memory made = entryOf(r, forged);
        attempt(1, abi.encode(TeeFault.Proof(first, made, forged, pathOf(own5, seed % 5))));
        Place memory p = Place(first, made, keyOf(made), NODE, pathOf(own5, seed % 5));
        attempt(7, abi.encode(seed % 5, rowProof(p, forged, p)));
    }

    // ---------------------------------------------------------------- helpers

    /// @dev A proof that does not hold leaves nothing behind, so it is judged only.
    function attempt(uint8 class, bytes memory proof) private view {
        (IFaultAdapter judge,) = faults.adapterOf(class);
        try judge.judge(proof) returns (Finding memory) {
            revert NotTrue();
        } catch (bytes memory) {}
        assertEq(bondOf(NODE) + bondOf(COMMITTER), bonded);
        assertEq(staking.totalStake(), staked);
    }

    function add(uint8 class, bytes memory proof) private {
        honestProofs.push(proof);
        classes.push(class);
    }

    function pick(uint256 seed) private view returns (uint8, bytes memory) {
        uint256 index = uint64(seed) % honestProofs.length;
        return (classes[index], honestProofs[index]);
    }

    function wordAt(bytes memory data, uint256 offset) private pure returns (bytes32 value) {
        if (offset + 32 > data.length) return 0;
        assembly ("memory-safe") {
            value := mload(add(add(data, 32), offset))
        }
    }

    function placeOf(bytes32 batchId, Entry[] memory entries, uint256 index)
        private
        pure
        returns (Place memory)
    {
        Entry memory e = entries[index];
        return Place(batchId, e, keyOf(e), e.receipt.node, pathOf(entries, index));
    }

    function rowProof(Place memory a, bytes memory signature, Place memory b)
        private
        pure
        returns (RowFault.Proof memory p)
    {
        p = RowFault.Proof(a, signature, new Place[](1));
        p.other[0] = b;
    }

    function nodeProof(Receipt memory a, Receipt memory b, Path memory path) private view returns (bytes memory) {
        return abi.encode(
            0, EquivocationFault.NodeProof(a, sign(a, ENCLAVE), b, sign(b, ENCLAVE), first, 0, 0, path)
        );
    }

    function sumProof(Entry[] memory entries, uint256 index) private view returns (bytes memory) {
        SumFault.Proof memory p;
        p.batchId = first;
        p.accused = leavesOf(entries)[index];
        p.leaf = entries[index];
        p.rowKey = keyOf(entries[index]);
        p.inRow = true;
        p.node = NODE;
        Path memory path = pathOf(entries, index);
        (p.leafSiblings, p.rowSiblings, p.groupSiblings) =
            (path.leafSiblings, path.rowSiblings, path.groupSiblings);
        return abi.encode(p);
    }

    /// @dev What an honest validator signed: of each batch one verdict.
    function attestations(bytes32 a, bytes32 b) private view returns (EquivocationFault.ValidatorProof memory p) {
        (p.first, p.firstName, p.firstSignature) = attestation(a);
        (p.second, p.secondName, p.secondSignature) = attestation(b);
    }

    function attestation(bytes32 id)
        private
        view
        returns (
            EquivocationFault.Attestation memory a,
            EquivocationFault.BatchName memory name,
            bytes memory signature
        )
    {
        BatchBook.Batch memory b = settlement.batch(id);
        a = EquivocationFault.Attestation(id, b.root, b.committedBlock, true, VALID);
        name = EquivocationFault.BatchName(b.committer, b.height, b.root, keccak256("data"));
        bytes32 hash = attestationHash(a.batchId, a.root, a.registryBlock, a.dataAvailable, a.verdict);
        signature = signDigest(0xA1, typedDigest(domainOf(address(settlement), DEPLOYMENT), hash));
    }
}
