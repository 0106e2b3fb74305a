// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Finding} from "../src/faults/IFaultAdapter.sol";
import {FaultProceeds} from "../src/faults/FaultProceeds.sol";
import {Place} from "../src/faults/Places.sol";
import {RowFault} from "../src/faults/RowFault.sol";
import {FaultManager} from "../src/FaultManager.sol";
import {Entry} from "../src/libraries/InclusionLib.sol";
import {SumNode} from "../src/libraries/MerkleSumLib.sol";
import {Receipt} from "../src/libraries/ReceiptLib.sol";
import {BatchBook} from "../src/settlement/BatchBook.sol";
import {FixedJudge} from "./FaultDoubles.sol";
import {FaultFixture} from "./FaultFixture.sol";
import {MerkleSumBuilder} from "./MerkleSumBuilder.sol";

/// @title What a vote took from a committer for its node's lie comes back to it from the node
contract VoidFeeTest is FaultFixture {
    /// @dev A hundredth of what five receipts, three in other rows and three of a neighbour put at risk.
    uint256 private constant FEE = uint256(5e18 + 6 + 8 + 2) / 100;

    Receipt private _first;
    Receipt private _second;
    Entry[] private _entries;

    function setUp() public {
        deployFaults();
        (_first, _second) = twoAnswers();
        Entry[] memory entries = among(entryOf(_first, sign(_first, ENCLAVE)), 2, 5);
        for (uint256 i = 0; i < 5; i++) _entries.push(entries[i]);
    }

    function test_aFeeForTheNodesLieComesBackOutOfItsBond() public {
        bytes32 batchId = votedVoid();
        assertEq(settlement.voidFeeOf(batchId), FEE);
        assertEq(bondOf(COMMITTER), MIN_BOND - FEE);
        bytes32 faultId = prove(3, placed(batchId));
        assertEq(bondOf(NODE), 0);
        FaultProceeds.Claim[] memory claims = faults.claimsOf(faultId);
        assertEq(claims.length, 1);
        assertEq(claims[0].payer, COMMITTER);
        assertEq(claims[0].owed, FEE);
        refuseClaim(batchId);
        share(faultId);
        assertEq(faults.credit(COMMITTER), FEE);
    }

    function test_whereTheLieWasProvenElsewhereTheFeeIsClaimed() public {
        bytes32 batchId = votedVoid();
        bytes32 faultId = prove(3, unplaced());
        assertEq(faults.claimsOf(faultId).length, 0);
        faults.claim(3, placed(batchId));
        assertEq(faults.claimsOf(faultId)[0].owed, FEE);
        refuseClaim(batchId);
        share(faultId);
        assertEq(faults.credit(COMMITTER), FEE);
    }

    function test_aBatchThatTheProofVoidsCostsItsCommitterNothing() public {
        bytes32 batchId = commitEntries(_entries);
        bytes32 faultId = prove(3, placed(batchId));
        assertEq(bondOf(COMMITTER), MIN_BOND);
        assertEq(faults.claimsOf(faultId).length, 0);
    }

    /// @dev Else a lie that everybody knows of would make void batches free.
    function test_noFeeComesBackForABatchThatCameAfterTheProof() public {
        prove(3, unplaced());
        registerAgain();
        vm.warp(block.timestamp + 1);
        refuseClaim(votedVoid());
    }

    function test_noFeeComesBackOnceTheClaimsAreClosed() public {
        bytes32 batchId = votedVoid();
        prove(3, unplaced());
        vm.warp(block.timestamp + GRACE);
        refuseClaim(batchId);
    }

    function test_noFeeComesBackForWhatTheCommitterAnswersFor() public {
        _first.price = 181;
        _entries[2] = entryOf(_first, sign(_first, ENCLAVE));
        bytes32 batchId = votedVoid();
        Place memory place = Place(batchId, _entries[2], keyOf(_entries[2]), NODE, pathOf(_entries, 2));
        bytes memory proof =
            abi.encode(uint256(4), RowFault.Proof(place, sign(_first, ENCLAVE), new Place[](0)));
        bytes32 faultId = prove(7, proof);
        assertTrue(bondOf(NODE) < MIN_BOND);
        assertEq(faults.claimsOf(faultId).length, 0);
    }

    function test_noFeeComesBackFromOneselfToOneself() public {
        Entry[] memory own = only(_entries[2]);
        SumNode memory row = rowOf(keyOf(own[0]), MerkleSumBuilder.top(leavesOf(own)));
        SumNode memory top = MerkleSumBuilder.top(rowsAround(row));
        vm.prank(NODE);
        bytes32 batchId = settlement.commit(1, keccak256("data"), groupsWith(NODE, top));
        attestWith(batchId, INVALID, firstKeys(2));
        assertTrue(settlement.voidFeeOf(batchId) > 0);
        bytes memory proof = nodeProofIn(_first, _second, batchId, pathOf(own, 0));
        assertEq(faults.claimsOf(prove(3, proof)).length, 0);
    }

    /// @dev Committer, node and prover are one, and somebody else is paid to prove it or not: the void batch never costs
    /// them less than its fee.
    function testFuzz_13_committerAndNodeNeverPayLessThanTheFee(uint96 fee, bool claimed) public {
        uint128 risk = uint128(uint256(fee) % (MIN_BOND / 2));
        _first.valueAtRisk = _second.valueAtRisk = risk;
        _entries[2] = entryOf(_first, sign(_first, ENCLAVE));
        uint256 before = bondOf(COMMITTER) + bondOf(NODE);
        bytes32 batchId = votedVoid();
        bytes32 faultId = prove(3, claimed ? unplaced() : placed(batchId));
        if (claimed) faults.claim(3, placed(batchId));
        share(faultId);
        uint256 left = bondOf(COMMITTER) + bondOf(NODE) + faults.credit(COMMITTER) + faults.credit(HUNTER);
        assertTrue(before - left >= settlement.voidFeeOf(batchId));
        assertEq(faults.credit(COMMITTER), settlement.voidFeeOf(batchId));
    }

    /// @dev What a vote took from a committer is no validator's to pay.
    function test_theFaultOfAValidatorPaysNoFee() public {
        bytes32 batchId = votedVoid();
        FixedJudge replay = new FixedJudge();
        Finding memory f;
        (f.faultKey, f.batchId, f.validator, f.offenceAt) = (batchId, batchId, validatorAt(0), uint64(block.timestamp));
        replay.set(f);
        faults.addAdapter(5, replay, 200_000);
        assertEq(faults.claimsOf(prove(5, "")).length, 0);
    }


    // ---------------------------------------------------------------- helpers

    function votedVoid() private returns (bytes32 batchId) {
        batchId = commitEntries(_entries);
        attestWith(batchId, INVALID, firstKeys(2));
        assertState(batchId, BatchBook.State.Void);
    }

    function placed(bytes32 batchId) private view returns (bytes memory) {
        return nodeProofIn(_first, _second, batchId, pathOf(_entries, 2));
    }

    function unplaced() private view returns (bytes memory) {
        return nodeProof(_first, sign(_first, ENCLAVE), _second, sign(_second, ENCLAVE));
    }

    /// @dev What the node lost covered its batches.
    function registerAgain() private {
        fund(NODE, MIN_BOND);
        vm.prank(NODE);
        bonds.add(MIN_BOND);
    }

    function refuseClaim(bytes32 batchId) private {
        bytes memory proof = placed(batchId);
        vm.expectRevert(abi.encodeWithSelector(FaultManager.NothingToClaim.selector, _first.requestId));
        faults.claim(3, proof);
    }

    function share(bytes32 faultId) private {
        vm.warp(block.timestamp + GRACE);
        faults.distribute(faultId);
    }
}
