// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {TeeApprovals} from "../src/tee/TeeApprovals.sol";
import {TeeRegistry} from "../src/TeeRegistry.sol";
import {Fixture} from "./Fixture.sol";

contract TeeRegistryTest is Fixture {
    bytes32 private constant HARDWARE = keccak256("nitro-sim");
    bytes32 private constant ROOT = keccak256("root");
    bytes32 private constant CODE = keccak256("code");
    bytes32 private constant EVIDENCE = keccak256("evidence");
    bytes32 private constant VOTE = keccak256("KeyVote(bytes32 registrationId,bool valid)");
    uint256 private constant ENCLAVE = 0xE1;
    address private constant NODE = address(0xC1);
    address private constant RIVAL = address(0xC2);
    address private key;

    function setUp() public {
        deployAll();
        TeeApprovals.Approval[] memory approvals = new TeeApprovals.Approval[](1);
        approvals[0] = TeeApprovals.Approval(HARDWARE, ROOT, CODE, 1);
        tee = deployTee(approvals);
        key = vm.addr(ENCLAVE);
        registerNode(NODE);
        registerNode(RIVAL);
        registerValidator(vm.addr(1), 400e18);
        registerValidator(vm.addr(2), 300e18);
        registerValidator(vm.addr(3), 300e18);
        vm.roll(101);
        vm.warp(START + 10);
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
        for (uint256 i = 1; i <= 3; i++) vote(honest, i, true);
        assertTrue(validNow());
        // Even a quorum that the rival won later changes nothing.
        for (uint256 i = 1; i <= 3; i++) vote(copied, i, true);
        assertTrue(validNow());
    }

    function test_aSecondRegistrationDoesNotReviveARevokedKey() public {
        bytes32 second = propose(NODE, keccak256("second"));
        admit();
        vm.prank(NODE);
        tee.revokeKey(key);
        vm.warp(START + 20);
        for (uint256 i = 1; i <= 3; i++) vote(second, i, true);
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

    // ---------------------------------------------------------------- intervals

    function test_revokingAKeyLeavesItsPastAlone() public {
        admit();
        vm.warp(START + 20);
        vm.prank(RIVAL);
        vm.expectRevert(abi.encodeWithSelector(TeeRegistry.NotKeyOwner.selector, key, RIVAL));
        tee.revokeKey(key);
        vm.prank(NODE);
        tee.revokeKey(key);
        assertTrue(!tee.isKeyValidAt(key, NODE, 0, false, uint64(START + 9)));
        assertTrue(tee.isKeyValidAt(key, NODE, 0, false, uint64(START + 10)));
        assertTrue(tee.isKeyValidAt(key, NODE, 0, false, uint64(START + 19)));
        assertTrue(!tee.isKeyValidAt(key, NODE, 0, false, uint64(START + 20)));
    }

    function test_everyLayerMustCoverTheTime() public {
        admit();
        vm.warp(START + 20);
        uint256 before = vm.snapshotState();
        tee.revokeMeasurement(HARDWARE, CODE);
        requireEndsAtTwenty();
        vm.revertToState(before);
        before = vm.snapshotState();
        tee.revokeRoot(HARDWARE, ROOT);
        requireEndsAtTwenty();
        vm.revertToState(before);
        tee.revokeHardware(HARDWARE);
        requireEndsAtTwenty();
        vm.expectRevert(TeeApprovals.AlreadyApproved.selector);
        tee.approveHardware(HARDWARE);
    }

    function test_otherOperatorClassOrKindIsNotValid() public {
        admit();
        uint64 t = uint64(START + 10);
        assertTrue(!tee.isKeyValidAt(key, RIVAL, 0, false, t));
        assertTrue(!tee.isKeyValidAt(key, NODE, 1, false, t));
        assertTrue(!tee.isKeyValidAt(key, NODE, 255, false, t));
        assertTrue(!tee.isKeyValidAt(key, NODE, 0, true, t));
        assertTrue(!tee.isKeyValidAt(address(0), address(0), 0, false, t));
    }

    function test_aKeyMayNotClaimMoreThanItsMeasurement() public {
        vm.prank(NODE);
        bytes32 id = tee.proposeKey(key, HARDWARE, ROOT, CODE, 3, EVIDENCE, "");
        for (uint256 i = 1; i <= 3; i++) vote(id, i, true);
        assertTrue(tee.isKeyValidAt(key, NODE, 0, false, uint64(START + 10)));
        assertTrue(!tee.isKeyValidAt(key, NODE, 1, false, uint64(START + 10)));
    }

    function test_onlyTheGovernorApproves() public {
        vm.prank(NODE);
        vm.expectRevert(abi.encodeWithSelector(TeeApprovals.NotGovernor.selector, NODE));
        tee.approveHardware(keccak256("mine"));
        vm.prank(GUARDIAN);
        vm.expectRevert(abi.encodeWithSelector(TeeApprovals.NotGovernor.selector, GUARDIAN));
        tee.approveMeasurement(HARDWARE, keccak256("mine"), 1);
        vm.prank(GUARDIAN);
        vm.expectRevert(abi.encodeWithSelector(TeeApprovals.NotGovernor.selector, GUARDIAN));
        tee.revokeHardware(HARDWARE);
        // The role is the timelock's for ever: nobody can hand it to somebody in a hurry.
        (bool handedOn,) = address(tee).call(abi.encodeWithSignature("setGovernor(address)", NODE));
        assertTrue(!handedOn);
        assertEq(tee.governor(), address(this));
    }

    function test_aDeploymentAcceptsItsOwnListFromTheFirstBlock() public {
        (uint64 validFrom,) = tee.hardware(HARDWARE);
        assertEq(validFrom, START);
        (validFrom,) = tee.root(HARDWARE, ROOT);
        assertEq(validFrom, START);
        uint8 classes;
        (validFrom,, classes) = tee.measurement(HARDWARE, CODE);
        assertEq(validFrom, START);
        assertEq(classes, 1);
        TeeApprovals.Approval[] memory approvals = new TeeApprovals.Approval[](2);
        approvals[0] = TeeApprovals.Approval(HARDWARE, ROOT, CODE, 1);
        approvals[1] = TeeApprovals.Approval(HARDWARE, ROOT, CODE, 2);
        vm.expectRevert(TeeApprovals.AlreadyApproved.selector);
        deployTee(approvals);
        approvals[1].measurement = keccak256("other");
        tee = deployTee(approvals);
        (,, classes) = tee.measurement(HARDWARE, keccak256("other"));
        assertEq(classes, 2);
    }

    function test_aRootIsApprovedOnlyAfterVotersCouldReadItsReport() public {
        bytes32 other = keccak256("other root");
        vm.expectRevert(abi.encodeWithSelector(TeeApprovals.NotAnnounced.selector, HARDWARE, other, 0));
        tee.approveRoot(HARDWARE, other);
        vm.expectEmit(address(tee));
        emit TeeApprovals.HardwareProposed(HARDWARE, other, "https://reports.test/1");
        vm.prank(NODE);
        tee.proposeHardware(HARDWARE, other, "https://reports.test/1");
        vm.warp(START + 10 + HARDWARE_NOTICE - 1);
        vm.expectRevert(abi.encodeWithSelector(TeeApprovals.NotAnnounced.selector, HARDWARE, other, START + 10));
        tee.approveRoot(HARDWARE, other);
        // Announcing again neither hurries nor delays it.
        tee.proposeHardware(HARDWARE, other, "https://reports.test/2");
        assertEq(tee.announcedAt(HARDWARE, other), START + 10);
        vm.warp(START + 10 + HARDWARE_NOTICE);
        tee.approveRoot(HARDWARE, other);
        (uint64 validFrom,) = tee.root(HARDWARE, other);
        assertEq(validFrom, START + 10 + HARDWARE_NOTICE);
        vm.expectRevert(abi.encodeWithSelector(TeeApprovals.UriTooLong.selector, 513));
        tee.proposeHardware(HARDWARE, other, string(new bytes(513)));
    }

    // ---------------------------------------------------------------- guardian

    function test_aSuspensionLapsesUnlessGovernanceMakesItFinal() public {
        admit();
        suspendAt(20, TeeApprovals.Kind.Measurement, HARDWARE, CODE);
        assertTrue(validAt(19));
        assertTrue(!validAt(20));
        assertTrue(!validAt(20 + SUSPENSION - 1));
        assertTrue(validAt(20 + SUSPENSION));
        (uint64 from, uint64 until) = tee.suspension(TeeApprovals.Kind.Measurement, HARDWARE, CODE);
        assertEq(from, START + 20);
        assertEq(until, START + 20 + SUSPENSION);
        // Made final in its last second, it ended when it was stopped.
        uint256 before = vm.snapshotState();
        vm.warp(START + 20 + SUSPENSION - 1);
        tee.revokeMeasurement(HARDWARE, CODE);
        assertTrue(validAt(19));
        assertTrue(!validAt(20));
        assertTrue(!validAt(20 + SUSPENSION));
        vm.revertToState(before);
        // A second later it has lapsed: what was issued in between stays unverified, what follows is valid again.
        vm.warp(START + 20 + SUSPENSION);
        tee.revokeMeasurement(HARDWARE, CODE);
        assertTrue(validAt(19));
        assertTrue(!validAt(20 + SUSPENSION - 1));
        assertTrue(!validAt(20 + SUSPENSION));
        (, uint64 revokedAt,) = tee.measurement(HARDWARE, CODE);
        assertEq(revokedAt, START + 20 + SUSPENSION);
    }

    function test_everyKindOfRecordCanBeSuspended() public {
        admit();
        bytes32[4] memory ids = [bytes32(0), ROOT, CODE, bytes32(uint256(uint160(key)))];
        for (uint8 kind = 0; kind < 4; kind++) {
            uint256 before = vm.snapshotState();
            suspendAt(20, TeeApprovals.Kind(kind), kind == 3 ? bytes32(0) : HARDWARE, ids[kind]);
            assertTrue(validAt(19));
            assertTrue(!validAt(20));
            assertTrue(validAt(20 + SUSPENSION));
            vm.revertToState(before);
        }
    }

    function test_governanceLiftsASuspensionAndTheGuardianCannotRepeatIt() public {
        admit();
        suspendAt(20, TeeApprovals.Kind.Root, HARDWARE, ROOT);
        vm.warp(START + 30);
        vm.prank(GUARDIAN);
        vm.expectRevert(abi.encodeWithSelector(TeeApprovals.NotGovernor.selector, GUARDIAN));
        tee.liftSuspension(TeeApprovals.Kind.Root, HARDWARE, ROOT);
        tee.liftSuspension(TeeApprovals.Kind.Root, HARDWARE, ROOT);
        assertTrue(!validAt(29));
        assertTrue(validAt(30));
        vm.expectRevert(TeeApprovals.NotSuspended.selector);
        tee.liftSuspension(TeeApprovals.Kind.Root, HARDWARE, ROOT);
        vm.prank(GUARDIAN);
        vm.expectRevert(abi.encodeWithSelector(TeeApprovals.AlreadySuspended.selector, START + 20));
        tee.suspend(TeeApprovals.Kind.Root, HARDWARE, ROOT);
        // Governance itself still can end it, from now.
        tee.revokeRoot(HARDWARE, ROOT);
        assertTrue(!validAt(30));
    }

    function test_onlyTheGuardianSuspendsAndOnlyWhatIsValid() public {
        vm.expectRevert(abi.encodeWithSelector(TeeApprovals.NotGuardian.selector, address(this)));
        tee.suspend(TeeApprovals.Kind.Hardware, HARDWARE, 0);
        vm.prank(GUARDIAN);
        vm.expectRevert(TeeApprovals.NotApproved.selector);
        tee.suspend(TeeApprovals.Kind.Hardware, keccak256("unknown"), 0);
        tee.revokeHardware(HARDWARE);
        vm.prank(GUARDIAN);
        vm.expectRevert(TeeApprovals.NotApproved.selector);
        tee.suspend(TeeApprovals.Kind.Hardware, HARDWARE, 0);
        vm.warp(START + 365 days);
        vm.prank(GUARDIAN);
        vm.expectRevert(abi.encodeWithSelector(TeeApprovals.NotGuardian.selector, GUARDIAN));
        tee.suspend(TeeApprovals.Kind.Root, HARDWARE, ROOT);
    }

    function test_governanceEndsAKeyForCause() public {
        admit();
        vm.warp(START + 20);
        vm.expectRevert(abi.encodeWithSelector(TeeRegistry.NotValid.selector, address(0xE2)));
        tee.revokeKey(address(0xE2));
        tee.revokeKey(key);
        requireEndsAtTwenty();
        vm.prank(NODE);
        vm.expectRevert(abi.encodeWithSelector(TeeRegistry.NotValid.selector, key));
        tee.revokeKey(key);
    }

    /// @dev Economics, test first 8: nobody is slashed for a revocation it could not have known.
    function test_aRevocationCountsFromWhenItWasKnown() public {
        admit();
        vm.warp(START + 20);
        tee.revokeMeasurement(HARDWARE, CODE);
        assertTrue(tee.wasKeyValid(key, NODE, 0, false, uint64(START + 25), uint64(START + 19)));
        assertTrue(!tee.wasKeyValid(key, NODE, 0, false, uint64(START + 25), uint64(START + 20)));
        suspendAt(30, TeeApprovals.Kind.Root, HARDWARE, ROOT);
        assertTrue(tee.wasKeyValid(key, NODE, 0, false, uint64(START + 35), uint64(START + 19)));
        assertTrue(!tee.wasKeyValid(key, NODE, 0, false, uint64(START + 35), uint64(START + 29)));
        assertTrue(tee.wasKeyValid(key, NODE, 0, false, uint64(START + 15), type(uint64).max));
    }

    /// @dev Hole seen elsewhere: disabling a TEE unverified its honest history.
    function testFuzz_noEndReachesIntoThePast(uint8 kind, bool bySuspension, uint32 gap) public {
        admit();
        uint256 end = 10 + uint256(gap) % 1000 days;
        vm.warp(START + end);
        bytes32[4] memory ids = [bytes32(0), ROOT, CODE, bytes32(uint256(uint160(key)))];
        kind = kind % 4;
        if (bySuspension) {
            guardian.appoint(GUARDIAN);
            vm.prank(GUARDIAN);
            tee.suspend(TeeApprovals.Kind(kind), kind == 3 ? bytes32(0) : HARDWARE, ids[kind]);
            vm.warp(START + end + 5);
        }
        if (kind == 0) tee.revokeHardware(HARDWARE);
        if (kind == 1) tee.revokeRoot(HARDWARE, ROOT);
        if (kind == 2) tee.revokeMeasurement(HARDWARE, CODE);
        if (kind == 3) tee.revokeKey(key);
        if (end > 10) assertTrue(validAt(end - 1));
        assertTrue(!validAt(end));
        assertTrue(!validAt(end + 365 days));
    }

    // ---------------------------------------------------------------- bonded keys

    function test_bondedKeyServesItsOwnClassOnly() public {
        bytes memory signature = signPossession(NODE);
        vm.prank(NODE);
        tee.registerBondedKey(key, signature);
        uint64 t = uint64(START + 10);
        assertTrue(tee.isKeyValidAt(key, NODE, 2, true, t));
        assertTrue(!tee.isKeyValidAt(key, NODE, 2, false, t));
        assertTrue(!tee.isKeyValidAt(key, NODE, 0, true, t));
    }

    function test_aStrangersKeyCannotBeRegistered() public {
        bytes memory signature = signPossession(NODE);
        vm.prank(RIVAL);
        vm.expectRevert();
        tee.registerBondedKey(key, signature);
    }

    function test_aBondedKeySignsForItselfAndIsAnEvent() public {
        bytes memory signature = signPossession(NODE);
        vm.prank(RIVAL);
        (bool ok, bytes memory reason) = address(tee).call(abi.encodeCall(tee.registerBondedKey, (key, signature)));
        assertTrue(!ok && bytes4(reason) == TeeRegistry.NotPossessed.selector);
        vm.expectEmit(address(tee));
        emit TeeRegistry.KeyAdmitted(bytes32(0), NODE, key, uint64(block.timestamp));
        vm.prank(NODE);
        tee.registerBondedKey(key, signature);
        (address node, bytes32 hardware,,,,, uint64 validFrom,, bool bonded) = tee.key(key);
        assertEq(node, NODE);
        assertEq(hardware, bytes32(0));
        assertEq(validFrom, START + 10);
        assertTrue(bonded);
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

    function test_approvalsAreToldByEvents() public {
        (bytes32 hardware, bytes32 root, bytes32 code) = (keccak256("h"), keccak256("r"), keccak256("c"));
        tee.proposeHardware(hardware, root, "");
        assertEq(tee.announcedAt(hardware, root), START + 10);
        vm.warp(START + 10 + HARDWARE_NOTICE);
        told();
        emit TeeApprovals.HardwareApproved(hardware);
        tee.approveHardware(hardware);
        told();
        emit TeeApprovals.RootApproved(hardware, root);
        tee.approveRoot(hardware, root);
        told();
        emit TeeApprovals.MeasurementApproved(hardware, code, 5);
        tee.approveMeasurement(hardware, code, 5);
        (uint64 from, uint64 revokedAt, uint8 classes) = tee.measurement(hardware, code);
        assertEq(from, block.timestamp);
        assertEq(uint256(revokedAt) + classes, 5);
        uint64 start = uint64(block.timestamp);
        told();
        emit TeeApprovals.Suspended(TeeApprovals.Kind.Root, hardware, root, start, start + SUSPENSION);
        vm.prank(GUARDIAN);
        tee.suspend(TeeApprovals.Kind.Root, hardware, root);
        vm.warp(start + 5);
        told();
        emit TeeApprovals.SuspensionLifted(TeeApprovals.Kind.Root, hardware, root, start + 5);
        tee.liftSuspension(TeeApprovals.Kind.Root, hardware, root);
        (uint64 suspendedFrom, uint64 until) = tee.suspension(TeeApprovals.Kind.Root, hardware, root);
        assertEq(suspendedFrom, start);
        assertEq(until, start + 5);
        told();
        emit TeeApprovals.HardwareRevoked(hardware);
        tee.revokeHardware(hardware);
        told();
        emit TeeApprovals.RootRevoked(hardware, root);
        tee.revokeRoot(hardware, root);
        told();
        emit TeeApprovals.MeasurementRevoked(hardware, code);
        tee.revokeMeasurement(hardware, code);
        (from, revokedAt) = tee.hardware(hardware);
        assertEq(from, start);
        assertEq(revokedAt, start + 5);
        (from, revokedAt) = tee.root(hardware, root);
        assertEq(from, start);
        assertEq(revokedAt, start + 5);
    }

    // ---------------------------------------------------------------- bounds

    function test_addressesAreAtMost512Bytes() public {
        tee.proposeHardware(HARDWARE, ROOT, string(new bytes(512)));
        vm.expectRevert(abi.encodeWithSelector(TeeApprovals.UriTooLong.selector, 513));
        tee.proposeHardware(HARDWARE, ROOT, string(new bytes(513)));
        vm.startPrank(NODE);
        vm.expectRevert(abi.encodeWithSelector(TeeApprovals.UriTooLong.selector, 513));
        tee.proposeKey(key, HARDWARE, ROOT, CODE, 1, EVIDENCE, string(new bytes(513)));
        tee.proposeKey(key, HARDWARE, ROOT, CODE, 1, EVIDENCE, string(new bytes(512)));
        vm.expectRevert(TeeApprovals.ZeroAddress.selector);
        tee.proposeKey(address(0), HARDWARE, ROOT, CODE, 1, EVIDENCE, "");
        vm.stopPrank();
    }

    function test_whoIsNotOnDutyDoesNotVote() public {
        bytes32 id = propose(NODE, EVIDENCE);
        staking.jail(vm.addr(1));
        bytes memory signature = signVote(id, 1, true);
        vm.expectRevert(abi.encodeWithSelector(TeeRegistry.NotAValidator.selector, vm.addr(1)));
        tee.voteKey(id, true, signature);
    }

    function test_onlyAKeyThatCountsCanBeEnded() public {
        vm.expectRevert(abi.encodeWithSelector(TeeRegistry.NotValid.selector, key));
        tee.revokeKey(key);
        admit();
        tee.revokeKey(key);
        vm.expectRevert(abi.encodeWithSelector(TeeRegistry.NotValid.selector, key));
        tee.revokeKey(key);
    }

    function test_thereAreEightEngineClasses() public {
        bytes32 code = keccak256("eighth");
        tee.approveMeasurement(HARDWARE, code, 0x80);
        vm.prank(NODE);
        bytes32 id = tee.proposeKey(key, HARDWARE, ROOT, code, 0x80, EVIDENCE, "");
        for (uint256 i = 1; i <= 3; i++) vote(id, i, true);
        assertTrue(tee.isKeyValidAt(key, NODE, 7, false, uint64(START + 10)));
        assertTrue(!tee.isKeyValidAt(key, NODE, 6, false, uint64(START + 10)));
        assertTrue(!tee.isKeyValidAt(key, NODE, 8, false, uint64(START + 10)));
    }


    // ---------------------------------------------------------------- helpers

    function propose(address node, bytes32 evidence) private returns (bytes32) {
        vm.prank(node);
        return tee.proposeKey(key, HARDWARE, ROOT, CODE, 1, evidence, "http://node.test/evidence");
    }

    function admit() private {
        bytes32 id = propose(NODE, EVIDENCE);
        for (uint256 i = 1; i <= 3; i++) vote(id, i, true);
    }

    function vote(bytes32 id, uint256 validatorKey, bool valid) private {
        tee.voteKey(id, valid, signVote(id, validatorKey, valid));
    }

    function signVote(bytes32 id, uint256 validatorKey, bool valid) private view returns (bytes memory) {
        bytes32 structHash = keccak256(abi.encode(VOTE, id, valid));
        return signDigest(validatorKey, typedDigest(settlement.DOMAIN_SEPARATOR(), structHash));
    }

    function signPossession(address node) private view returns (bytes memory) {
        bytes32 structHash = keccak256(abi.encode(keccak256("KeyPossession(address node,address key)"), node, key));
        return signDigest(ENCLAVE, typedDigest(settlement.DOMAIN_SEPARATOR(), structHash));
    }

    function validNow() private view returns (bool) {
        return tee.isKeyValidAt(key, NODE, 0, false, uint64(vm.getBlockTimestamp()));
    }

    function told() private {
        vm.expectEmit(address(tee));
    }

    function readsAs(bytes32 evidence) private view {
        (, bytes32 hardware, bytes32 root, bytes32 code, uint8 classes, bytes32 evidenceHash,,,) = tee.key(key);
        assertEq(hardware, HARDWARE);
        assertEq(root, ROOT);
        assertEq(code, CODE);
        assertEq(classes, 1);
        assertEq(evidenceHash, evidence);
    }


    function suspendAt(uint256 second, TeeApprovals.Kind kind, bytes32 hardwareType, bytes32 id) private {
        vm.warp(START + second);
        vm.prank(GUARDIAN);
        tee.suspend(kind, hardwareType, id);
    }

    /// @dev Whether a receipt issued `second` seconds after START counts, as the registry stands.
    function validAt(uint256 second) private view returns (bool) {
        return tee.isKeyValidAt(key, NODE, 0, false, uint64(START + second));
    }

    function requireEndsAtTwenty() private view {
        assertTrue(tee.isKeyValidAt(key, NODE, 0, false, uint64(START + 19)));
        assertTrue(!tee.isKeyValidAt(key, NODE, 0, false, uint64(START + 20)));
    }
}
