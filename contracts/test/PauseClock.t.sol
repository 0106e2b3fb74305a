// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Guardian} from "../src/Guardian.sol";
import {PauseClock} from "../src/PauseClock.sol";
import {TestBase} from "./TestBase.sol";

contract GuardianTest is TestBase {
    uint256 private constant START = 1_700_000_000;
    address private constant HOLDER = address(0x6A);
    address private constant NEXT = address(0x6B);
    Guardian private guardian;

    function setUp() public {
        vm.warp(START);
        guardian = new Guardian(address(this), HOLDER, 365 days);
    }

    function test_theRoleEndsToTheSecond() public {
        vm.warp(START + 365 days - 1);
        assertTrue(guardian.isGuardian(HOLDER));
        vm.warp(START + 365 days);
        assertTrue(!guardian.isGuardian(HOLDER));
        guardian.appoint(HOLDER);
        assertTrue(guardian.isGuardian(HOLDER));
        assertEq(guardian.expiresAt(), START + 730 days);
    }

    function test_onlyGovernanceAppoints() public {
        vm.prank(HOLDER);
        vm.expectRevert(abi.encodeWithSelector(Guardian.NotGovernor.selector, HOLDER));
        guardian.appoint(HOLDER);
        vm.expectRevert(Guardian.ZeroAddress.selector);
        guardian.appoint(address(0));
        guardian.appoint(NEXT);
        assertTrue(!guardian.isGuardian(HOLDER));
        assertTrue(guardian.isGuardian(NEXT));
    }

    function test_aDismissedGuardianHasNoTermLeft() public {
        vm.expectEmit(address(guardian));
        emit Guardian.GuardianDismissed(HOLDER);
        guardian.dismiss();
        assertEq(guardian.expiresAt(), 0);
        assertEq(guardian.holder(), address(0));
        vm.expectEmit(address(guardian));
        emit Guardian.GuardianAppointed(NEXT, uint64(START + 365 days));
        guardian.appoint(NEXT);
    }

    function test_governanceAndTheGuardianItselfEndTheRole() public {
        vm.prank(NEXT);
        vm.expectRevert(abi.encodeWithSelector(Guardian.NotHolderOrGovernor.selector, NEXT));
        guardian.dismiss();
        vm.prank(HOLDER);
        guardian.dismiss();
        assertTrue(!guardian.isGuardian(HOLDER));
        guardian.appoint(NEXT);
        guardian.dismiss();
        assertTrue(!guardian.isGuardian(NEXT));
        assertTrue(!guardian.isGuardian(address(0)));
    }

    function test_aDeploymentMayDoWithout() public {
        vm.recordLogs();
        guardian = new Guardian(address(this), address(0), 365 days);
        assertEq(vm.getRecordedLogs().length, 0);
        assertEq(guardian.expiresAt(), 0);
        assertTrue(!guardian.isGuardian(address(0)));
        vm.expectRevert(Guardian.ZeroAddress.selector);
        new Guardian(address(0), HOLDER, 365 days);
    }
}

contract PauseClockTest is TestBase {
    uint256 private constant START = 1_700_000_000;
    uint64 private constant LONGEST = 100;
    uint64 private constant INTERVAL = 300;
    Guardian private guardian;
    PauseClock private clock;

    function setUp() public {
        vm.warp(START);
        // The test is governor and guardian.
        guardian = new Guardian(address(this), address(this), 365 days);
        clock = new PauseClock(guardian, LONGEST, INTERVAL);
    }

    function test_aPauseMovesEveryOpenEndByItsLength() public {
        pauseAt(10, 40);
        atSecond(30);
        assertTrue(clock.paused());
        // Opened before the pause, during it, and over before it.
        assertEq(end(0, 15), 15 + 20);
        assertEq(end(20, 25), 25 + 10);
        assertEq(clock.pausedSeconds(), 20);
        atSecond(60);
        assertTrue(!clock.paused());
        assertEq(end(0, 15), 15 + 40);
        assertEq(end(20, 25), 25 + 30);
        assertEq(end(50, 70), 70);
        assertEq(end(60, 70), 70);
    }

    function test_whatIsOverStaysOver() public {
        pauseAt(100, 40);
        // Ended at 99, one second before the pause: never open again.
        for (uint256 t = 100; t < 200; t++) {
            atSecond(t);
            assertTrue(vm.getBlockTimestamp() >= clock.extended(uint64(START), uint64(START + 99)));
        }
    }

    function test_aPauseEndsByItselfAndIsNoLongerThanTheBound() public {
        clock.pause(type(uint64).max);
        atSecond(LONGEST - 1);
        assertTrue(clock.paused());
        atSecond(LONGEST);
        assertTrue(!clock.paused());
        assertEq(clock.pausedSeconds(), LONGEST);
    }

    function test_pausesCannotFollowEachOther() public {
        clock.pause(50);
        vm.expectRevert(abi.encodeWithSelector(PauseClock.AlreadyPaused.selector, START + 50));
        clock.pause(50);
        atSecond(50);
        vm.expectRevert(abi.encodeWithSelector(PauseClock.TooSoon.selector, START + INTERVAL));
        clock.pause(50);
        atSecond(INTERVAL);
        clock.pause(50);
        atSecond(INTERVAL + 25);
        assertEq(clock.pausedSeconds(), 75);
        assertEq(clock.pauseCount(), 2);
        // So at most a third of all time is paused with these bounds.
        vm.expectRevert(abi.encodeWithSelector(PauseClock.BadInterval.selector, 100, 199));
        new PauseClock(guardian, 100, 199);
        assertEq(new PauseClock(guardian, 100, 200).pauseInterval(), 200);
    }

    function test_aPauseAndItsEndAreEvents() public {
        vm.expectEmit(address(clock));
        emit PauseClock.Paused(uint64(START), uint64(START) + 10);
        clock.pause(10);
        vm.warp(START + 4);
        vm.expectEmit(address(clock));
        emit PauseClock.Resumed(uint64(START) + 4);
        clock.resume();
    }


    function test_onlyTheGuardianPausesAndGovernanceMayResume() public {
        guardian.appoint(address(0x6A));
        vm.expectRevert(abi.encodeWithSelector(PauseClock.NotGuardian.selector, address(this)));
        clock.pause(10);
        vm.prank(address(0x6A));
        clock.pause(50);
        vm.prank(address(0xBAD));
        vm.expectRevert(abi.encodeWithSelector(PauseClock.NotGuardianOrGovernor.selector, address(0xBAD)));
        clock.resume();
        atSecond(20);
        clock.resume();
        assertTrue(!clock.paused());
        atSecond(40);
        assertEq(clock.pausedSeconds(), 20);
        assertEq(clock.pausedSince(uint64(START + 5)), 15);
        vm.expectRevert(PauseClock.NotPaused.selector);
        clock.resume();
        vm.warp(START + 365 days);
        vm.prank(address(0x6A));
        vm.expectRevert(abi.encodeWithSelector(PauseClock.NotGuardian.selector, address(0x6A)));
        clock.pause(10);
    }

    function test_whoPausedMayResume() public {
        guardian.appoint(address(0x6A));
        vm.startPrank(address(0x6A));
        clock.pause(50);
        clock.resume();
        vm.stopPrank();
        assertTrue(!clock.paused());
    }

    /// @dev Against a plain count of the paused seconds, second by second.
    function testFuzz_theClockCountsWhatWasPaused(uint8[6] memory gaps, uint8[6] memory lengths, uint16 from) public {
        bool[] memory paused = new bool[](4000);
        uint256 t = 0;
        for (uint256 i = 0; i < 6; i++) {
            t += gaps[i] + (i == 0 ? 0 : INTERVAL);
            pauseAt(t, lengths[i]);
            (uint64 start, uint64 until) = clock.pauseAt(i);
            for (uint256 s = start - START; s < until - START; s++) paused[s] = true;
        }
        atSecond(3999);
        uint256 opened = uint256(from) % 4000;
        uint256 expected = 0;
        for (uint256 s = opened; s < 3999; s++) if (paused[s]) expected++;
        assertEq(clock.pausedSince(uint64(START + opened)), expected);
        assertEq(end(opened, opened + 7), opened + 7 + expected);
    }

    // ---------------------------------------------------------------- helpers

    function atSecond(uint256 second) private {
        vm.warp(START + second);
    }

    function pauseAt(uint256 second, uint64 length) private {
        atSecond(second);
        clock.pause(length);
    }

    /// @dev Seconds since START at which what ran from `opened` to `until` ends, as known now.
    function end(uint256 opened, uint256 until) private view returns (uint256) {
        return clock.extended(uint64(START + opened), uint64(START + until)) - START;
    }
}
