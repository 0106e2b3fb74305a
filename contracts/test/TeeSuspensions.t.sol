// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {TeeApprovals} from "../src/tee/TeeApprovals.sol";
import {TeeFixture} from "./TeeFixture.sol";

/// @title What the guardian suspends and governance ends, and that neither reaches into the past
contract TeeSuspensionsTest is TeeFixture {
    function setUp() public {
        deployRegistry();
    }

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
        (, uint64 endedAt,) = tee.measurement(HARDWARE, CODE);
        assertEq(endedAt, START + 20);
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

    function test_aSuspensionCountsFromTheSecondInWhichItWasMade() public {
        admit();
        suspendAt(20, TeeApprovals.Kind.Measurement, HARDWARE, CODE);
        uint64 t = uint64(START + 20);
        assertTrue(tee.wasKeyValid(key, NODE, 0, false, t, t - 1));
        assertTrue(!tee.wasKeyValid(key, NODE, 0, false, t, t));
    }

    /// @dev It ended when it was stopped; its suspension must not get another end.
    function test_whatWasRevokedIsNoLongerSuspended() public {
        suspendAt(20, TeeApprovals.Kind.Measurement, HARDWARE, CODE);
        vm.warp(START + 21);
        tee.revokeMeasurement(HARDWARE, CODE);
        vm.expectRevert(TeeApprovals.NotSuspended.selector);
        tee.liftSuspension(TeeApprovals.Kind.Measurement, HARDWARE, CODE);
        (, uint64 until) = tee.suspension(TeeApprovals.Kind.Measurement, HARDWARE, CODE);
        assertEq(until, START + 20 + SUSPENSION);
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

    function suspendAt(uint256 second, TeeApprovals.Kind kind, bytes32 hardwareType, bytes32 id) private {
        vm.warp(START + second);
        vm.prank(GUARDIAN);
        tee.suspend(kind, hardwareType, id);
    }
}
