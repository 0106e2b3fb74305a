// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {TeeApprovals} from "../src/tee/TeeApprovals.sol";
import {TeeRegistry} from "../src/TeeRegistry.sol";
import {TeeFixture} from "./TeeFixture.sol";

/// @title How long an attestation backs a key, and how it is renewed
contract TeeRegistryTermsTest is TeeFixture {
    uint64 private constant TERM = 100;

    function setUp() public {
        TeeApprovals.Approval[] memory approvals = new TeeApprovals.Approval[](2);
        approvals[0] = TeeApprovals.Approval(HARDWARE, ROOT, CODE, 3);
        approvals[1] = TeeApprovals.Approval(HARDWARE, ROOT, keccak256("other code"), 3);
        deployRegistry(approvals, TERM);
    }

    function test_aKeyEndsWithItsTerm() public {
        admit("first", 10, 14);
        (uint64 attestedAt, uint64 expiresAt) = tee.term(key);
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
        vote(id, 1, true);
        assertTrue(!validAt(10 + TERM)); // no quorum yet
        vm.expectEmit(address(tee));
        emit TeeRegistry.KeyRenewed(id, key, keccak256("second"), uint64(START + 60 + TERM));
        vote(id, 2, true);
        assertTrue(validAt(10));
        assertTrue(validAt(60 + TERM - 1));
        assertTrue(!validAt(60 + TERM));
        (,,,,, bytes32 evidenceHash, uint64 validFrom,,) = tee.key(key);
        assertEq(evidenceHash, keccak256("first"));
        assertEq(validFrom, START + 10);
        vote(id, 3, true); // after the quorum: nothing moves
        assertTrue(!validAt(60 + TERM));
    }

    function test_aTermThatIsOverStaysOver() public {
        admit("first", 10, 10);
        bytes32 late = propose(NODE, "second", 100);
        vm.warp(START + 10 + TERM);
        voteIn(late);
        assertTrue(!validAt(10 + TERM)); // or the gap would look attested
        vm.prank(NODE);
        vm.expectRevert(abi.encodeWithSelector(TeeRegistry.KeyTaken.selector, key, NODE));
        tee.proposeKey(key, HARDWARE, ROOT, CODE, 1, keccak256("third"), "");
    }

    function test_aRevokedKeyIsNotRenewed() public {
        admit("first", 10, 10);
        bytes32 id = propose(NODE, "second", 20);
        vm.warp(START + 30);
        vm.prank(NODE);
        tee.revokeKey(key);
        voteIn(id);
        (uint64 attestedAt,) = tee.term(key);
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
        voteIn(before);
        assertTrue(!validAt(10 + TERM));
        voteIn(one);
        assertTrue(validAt(20 + TERM - 1));
        voteIn(twin);
        assertTrue(!validAt(20 + TERM));
        vm.prank(NODE);
        vm.expectRevert(abi.encodeWithSelector(TeeRegistry.AlreadyProposed.selector, one));
        tee.proposeKey(key, HARDWARE, ROOT, CODE, 1, keccak256("evidence"), "");
    }

    function test_aRenewalClaimsWhatTheKeyWasAdmittedFor() public {
        admit("first", 10, 10);
        vm.warp(START + 20);
        vm.startPrank(NODE);
        bytes32 otherCode =
            tee.proposeKey(key, HARDWARE, ROOT, keccak256("other code"), 1, keccak256("second"), "");
        bytes32 moreClasses = tee.proposeKey(key, HARDWARE, ROOT, CODE, 3, keccak256("second"), "");
        bytes32 otherRoot = tee.proposeKey(key, HARDWARE, "other root", CODE, 1, keccak256("second"), "");
        bytes32 otherHardware = tee.proposeKey(key, "tdx", ROOT, CODE, 1, keccak256("second"), "");
        vm.stopPrank();
        voteIn(otherCode);
        voteIn(moreClasses);
        voteIn(otherRoot);
        voteIn(otherHardware);
        assertTrue(!validAt(10 + TERM));
        assertTrue(!tee.isKeyValidAt(key, NODE, 1, false, uint64(START + 20)));
        vm.prank(RIVAL);
        vm.expectRevert(abi.encodeWithSelector(TeeRegistry.KeyTaken.selector, key, NODE));
        tee.proposeKey(key, HARDWARE, ROOT, CODE, 1, keccak256("second"), "");
    }

    /// @dev A key that its operator no longer answers for is not kept alive.
    function test_whoseBondIsGoneRenewsNothing() public {
        admit("first", 10, 10);
        vm.startPrank(NODE);
        bonds.beginUnbond(1);
        vm.expectRevert(abi.encodeWithSelector(TeeRegistry.NotBonded.selector, NODE));
        tee.proposeKey(key, HARDWARE, ROOT, CODE, 1, keccak256("second"), "");
        vm.stopPrank();
    }

    /// @dev Whatever validators vote: what governance has not approved vouches for nothing.
    function test_aKeyOfAnUnapprovedRootOrHardwareIsNeverValid() public {
        for (uint256 i = 0; i < 2; i++) {
            uint256 before = vm.snapshotState();
            vm.prank(NODE);
            bytes32 id = tee.proposeKey(
                key, i == 0 ? HARDWARE : bytes32("tdx"), i == 0 ? bytes32("other root") : ROOT, CODE, 1, CODE, ""
            );
            voteIn(id);
            (address node,,,,,,,,) = tee.key(key);
            assertEq(node, NODE);
            assertTrue(!validAt(0));
            if (i == 1) {
                // One layer alone is not enough.
                tee.approveMeasurement("tdx", CODE, 1);
                assertTrue(!validAt(0));
            }
            assertTrue(vm.revertToState(before));
        }
    }

    function test_aBondedKeyHasNoTerm() public {
        bytes memory signature = signPossession(NODE);
        vm.prank(NODE);
        tee.registerBondedKey(key, signature);
        assertTrue(tee.isKeyValidAt(key, NODE, 2, true, uint64(START + 3650 days)));
        (uint64 attestedAt, uint64 expiresAt) = tee.term(key);
        assertEq(uint256(attestedAt) + expiresAt, 0);
        // Nor can an attestation be put behind it later.
        vm.prank(NODE);
        vm.expectRevert(abi.encodeWithSelector(TeeRegistry.KeyTaken.selector, key, NODE));
        tee.proposeKey(key, HARDWARE, ROOT, CODE, 1, keccak256("first"), "");
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

    // ---------------------------------------------------------------- helpers

    function propose(address node, string memory evidence, uint256 second) private returns (bytes32) {
        vm.warp(START + second);
        return propose(node, keccak256(bytes(evidence)));
    }

    function admit(string memory evidence, uint256 proposedAt, uint256 votedAt) private {
        bytes32 id = propose(NODE, evidence, proposedAt);
        vm.warp(START + votedAt);
        voteIn(id);
    }

    function renew(string memory evidence, uint256 second) private {
        bytes32 id = propose(NODE, evidence, second);
        voteIn(id);
    }
}
