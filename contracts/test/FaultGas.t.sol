// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DataChallenge} from "../src/faults/DataChallenge.sol";
import {EquivocationFault} from "../src/faults/EquivocationFault.sol";
import {Place} from "../src/faults/Places.sol";
import {RowFault} from "../src/faults/RowFault.sol";
import {SumFault} from "../src/faults/SumFault.sol";
import {TeeFault} from "../src/faults/TeeFault.sol";
import {ZkFault} from "../src/faults/ZkFault.sol";
import {FaultManager} from "../src/FaultManager.sol";
import {DataSibling} from "../src/libraries/DataLib.sol";
import {Entry, Path} from "../src/libraries/InclusionLib.sol";
import {Group, Sibling, SumNode} from "../src/libraries/MerkleSumLib.sol";
import {Receipt} from "../src/libraries/ReceiptLib.sol";
import {ChunkTree} from "./ChunkTree.sol";
import {GasMeter} from "./GasMeter.sol";
import {MerkleSumBuilder} from "./MerkleSumBuilder.sol";
import {Told, ZkFixture} from "./ZkFixture.sol";

/// @title The dearest proof of every class: 4,096 receipts in one row, 4,096 rows in one group, 32 groups, 80 attesters, who are the
/// most that a batch can have
/// @notice Each must stay below 2M gas, its calldata included.
contract FaultGasTest is ZkFixture, GasMeter {
    uint256 private constant LEAVES = 12;
    uint256 private constant VALIDATORS = 80;
    uint256 private constant PROOF_CAP = 2_000_000;

    function setUp() public {
        deployZk();
        enrol(VALIDATORS - 3, MIN_BOND);
    }

    /// forge-config: default.isolate = true
    function test_gas_tee() public {
        Receipt memory r = honest(1);
        bytes memory signature = sign(r, ROGUE);
        (bytes32 batchId, Path memory path) = deep(entryOf(r, signature));
        measure("prove 1 tee", 1, abi.encode(TeeFault.Proof(batchId, entryOf(r, signature), signature, path)));
    }

    /// @dev A step of a real check; its tape is stated across two chunks of the longest file.
    /// forge-config: default.isolate = true
    function test_gas_zk() public {
        Told memory told = falseStep();
        Receipt memory r = inferred(told);
        ZkFault.Proof memory p;
        p.signature = sign(r, ENCLAVE);
        (p.tapeRoot, p.length, p.firstChunk, p.start) = (told.tapeRoot, 1024 * 8192, 1022, 8192 - 100);
        bytes memory words = stated(p.signature, told.tapeRoot);
        p.chunks = fullBytes(2 * 8192);
        for (uint256 i = 0; i < words.length; i++) p.chunks[p.start + i] = words[i];
        bytes32 dataHash;
        (dataHash, p.siblings) = lastTwo(p.chunks);
        Entry memory entry = entryOf(r, p.signature);
        (bytes32 batchId, Path memory path) = deepIn(leavesOf(only(entry))[0], entry, dataHash);
        p.place = Place(batchId, entry, keyOf(entry), NODE, path);
        (p.modelRoot, p.weightsRoot, p.programRoot) = (told.modelRoot, told.weightsRoot, told.programRoot);
        (p.gates, p.gate) = (told.gates, told.gate);
        (p.shownGate, p.shownValue, p.reads) = (told.shownGate, told.shownValue, told.reads);
        measure("prove 2 zk", ZK, abi.encode(p));
    }

    /// forge-config: default.isolate = true
    function test_gas_equivocationOfANode() public {
        (Receipt memory a, Receipt memory b) = (honest(1), honest(1));
        b.price = 7;
        (bytes memory sa, bytes memory sb) = (sign(a, ENCLAVE), sign(b, ENCLAVE));
        (bytes32 batchId, Path memory path) = deep(entryOf(a, sa));
        measure("prove 3 equivocation, a node", 3, abi.encode(0, EquivocationFault.NodeProof(a, sa, b, sb, batchId, 0, 0, path)));
    }

    /// forge-config: default.isolate = true
    function test_gas_sum() public {
        Entry memory entry = honestEntry(1);
        SumNode memory leaf = leavesOf(only(entry))[0];
        leaf.sum += 1;
        (bytes32 batchId, Path memory path) = deepOf(leaf, entry);
        SumFault.Proof memory p;
        (p.batchId, p.accused, p.leaf, p.rowKey, p.inRow, p.node) = (batchId, leaf, entry, keyOf(entry), true, NODE);
        (p.leafSiblings, p.rowSiblings, p.groupSiblings) =
            (path.leafSiblings, path.rowSiblings, path.groupSiblings);
        measure("prove 6 sum", 6, abi.encode(p));
    }

    /// forge-config: default.isolate = true
    function test_gas_rowTwice() public {
        Entry memory entry = grantedEntry(1);
        RowFault.Proof memory p;
        p.place = placeOf(entry);
        p.other = new Place[](1);
        p.other[0] = placeOf(entry);
        measure("prove 7 row, paid twice", 7, abi.encode(2, p));
    }

    /// forge-config: default.isolate = true
    function test_gas_overcharge() public {
        Receipt memory r = honest(1);
        r.price = 1e18;
        RowFault.Proof memory p;
        p.signature = sign(r, ENCLAVE);
        p.place = placeOf(entryOf(r, p.signature));
        measure("prove 7 row, overcharge", 7, abi.encode(4, p));
    }

    /// forge-config: default.isolate = true
    function test_gas_punishingAttesters() public {
        Receipt memory r = honest(1);
        bytes memory signature = sign(r, ROGUE);
        (bytes32 batchId, Path memory path) = deep(entryOf(r, signature));
        attestAll(batchId, VALIDATORS);
        bytes32 faultId = prove(1, abi.encode(TeeFault.Proof(batchId, entryOf(r, signature), signature, path)));
        spend("punish 4 attesters", address(faults), abi.encodeCall(faults.punish, (faultId, 0, 4)));
        // Half of the rest fits one transaction.
        spend("punish 30 attesters", address(faults), abi.encodeCall(faults.punish, (faultId, 4, 34)));
        faults.punish(faultId, 34, VALIDATORS);
        for (uint256 i = 0; i < VALIDATORS; i++) assertEq(staking.stakeOf(validatorAt(i)), 0);
    }

    /// forge-config: default.isolate = true
    function test_gas_equivocationOfAValidator() public {
        bytes32 batchId = commitEntries(only(honestEntry(1)));
        attestAll(batchId, VALIDATORS);
        uint64 height_ = settlement.batch(batchId).height;
        measure("prove 3 equivocation, a validator", 3, abi.encode(1, fork(batchId, validatorKeys[0], height_)));
    }

    /// @dev The last chunk of the longest file.
    /// forge-config: default.isolate = true
    function test_gas_dataChallenge() public {
        bytes memory chunk = fullBytes(8192);
        uint64 length = 1024 * 8192;
        (bytes32 dataHash, DataSibling[][] memory ways) = lastTwo(bytes.concat(chunk, chunk));
        DataSibling[] memory siblings = ways[1];
        Entry memory entry = honestEntry(1);
        bytes32 batchId = commitGroups(groupsWith(NODE, leavesOf(only(entry))[0]), dataHash);
        attestAll(batchId, VALIDATORS);
        token.transfer(HUNTER, 1000e18);
        vm.startPrank(HUNTER);
        token.approve(address(dataChallenge), type(uint256).max);
        bytes memory call = abi.encodeCall(dataChallenge.demand, (batchId, DataChallenge.Part.Chunk, 1023));
        spendBelow(PROOF_CAP, "4 data, demand a chunk of 80 attesters", address(dataChallenge), call);
        bytes32 id = dataChallenge.challengeIdOf(batchId, DataChallenge.Part.Chunk, 1023);
        call = abi.encodeCall(dataChallenge.show, (id, length, chunk, siblings));
        spendBelow(PROOF_CAP, "4 data, show a chunk of 80 attesters", address(dataChallenge), call);
        id = dataChallenge.demand(batchId, DataChallenge.Part.Chunk, 1);
        vm.warp(vm.getBlockTimestamp() + DATA_RESPONSE);
        call = abi.encodeCall(dataChallenge.conclude, (id));
        spendBelow(PROOF_CAP, "prove 4 data, withheld from 80 attesters", address(dataChallenge), call);
        vm.stopPrank();
    }

    // ---------------------------------------------------------------- helpers

    function placeOf(Entry memory entry) private returns (Place memory) {
        (bytes32 batchId, Path memory path) = deep(entry);
        return Place(batchId, entry, keyOf(entry), NODE, path);
    }

    function deep(Entry memory entry) private returns (bytes32, Path memory) {
        return deepOf(leavesOf(only(entry))[0], entry);
    }

    /// @dev Commits the leaf as deep as a batch of 4,096 receipts can put it, at each of the three levels.
    function deepOf(SumNode memory leaf, Entry memory entry) private returns (bytes32, Path memory) {
        return deepIn(leaf, entry, keccak256("data"));
    }

    function deepIn(SumNode memory leaf, Entry memory entry, bytes32 dataHash)
        private
        returns (bytes32 batchId, Path memory path)
    {
        SumNode memory top;
        (top, path.leafSiblings) = climb(leaf);
        (top, path.rowSiblings) = climb(rowOf(keyOf(entry), top));
        Group[] memory groups = new Group[](32);
        groups[0] = Group(NODE, top.hash, top.sum, top.exposure, top.count);
        for (uint160 i = 1; i < 32; i++) {
            if (!bonds.isBonded(address(0xFFFFFF + i))) registerNode(address(0xFFFFFF + i));
        }
        for (uint160 i = 1; i < 32; i++) groups[i] = Group(address(0xFFFFFF + i), keccak256(abi.encode(i)), 1, 1, 1);
        batchId = commitGroups(groups, dataHash);
        path.groupSiblings = MerkleSumBuilder.proof(MerkleSumBuilder.nodesOf(groups), 0);
    }

    function climb(SumNode memory node) private pure returns (SumNode memory top, Sibling[] memory siblings) {
        siblings = new Sibling[](LEAVES);
        top = node;
        for (uint256 i = 0; i < LEAVES; i++) {
            bytes32 hash = keccak256(abi.encode("sibling", i));
            siblings[i] = Sibling(hash, 1e18, 1e18, 1, i % 2 == 0);
            SumNode memory other = SumNode(hash, 1e18, 1e18, 1);
            top = i % 2 == 0 ? MerkleSumBuilder.parent(other, top) : MerkleSumBuilder.parent(top, other);
        }
    }

    /// @dev None of them zero, which is dearer.
    function fullBytes(uint256 length) private pure returns (bytes memory full) {
        full = new bytes(length);
        for (uint256 i = 0; i < length; i += 32) {
            assembly {
                mstore(add(add(full, 32), i), not(0))
            }
        }
    }

    /// @dev The hash of the longest file that has a name for each chunk, 1,024 of them, and the ways of its last two.
    function lastTwo(bytes memory chunks) private pure returns (bytes32 dataHash, DataSibling[][] memory ways) {
        ways = new DataSibling[][](2);
        bytes32[2] memory leaves;
        for (uint256 i = 0; i < 2; i++) {
            leaves[i] = ChunkTree.leaf(1022 + i, ChunkTree.chunk(chunks, i));
            ways[i] = new DataSibling[](10);
        }
        (ways[0][0], ways[1][0]) = (DataSibling(leaves[1], false), DataSibling(leaves[0], true));
        bytes32 node = ChunkTree.node(leaves[0], leaves[1]);
        for (uint256 i = 1; i < 10; i++) {
            ways[0][i] = ways[1][i] = DataSibling(keccak256(abi.encode(i)), true);
            node = ChunkTree.node(ways[0][i].hash, node);
        }
        dataHash = ChunkTree.hashOf(1024 * 8192, node);
    }

    function measure(string memory what, uint8 class, bytes memory proof) private {
        announce(HUNTER, class, proof);
        bytes memory call = abi.encodeCall(FaultManager.prove, (class, proof, SALT));
        vm.startPrank(HUNTER);
        spendBelow(PROOF_CAP, what, address(faults), call);
        vm.stopPrank();
    }
}
