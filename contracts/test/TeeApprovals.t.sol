// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {TeeApprovals} from "../src/tee/TeeApprovals.sol";
import {TeeFixture} from "./TeeFixture.sol";

/// @title What governance approves, and what it says of genuine evidence
contract TeeApprovalsTest is TeeFixture {
    function setUp() public {
        deployRegistry();
    }

    // ---------------------------------------------------------------- approvals

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
        vm.prank(GUARDIAN);
        vm.expectRevert(abi.encodeWithSelector(TeeApprovals.NotGovernor.selector, GUARDIAN));
        tee.approveRoot(HARDWARE, ROOT);
        vm.prank(GUARDIAN);
        vm.expectRevert(abi.encodeWithSelector(TeeApprovals.NotGovernor.selector, GUARDIAN));
        tee.revokeRoot(HARDWARE, ROOT);
        vm.prank(GUARDIAN);
        vm.expectRevert(abi.encodeWithSelector(TeeApprovals.NotGovernor.selector, GUARDIAN));
        tee.revokeMeasurement(HARDWARE, CODE);
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

    /// @dev Its end stays where it was: what was issued since stays unverified.
    function test_onlyAnApprovalThatCountsCanBeRevokedAndOnce() public {
        vm.expectRevert(TeeApprovals.NotApproved.selector);
        tee.revokeMeasurement(HARDWARE, keccak256("unknown"));
        vm.warp(START + 20);
        tee.revokeMeasurement(HARDWARE, CODE);
        vm.warp(START + 30);
        vm.expectRevert(TeeApprovals.NotApproved.selector);
        tee.revokeMeasurement(HARDWARE, CODE);
        (, uint64 revokedAt,) = tee.measurement(HARDWARE, CODE);
        assertEq(revokedAt, START + 20);
    }

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

    // ---------------------------------------------------------------- rules

    function test_aRuleSaysWhatItSaidThen() public {
        vm.expectEmit(address(tee));
        emit TeeApprovals.RuleSet(HARDWARE, "minimum-tcb/Genoa", 0x1600000000000a04);
        setRule("minimum-tcb/Genoa", 0x1600000000000a04, 10);
        setRule("minimum-tcb/Genoa", 0x1700000000000a04, 20);
        setRule("minimum-tcb/Genoa", 0, 30);
        setRule("minimum-tcb/Genoa", 1, 40);
        uint64[7] memory times = [uint64(9), 10, 19, 20, 29, 30, 40];
        uint64[7] memory values =
            [uint64(0), 0x1600000000000a04, 0x1600000000000a04, 0x1700000000000a04, 0x1700000000000a04, 0, 1];
        for (uint256 i = 0; i < 7; i++) assertEq(ruleAt(HARDWARE, "minimum-tcb/Genoa", times[i]), values[i]);
        assertEq(ruleAt(HARDWARE, "minimum-tcb/Turin", 50), 0);
        assertEq(ruleAt(keccak256("tdx"), "minimum-tcb/Genoa", 50), 0);
    }

    function test_onlyTheGovernorSetsRulesAndTheyAreBounded() public {
        vm.prank(NODE);
        vm.expectRevert(abi.encodeWithSelector(TeeApprovals.NotGovernor.selector, NODE));
        tee.setRule(HARDWARE, "deny-chip/0x01", 1);
        vm.prank(GUARDIAN);
        vm.expectRevert(abi.encodeWithSelector(TeeApprovals.NotGovernor.selector, GUARDIAN));
        tee.setRule(HARDWARE, "deny-chip/0x01", 1);
        tee.setRule(HARDWARE, string(new bytes(256)), 1);
        vm.expectRevert(abi.encodeWithSelector(TeeApprovals.RuleTooLong.selector, 257));
        tee.setRule(HARDWARE, string(new bytes(257)), 1);
        vm.expectRevert(abi.encodeWithSelector(TeeApprovals.TooManyRules.selector, 129));
        tee.rulesAt(HARDWARE, new string[](129), 1);
    }

    function testFuzz_rulesAreReadInTheOrderAsked(uint64 a, uint64 b, uint64 t) public {
        setRule("a", a, 10);
        setRule("b", b, 20);
        t = t % 40;
        string[] memory names = new string[](3);
        (names[0], names[1], names[2]) = ("b", "none", "a");
        uint64[] memory values = tee.rulesAt(HARDWARE, names, uint64(START) + t);
        assertEq(values[0], t >= 20 ? b : 0);
        assertEq(values[1], 0);
        assertEq(values[2], t >= 10 ? a : 0);
        assertEq(tee.rulesAt(HARDWARE, names, type(uint64).max)[0], b);
    }

    function test_atMost128RulesAreReadAtOnce() public {
        assertEq(tee.rulesAt(HARDWARE, new string[](128), type(uint64).max).length, 128);
        vm.expectRevert(abi.encodeWithSelector(TeeApprovals.TooManyRules.selector, 129));
        tee.rulesAt(HARDWARE, new string[](129), 0);
        setRule("x", 7, 5);
        string[] memory names = new string[](1);
        names[0] = "x";
        assertEq(tee.rulesAt(HARDWARE, names, type(uint64).max)[0], 7);
        // The last time that a rule can have is 2^48 − 1, and no later one wraps round.
        assertEq(tee.rulesAt(HARDWARE, names, uint64(1) << 48)[0], 7);
        tee.setRule(HARDWARE, string(new bytes(256)), 1);
        vm.expectRevert(abi.encodeWithSelector(TeeApprovals.RuleTooLong.selector, 257));
        tee.setRule(HARDWARE, string(new bytes(257)), 1);
    }

    // ---------------------------------------------------------------- helpers

    function setRule(string memory rule, uint64 value, uint256 second) private {
        vm.warp(START + second);
        tee.setRule(HARDWARE, rule, value);
    }

    function ruleAt(bytes32 hardwareType, string memory rule, uint256 second) private view returns (uint64) {
        string[] memory names = new string[](1);
        names[0] = rule;
        return tee.rulesAt(hardwareType, names, uint64(START + second))[0];
    }
}
