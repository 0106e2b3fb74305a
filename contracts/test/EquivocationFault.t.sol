// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EquivocationFault} from "../src/faults/EquivocationFault.sol";
import {Entry, Path} from "../src/libraries/InclusionLib.sol";
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
        bytes32 faultId = prove(3, nodeProofIn(a, b, batchId, pathOf(entries, 2)));
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
