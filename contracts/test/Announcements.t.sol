// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Announcements} from "../src/faults/Announcements.sol";
import {FaultManager} from "../src/FaultManager.sol";
import {BatchBook} from "../src/settlement/BatchBook.sol";
import {BadBatchFixture} from "./BadBatchFixture.sol";

/// @title A copied proof earns nothing: the earliest announcement counts, and only in a later block
contract AnnouncementsTest is BadBatchFixture {
    function setUp() public {
        deployFaults();
    }

    function test_aProofMustBeAnnouncedInAnEarlierBlock() public {
        (, bytes memory proof) = badBatch(0);
        bytes32 commitment = faults.commitmentOf(HUNTER, 1, keccak256(proof), SALT);
        vm.prank(HUNTER);
        vm.expectRevert(abi.encodeWithSelector(Announcements.NotAnnounced.selector, commitment));
        faults.prove(1, proof, SALT);
        vm.startPrank(HUNTER);
        faults.announce(commitment);
        vm.expectRevert(abi.encodeWithSelector(Announcements.AnnouncedJustNow.selector, commitment));
        faults.prove(1, proof, SALT);
        vm.roll(block.number + 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                Announcements.NotAnnounced.selector, faults.commitmentOf(HUNTER, 1, keccak256(proof), CODE)
            )
        );
        faults.prove(1, proof, CODE);
        faults.prove(1, proof, SALT);
        vm.stopPrank();
    }

    function test_anAnnouncementExpires() public {
        (, bytes memory proof) = badBatch(0);
        announce(HUNTER, 1, proof);
        vm.warp(block.timestamp + 1 days + 1);
        vm.expectRevert();
        proveAs(HUNTER, proof);
    }

    /// @dev Test first 13: who copies a proof from the mempool, even into an earlier block, earns nothing by it.
    function test_13_aCopiedProofEarnsNothing() public {
        (bytes32 batchId, bytes memory proof) = badBatch(0);
        announce(HUNTER, 1, proof);
        // The hunter's proof is seen; the copier announces and proves before it is mined.
        announce(COPIER, 1, proof);
        bytes32 faultId = proveAs(COPIER, proof);
        uint256 taken = MIN_BOND - bondOf(COMMITTER);
        assertEq(proveAs(HUNTER, proof), faultId);
        // Nothing is punished a second time.
        assertEq(MIN_BOND - bondOf(COMMITTER), taken);
        closeAndDistribute(faultId);
        assertEq(faults.credit(COPIER), 0);
        assertEq(faults.credit(HUNTER), taken / 5);
        assertState(batchId, BatchBook.State.Void);
    }

    function test_aLaterAnnouncementTakesNoBounty() public {
        (, bytes memory proof) = badBatch(0);
        announce(HUNTER, 1, proof);
        announce(COPIER, 1, proof);
        bytes32 faultId = proveAs(HUNTER, proof);
        isTooLate(COPIER, proof, faultId);
    }

    function test_afterItsTimeAnEarlierAnnouncementIsTooLate() public {
        (, bytes memory proof) = badBatch(0);
        announce(HUNTER, 1, proof);
        announce(COPIER, 1, proof);
        bytes32 faultId = proveAs(COPIER, proof);
        vm.warp(block.timestamp + GRACE);
        isTooLate(HUNTER, proof, faultId);
    }

    function test_announcingForAnotherBlocksNobody() public {
        (, bytes memory proof) = badBatch(0);
        bytes32 commitment = faults.commitmentOf(HUNTER, 1, keccak256(proof), SALT);
        vm.prank(COPIER);
        faults.announce(commitment);
        vm.roll(block.number + 1);
        proveAs(HUNTER, proof);
    }

    function test_anAnnouncementLastsADayAndItsLastSecond() public {
        (, bytes memory proof) = badBatch(0);
        announce(HUNTER, 1, proof);
        vm.warp(vm.getBlockTimestamp() + 1 days);
        proveAs(HUNTER, proof);
    }

    /// @dev Of two who announced in one block neither was earlier: who proves first has the bounty.
    function test_announcedInOneBlockTheFirstProofStands() public {
        (, bytes memory proof) = badBatch(0);
        vm.prank(COPIER);
        faults.announce(faults.commitmentOf(COPIER, 1, keccak256(proof), SALT));
        announce(HUNTER, 1, proof);
        bytes32 faultId = proveAs(HUNTER, proof);
        isTooLate(COPIER, proof, faultId);
    }

    function test_whoWasReplacedByTheEarliestIsReplacedByNobodyBetween() public {
        (, bytes memory proof) = badBatch(0);
        announce(HUNTER, 1, proof);
        announce(PAYER, 1, proof);
        announce(COPIER, 1, proof);
        bytes32 faultId = proveAs(COPIER, proof);
        proveAs(HUNTER, proof);
        isTooLate(PAYER, proof, faultId);
        assertEq(faults.proceedsOf(faultId).prover, HUNTER);
    }

    // ---------------------------------------------------------------- helpers

    /// @dev What `who` has announced.
    function proveAs(address who, bytes memory proof) private returns (bytes32) {
        vm.prank(who);
        return faults.prove(1, proof, SALT);
    }

    function isTooLate(address who, bytes memory proof, bytes32 faultId) private {
        vm.prank(who);
        vm.expectRevert(abi.encodeWithSelector(FaultManager.AlreadyProven.selector, faultId));
        faults.prove(1, proof, SALT);
    }
}
