// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {TeeApprovals} from "../src/tee/TeeApprovals.sol";
import {TeeRegistry} from "../src/TeeRegistry.sol";
import {TeeFixture} from "./TeeFixture.sol";

/// @title When a key is valid, for whom and for which class, and how it ends
contract TeeRegistryKeysTest is TeeFixture {
    function setUp() public {
        deployRegistry();
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

    function test_onlyAKeyThatCountsCanBeEnded() public {
        vm.expectRevert(abi.encodeWithSelector(TeeRegistry.NotValid.selector, key));
        tee.revokeKey(key);
        admit();
        tee.revokeKey(key);
        vm.expectRevert(abi.encodeWithSelector(TeeRegistry.NotValid.selector, key));
        tee.revokeKey(key);
    }

    // ---------------------------------------------------------------- classes and kinds

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
        voteIn(id);
        assertTrue(tee.isKeyValidAt(key, NODE, 0, false, uint64(START + 10)));
        assertTrue(!tee.isKeyValidAt(key, NODE, 1, false, uint64(START + 10)));
    }

    function test_thereAreEightEngineClasses() public {
        bytes32 code = keccak256("eighth");
        tee.approveMeasurement(HARDWARE, code, 0x80);
        vm.prank(NODE);
        bytes32 id = tee.proposeKey(key, HARDWARE, ROOT, code, 0x80, EVIDENCE, "");
        voteIn(id);
        assertTrue(tee.isKeyValidAt(key, NODE, 7, false, uint64(START + 10)));
        assertTrue(!tee.isKeyValidAt(key, NODE, 6, false, uint64(START + 10)));
        assertTrue(!tee.isKeyValidAt(key, NODE, 8, false, uint64(START + 10)));
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

    function requireEndsAtTwenty() private view {
        assertTrue(tee.isKeyValidAt(key, NODE, 0, false, uint64(START + 19)));
        assertTrue(!tee.isKeyValidAt(key, NODE, 0, false, uint64(START + 20)));
    }
}
