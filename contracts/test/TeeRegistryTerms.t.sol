// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {TeeApprovals} from "../src/tee/TeeApprovals.sol";
import {TeeRegistry} from "../src/TeeRegistry.sol";
import {Fixture} from "./Fixture.sol";

/// @title How long an attestation backs a key, and what governance says of genuine evidence
contract TeeRegistryTermsTest is Fixture {
    bytes32 private constant HARDWARE = keccak256("snp");
    bytes32 private constant ROOT = keccak256("root");
    bytes32 private constant CODE = keccak256("code");
    bytes32 private constant VOTE = keccak256("KeyVote(bytes32 registrationId,bool valid)");
    address private constant NODE = address(0xC1);
    address private constant RIVAL = address(0xC2);
    address private constant KEY = address(0xE1);
    uint64 private constant TERM = 100;

    function setUp() public {
        deployAll();
        TeeApprovals.Approval[] memory approvals = new TeeApprovals.Approval[](2);
        approvals[0] = TeeApprovals.Approval(HARDWARE, ROOT, CODE, 3);
        approvals[1] = TeeApprovals.Approval(HARDWARE, ROOT, keccak256("other code"), 3);
        tee = new TeeRegistry(
            address(this),
            guardian,
            bonds,
            staking,
            settlement,
            TeeRegistry.Times(SUSPENSION, HARDWARE_NOTICE, TERM),
            approvals
        );
        registerNode(NODE);
        registerNode(RIVAL);
        registerValidator(vm.addr(1), 400e18);
        registerValidator(vm.addr(2), 300e18);
        registerValidator(vm.addr(3), 300e18);
        vm.roll(101);
    }

    // ---------------------------------------------------------------- terms

    function test_aKeyEndsWithItsTerm() public {
        admit("first", 10, 14);
        (uint64 attestedAt, uint64 expiresAt) = tee.term(KEY);
        assertEq(attestedAt, START + 10); // when it was proposed, not when the votes were in
        assertEq(expiresAt, START + 10 + TERM);
        assertTrue(!validAt(13));
        assertTrue(validAt(14));
        assertTrue(validAt(10 + TERM - 1));
        assertTrue(!validAt(10 + TERM));
        (attestedAt, expiresAt) = tee.term(address(1));
        assertEq(uint256(attestedAt) + expiresAt, 0);
    }

    function test_aTermIsAtLeastASecond() public {
        TeeApprovals.Approval[] memory none = new TeeApprovals.Approval[](0);
        TeeRegistry.Times memory times = TeeRegistry.Times(SUSPENSION, HARDWARE_NOTICE, 0);
        vm.expectRevert(TeeRegistry.ZeroTerm.selector);
        new TeeRegistry(address(this), guardian, bonds, staking, settlement, times, none);
        times.keyTerm = 1;
        assertEq(new TeeRegistry(address(this), guardian, bonds, staking, settlement, times, none).keyTerm(), 1);
        vm.expectRevert(TeeApprovals.ZeroAddress.selector);
        new TeeRegistry(address(0), guardian, bonds, staking, settlement, times, none);
    }


    function test_freshEvidenceGivesANewTermAndLeavesThePastAlone() public {
        admit("first", 10, 10);
        bytes32 id = propose(NODE, "second", 60);
        vm.warp(START + 70);
        vote(id, 1);
        assertTrue(!validAt(10 + TERM)); // no quorum yet
        vm.expectEmit(address(tee));
        emit TeeRegistry.KeyRenewed(id, KEY, keccak256("second"), uint64(START + 60 + TERM));
        vote(id, 2);
        assertTrue(validAt(10));
        assertTrue(validAt(60 + TERM - 1));
        assertTrue(!validAt(60 + TERM));
        (,,,,, bytes32 evidenceHash, uint64 validFrom,,) = tee.key(KEY);
        assertEq(evidenceHash, keccak256("first"));
        assertEq(validFrom, START + 10);
        vote(id, 3); // after the quorum: nothing moves
        assertTrue(!validAt(60 + TERM));
    }

    function test_aTermThatIsOverStaysOver() public {
        admit("first", 10, 10);
        bytes32 late = propose(NODE, "second", 100);
        vm.warp(START + 10 + TERM);
        for (uint256 i = 1; i <= 3; i++) vote(late, i);
        assertTrue(!validAt(10 + TERM)); // or the gap would look attested
        vm.prank(NODE);
        vm.expectRevert(abi.encodeWithSelector(TeeRegistry.KeyTaken.selector, KEY, NODE));
        tee.proposeKey(KEY, HARDWARE, ROOT, CODE, 1, keccak256("third"), "");
    }

    function test_aRevokedKeyIsNotRenewed() public {
        admit("first", 10, 10);
        bytes32 id = propose(NODE, "second", 20);
        vm.warp(START + 30);
        vm.prank(NODE);
        tee.revokeKey(KEY);
        for (uint256 i = 1; i <= 3; i++) vote(id, i);
        (uint64 attestedAt,) = tee.term(KEY);
        assertEq(attestedAt, START + 10);
        assertTrue(!validAt(30));
    }

    /// @dev The same evidence in other words has another hash, so it can be proposed again and again. One of all that
    /// were proposed since the last term began counts, whatever the validators say of the others.
    function test_oneProposalOfManyWithTheSameEvidenceGivesATerm() public {
        bytes32 before = propose(NODE, "before its admission", 9);
        admit("first", 10, 10);
        bytes32 one = propose(NODE, "evidence", 20);
        bytes32 twin = propose(NODE, "the same evidence in other words", 90);
        vm.warp(START + 95);
        for (uint256 i = 1; i <= 3; i++) vote(before, i);
        assertTrue(!validAt(10 + TERM));
        for (uint256 i = 1; i <= 3; i++) vote(one, i);
        assertTrue(validAt(20 + TERM - 1));
        for (uint256 i = 1; i <= 3; i++) vote(twin, i);
        assertTrue(!validAt(20 + TERM));
        vm.prank(NODE);
        vm.expectRevert(abi.encodeWithSelector(TeeRegistry.AlreadyProposed.selector, one));
        tee.proposeKey(KEY, HARDWARE, ROOT, CODE, 1, keccak256("evidence"), "");
    }

    function test_aRenewalClaimsWhatTheKeyWasAdmittedFor() public {
        admit("first", 10, 10);
        vm.warp(START + 20);
        vm.startPrank(NODE);
        bytes32 otherCode =
            tee.proposeKey(KEY, HARDWARE, ROOT, keccak256("other code"), 1, keccak256("second"), "");
        bytes32 moreClasses = tee.proposeKey(KEY, HARDWARE, ROOT, CODE, 3, keccak256("second"), "");
        vm.stopPrank();
        for (uint256 i = 1; i <= 3; i++) {
            vote(otherCode, i);
            vote(moreClasses, i);
        }
        assertTrue(!validAt(10 + TERM));
        assertTrue(!tee.isKeyValidAt(KEY, NODE, 1, false, uint64(START + 20)));
        vm.prank(RIVAL);
        vm.expectRevert(abi.encodeWithSelector(TeeRegistry.KeyTaken.selector, KEY, NODE));
        tee.proposeKey(KEY, HARDWARE, ROOT, CODE, 1, keccak256("second"), "");
    }

    function test_aBondedKeyHasNoTerm() public {
        address bonded = vm.addr(0xB0);
        bytes32 structHash = keccak256(abi.encode(keccak256("KeyPossession(address node,address key)"), NODE, bonded));
        bytes memory signature = signDigest(0xB0, typedDigest(settlement.DOMAIN_SEPARATOR(), structHash));
        vm.prank(NODE);
        tee.registerBondedKey(bonded, signature);
        assertTrue(tee.isKeyValidAt(bonded, NODE, 2, true, uint64(START + 3650 days)));
        (uint64 attestedAt, uint64 expiresAt) = tee.term(bonded);
        assertEq(uint256(attestedAt) + expiresAt, 0);
        // Nor can an attestation be put behind it later.
        vm.prank(NODE);
        vm.expectRevert(abi.encodeWithSelector(TeeRegistry.KeyTaken.selector, bonded, NODE));
        tee.proposeKey(bonded, HARDWARE, ROOT, CODE, 1, keccak256("first"), "");
    }

    function testFuzz_aKeyIsValidFromAdmissionToTheEndOfItsLastTermWithoutAGap(uint64 second, uint64 third, uint64 t)
        public
    {
        second = 11 + second % (TERM - 1);
        third = second + 1 + third % (TERM + 50);
        admit("first", 10, 10);
        renew("second", second);
        uint64 end = second + TERM;
        if (third < end) {
            renew("third", third);
            end = third + TERM;
        }
        t = t % (4 * TERM);
        assertTrue(validAt(t) == (t >= 10 && t < end));
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
        tee.setRule(HARDWARE, string(new bytes(256)), 1);
        vm.expectRevert(abi.encodeWithSelector(TeeApprovals.RuleTooLong.selector, 257));
        tee.setRule(HARDWARE, string(new bytes(257)), 1);
    }


    // ---------------------------------------------------------------- helpers

    function propose(address node, string memory evidence, uint256 second) private returns (bytes32) {
        vm.warp(START + second);
        vm.prank(node);
        return tee.proposeKey(KEY, HARDWARE, ROOT, CODE, 1, keccak256(bytes(evidence)), "");
    }

    function admit(string memory evidence, uint256 proposedAt, uint256 votedAt) private {
        bytes32 id = propose(NODE, evidence, proposedAt);
        vm.warp(START + votedAt);
        for (uint256 i = 1; i <= 3; i++) vote(id, i);
    }

    function renew(string memory evidence, uint256 second) private {
        bytes32 id = propose(NODE, evidence, second);
        for (uint256 i = 1; i <= 3; i++) vote(id, i);
    }

    function vote(bytes32 id, uint256 validatorKey) private {
        bytes32 structHash = keccak256(abi.encode(VOTE, id, true));
        tee.voteKey(id, true, signDigest(validatorKey, typedDigest(settlement.DOMAIN_SEPARATOR(), structHash)));
    }

    function setRule(string memory rule, uint64 value, uint256 second) private {
        vm.warp(START + second);
        tee.setRule(HARDWARE, rule, value);
    }

    function ruleAt(bytes32 hardwareType, string memory rule, uint256 second) private view returns (uint64) {
        string[] memory names = new string[](1);
        names[0] = rule;
        return tee.rulesAt(hardwareType, names, uint64(START + second))[0];
    }

    /// @dev Whether a receipt issued `second` seconds after START counts.
    function validAt(uint256 second) private view returns (bool) {
        return tee.isKeyValidAt(KEY, NODE, 0, false, uint64(START + second));
    }
}
