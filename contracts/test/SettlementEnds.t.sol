// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Settlement} from "../src/Settlement.sol";
import {BatchBook} from "../src/settlement/BatchBook.sol";
import {CommitterFixture} from "./CommitterFixture.sol";

/// @title How a batch ends: final, expired or void, once
contract SettlementEndsTest is CommitterFixture {
    function setUp() public {
        deployCommitter();
    }

    // ---------------------------------------------------------------- time

    function test_finalOnlyAfterTheWindow() public {
        bytes32 id = commitAt(1);
        expectWrongState(id, BatchBook.State.Committed);
        settlement.finalise(id);
        vm.warp(START + 20);
        attestWith(id, VALID, firstKeys(2));
        vm.warp(START + 20 + WINDOW - 1);
        vm.expectRevert(abi.encodeWithSelector(Settlement.WindowOpen.selector, START + 20 + WINDOW));
        settlement.finalise(id);
        vm.warp(START + 20 + WINDOW);
        vm.prank(STRANGER);
        settlement.finalise(id);
        assertState(id, BatchBook.State.Final);
        uint64 finalisedAt = settlement.batch(id).finalisedAt;
        assertEq(finalisedAt, START + 20 + WINDOW);
        expectWrongState(id, BatchBook.State.Final);
        settlement.finalise(id);
    }

    function test_expiresOnlyWithoutAQuorumInTime() public {
        bytes32 slow = commitAt(1);
        bytes32 quick = commitAt(2);
        attestWith(slow, VALID, oneKey(validatorKeys[0]));
        attestWith(quick, VALID, firstKeys(2));
        vm.warp(START + ATTEST_TIMEOUT - 1);
        vm.expectRevert(abi.encodeWithSelector(Settlement.WindowOpen.selector, START + ATTEST_TIMEOUT));
        settlement.expire(slow);
        vm.warp(START + ATTEST_TIMEOUT);
        vm.prank(STRANGER);
        settlement.expire(slow);
        assertState(slow, BatchBook.State.Expired);
        expectWrongState(quick, BatchBook.State.Attested);
        settlement.expire(quick);
        // Nothing revives it.
        expectAttestRevert(slow, oneKey(validatorKeys[1]), wrongState(slow, BatchBook.State.Expired));
        expectWrongState(slow, BatchBook.State.Expired);
        settlement.finalise(slow);
        expectWrongState(slow, BatchBook.State.Expired);
        settlement.expire(slow);
    }

    function test_anUnknownBatchIsRefusedEverywhere() public {
        bytes32 id = keccak256("nothing");
        bytes memory reason = abi.encodeWithSelector(Settlement.UnknownBatch.selector, id);
        vm.expectRevert(reason);
        settlement.attest(id, 0, true, VALID, new bytes[](0));
        vm.expectRevert(reason);
        settlement.finalise(id);
        vm.expectRevert(reason);
        settlement.expire(id);
        vm.expectRevert(reason);
        settlement.voidBatch(id, FAULT);
    }

    // ---------------------------------------------------------------- faults

    function test_onlyTheFaultManagerVoids() public {
        bytes32 id = commitAt(1);
        vm.prank(G);
        vm.expectRevert(abi.encodeWithSelector(Settlement.NotFaultManager.selector, G));
        settlement.voidBatch(id, FAULT);
        vm.expectEmit();
        emit Settlement.BatchVoided(id, FAULT);
        settlement.voidBatch(id, FAULT);
        assertState(id, BatchBook.State.Void);
    }

    function test_anAttestedBatchCanStillBeVoided() public {
        bytes32 id = commitAt(1);
        attestWith(id, VALID, firstKeys(3));
        settlement.voidBatch(id, FAULT);
        vm.warp(START + WINDOW);
        expectWrongState(id, BatchBook.State.Void);
        settlement.finalise(id);
    }

    function test_aFinalBatchStaysFinal() public {
        bytes32 id = commitAt(1);
        attestWith(id, VALID, firstKeys(2));
        vm.warp(START + WINDOW);
        settlement.finalise(id);
        expectWrongState(id, BatchBook.State.Final);
        settlement.voidBatch(id, FAULT);
        vm.warp(START + 10 * ATTEST_TIMEOUT);
        expectWrongState(id, BatchBook.State.Final);
        settlement.expire(id);
        expectAttestRevert(id, oneKey(validatorKeys[2]), wrongState(id, BatchBook.State.Final));
    }

    function test_theFaultManagerIsNamedOnceAndByTheDeployer() public {
        vm.expectRevert(Settlement.AlreadyWired.selector);
        settlement.setFaultManager(STRANGER);
        Settlement fresh = newSettlement(DEPLOYMENT);
        vm.prank(STRANGER);
        vm.expectRevert(Settlement.AlreadyWired.selector);
        fresh.setFaultManager(STRANGER);
        fresh.setFaultManager(STRANGER);
        assertEq(fresh.faultManager(), STRANGER);
    }

    /// @dev What has ended is held back by nothing, and what is open by the fault manager alone.
    function test_onlyAnOpenBatchIsHeldOpenAndOnlyByTheFaultManager() public {
        bytes32 id = commitAt(1);
        settlement.openChallenge(id);
        attestWith(id, VALID, firstKeys(2));
        settlement.openChallenge(id);
        assertEq(settlement.batch(id).challenges, 2);
        vm.startPrank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(Settlement.NotFaultManager.selector, STRANGER));
        settlement.openChallenge(id);
        vm.expectRevert(abi.encodeWithSelector(Settlement.NotFaultManager.selector, STRANGER));
        settlement.closeChallenge(id);
        vm.stopPrank();
        settlement.closeChallenge(id);
        settlement.closeChallenge(id);
        vm.warp(START + WINDOW);
        settlement.finalise(id);
        expectWrongState(id, BatchBook.State.Final);
        settlement.openChallenge(id);
        id = commitAt(2);
        settlement.voidBatch(id, FAULT);
        expectWrongState(id, BatchBook.State.Void);
        settlement.openChallenge(id);
    }

    // ---------------------------------------------------------------- what an indexer reads

    function test_theWayOfABatchIsToldByEvents() public {
        bytes32 id = commitAt(1);
        bytes[] memory signatures = signAll(firstKeys(2), attestationDigest(id, VALID));
        for (uint256 i = 0; i < 2; i++) {
            vm.expectEmit(address(settlement));
            emit BatchBook.BatchAttested(id, vm.addr(validatorKeys[i]), VALID, MIN_BOND);
        }
        vm.expectEmit(address(settlement));
        emit Settlement.QuorumReached(id, VALID);
        settlement.attest(id, 101, true, VALID, signatures);
        vm.expectEmit(address(settlement));
        emit Settlement.ChallengeOpened(id, 1);
        settlement.openChallenge(id);
        vm.expectEmit(address(settlement));
        emit Settlement.ChallengeClosed(id, 0);
        settlement.closeChallenge(id);
        vm.expectRevert(abi.encodeWithSelector(Settlement.NoChallenge.selector, id));
        settlement.closeChallenge(id);
        vm.warp(START + WINDOW);
        vm.expectEmit(address(settlement));
        emit Settlement.BatchFinalised(id);
        settlement.finalise(id);
        assertEq(settlement.batch(id).finalisedAt, START + WINDOW);
        id = commitAt(2);
        vm.warp(START + WINDOW + ATTEST_TIMEOUT);
        vm.expectEmit(address(settlement));
        emit Settlement.BatchExpired(id);
        settlement.expire(id);
        Settlement fresh = newSettlement(DEPLOYMENT);
        vm.expectEmit(address(fresh));
        emit Settlement.FaultManagerSet(STRANGER);
        fresh.setFaultManager(STRANGER);
    }
}
