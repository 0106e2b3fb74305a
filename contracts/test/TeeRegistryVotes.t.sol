// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {TeeRegistry} from "../src/TeeRegistry.sol";
import {TeeFixture} from "./TeeFixture.sol";

/// @title How a key is admitted: by whose votes, once, and for one operator
contract TeeRegistryVotesTest is TeeFixture {
    function setUp() public {
        deployRegistry();
    }

    // ---------------------------------------------------------------- votes

    function test_keyIsAdmittedAtTwoThirdsOfStake() public {
        bytes32 id = propose(NODE, EVIDENCE);
        vote(id, 2, true);
        vote(id, 3, true);
        assertTrue(!validNow()); // 60 %
        vote(id, 1, true);
        assertTrue(validNow());
        (address node,,,,,, uint64 validFrom, uint64 revokedAt, bool bonded) = tee.key(key);
        assertEq(node, NODE);
        assertEq(validFrom, START + 10);
        assertEq(revokedAt, 0);
        assertTrue(!bonded);
    }

    function test_seventyPercentSuffices() public {
        bytes32 id = propose(NODE, EVIDENCE);
        vote(id, 1, true);
        vote(id, 2, true);
        assertTrue(validNow());
    }

    function test_votesAgainstDoNotCountFor() public {
        bytes32 id = propose(NODE, EVIDENCE);
        vote(id, 1, true);
        vote(id, 2, false);
        vote(id, 3, false);
        assertTrue(!validNow());
        (,,, uint256 yes, uint256 no) = tee.registration(id);
        assertEq(yes, 400e18);
        assertEq(no, 600e18);
    }

    function test_aValidatorVotesOnce() public {
        bytes32 id = propose(NODE, EVIDENCE);
        vote(id, 1, true);
        bytes memory signature = signVote(id, 1, true);
        vm.expectRevert(abi.encodeWithSelector(TeeRegistry.AlreadyVoted.selector, id, vm.addr(1)));
        tee.voteKey(id, true, signature);
    }

    function test_strangersAndFalseSignaturesDoNotVote() public {
        bytes32 id = propose(NODE, EVIDENCE);
        bytes memory signature = signVote(id, 9, true);
        vm.expectRevert(abi.encodeWithSelector(TeeRegistry.NotAValidator.selector, vm.addr(9)));
        tee.voteKey(id, true, signature);
        // A vote against is no vote for: the signer recovered from it is nobody.
        signature = signVote(id, 1, false);
        vm.expectRevert();
        tee.voteKey(id, true, signature);
        vm.expectRevert(abi.encodeWithSelector(TeeRegistry.UnknownRegistration.selector, CODE));
        tee.voteKey(CODE, true, signature);
    }

    function test_stakeThatCameWithTheProposalDoesNotVote() public {
        registerValidator(vm.addr(7), 9000e18);
        bytes32 id = propose(NODE, EVIDENCE);
        bytes memory signature = signVote(id, 7, true);
        vm.expectRevert(abi.encodeWithSelector(TeeRegistry.NotAValidator.selector, vm.addr(7)));
        tee.voteKey(id, true, signature);
    }

    function test_whoIsNotOnDutyDoesNotVote() public {
        bytes32 id = propose(NODE, EVIDENCE);
        staking.jail(vm.addr(1));
        bytes memory signature = signVote(id, 1, true);
        vm.expectRevert(abi.encodeWithSelector(TeeRegistry.NotAValidator.selector, vm.addr(1)));
        tee.voteKey(id, true, signature);
    }

    // ---------------------------------------------------------------- one key, one operator

    function test_aKeyNeverMovesToAnotherOperator() public {
        admit();
        vm.prank(RIVAL);
        vm.expectRevert(abi.encodeWithSelector(TeeRegistry.KeyTaken.selector, key, NODE));
        tee.proposeKey(key, HARDWARE, ROOT, CODE, 1, EVIDENCE, "");
        vm.prank(NODE);
        tee.revokeKey(key);
        // Not even after its end, and not back to its own operator either.
        vm.prank(RIVAL);
        vm.expectRevert(abi.encodeWithSelector(TeeRegistry.KeyTaken.selector, key, NODE));
        tee.proposeKey(key, HARDWARE, ROOT, CODE, 1, EVIDENCE, "");
        bytes memory signature = signPossession(RIVAL);
        vm.prank(RIVAL);
        vm.expectRevert(abi.encodeWithSelector(TeeRegistry.KeyTaken.selector, key, NODE));
        tee.registerBondedKey(key, signature);
    }

    function test_aCopiedProposalBlocksNobody() public {
        bytes32 copied = propose(RIVAL, EVIDENCE);
        bytes32 honest = propose(NODE, EVIDENCE);
        voteIn(honest);
        assertTrue(validNow());
        // Even a quorum that the rival won later changes nothing.
        voteIn(copied);
        assertTrue(validNow());
    }

    function test_aSecondRegistrationDoesNotReviveARevokedKey() public {
        bytes32 second = propose(NODE, keccak256("second"));
        admit();
        vm.prank(NODE);
        tee.revokeKey(key);
        vm.warp(START + 20);
        voteIn(second);
        assertTrue(!validNow());
        // Nor does it rewrite when the key was valid.
        (,,,,, bytes32 evidenceHash, uint64 validFrom, uint64 revokedAt,) = tee.key(key);
        assertEq(evidenceHash, EVIDENCE);
        assertEq(validFrom, START + 10);
        assertEq(revokedAt, START + 10);
    }

    function test_proposalsWantABondAndAreMadeOnce() public {
        vm.prank(address(0xDEAD));
        vm.expectRevert(abi.encodeWithSelector(TeeRegistry.NotBonded.selector, address(0xDEAD)));
        tee.proposeKey(key, HARDWARE, ROOT, CODE, 1, EVIDENCE, "");
        bytes32 id = propose(NODE, EVIDENCE);
        assertEq(id, tee.registrationIdOf(NODE, key, HARDWARE, ROOT, CODE, 1, EVIDENCE));
        vm.prank(NODE);
        vm.expectRevert(abi.encodeWithSelector(TeeRegistry.AlreadyProposed.selector, id));
        tee.proposeKey(key, HARDWARE, ROOT, CODE, 1, EVIDENCE, "");
    }

    // ---------------------------------------------------------------- what an indexer reads

    function test_theWayOfAKeyIsToldByEvents() public {
        bytes32 id = tee.registrationIdOf(NODE, key, HARDWARE, ROOT, CODE, 1, EVIDENCE);
        told();
        emit TeeRegistry.KeyProposed(
            id, NODE, key, HARDWARE, ROOT, CODE, 1, EVIDENCE, "http://node.test/evidence"
        );
        assertEq(propose(NODE, EVIDENCE), id);
        (address key_, address node, uint64 proposedBlock, uint256 yes, uint256 no) = tee.registration(id);
        assertEq(key_, key);
        assertEq(node, NODE);
        assertEq(proposedBlock, 101);
        assertEq(yes + no, 0);
        bytes memory against = signVote(id, 3, false);
        told();
        emit TeeRegistry.KeyVoted(id, vm.addr(3), false, 300e18);
        tee.voteKey(id, false, against);
        vote(id, 1, true);
        bytes memory last = signVote(id, 2, true);
        told();
        emit TeeRegistry.KeyVoted(id, vm.addr(2), true, 300e18);
        told();
        emit TeeRegistry.KeyAdmitted(id, NODE, key, uint64(START + 10));
        tee.voteKey(id, true, last);
        readsAs(EVIDENCE);
        vm.warp(START + 15);
        vm.prank(NODE);
        told();
        emit TeeRegistry.KeyRevoked(key, uint64(START + 15));
        tee.revokeKey(key);
    }

    // ---------------------------------------------------------------- helpers

    function validNow() private view returns (bool) {
        return tee.isKeyValidAt(key, NODE, 0, false, uint64(vm.getBlockTimestamp()));
    }

    function readsAs(bytes32 evidence) private view {
        (, bytes32 hardware, bytes32 root, bytes32 code, uint8 classes, bytes32 evidenceHash,,,) = tee.key(key);
        assertEq(hardware, HARDWARE);
        assertEq(root, ROOT);
        assertEq(code, CODE);
        assertEq(classes, 1);
        assertEq(evidenceHash, evidence);
    }
}
