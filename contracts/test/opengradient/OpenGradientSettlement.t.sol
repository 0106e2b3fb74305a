// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Entry} from "../../src/libraries/InclusionLib.sol";
import {OpenGradientSettlement} from "../../src/opengradient/OpenGradientSettlement.sol";
import {OpenGradientFixture} from "./OpenGradientFixture.sol";
import {RsaVectors} from "./RsaVectors.sol";

/// @title OpenGradient's settlement events: nothing is told in them that is not final on Assay
contract OpenGradientSettlementTest is OpenGradientFixture {
    bytes32 private constant DATA = keccak256("data");

    OpenGradientSettlement private told;

    event BatchSettlement(bytes32 indexed merkleRoot, uint256 batchSize, bytes walrusBlobId);
    event IndividualSettlement(
        bytes32 indexed teeId,
        address indexed ethAddress,
        bytes32 inputHash,
        bytes32 outputHash,
        uint256 timestamp,
        bytes walrusBlobId,
        bytes signature
    );

    function setUp() public {
        deployRegistry();
        told = new OpenGradientSettlement(settlement, registry);
    }

    function test_aFinalBatchIsToldOnceByItsCommitter() public {
        bytes32 batchId = finalBatch();
        vm.expectEmit(address(told));
        emit BatchSettlement(TREE, 3, abi.encodePacked(DATA));
        vm.prank(COMMITTER);
        told.settleBatch(batchId, DATA, TREE, 3);
        assertEq(told.rootOf(batchId), TREE);
        vm.expectRevert(abi.encodeWithSelector(OpenGradientSettlement.AlreadyTold.selector, batchId));
        vm.prank(COMMITTER);
        told.settleBatch(batchId, DATA, keccak256("another"), 3);
    }

    function test_allOfABatchMayBeTold() public {
        bytes32 batchId = finalBatch();
        uint256 count = settlement.batch(batchId).count;
        vm.prank(COMMITTER);
        told.settleBatch(batchId, DATA, TREE, count);
        assertEq(told.rootOf(batchId), TREE);
    }

    function test_nothingIsToldThatIsNotFinal() public {
        bytes32 batchId = commitEntries(among(honestEntry(9), 1, 3));
        refuseBatch(COMMITTER, batchId, DATA, TREE, 3, OpenGradientSettlement.NotFinal.selector);
        attestAll(batchId, 3);
        refuseBatch(COMMITTER, batchId, DATA, TREE, 3, OpenGradientSettlement.NotFinal.selector);
        refuseBatch(COMMITTER, TREE, DATA, TREE, 3, OpenGradientSettlement.NotFinal.selector);
    }

    function test_nobodyElseTellsAndNothingElseIsTold() public {
        bytes32 batchId = finalBatch();
        uint256 count = settlement.batch(batchId).count;
        refuseBatch(HUNTER, batchId, DATA, TREE, 3, OpenGradientSettlement.NotTheCommitter.selector);
        refuseBatch(COMMITTER, batchId, TREE, TREE, 3, OpenGradientSettlement.NotItsData.selector);
        refuseBatch(COMMITTER, batchId, DATA, bytes32(0), 3, OpenGradientSettlement.BadSize.selector);
        refuseBatch(COMMITTER, batchId, DATA, TREE, 0, OpenGradientSettlement.BadSize.selector);
        refuseBatch(COMMITTER, batchId, DATA, TREE, count + 1, OpenGradientSettlement.BadSize.selector);
    }

    function test_anAnswerIsToldWithItsPayerOnceItsReceiptAndSignatureHold() public {
        register();
        Entry[] memory entries = among(honestEntry(9), 1, 3);
        bytes32 batchId = commitEntries(entries);
        finalise(batchId);
        vm.expectEmit(address(told));
        emit IndividualSettlement(
            teeId,
            PAYER,
            RsaVectors.INPUT,
            RsaVectors.OUTPUT,
            RsaVectors.TIMESTAMP,
            abi.encodePacked(DATA),
            RsaVectors.SIGNATURE
        );
        vm.prank(COMMITTER);
        told.settleIndividual(batchId, DATA, entries[1], pathOf(entries, 1), statement());
        refuseAnswer(COMMITTER, batchId, entries, statement(), OpenGradientSettlement.AlreadyTold.selector);
    }

    function test_anAnswerIsNotToldOtherwise() public {
        register();
        Entry[] memory entries = among(honestEntry(9), 1, 3);
        bytes32 batchId = commitEntries(entries);
        refuseAnswer(COMMITTER, batchId, entries, statement(), OpenGradientSettlement.NotFinal.selector);
        finalise(batchId);
        // … somebody else tells it,
        refuseAnswer(HUNTER, batchId, entries, statement(), OpenGradientSettlement.NotTheCommitter.selector);
        // … its statement is not what was signed,
        OpenGradientSettlement.Statement memory s = statement();
        s.timestamp++;
        refuseAnswer(COMMITTER, batchId, entries, s, OpenGradientSettlement.BadSignature.selector);
        // … another enclave made it,
        s = statement();
        s.teeId = keccak256(RsaVectors.OTHER_KEY);
        refuseAnswer(COMMITTER, batchId, entries, s, OpenGradientSettlement.OtherEnclave.selector);
        // … or its receipt is not in the batch.
        entries[1].receipt.price++;
        refuseAnswer(COMMITTER, batchId, entries, statement(), OpenGradientSettlement.NotInBatch.selector);
    }

    // ---------------------------------------------------------------- helpers

    function finalBatch() private returns (bytes32 batchId) {
        batchId = commitEntries(among(honestEntry(9), 1, 3));
        finalise(batchId);
    }

    function statement() private view returns (OpenGradientSettlement.Statement memory) {
        return OpenGradientSettlement.Statement(
            teeId, RsaVectors.INPUT, RsaVectors.OUTPUT, RsaVectors.TIMESTAMP, RsaVectors.SIGNATURE
        );
    }

    function refuseBatch(address who, bytes32 batchId, bytes32 dataHash, bytes32 root, uint256 size, bytes4 reason)
        private
    {
        vm.prank(who);
        (bool ok, bytes memory result) =
            address(told).call(abi.encodeCall(told.settleBatch, (batchId, dataHash, root, size)));
        assertTrue(!ok && bytes4(result) == reason);
    }

    function refuseAnswer(
        address who,
        bytes32 batchId,
        Entry[] memory entries,
        OpenGradientSettlement.Statement memory s,
        bytes4 reason
    ) private {
        vm.prank(who);
        (bool ok, bytes memory result) = address(told).call(
            abi.encodeCall(told.settleIndividual, (batchId, DATA, entries[1], pathOf(entries, 1), s))
        );
        assertTrue(!ok && bytes4(result) == reason);
    }
}
