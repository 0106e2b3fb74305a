// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Entry} from "../src/libraries/InclusionLib.sol";
import {Group, SumNode} from "../src/libraries/MerkleSumLib.sol";
import {Receipt} from "../src/libraries/ReceiptLib.sol";
import {NodeBond} from "../src/NodeBond.sol";
import {Settlement} from "../src/Settlement.sol";
import {BatchBook} from "../src/settlement/BatchBook.sol";
import {MerkleSumBuilder} from "./MerkleSumBuilder.sol";
import {SettlementFixture} from "./SettlementFixture.sol";
import {Vm} from "./Vm.sol";

/// @title What covers an open batch, what holds it open, and what is forced in without its committer
contract SettlementCoverageTest is SettlementFixture {
    address private constant G = address(0x6A7E);
    address private constant NODE = address(0x40DE);
    address private constant NODE_2 = address(0x40DF);
    uint256 private constant ENCLAVE = 0xE1;
    /// @dev Half of a bond of MIN_BOND.
    uint128 private constant COVERED = 50e18;

    function setUp() public {
        deploySettlement();
        bondRichly(G);
        registerNode(NODE);
        registerNode(NODE_2);
    }

    // ---------------------------------------------------------------- 7: coverage

    function test_7_aNodesOpenReceiptsNeverExceedItsCoverage() public {
        commitOf(1, COVERED - 1);
        vm.prank(G);
        vm.expectRevert(abi.encodeWithSelector(NodeBond.CoverageExceeded.selector, NODE, COVERED - 1, 2, COVERED));
        settlement.commit(2, keccak256("data"), oneGroup(NODE, keccak256("top"), 2, 1));
        commitOf(2, 1);
        assertEq(bonds.openExposureOf(NODE), COVERED);
        assertEq(bonds.openExposureOf(G), COVERED);
    }

    function test_7_everyEndGivesBackOnceWhatWasReserved() public {
        bytes32 finalised = commitOf(1, 10e18);
        bytes32 voted = commitOf(2, 10e18);
        bytes32 proven = commitOf(3, 10e18);
        bytes32 expired = commitOf(4, 10e18);
        attestWith(finalised, VALID, firstKeys(3));
        assertEq(staking.openExposureOf(vm.addr(validatorKeys[0])), 10e18);
        attestWith(voted, VALID, oneKey(validatorKeys[0]));
        attestWith(voted, INVALID, lastKeys(2));
        settlement.voidBatch(proven, FAULT);
        vm.warp(START + ATTEST_TIMEOUT);
        settlement.finalise(finalised);
        settlement.expire(expired);
        assertEq(bonds.openExposureOf(NODE), 0);
        assertEq(bonds.openExposureOf(G), 0);
        for (uint256 i = 0; i < 3; i++) assertEq(staking.openExposureOf(vm.addr(validatorKeys[i])), 0);
    }

    function test_7_aValidatorOverItsCoverageIsLeftOutAndComesAgain() public {
        bondMore(NODE, 1000e18);
        bytes32 first = commitOf(1, COVERED);
        bytes32 second = commitOf(2, 1);
        attestWith(first, VALID, firstKeys(2));
        vm.expectEmit();
        emit BatchBook.AttestationUncovered(second, vm.addr(validatorKeys[0]));
        attestWith(second, VALID, oneKey(validatorKeys[0]));
        (uint256 valid,) = settlement.attestedStake(second);
        assertEq(valid, 0);
        assertTrue(!settlement.hasAttested(second, vm.addr(validatorKeys[0])));
        vm.warp(START + WINDOW);
        settlement.finalise(first);
        attestWith(second, VALID, oneKey(validatorKeys[0]));
        (valid,) = settlement.attestedStake(second);
        assertEq(valid, MIN_BOND);
    }

    function test_whoIsNotBondedCommitsNothing() public {
        vm.prank(address(0xBAD));
        vm.expectRevert(abi.encodeWithSelector(Settlement.NotBonded.selector, address(0xBAD)));
        settlement.commit(1, keccak256("data"), oneGroup(NODE, keccak256("top"), 1, 1));
    }

    function test_dustStakeHasNoSeat() public {
        // 201 parts: the smallest holds less than one in 80.
        registerValidator(vm.addr(0xA9), MIN_BOND);
        delegateTo(vm.addr(validatorKeys[0]), address(0xDE1), 20_000e18);
        vm.roll(102);
        bytes32 id = commitOf(1, 1);
        bytes[] memory signatures = signAll(oneKey(0xA9), attestationDigest(id, VALID));
        uint256 least = staking.totalStakeAt(101) / 80;
        uint64 committedBlock = committedBlockOf(id);
        vm.expectRevert(
            abi.encodeWithSelector(BatchBook.StakeTooSmall.selector, vm.addr(0xA9), MIN_BOND, least)
        );
        settlement.attest(id, committedBlock, true, VALID, signatures);
    }

    function test_theAttestersAreWhoCalledItValid() public {
        bytes32 id = commitOf(1, 1);
        attestWith(id, INVALID, oneKey(validatorKeys[1]));
        attestWith(id, VALID, oneKey(validatorKeys[0]));
        attestWith(id, VALID, oneKey(validatorKeys[2]));
        address[] memory attesters = settlement.attestersOf(id);
        assertEq(attesters.length, 2);
        assertEq(attesters[0], vm.addr(validatorKeys[0]));
        assertEq(attesters[1], vm.addr(validatorKeys[2]));
    }

    function test_validWithoutTheDataIsNoVerdict() public {
        bytes32 id = commitOf(1, 1);
        uint64 committedBlock = committedBlockOf(id);
        vm.expectRevert(abi.encodeWithSelector(Settlement.BadVerdict.selector, VALID));
        settlement.attest(id, committedBlock, false, VALID, new bytes[](0));
    }

    // ---------------------------------------------------------------- challenges and pauses

    function test_anOpenChallengeHoldsFinalityBack() public {
        bytes32 id = commitOf(1, 1);
        attestWith(id, VALID, firstKeys(2));
        settlement.openChallenge(id);
        settlement.openChallenge(id);
        vm.warp(START + WINDOW);
        settlement.closeChallenge(id);
        vm.expectRevert(abi.encodeWithSelector(Settlement.ChallengeOpen.selector, id, 1));
        settlement.finalise(id);
        settlement.closeChallenge(id);
        vm.expectRevert(abi.encodeWithSelector(Settlement.NoChallenge.selector, id));
        settlement.closeChallenge(id);
        settlement.finalise(id);
        vm.prank(G);
        vm.expectRevert(abi.encodeWithSelector(Settlement.NotFaultManager.selector, G));
        settlement.openChallenge(id);
    }

    function test_aPauseStopsCommitsAndMovesWindowsButStopsNothingElse() public {
        bytes32 id = commitOf(1, 1);
        attestWith(id, VALID, firstKeys(2));
        vm.prank(GUARDIAN);
        pauseClock.pause(60);
        vm.prank(G);
        vm.expectRevert(Settlement.CommitsPaused.selector);
        settlement.commit(2, keccak256("data"), oneGroup(NODE, keccak256("top"), 1, 1));
        vm.warp(START + 60);
        vm.expectRevert(abi.encodeWithSelector(Settlement.WindowOpen.selector, uint64(START + WINDOW + 60)));
        settlement.finalise(id);
        vm.warp(START + WINDOW + 60);
        settlement.finalise(id);
    }

    // ---------------------------------------------------------------- forced inclusion

    function test_afterIncludeByAnyoneForcesAReceiptInEvenDuringAPause() public {
        (Entry memory entry, bytes memory signature) = signedEntry();
        vm.warp(entry.receipt.includeBy + 1);
        vm.prank(GUARDIAN);
        pauseClock.pause(60);
        bytes32 root = MerkleSumBuilder.nodeOf(groupOf(entry)).hash;
        bytes32 expected = settlement.batchIdOf(address(0xFACE), 1, root, bytes32(0));
        vm.prank(address(0xFACE));
        vm.expectEmit(address(settlement));
        emit Settlement.ReceiptForced(expected, entry.receipt.requestId, entry, signature);
        bytes32 id = settlement.force(1, entry, signature);
        BatchBook.Batch memory batch = settlement.batch(id);
        assertEq(batch.committer, address(0xFACE));
        assertTrue(batch.forced);
        assertEq(batch.count, 1);
        assertEq(batch.root, root);
        assertEq(bonds.openExposureOf(NODE), entry.receipt.valueAtRisk);
        attestWith(id, VALID, firstKeys(2));
        vm.warp(vm.getBlockTimestamp() + 60 + WINDOW);
        settlement.finalise(id);
        assertEq(bonds.openExposureOf(NODE), 0);
    }

    function test_untilIncludeByNobodyForcesAnything() public {
        (Entry memory entry, bytes memory signature) = signedEntry();
        vm.warp(entry.receipt.includeBy);
        vm.expectRevert(abi.encodeWithSelector(Settlement.NotDueYet.selector, entry.receipt.includeBy));
        settlement.force(1, entry, signature);
    }

    function test_nothingIsForcedInThatTheEnclaveDidNotSign() public {
        (Entry memory entry, bytes memory signature) = signedEntry();
        vm.warp(entry.receipt.includeBy + 1);
        entry.receipt.price += 1;
        address read = ECDSA.recover(settlement.digestOf(MerkleSumBuilder.structHash(entry.receipt)), signature);
        vm.expectRevert(abi.encodeWithSelector(Settlement.WrongSigner.selector, entry.receipt.key, read));
        settlement.force(1, entry, signature);
        entry.receipt.price -= 1;
        entry.signatureHash = keccak256("another");
        vm.expectRevert(
            abi.encodeWithSelector(Settlement.WrongSigner.selector, entry.receipt.key, entry.receipt.key)
        );
        settlement.force(1, entry, signature);
    }

    /// @dev A node could make such calls up, and what was forced in and then batched late would be paid twice.
    function test_noCallUnderAGrantIsForcedIn() public {
        (Entry memory entry, bytes memory signature) = signedEntry();
        vm.warp(entry.receipt.includeBy + 1);
        entry.grantId = keccak256("grant");
        vm.expectRevert(abi.encodeWithSelector(Settlement.PaidByGrant.selector, entry.grantId));
        settlement.force(1, entry, signature);
    }

    // ---------------------------------------------------------------- what a void batch costs

    /// @dev It held the coverage of every node that it named: that is not for nothing, whether anybody proves a fault or not.
    function test_aStrangerWhoHoldsANodesCoverageWithAVoidBatchPaysForIt() public {
        bytes32 id = commitOf(1, 20e18);
        uint256 supply = token.totalSupply();
        (uint256 bonded,,,,) = bonds.node(G);
        vm.expectEmit();
        emit NodeBond.VoidCharged(G, 0.2e18);
        attestWith(id, INVALID, firstKeys(2));
        (uint256 left,,,,) = bonds.node(G);
        assertEq(bonded - left, 0.2e18);
        assertEq(supply - token.totalSupply(), 0.2e18);
        assertEq(settlement.voidFeeOf(id), 0.2e18);
        (uint256 ofNode,,,,) = bonds.node(NODE);
        assertEq(ofNode, MIN_BOND);
        assertEq(bonds.openExposureOf(NODE), 0);
        vm.expectRevert(abi.encodeWithSelector(NodeBond.NotSettlement.selector, address(this)));
        bonds.charge(1, 1);
    }

    /// @dev Where validators sleep, or a batch is honest, nothing is charged; nor is one who forced a receipt in.
    function test_onlyWhatWasFoundVoidIsCharged() public {
        (uint256 bonded,,,,) = bonds.node(G);
        bytes32 id = commitOf(1, 20e18);
        vm.warp(vm.getBlockTimestamp() + ATTEST_TIMEOUT);
        settlement.expire(id);
        id = commitOf(2, 20e18);
        attestWith(id, VALID, firstKeys(2));
        vm.warp(vm.getBlockTimestamp() + WINDOW);
        settlement.finalise(id);
        (Entry memory entry, bytes memory signature) = signedEntry();
        vm.warp(entry.receipt.includeBy + 1);
        vm.prank(G);
        id = settlement.force(3, entry, signature);
        attestWith(id, INVALID, firstKeys(2));
        (uint256 left,,,,) = bonds.node(G);
        assertEq(left, bonded);
    }

    function test_whoNamedItselfAloneHeldNobodysCoverageAndPaysNothing() public {
        (uint256 bonded,,,,) = bonds.node(G);
        vm.prank(G);
        bytes32 id = settlement.commit(1, keccak256("data"), oneGroup(G, keccak256("own"), 20e18, 1));
        attestWith(id, INVALID, firstKeys(2));
        (uint256 left,,,,) = bonds.node(G);
        assertEq(left, bonded);
        assertEq(settlement.voidFeeOf(id), 0);
        // One name more, and it pays for both.
        Group[] memory groups = new Group[](2);
        (groups[0], groups[1]) = (oneGroup(G, keccak256("own"), 5e18, 1)[0], oneGroup(NODE, keccak256("other"), 5e18, 1)[0]);
        if (G > NODE) (groups[0], groups[1]) = (groups[1], groups[0]);
        vm.prank(G);
        id = settlement.commit(2, keccak256("data"), groups);
        attestWith(id, INVALID, firstKeys(2));
        assertEq(settlement.voidFeeOf(id), 0.1e18);
    }

    /// @dev A hundredth of less than a hundred base units is nothing, and nobody is said to have paid it.
    function test_theSmallestFeeIsOneBaseUnit() public {
        bytes32 id = commitOf(1, 100);
        attestWith(id, INVALID, firstKeys(2));
        assertEq(settlement.voidFeeOf(id), 1);
        id = commitOf(2, 99);
        vm.recordLogs();
        attestWith(id, INVALID, firstKeys(2));
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; i++) assertTrue(logs[i].topics[0] != NodeBond.VoidCharged.selector);
        assertEq(settlement.voidFeeOf(id), 0);
    }

    // ---------------------------------------------------------------- helpers

    function commitOf(uint64 height, uint128 exposure) private returns (bytes32) {
        vm.prank(G);
        return settlement.commit(height, keccak256("data"), oneGroup(NODE, keccak256(abi.encode(height)), exposure, 1));
    }

    function bondMore(address who, uint256 amount) private {
        fund(who, amount);
        vm.prank(who);
        bonds.add(amount);
    }

    function lastKeys(uint256 count) private view returns (uint256[] memory keys) {
        keys = new uint256[](count);
        for (uint256 i = 0; i < count; i++) keys[i] = validatorKeys[validatorKeys.length - count + i];
    }

    function signedEntry() private view returns (Entry memory entry, bytes memory signature) {
        Receipt memory r = entry.receipt;
        r.version = 1;
        r.requestId = keccak256("request");
        r.payer = address(0xFA7);
        r.node = NODE;
        r.key = vm.addr(ENCLAVE);
        r.committer = G;
        r.includeBy = uint64(START + 300);
        r.modelId = keccak256("model");
        r.priceVersion = 1;
        r.price = 3e18;
        r.valueAtRisk = 5e18;
        r.issuedAt = uint64(START);
        signature = signDigest(ENCLAVE, settlement.digestOf(MerkleSumBuilder.structHash(r)));
        entry.signatureHash = keccak256(signature);
    }

    function groupOf(Entry memory entry) private pure returns (Group memory) {
        SumNode[] memory row = new SumNode[](1);
        row[0] = MerkleSumBuilder.row(entry.receipt, MerkleSumBuilder.leaf(entry.receipt, entry.signatureHash));
        return MerkleSumBuilder.group(entry.receipt.node, row);
    }
}
