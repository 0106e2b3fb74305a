// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {CanaryRegistry} from "../src/faults/CanaryRegistry.sol";
import {ICanaries} from "../src/faults/ICanaries.sol";
import {Place} from "../src/faults/Places.sol";
import {RowFault} from "../src/faults/RowFault.sol";
import {Entry} from "../src/libraries/InclusionLib.sol";
import {Group, RowKey, Sibling, SumNode} from "../src/libraries/MerkleSumLib.sol";
import {Receipt} from "../src/libraries/ReceiptLib.sol";
import {BatchBook} from "../src/settlement/BatchBook.sol";
import {CanaryFixture} from "./CanaryFixture.sol";
import {MerkleSumBuilder} from "./MerkleSumBuilder.sol";

/// @title A canary excuses nothing but itself, and is no business
contract CanaryExcusesTest is CanaryFixture {
    function setUp() public {
        deployCanaries();
    }

    // ---------------------------------------------------------------- that it excuses nothing

    /// @dev What is forced in is asked for by whom the gateway left out: it is a real call, and no test.
    function test_whatItsSowerForcesInIsNoCanary() public {
        Receipt memory r = honest(2);
        r.key = vm.addr(ROGUE);
        bytes memory signature = sign(r, ROGUE);
        Entry memory entry = entryOf(r, signature);
        SumNode[] memory rows = new SumNode[](1);
        rows[0] = MerkleSumBuilder.row(r, leavesOf(only(entry))[0]);
        Group[] memory groups = new Group[](1);
        groups[0] = MerkleSumBuilder.group(NODE, rows);
        bytes32 root = MerkleSumBuilder.nodeOf(groups[0]).hash;
        bytes32 batchId = settlement.batchIdOf(COMMITTER, 1, root, bytes32(0));
        sow(batchId);
        vm.warp(r.includeBy + 1);
        vm.prank(COMMITTER);
        assertEq(settlement.force(1, entry, signature), batchId);
        (ICanaries.Stance stance,) = canaries.stanceOf(batchId);
        assertTrue(stance == ICanaries.Stance.Plain);
        vm.expectRevert(abi.encodeWithSelector(CanaryRegistry.NotHeld.selector, batchId));
        canaries.reveal(batchId, SALT, TEE, "");
    }

    /// @dev From the commit on its own window and the time of a challenge, and not a second more.
    function test_aCanaryMayBeShownUntilItsBatchCouldBeFinal() public {
        bytes32 batchId = sown();
        uint256 until = block.timestamp + WINDOW + 20;
        assertEq(canaries.revealBy(batchId), until);
        vm.warp(until - 1);
        reveal(batchId);
        assertState(batchId, BatchBook.State.Void);
    }

    function test_aCanaryThatIsNeverRevealedIsAPlainFaultAndItsFlaggerHasTheBounty() public {
        bytes32 batchId = sown();
        attestAll(batchId, 1);
        prove(TEE, proofOf(batchId));
        vm.warp(canaries.revealBy(batchId));
        vm.expectRevert(abi.encodeWithSelector(CanaryRegistry.NotHeld.selector, batchId));
        canaries.reveal(batchId, SALT, 0, "");
        // By anyone, without an announcement: it was made.
        bytes memory proof = proofOf(batchId);
        vm.prank(WATCHER);
        bytes32 faultId = faults.prove(TEE, proof, SALT);
        assertEq(bondOf(COMMITTER), MIN_BOND / 2);
        assertEq(faults.proceedsOf(faultId).prover, HUNTER);
        assertTrue(faults.fault(faultId).provenAt != 0);
    }

    function test_aCanaryThatBecameFinalIsAPlainFault() public {
        bytes32 batchId = sown();
        finalise(batchId);
        bytes memory proof = proofOf(batchId);
        vm.expectRevert(abi.encodeWithSelector(CanaryRegistry.NotHeld.selector, batchId));
        canaries.reveal(batchId, SALT, TEE, proof);
        prove(TEE, proofOf(batchId));
        assertEq(bondOf(COMMITTER), MIN_BOND / 2);
    }

    function test_whoTakesItsSeedBackIsGuiltyLikeAnybody() public {
        bytes32 batchId = sown();
        uint256 before = token.balanceOf(COMMITTER);
        vm.prank(COMMITTER);
        canaries.withdrawSeed();
        assertEq(token.balanceOf(COMMITTER) - before, CANARY_DEPOSIT + CANARY_REWARD);
        bytes memory proof = proofOf(batchId);
        vm.expectRevert(abi.encodeWithSelector(CanaryRegistry.NotThisBatch.selector, batchId));
        canaries.reveal(batchId, SALT, TEE, proof);
        prove(TEE, proof);
        assertEq(bondOf(COMMITTER), MIN_BOND / 2);
        vm.expectRevert(abi.encodeWithSelector(CanaryRegistry.NothingSown.selector, COMMITTER));
        vm.prank(COMMITTER);
        canaries.withdrawSeed();
    }

    function test_aBatchThatWasCommittedBeforeTheSeedIsAPlainFault() public {
        fill();
        sow(nextBatchId());
        bytes32 batchId = commitEntries(entries);
        prove(TEE, proofOf(batchId));
        assertEq(bondOf(COMMITTER), MIN_BOND / 2);
    }

    function test_anotherLieOfTheSowerIsAPlainFaultOnceTheCanaryIsShown() public {
        bytes32 batchId = sown();
        bytes32 other = commitEntries(entries);
        bytes memory proof = proofOf(other);
        vm.expectRevert(abi.encodeWithSelector(CanaryRegistry.NotThisBatch.selector, other));
        canaries.reveal(other, SALT, TEE, proof);
        reveal(batchId);
        prove(TEE, proofOf(other));
        assertEq(bondOf(COMMITTER), MIN_BOND / 2);
    }

    function test_aRealPayersMoneySpoilsACanary() public {
        bytes32 batchId = sown();
        attestAll(batchId, 1);
        reveal(batchId);
        Place memory place = placeOf(batchId, 3);
        vm.expectRevert(abi.encodeWithSelector(CanaryRegistry.NobodysMoney.selector, batchId));
        canaries.spoil(place);
        payments.set(entries[3].receipt.requestId, PAYER, COMMITTER, 180, 1);
        place.path = pathOf(entries, 2);
        vm.expectRevert();
        canaries.spoil(place);
        place.path = pathOf(entries, 3);
        uint256 supply = token.totalSupply();
        vm.prank(WATCHER);
        vm.expectEmit(address(canaries));
        emit CanaryRegistry.CanarySpoiled(batchId, WATCHER);
        canaries.spoil(place);
        assertEq(canaries.credit(WATCHER), CANARY_DEPOSIT / 2);
        assertEq(supply - token.totalSupply(), CANARY_DEPOSIT / 2);
        // It pays like any other lie, and its attesters too.
        bytes32 faultId = prove(TEE, proofOf(batchId));
        faults.punish(faultId, 0, 1);
        assertEq(bondOf(COMMITTER), MIN_BOND / 2);
        assertEq(staking.stakeOf(validatorAt(0)), 0);
        vm.expectRevert();
        canaries.close(batchId);
        assertEq(canaries.credit(COMMITTER), 0);
    }

    function test_aRowUnderAGrantSpoilsACanaryWhateverIsBehindIt() public {
        fill();
        Entry memory entry = entries[0];
        entry.grantId = GRANT;
        SumNode[] memory leaves = leavesOf(entries);
        SumNode memory row = rowOf(keyOf(entry), MerkleSumBuilder.top(leaves));
        SumNode[] memory rows = rowsAround(row);
        Group[] memory groups = groupsWith(NODE, MerkleSumBuilder.top(rows));
        sow(idOf(groups));
        vm.warp(block.timestamp + 1);
        bytes32 batchId = commitGroups(groups, keccak256("data"));
        Place memory place =
            Place(batchId, entries[0], keyOf(entry), NODE, pathIn(NODE, keyOf(entry), leaves, 0));
        // A call that pays for itself, under a grant: a foreign grant.
        bytes memory proof = abi.encode(uint256(1), RowFault.Proof(place, "", new Place[](0)));
        canaries.reveal(batchId, SALT, 7, proof);
        Sibling[] memory rowSiblings = MerkleSumBuilder.proof(rows, 1);
        Sibling[] memory groupSiblings = MerkleSumBuilder.proof(MerkleSumBuilder.nodesOf(groups), 0);
        SumNode memory top = MerkleSumBuilder.top(leaves);
        RowKey memory key = keyOf(entry);
        key.grantId = bytes32(0);
        vm.expectRevert(abi.encodeWithSelector(CanaryRegistry.NobodysMoney.selector, batchId));
        canaries.spoilRow(batchId, key, top, rowSiblings, groupSiblings);
        key.grantId = CODE;
        vm.expectRevert();
        canaries.spoilRow(batchId, key, top, rowSiblings, groupSiblings);
        key.grantId = GRANT;
        vm.prank(WATCHER);
        canaries.spoilRow(batchId, key, top, rowSiblings, groupSiblings);
        prove(7, proof);
        assertEq(bondOf(COMMITTER), MIN_BOND / 2);
    }

    function test_afterTheGraceNobodySpoilsIt() public {
        bytes32 batchId = sown();
        reveal(batchId);
        vm.expectRevert(
            abi.encodeWithSelector(CanaryRegistry.TooEarly.selector, uint64(block.timestamp + GRACE))
        );
        canaries.close(batchId);
        vm.warp(block.timestamp + GRACE);
        payments.set(entries[3].receipt.requestId, PAYER, COMMITTER, 180, 1);
        Place memory place = placeOf(batchId, 3);
        vm.expectRevert(abi.encodeWithSelector(CanaryRegistry.TooLate.selector, uint64(block.timestamp)));
        canaries.spoil(place);
        RowKey memory key = place.key;
        key.grantId = GRANT;
        vm.expectRevert(abi.encodeWithSelector(CanaryRegistry.TooLate.selector, uint64(block.timestamp)));
        canaries.spoilRow(batchId, key, leavesOf(entries)[0], new Sibling[](0), new Sibling[](0));
    }

    function test_anHonestBatchIsNoCanary() public {
        entries.push(honestEntry(1));
        sow(nextBatchId());
        vm.warp(block.timestamp + 1);
        bytes32 batchId = commitEntries(entries);
        bytes memory proof = proofOf(batchId);
        vm.expectRevert();
        canaries.reveal(batchId, SALT, TEE, proof);
        vm.expectRevert(abi.encodeWithSelector(CanaryRegistry.NotFalse.selector, batchId));
        canaries.reveal(batchId, SALT, 4, proof);
    }

    function test_anotherBatchesLieDoesNotMakeThisOneACanary() public {
        bytes32 batchId = sown();
        bytes32 other = commitEntries(entries);
        bytes memory proof = proofOf(other);
        vm.expectRevert(abi.encodeWithSelector(CanaryRegistry.NotFalse.selector, batchId));
        canaries.reveal(batchId, SALT, TEE, proof);
    }

    // ---------------------------------------------------------------- that it is no business

    /// @dev The sower plays hunter, voice and spoiler. Whatever it does, it has no more than before.
    function testFuzz_13_aSowerNeverProfitsFromItself(uint8 what, uint8 others) public {
        uint256 before = token.balanceOf(COMMITTER) + bondOf(COMMITTER);
        bytes32 batchId = sown();
        if (others % 3 > 0) attestAll(batchId, others % 3);
        if (what & 1 != 0) attestWith(batchId, INVALID, oneKey(validatorKeys[2]));
        if (what & 2 != 0) {
            bytes memory proof = proofOf(batchId);
            announce(COMMITTER, TEE, proof);
            vm.prank(COMMITTER);
            faults.prove(TEE, proof, SALT);
        }
        bytes32 faultId = reveal(batchId);
        faults.punish(faultId, 0, 64);
        if (what & 1 != 0) canaries.rewardVoice(batchId, validatorAt(2));
        if (what & 4 != 0) {
            payments.set(entries[3].receipt.requestId, PAYER, COMMITTER, 180, 1);
            Place memory place = placeOf(batchId, 3);
            vm.prank(COMMITTER);
            canaries.spoil(place);
        }
        vm.warp(block.timestamp + GRACE);
        if (what & 4 == 0) canaries.close(batchId);
        if (others % 3 > 0) faults.distribute(faultId);
        // The voice is the sower's friend.
        uint256 has = token.balanceOf(COMMITTER) + bondOf(COMMITTER) + canaries.credit(COMMITTER)
            + canaries.credit(validatorAt(2)) + faults.credit(COMMITTER);
        assertTrue(has <= before);
        uint256 kept = what & 4 != 0 ? CANARY_DEPOSIT / 2 : 0;
        if (what & 3 == 0) kept += CANARY_REWARD;
        assertEq(before - has, kept);
        // Nothing stays behind, and nothing is owed that is not there.
        assertEq(token.balanceOf(address(canaries)), canaries.credit(COMMITTER) + canaries.credit(validatorAt(2)));
    }

    // ---------------------------------------------------------------- helpers

    function placeOf(bytes32 batchId, uint256 index) private view returns (Place memory) {
        return Place(batchId, entries[index], keyOf(entries[index]), NODE, pathOf(entries, index));
    }
}
