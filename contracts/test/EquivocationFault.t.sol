// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Batches} from "../src/faults/Batches.sol";
import {EquivocationFault} from "../src/faults/EquivocationFault.sol";
import {Finding} from "../src/faults/IFaultAdapter.sol";
import {Entry} from "../src/libraries/InclusionLib.sol";
import {Receipt} from "../src/libraries/ReceiptLib.sol";
import {BatchBook} from "../src/settlement/BatchBook.sol";
import {Settlement} from "../src/Settlement.sol";
import {StakeState} from "../src/staking/StakeState.sol";
import {FaultFixture} from "./FaultFixture.sol";

/// @title Class 3: two signatures of which only one can be true
contract EquivocationFaultTest is FaultFixture {
    function setUp() public {
        deployFaults();
    }

    // ---------------------------------------------------------------- a node

    function test_twoReceiptsUnderOneSequenceNumberCostTheNodeItsBond() public {
        (Receipt memory a, Receipt memory b) = twoAnswers();
        prove(3, nodeProof(a, sign(a, ENCLAVE), b, sign(b, ENCLAVE)));
        assertEq(bondOf(NODE), 0);
        assertEq(bondOf(COMMITTER), MIN_BOND);
    }

    function test_theBatchThatHoldsOneOfThemIsVoidAndItsPayerRefunded() public {
        (Receipt memory a, Receipt memory b) = twoAnswers();
        Entry[] memory entries = among(entryOf(a, sign(a, ENCLAVE)), 2, 5);
        bytes32 batchId = commitEntries(entries);
        payments.set(a.requestId, PAYER, COMMITTER, 500, 1);
        prove(3, nodeProofIn(a, b, batchId, pathOf(entries, 2)));
        assertState(batchId, BatchBook.State.Void);
        assertTrue(payments.refunded(a.requestId));
        assertEq(bondOf(NODE), 0);
        // Who batched it could not know.
        assertEq(bondOf(COMMITTER), MIN_BOND);
    }

    function test_theSameReceiptTwiceIsNoFault() public {
        (Receipt memory a,) = twoAnswers();
        bytes memory s = sign(a, ENCLAVE);
        refuse(3, nodeProof(a, s, a, s), no());
    }

    function test_twoSequenceNumbersAreNoFault() public {
        (Receipt memory a, Receipt memory b) = twoAnswers();
        b.seq++;
        refuse(3, nodeProof(a, sign(a, ENCLAVE), b, sign(b, ENCLAVE)), no());
    }

    function test_aForgedSecondReceiptIsNoFault() public {
        (Receipt memory a, Receipt memory b) = twoAnswers();
        bytes memory reason =
            abi.encodeWithSelector(EquivocationFault.NotSigned.selector, vm.addr(ROGUE), vm.addr(ENCLAVE));
        refuse(3, nodeProof(a, sign(a, ENCLAVE), b, sign(b, ROGUE)), reason);
        assertEq(bondOf(NODE), MIN_BOND);
    }

    function test_whatIsSignedOutsideTheKeysLifeBindsNobody() public {
        vm.prank(NODE);
        tee.revokeKey(vm.addr(ENCLAVE));
        vm.warp(block.timestamp + 100);
        (Receipt memory a, Receipt memory b) = twoAnswers();
        bytes memory reason =
            abi.encodeWithSelector(EquivocationFault.KeyNotInForce.selector, vm.addr(ENCLAVE), a.issuedAt);
        refuse(3, nodeProof(a, sign(a, ENCLAVE), b, sign(b, ENCLAVE)), reason);
        a.key = b.key = vm.addr(ROGUE);
        reason = abi.encodeWithSelector(EquivocationFault.KeyNotInForce.selector, vm.addr(ROGUE), a.issuedAt);
        refuse(3, nodeProof(a, sign(a, ROGUE), b, sign(b, ROGUE)), reason);
    }

    function test_receiptsOfTwoKeysAreNoFault() public {
        (Receipt memory a, Receipt memory b) = twoAnswers();
        b.key = vm.addr(ROGUE);
        refuse(3, nodeProof(a, sign(a, ENCLAVE), b, sign(b, ROGUE)), no());
    }

    function test_aForgedFirstReceiptIsNoFault() public {
        (Receipt memory a, Receipt memory b) = twoAnswers();
        bytes memory reason =
            abi.encodeWithSelector(EquivocationFault.NotSigned.selector, vm.addr(ROGUE), vm.addr(ENCLAVE));
        refuse(3, nodeProof(a, sign(a, ROGUE), b, sign(b, ENCLAVE)), reason);
    }

    /// @dev Of the later of the two, but never of a time that is still to come.
    function test_theOffenceIsOfTheLaterReceipt() public view {
        uint64 present = uint64(block.timestamp);
        assertEq(offenceAt(present - 20, present - 30), present - 20);
        assertEq(offenceAt(present - 30, present - 20), present - 20);
        assertEq(offenceAt(present - 30, present + 50), present);
        assertEq(offenceAt(present + 50, present - 30), present);
    }

    function test_aFindingWithoutABatchNamesTheNodeAlone() public view {
        (Receipt memory a, Receipt memory b) = twoAnswers();
        Finding memory expected;
        expected.faultKey = keccak256(abi.encode(0, a.key, a.seq));
        (expected.node, expected.offenceAt) = (NODE, a.issuedAt);
        assertFinds(nodeProof(a, sign(a, ENCLAVE), b, sign(b, ENCLAVE)), expected);
    }

    function test_aFindingInABatchNamesWhoLostAndWhere() public {
        Entry[] memory entries = new Entry[](3);
        for (uint64 i = 0; i < 3; i++) entries[i] = grantedEntry(i + 1);
        Receipt memory a = entries[1].receipt;
        Receipt memory b = granted(2);
        b.responseHash = keccak256("another response");
        EquivocationFault.NodeProof memory p;
        (p.first, p.firstSignature, p.second, p.secondSignature) = (a, sign(a, ENCLAVE), b, sign(b, ENCLAVE));
        (p.batchId, p.grantId, p.counter, p.path) = (commitEntries(entries), GRANT, 2, pathOf(entries, 1));

        Finding memory expected;
        expected.faultKey = keccak256(abi.encode(0, a.key, a.seq));
        (expected.node, expected.offenceAt, expected.batchId, expected.voids) = (NODE, a.issuedAt, p.batchId, true);
        (expected.requestId, expected.payer, expected.loss) = (a.requestId, a.payer, a.price);
        (expected.grantId, expected.row, expected.position) = (GRANT, 2, 3);
        assertFinds(abi.encode(0, p), expected);

        p.counter = 1;
        vm.expectRevert(abi.encodeWithSelector(Batches.NotInBatch.selector, p.batchId));
        equivocation.judge(abi.encode(0, p));
    }

    function test_aKeyBindsFromItsFirstSecondToTheLastBeforeItsEnd() public {
        (,,,,,, uint64 validFrom,,) = tee.key(vm.addr(ENCLAVE));
        (, uint64 expiresAt) = tee.term(vm.addr(ENCLAVE));
        assertBinds(validFrom, expiresAt);
        vm.prank(NODE);
        tee.revokeKey(vm.addr(ENCLAVE));
        (,,,,,,, uint64 revokedAt,) = tee.key(vm.addr(ENCLAVE));
        assertBinds(validFrom, revokedAt);
    }

    /// @dev One that no enclave holds binds its operator too, for ever.
    function test_aKeyWithoutATermBinds() public {
        bytes32 possession = keccak256(abi.encode(keccak256("KeyPossession(address node,address key)"), NODE, vm.addr(ROGUE)));
        bytes memory signature = signDigest(ROGUE, settlement.digestOf(possession));
        vm.prank(NODE);
        tee.registerBondedKey(vm.addr(ROGUE), signature);
        (Receipt memory a, Receipt memory b) = twoAnswers();
        (a.key, b.key, a.issuedAt, b.issuedAt) = (vm.addr(ROGUE), vm.addr(ROGUE), uint64(block.timestamp), uint64(block.timestamp));
        prove(3, nodeProof(a, sign(a, ROGUE), b, sign(b, ROGUE)));
        assertEq(bondOf(NODE), 0);
    }

    /// @dev Test first 11: a digest holds chain, contract and deployment, so another deployment's signature is none here.
    function test_11_hole_aSignatureForAnotherDeploymentProvesNothing() public {
        (Receipt memory a, Receipt memory b) = twoAnswers();
        Settlement other = newSettlement(keccak256("another deployment"));
        bytes32 foreign = other.digestOf(keccak256("receipt"));
        refuseAny(3, nodeProof(a, sign(a, ENCLAVE), b, signDigest(ENCLAVE, foreign)));
        assertEq(bondOf(NODE), MIN_BOND);
    }

    // ---------------------------------------------------------------- a validator

    function test_twoRootsAtOneHeightCostTheValidatorEverything() public {
        bytes32 batchId = commitEntries(only(honestEntry(1)));
        bytes memory proof = forkProof(batchId, 0xA1, height);
        prove(3, proof);
        address guilty = vm.addr(0xA1);
        assertEq(staking.stakeOf(guilty), 0);
        assertTrue(staking.validator(guilty).status == StakeState.Status.Tombstoned);
        // The batch on chain is not the validator's fault.
        assertState(batchId, BatchBook.State.Committed);
        assertEq(bondOf(COMMITTER), MIN_BOND);
    }

    function test_twoVerdictsOnOneBatchCostTheValidatorEverything() public {
        bytes32 batchId = commitEntries(only(honestEntry(1)));
        prove(3, verdictProof(batchId, 0xA1, VALID, INVALID));
        assertEq(staking.stakeOf(vm.addr(0xA1)), 0);
    }

    function test_theSameVerdictTwiceIsNoFault() public {
        bytes32 batchId = commitEntries(only(honestEntry(1)));
        refuse(3, verdictProof(batchId, 0xA1, VALID, VALID), no());
    }

    function test_twoHeightsAreNoFault() public {
        bytes32 batchId = commitEntries(only(honestEntry(1)));
        refuse(3, forkProof(batchId, 0xA1, height + 1), no());
    }

    function test_twoSignersAreNoFault() public {
        bytes32 batchId = commitEntries(only(honestEntry(1)));
        EquivocationFault.ValidatorProof memory p = fork(batchId, 0xA1, height);
        p.secondSignature = signAttestation(p.second, 0xA2);
        bytes memory reason =
            abi.encodeWithSelector(EquivocationFault.NotSigned.selector, vm.addr(0xA2), vm.addr(0xA1));
        refuse(3, abi.encode(1, p), reason);
    }

    function test_aBatchUnderAFalseNameIsNoFault() public {
        bytes32 batchId = commitEntries(only(honestEntry(1)));
        EquivocationFault.ValidatorProof memory p = fork(batchId, 0xA1, height);
        p.secondName.root = keccak256("not its root");
        bytes memory reason = abi.encodeWithSelector(EquivocationFault.NotNamed.selector, p.second.batchId);
        refuse(3, abi.encode(1, p), reason);
    }

    function test_whoHadNoStakeThenWeighedNothing() public {
        bytes32 batchId = commitEntries(only(honestEntry(1)));
        bytes memory reason = abi.encodeWithSelector(EquivocationFault.NotAValidator.selector, vm.addr(0xBEEF));
        refuse(3, forkProof(batchId, 0xBEEF, height), reason);
    }

    function test_batchesOfTwoCommittersAreNoFault() public {
        EquivocationFault.ValidatorProof memory p = fork(commitEntries(only(honestEntry(1))), 0xA1, height);
        p.secondName.committer = NODE;
        p.second.batchId = settlement.batchIdOf(NODE, height, p.second.root, p.secondName.dataHash);
        p.secondSignature = signAttestation(p.second, 0xA1);
        refuse(3, abi.encode(1, p), no());
    }

    function test_theFirstBatchUnderAFalseNameIsNoFault() public {
        bytes32 batchId = commitEntries(only(honestEntry(1)));
        EquivocationFault.ValidatorProof memory p = fork(batchId, 0xA1, height);
        p.firstName.root = keccak256("not its root");
        refuse(3, abi.encode(1, p), abi.encodeWithSelector(EquivocationFault.NotNamed.selector, batchId));
    }

    /// @dev Whichever of the two is on chain tells when it was, and names the fault.
    function test_aValidatorsFindingIsOfTheBatchOnChain() public {
        bytes32 batchId = commitEntries(only(honestEntry(1)));
        Finding memory expected;
        expected.faultKey = keccak256(abi.encode(1, vm.addr(0xA1), COMMITTER, height));
        (expected.batchId, expected.validator) = (batchId, vm.addr(0xA1));
        expected.offenceAt = uint64(block.timestamp);
        EquivocationFault.ValidatorProof memory p = fork(batchId, 0xA1, height);
        assertFinds(abi.encode(1, p), expected);
        (p.first, p.second) = (p.second, p.first);
        (p.firstName, p.secondName) = (p.secondName, p.firstName);
        (p.firstSignature, p.secondSignature) = (p.secondSignature, p.firstSignature);
        assertFinds(abi.encode(1, p), expected);
    }

    /// @dev What a validator weighs is its stake of the block before the commit.
    function test_whoStakedInTheBlockOfTheCommitWeighedNothing() public {
        bytes32 batchId = commitEntries(only(honestEntry(1)));
        registerValidator(vm.addr(0xBEEF), MIN_BOND);
        bytes memory reason = abi.encodeWithSelector(EquivocationFault.NotAValidator.selector, vm.addr(0xBEEF));
        refuse(3, forkProof(batchId, 0xBEEF, height), reason);
        // In the block before it is enough.
        registerValidator(vm.addr(0xBEF0), MIN_BOND);
        batchId = commitEntries(only(honestEntry(2)));
        prove(3, forkProof(batchId, 0xBEF0, height));
        assertEq(staking.stakeOf(vm.addr(0xBEF0)), 0);
    }

    function test_twoBatchesThatNeverWereAreNoFault() public {
        EquivocationFault.ValidatorProof memory p = fork(commitEntries(only(honestEntry(1))), 0xA1, height);
        p.firstName.root = keccak256("a third");
        p.first.batchId = settlement.batchIdOf(COMMITTER, height, keccak256("a third"), p.firstName.dataHash);
        p.firstSignature = signAttestation(p.first, 0xA1);
        refuseAny(3, abi.encode(1, p));
    }

    function test_anUnknownKindProvesNothing() public {
        (Receipt memory a, Receipt memory b) = twoAnswers();
        bytes memory proof = nodeProof(a, sign(a, ENCLAVE), b, sign(b, ENCLAVE));
        proof[31] = 0x02;
        refuse(3, proof, abi.encodeWithSelector(EquivocationFault.UnknownKind.selector, 2));
    }

    // ---------------------------------------------------------------- helpers

    function assertFinds(bytes memory proof, Finding memory expected) private view {
        assertEq(keccak256(abi.encode(equivocation.judge(proof))), keccak256(abi.encode(expected)));
    }

    function offenceAt(uint64 first, uint64 second) private view returns (uint64) {
        return equivocation.judge(answeredAt(first, second)).offenceAt;
    }

    function answeredAt(uint64 first, uint64 second) private view returns (bytes memory) {
        (Receipt memory a, Receipt memory b) = twoAnswers();
        (a.issuedAt, b.issuedAt) = (first, second);
        return nodeProof(a, sign(a, ENCLAVE), b, sign(b, ENCLAVE));
    }

    /// @dev From `start` on, and until before `end`.
    function assertBinds(uint64 start, uint64 end) private {
        equivocation.judge(answeredAt(start, end - 1));
        equivocation.judge(answeredAt(end - 1, start));
        uint64[2] memory outside = [start - 1, end];
        for (uint256 i = 0; i < 2; i++) {
            bytes memory reason =
                abi.encodeWithSelector(EquivocationFault.KeyNotInForce.selector, vm.addr(ENCLAVE), outside[i]);
            bytes memory proof = answeredAt(start, outside[i]);
            vm.expectRevert(reason);
            equivocation.judge(proof);
            proof = answeredAt(outside[i], start);
            vm.expectRevert(reason);
            equivocation.judge(proof);
        }
    }

    function refuseAny(uint8 class, bytes memory proof) private {
        announce(HUNTER, class, proof);
        vm.expectRevert();
        vm.prank(HUNTER);
        faults.prove(class, proof, SALT);
    }

    function no() private pure returns (bytes memory) {
        return abi.encodeWithSelector(EquivocationFault.NoContradiction.selector);
    }

    function forkProof(bytes32 batchId, uint256 key, uint64 height_) private view returns (bytes memory) {
        return abi.encode(1, fork(batchId, key, height_));
    }

    function verdictProof(bytes32 batchId, uint256 key, uint8 first, uint8 second)
        private
        view
        returns (bytes memory)
    {
        EquivocationFault.ValidatorProof memory p = fork(batchId, key, height);
        p.first.verdict = first;
        p.second = EquivocationFault.Attestation(
            batchId, p.first.root, p.first.registryBlock, first == second ? false : true, second
        );
        p.firstSignature = signAttestation(p.first, key);
        p.secondSignature = signAttestation(p.second, key);
        return abi.encode(1, p);
    }
}
