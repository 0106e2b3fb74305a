// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {CanaryRegistry} from "../src/faults/CanaryRegistry.sol";
import {DataChallenge} from "../src/faults/DataChallenge.sol";
import {EquivocationFault} from "../src/faults/EquivocationFault.sol";
import {IFaultAdapter} from "../src/faults/IFaultAdapter.sol";
import {RowFault} from "../src/faults/RowFault.sol";
import {SumFault} from "../src/faults/SumFault.sol";
import {TeeFault} from "../src/faults/TeeFault.sol";
import {BatchBook} from "../src/settlement/BatchBook.sol";
import {FaultManager} from "../src/FaultManager.sol";
import {Guardian} from "../src/Guardian.sol";
import {InferenceEscrow} from "../src/InferenceEscrow.sol";
import {Entry, Path} from "../src/libraries/InclusionLib.sol";
import {Group, RowKey, Sibling, SumNode} from "../src/libraries/MerkleSumLib.sol";
import {Params} from "../src/libraries/Params.sol";
import {Receipt} from "../src/libraries/ReceiptLib.sol";
import {ModelRegistry} from "../src/ModelRegistry.sol";
import {NodeBond} from "../src/NodeBond.sol";
import {OPG} from "../src/OPG.sol";
import {ParamStore} from "../src/ParamStore.sol";
import {PauseClock} from "../src/PauseClock.sol";
import {RevenueSplitter} from "../src/RevenueSplitter.sol";
import {Settlement} from "../src/Settlement.sol";
import {SpendingGrants} from "../src/SpendingGrants.sol";
import {TeeApprovals} from "../src/tee/TeeApprovals.sol";
import {ValidatorStaking} from "../src/ValidatorStaking.sol";
import {EscrowDouble} from "./FaultDoubles.sol";
import {MerkleSumBuilder} from "./MerkleSumBuilder.sol";
import {SettlementFixture} from "./SettlementFixture.sol";

/// @title A deployment that judges faults: a bonded committer, a bonded node with an enclave key, three validators
abstract contract FaultFixture is SettlementFixture {
    uint256 internal constant GRACE = 5;
    uint256 internal constant DATA_RESPONSE = 20;
    uint256 internal constant CHALLENGE_BOND = 10e18;
    uint256 internal constant CANARY_DEPOSIT = 10e18;
    uint256 internal constant CANARY_REWARD = 6e18;
    uint256 internal constant ENCLAVE = 0xE1;
    uint256 internal constant ROGUE = 0xE2;
    bytes32 internal constant HARDWARE = keccak256("nitro-sim");
    bytes32 internal constant ROOT = keccak256("root");
    bytes32 internal constant CODE = keccak256("code");
    bytes32 internal constant MODEL = keccak256("model");
    bytes32 internal constant GRANT = keccak256("grant");
    bytes32 internal constant SALT = keccak256("salt");
    address internal constant COMMITTER = address(0xC0117);
    address internal constant NODE = address(0x40DE);
    address internal constant PAYER = address(0xFA7);
    address internal constant HUNTER = address(0x4017);
    address internal constant INSURANCE = address(0x1115);

    FaultManager internal faults;
    TeeFault internal teeFault;
    EquivocationFault internal equivocation;
    DataChallenge internal dataChallenge;
    SumFault internal sumFault;
    RowFault internal rowFault;
    CanaryRegistry internal canaries;
    EscrowDouble internal payments;
    SpendingGrants internal grants;
    ModelRegistry internal models;
    PauseClock internal clock;
    uint64 internal height;
    uint256 internal bondedAnew;

    function deployFaults() internal {
        vm.warp(START);
        vm.roll(100);
        token = new OPG(address(this));
        params = deployFaultParams();
        guardian = new Guardian(address(this), GUARDIAN, 365 days);
        clock = new PauseClock(guardian, 60, 120);
        bonds = new NodeBond(token, params);
        staking = new ValidatorStaking(token, params);
        settlement = new Settlement(staking, bonds, params, clock, DEPLOYMENT);
        bonds.setSettlement(address(settlement));
        staking.setSettlement(address(settlement));
        models = new ModelRegistry(params);
        payments = new EscrowDouble();
        // What is settled is not passed on here.
        grants = new SpendingGrants(token, settlement, models, RevenueSplitter(address(0)), params);
        TeeApprovals.Approval[] memory approvals = new TeeApprovals.Approval[](1);
        approvals[0] = TeeApprovals.Approval(HARDWARE, ROOT, CODE, 1);
        tee = deployTee(approvals);
        _deployJudges();
        models.publish(MODEL, "http://model.test", CODE, 100, 2, 3);
        uint256[] memory keys = new uint256[](3);
        (keys[0], keys[1], keys[2]) = (0xA1, 0xA2, 0xA3);
        validatorKeys = ascending(keys);
        for (uint256 i = 0; i < 3; i++) registerValidator(vm.addr(validatorKeys[i]), MIN_BOND);
        registerNode(NODE);
        registerNode(COMMITTER);
        // The neighbour in every batch, and whoever commits in its own name.
        registerNode(address(type(uint160).max));
        registerNode(address(0xBAD));
        vm.roll(101);
        _admit(ENCLAVE);
        vm.warp(START + 100);
    }

    function _deployJudges() private {
        faults = new FaultManager(
            token,
            params,
            settlement,
            staking,
            bonds,
            InferenceEscrow(address(payments)),
            grants,
            INSURANCE,
            address(this)
        );
        settlement.setFaultManager(address(faults));
        staking.setFaultManager(address(faults));
        bonds.setFaultManager(address(faults));
        teeFault = new TeeFault(settlement, tee, params);
        equivocation = new EquivocationFault(settlement, tee, staking);
        dataChallenge = new DataChallenge(token, params, clock, settlement, faults);
        sumFault = new SumFault(settlement);
        rowFault = new RowFault(settlement, InferenceEscrow(address(payments)), models, tee);
        canaries =
            new CanaryRegistry(token, params, settlement, staking, InferenceEscrow(address(payments)), faults);
        uint8[] memory classes = new uint8[](6);
        (classes[0], classes[1], classes[2], classes[3], classes[4], classes[5]) = (1, 3, 4, 6, 7, 8);
        IFaultAdapter[] memory adapters = new IFaultAdapter[](6);
        (adapters[0], adapters[1], adapters[2], adapters[3], adapters[4], adapters[5]) =
            (teeFault, equivocation, dataChallenge, sumFault, rowFault, canaries);
        uint64[] memory gas = new uint64[](6);
        for (uint256 i = 0; i < 6; i++) gas[i] = 1_000_000;
        faults.wire(classes, adapters, gas);
    }

    function deployFaultParams() internal returns (ParamStore) {
        bytes32[28] memory names = [
            Params.UNBONDING,
            Params.CHALLENGE_WINDOW,
            Params.ADJUDICATION,
            Params.GRACE,
            Params.ATTEST_TIMEOUT,
            Params.REFUND_TIMEOUT,
            Params.DATA_RESPONSE,
            Params.MIN_SELF_BOND,
            Params.MIN_NODE_BOND,
            Params.COVERAGE_KAPPA_BPS,
            Params.PRICE_RISE_DELAY,
            Params.PHI_TEE_BPS,
            Params.PHI_EQUIVOCATION_BPS,
            Params.PHI_DATA_BPS,
            Params.PHI_SUM_BPS,
            Params.PHI_ROW_BPS,
            Params.CHALLENGE_BOND,
            Params.BOUNTY_BPS,
            Params.BOUNTY_CAP,
            Params.INSURANCE_BPS,
            Params.SELF_FIRST_BPS,
            Params.COMMISSION_CAP_BPS,
            Params.COMMISSION_STEP_BPS,
            Params.COMMISSION_DELAY,
            Params.PHI_CANARY_BPS,
            Params.CANARY_DEPOSIT,
            Params.CANARY_REWARD,
            Params.VOID_FEE_BPS
        ];
        uint256[28] memory starts = [
            ATTEST_TIMEOUT + UNBONDING,
            WINDOW,
            20,
            GRACE,
            ATTEST_TIMEOUT,
            REFUND_TIMEOUT,
            DATA_RESPONSE,
            MIN_BOND,
            MIN_BOND,
            6667,
            1 days,
            5000,
            10_000,
            500,
            5000,
            5000,
            CHALLENGE_BOND,
            2000,
            30e18,
            3000,
            2000,
            2000,
            100,
            60,
            100,
            CANARY_DEPOSIT,
            CANARY_REWARD,
            VOID_FEE_BPS
        ];
        bytes32[] memory keys = new bytes32[](28);
        uint256[] memory values = new uint256[](28);
        uint256[] memory mins = new uint256[](28);
        uint256[] memory maxs = new uint256[](28);
        for (uint256 i = 0; i < 28; i++) (keys[i], values[i], mins[i], maxs[i]) = (names[i], starts[i], 1, 1e25);
        return new ParamStore(address(this), keys, values, mins, maxs);
    }

    function _admit(uint256 key) internal {
        vm.prank(NODE);
        bytes32 id = tee.proposeKey(vm.addr(key), HARDWARE, ROOT, CODE, 1, CODE, "http://evidence.test");
        bytes32 vote = keccak256(abi.encode(keccak256("KeyVote(bytes32 registrationId,bool valid)"), id, true));
        vm.roll(block.number + 1);
        for (uint256 i = 0; i < 2; i++) tee.voteKey(id, true, signDigest(validatorKeys[i], settlement.digestOf(vote)));
    }

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
        SumNode memory top = MerkleSumBuilder.top(rowsAround(rowOf(key, MerkleSumBuilder.top(leaves))));
        return commitGroups(groupsWith(group, top), keccak256("data"));
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
