// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Group, MerkleSumLib} from "../src/libraries/MerkleSumLib.sol";
import {Settlement} from "../src/Settlement.sol";
import {BatchBook} from "../src/settlement/BatchBook.sol";
import {SettlementFixture} from "./SettlementFixture.sol";

contract SettlementTest is SettlementFixture {
    address private constant G = address(0x6A7E);
    address private constant STRANGER = address(0xBAD);
    address private constant NODE = address(0x40DE);
    bytes32 private constant TOP = keccak256("top");
    bytes32 private constant DATA = keccak256("data");

    function setUp() public {
        deploySettlement();
        bondRichly(G);
        bondRichly(NODE);
        bondRichly(STRANGER);
    }

    // ---------------------------------------------------------------- commit

    function test_commitRecordsWhatWasGivenAndWhen() public {
        vm.expectEmit();
        emit Settlement.BatchCommitted(idOf(7), G, 7, rootOf(2), DATA, oneGroup(NODE, TOP, 10, 2));
        bytes32 id = commitAt(7);
        assertEq(id, idOf(7));
        BatchBook.Batch memory batch = settlement.batch(id);
        assertEq(batch.committer, G);
        assertEq(batch.height, 7);
        assertEq(batch.root, rootOf(2));
        assertEq(batch.exposure, 10);
        assertEq(batch.count, 2);
        assertTrue(!batch.forced);
        assertEq(batch.committedAt, START);
        assertEq(batch.committedBlock, 101);
        assertEq(uint256(batch.quorumAt) + batch.finalisedAt, 0);
        assertState(id, BatchBook.State.Committed);
    }

    function testFuzz_heightsStrictlyIncrease(uint32 first, uint32 second) public {
        vm.assume(first > 0);
        commitAt(first);
        if (second <= first) {
            vm.expectRevert(abi.encodeWithSelector(Settlement.HeightTaken.selector, second, first));
            commitAt(second);
            assertEq(settlement.lastHeight(G), first);
        } else {
            commitAt(second);
            assertEq(settlement.lastHeight(G), second);
        }
    }

    function test_heightZeroIsNone() public {
        vm.expectRevert(abi.encodeWithSelector(Settlement.HeightTaken.selector, 0, 0));
        commitAt(0);
    }

    function test_neverTwoRootsAtOneHeight() public {
        bytes32 id = commitAt(1);
        vm.prank(G);
        vm.expectRevert(abi.encodeWithSelector(Settlement.HeightTaken.selector, 1, 1));
        settlement.commit(1, DATA, oneGroup(NODE, keccak256("other top"), 10, 2));
        // Nor after the first one came to nothing.
        settlement.voidBatch(id, FAULT);
        vm.prank(G);
        vm.expectRevert(abi.encodeWithSelector(Settlement.HeightTaken.selector, 1, 1));
        settlement.commit(1, DATA, oneGroup(NODE, keccak256("other top"), 10, 2));
    }

    function test_committersDoNotShareHeights() public {
        commitAt(1);
        vm.prank(STRANGER);
        bytes32 other = settlement.commit(1, DATA, oneGroup(NODE, TOP, 10, 2));
        assertTrue(other != idOf(1));
        assertState(other, BatchBook.State.Committed);
    }

    function test_countIsBounded() public {
        vm.prank(G);
        vm.expectRevert(abi.encodeWithSelector(MerkleSumLib.BadGroups.selector, 0));
        settlement.commit(1, DATA, oneGroup(NODE, TOP, 10, 0));
        vm.prank(G);
        vm.expectRevert(abi.encodeWithSelector(Settlement.BadCount.selector, 4097));
        settlement.commit(1, DATA, oneGroup(NODE, TOP, 10, 4097));
        vm.prank(G);
        settlement.commit(1, DATA, oneGroup(NODE, TOP, 10, 4096));
    }

    function test_groupsAscendByNodeAndNoneIsEmpty() public {
        Group[] memory two = new Group[](2);
        two[0] = Group(NODE, TOP, 1, 1, 1);
        for (uint160 other = uint160(NODE) - 1; other <= uint160(NODE); other++) {
            two[1] = Group(address(other), TOP, 1, 1, 1);
            vm.prank(G);
            vm.expectRevert(abi.encodeWithSelector(MerkleSumLib.BadGroups.selector, 1));
            settlement.commit(1, DATA, two);
        }
        two[1] = Group(address(uint160(NODE) + 1), TOP, 1, 1, 0);
        vm.prank(G);
        vm.expectRevert(abi.encodeWithSelector(MerkleSumLib.BadGroups.selector, 1));
        settlement.commit(1, DATA, two);
        vm.prank(G);
        vm.expectRevert(abi.encodeWithSelector(MerkleSumLib.BadGroups.selector, 0));
        settlement.commit(1, DATA, new Group[](0));
        Group[] memory many = new Group[](33);
        for (uint160 i = 0; i < 33; i++) many[i] = Group(address(i + 1), TOP, 1, 1, 1);
        vm.prank(G);
        vm.expectRevert(abi.encodeWithSelector(MerkleSumLib.BadGroups.selector, 33));
        settlement.commit(1, DATA, many);
    }

    function test_sumsOfManyNodesAddUpAndOverflowReverts() public {
        Group[] memory three = new Group[](3);
        for (uint160 i = 0; i < 3; i++) registerNode(address(i + 1));
        for (uint160 i = 0; i < 3; i++) three[i] = Group(address(i + 1), TOP, uint128(10 + i), uint128(20 + i), uint64(5 + i));
        vm.prank(G);
        BatchBook.Batch memory batch = settlement.batch(settlement.commit(1, DATA, three));
        assertEq(batch.exposure, 63);
        assertEq(batch.count, 18);
        three[1].exposure = type(uint128).max;
        vm.expectRevert(abi.encodeWithSignature("Panic(uint256)", 0x11));
        vm.prank(G);
        settlement.commit(2, DATA, three);
    }

    function test_aBatchWithoutDataIsRefused() public {
        vm.prank(G);
        vm.expectRevert(Settlement.NoData.selector);
        settlement.commit(1, bytes32(0), oneGroup(NODE, TOP, 10, 2));
    }

    // ---------------------------------------------------------------- quorum

    function test_twoOfThreeEqualValidatorsSuffice() public {
        bytes32 id = commitAt(1);
        attestWith(id, VALID, oneKey(validatorKeys[0]));
        assertState(id, BatchBook.State.Committed);
        vm.warp(START + 3);
        vm.expectEmit();
        emit Settlement.QuorumReached(id, VALID);
        attestWith(id, VALID, oneKey(validatorKeys[2]));
        assertState(id, BatchBook.State.Attested);
        (uint256 valid, uint256 invalid) = settlement.attestedStake(id);
        assertEq(valid, 2 * MIN_BOND);
        assertEq(invalid, 0);
        assertEq(quorumAtOf(id), START + 3);
    }

    function test_oneBaseUnitBelowTwoThirdsIsNoQuorum() public {
        // 200e18 of 300e18 + 1 is short; so is 200e18 + 1 of 300e18 + 2; 200e18 + 2 of 300e18 + 3 is two thirds to the unit.
        delegateTo(vm.addr(validatorKeys[2]), STRANGER, 1);
        vm.roll(102);
        bytes32 short = commitAt(1);
        attestWith(short, VALID, firstKeys(2));
        assertState(short, BatchBook.State.Committed);
        delegateTo(vm.addr(validatorKeys[0]), STRANGER, 1);
        vm.roll(103);
        short = commitAt(2);
        attestWith(short, VALID, firstKeys(2));
        assertState(short, BatchBook.State.Committed);
        delegateTo(vm.addr(validatorKeys[0]), STRANGER, 1);
        vm.roll(104);
        bytes32 enough = commitAt(3);
        attestWith(enough, VALID, firstKeys(2));
        assertState(enough, BatchBook.State.Attested);
    }

    function testFuzz_quorumIsExactlyTwoThirds(uint96 a, uint96 b, uint96 c) public {
        uint96[3] memory more = [a, b, c];
        uint256 total = 3 * MIN_BOND;
        for (uint256 i = 0; i < 3; i++) {
            uint256 amount = 1 + uint256(more[i]) % (3 * MIN_BOND);
            total += amount;
            delegateTo(vm.addr(validatorKeys[i]), STRANGER, amount);
        }
        vm.roll(102);
        bytes32 id = commitAt(1);
        attestWith(id, VALID, firstKeys(2));
        uint256 stake = staking.stakeOf(vm.addr(validatorKeys[0])) + staking.stakeOf(vm.addr(validatorKeys[1]));
        assertTrue((stateOf(id) == BatchBook.State.Attested) == (3 * stake >= 2 * total));
    }

    function test_aLateSignatureMovesNoQuorum() public {
        bytes32 id = commitAt(1);
        attestWith(id, VALID, firstKeys(2));
        vm.warp(START + 4);
        attestWith(id, VALID, oneKey(validatorKeys[2]));
        assertEq(quorumAtOf(id), START);
        (uint256 valid,) = settlement.attestedStake(id);
        assertEq(valid, 3 * MIN_BOND);
    }

    function test_anInvalidQuorumVoids() public {
        bytes32 id = commitAt(1);
        attestWith(id, INVALID, oneKey(validatorKeys[0]));
        assertState(id, BatchBook.State.Committed);
        vm.expectEmit();
        emit Settlement.BatchVoided(id, bytes32(0));
        attestWith(id, INVALID, oneKey(validatorKeys[1]));
        assertState(id, BatchBook.State.Void);
        expectWrongState(id, BatchBook.State.Void);
        settlement.finalise(id);
        expectAttestRevert(id, oneKey(validatorKeys[2]), wrongState(id, BatchBook.State.Void));
    }

    function test_verdictsDoNotAddUp() public {
        bytes32 id = commitAt(1);
        attestWith(id, INVALID, oneKey(validatorKeys[0]));
        attestWith(id, VALID, oneKey(validatorKeys[1]));
        assertState(id, BatchBook.State.Committed);
        attestWith(id, VALID, oneKey(validatorKeys[2]));
        assertState(id, BatchBook.State.Attested);
        (uint256 valid, uint256 invalid) = settlement.attestedStake(id);
        assertEq(valid, 2 * MIN_BOND);
        assertEq(invalid, MIN_BOND);
    }

    function test_stakeCountsAsItStoodBeforeTheCommit() public {
        // In the commit's own block, and later: neither counts, neither in the part nor in the whole.
        delegateTo(vm.addr(validatorKeys[0]), STRANGER, 1000 * MIN_BOND);
        bytes32 id = commitAt(1);
        vm.roll(102);
        delegateTo(vm.addr(validatorKeys[0]), STRANGER, 1000 * MIN_BOND);
        vm.roll(103);
        attestWith(id, VALID, oneKey(validatorKeys[0]));
        assertState(id, BatchBook.State.Committed);
        (uint256 valid,) = settlement.attestedStake(id);
        assertEq(valid, MIN_BOND);
        attestWith(id, VALID, oneKey(validatorKeys[1]));
        assertState(id, BatchBook.State.Attested);
    }

    function test_aValidatorOfTheSameBlockHasNoVoice() public {
        uint256 late = 0xBEEF;
        registerValidator(vm.addr(late), 1000 * MIN_BOND);
        bytes32 id = commitAt(1);
        vm.roll(102);
        expectAttestRevert(
            id, oneKey(late), abi.encodeWithSelector(BatchBook.NotAValidator.selector, vm.addr(late))
        );
    }

    function test_aValidatorThatLeftSpeaksOfTheTimeBeforeOnly() public {
        bytes32 id = commitAt(1);
        address gone = vm.addr(validatorKeys[0]);
        vm.prank(gone);
        staking.undelegate(gone, MIN_BOND);
        vm.roll(102);
        bytes32 later = commitAt(2);
        expectAttestRevert(
            later, oneKey(validatorKeys[0]), abi.encodeWithSelector(BatchBook.NotAValidator.selector, gone)
        );
        // Of what was committed while its stake stood it may say that it is bad; but what is leaving covers no promise.
        vm.expectEmit();
        emit BatchBook.AttestationUncovered(id, gone);
        attestWith(id, VALID, firstKeys(2));
        assertState(id, BatchBook.State.Committed);
        attestWith(id, INVALID, oneKey(validatorKeys[0]));
        (, uint256 invalid) = settlement.attestedStake(id);
        assertEq(invalid, MIN_BOND);
    }

    // ---------------------------------------------------------------- signatures

    function test_nobodyAttestsTwice() public {
        bytes32 id = commitAt(1);
        address first = vm.addr(validatorKeys[0]);
        attestWith(id, VALID, oneKey(validatorKeys[0]));
        bytes memory twice = abi.encodeWithSelector(BatchBook.AlreadyAttested.selector, id, first);
        expectAttestRevert(id, oneKey(validatorKeys[0]), twice);
        // Nor with the other verdict.
        bytes[] memory other = signAll(oneKey(validatorKeys[0]), attestationDigest(id, INVALID));
        vm.expectRevert(twice);
        settlement.attest(id, 101, true, INVALID, other);
        // Nor twice in one list.
        uint256[] memory same = new uint256[](2);
        (same[0], same[1]) = (validatorKeys[1], validatorKeys[1]);
        expectAttestRevert(id, same, notAscending(vm.addr(same[0]), vm.addr(same[1])));
        assertState(id, BatchBook.State.Committed);
    }

    function test_signersMustAscend() public {
        bytes32 id = commitAt(1);
        uint256[] memory keys = new uint256[](2);
        (keys[0], keys[1]) = (validatorKeys[1], validatorKeys[0]);
        expectAttestRevert(id, keys, notAscending(vm.addr(keys[0]), vm.addr(keys[1])));
    }

    function testFuzz_onlyValidatorsAttest(uint256 key) public {
        key = 1 + key % (2 ** 255);
        for (uint256 i = 0; i < 3; i++) vm.assume(key != validatorKeys[i]);
        bytes32 id = commitAt(1);
        expectAttestRevert(
            id, oneKey(key), abi.encodeWithSelector(BatchBook.NotAValidator.selector, vm.addr(key))
        );
    }

    function test_oneStrangerSpoilsTheWholeCall() public {
        bytes32 id = commitAt(1);
        uint256[] memory keys = new uint256[](2);
        (keys[0], keys[1]) = (validatorKeys[0], 0xBEEF);
        keys = ascending(keys);
        bytes[] memory signatures = signAll(keys, attestationDigest(id, VALID));
        vm.expectRevert(abi.encodeWithSelector(BatchBook.NotAValidator.selector, vm.addr(0xBEEF)));
        settlement.attest(id, 101, true, VALID, signatures);
        assertTrue(!settlement.hasAttested(id, vm.addr(validatorKeys[0])));
    }

    function test_anotherRegistryBlockIsRefused() public {
        bytes32 id = commitAt(1);
        for (uint64 given = 100; given <= 102; given += 2) {
            bytes32 digest = typedDigest(
                domainOf(address(settlement), DEPLOYMENT), attestationHash(id, rootOf(2), given, true, VALID)
            );
            bytes[] memory signatures = signAll(firstKeys(3), digest);
            vm.expectRevert(abi.encodeWithSelector(Settlement.WrongRegistryBlock.selector, given, 101));
            settlement.attest(id, given, true, VALID, signatures);
        }
    }

    function test_aSignatureOfAnotherDeploymentIsWorthNothing() public {
        bytes32 id = commitAt(1);
        bytes32 message = attestationHash(id, rootOf(2), 101, true, VALID);
        bytes32[4] memory domains = [
            domainOf(address(settlement), keccak256("another deployment")),
            domainOf(address(0xDEAD), DEPLOYMENT),
            domainBut("1", block.chainid + 1),
            domainBut("2", block.chainid)
        ];
        for (uint256 i = 0; i < domains.length; i++) {
            expectForeign(id, typedDigest(domains[i], message));
        }
        assertTrue(!settlement.hasAttested(id, vm.addr(validatorKeys[0])));
    }

    /// @dev The domain of this settlement, were it not for the version or the chain.
    function domainBut(string memory version, uint256 chainId) private view returns (bytes32) {
        bytes32 typeHash = keccak256(
            "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)"
        );
        bytes32 name = keccak256("Assay");
        return keccak256(
            abi.encode(typeHash, name, keccak256(bytes(version)), chainId, address(settlement), DEPLOYMENT)
        );
    }

    function test_everySignedMemberCounts() public {
        bytes32 id = commitAt(1);
        bytes32 domain = domainOf(address(settlement), DEPLOYMENT);
        bytes32[4] memory messages = [
            attestationHash(keccak256("another batch"), rootOf(2), 101, true, VALID),
            attestationHash(id, keccak256("another root"), 101, true, VALID),
            attestationHash(id, rootOf(2), 101, false, VALID),
            attestationHash(id, rootOf(2), 101, true, INVALID)
        ];
        for (uint256 i = 0; i < messages.length; i++) {
            expectForeign(id, typedDigest(domain, messages[i]));
        }
    }

    function test_onlyTheCanonicalFormOfASignatureCounts() public {
        bytes32 id = commitAt(1);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(validatorKeys[0], attestationDigest(id, VALID));
        uint256 n = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
        bytes[] memory signatures = new bytes[](1);
        signatures[0] = abi.encodePacked(r, bytes32(n - uint256(s)), v == 27 ? uint8(28) : uint8(27));
        vm.expectRevert(abi.encodeWithSelector(ECDSA.ECDSAInvalidSignatureS.selector, bytes32(n - uint256(s))));
        settlement.attest(id, 101, true, VALID, signatures);
        signatures[0] = abi.encodePacked(r, s, v, uint8(0));
        vm.expectRevert(abi.encodeWithSelector(ECDSA.ECDSAInvalidSignatureLength.selector, 66));
        settlement.attest(id, 101, true, VALID, signatures);
    }

    function test_onlyTwoVerdictsExist() public {
        bytes32 id = commitAt(1);
        for (uint256 i = 0; i < 2; i++) {
            uint8 verdict = i == 0 ? 0 : 3;
            bytes[] memory signatures = signAll(firstKeys(2), attestationDigest(id, verdict));
            vm.expectRevert(abi.encodeWithSelector(Settlement.BadVerdict.selector, verdict));
            settlement.attest(id, 101, true, verdict, signatures);
        }
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

    function test_aHeightFits32Bits() public {
        vm.expectRevert(abi.encodeWithSelector(Settlement.HeightTooHigh.selector, uint64(1) << 32));
        commitAt(uint64(1) << 32);
        bytes32 id = commitAt(type(uint32).max);
        assertEq(settlement.batch(id).height, type(uint32).max);
    }


    // ---------------------------------------------------------------- helpers

    function commitAt(uint64 height) private returns (bytes32) {
        vm.prank(G);
        return settlement.commit(height, DATA, oneGroup(NODE, TOP, 10, 2));
    }

    function idOf(uint64 height) private pure returns (bytes32) {
        return keccak256(abi.encode(keccak256("assay/batch/v1"), G, height, rootOf(2), DATA));
    }

    function rootOf(uint64 count) private pure returns (bytes32) {
        return keccak256(abi.encode(keccak256("assay/group/v1"), NODE, TOP, 10, 10, count));
    }

    function quorumAtOf(bytes32 id) private view returns (uint64) {
        return settlement.batch(id).quorumAt;
    }

    function expectAttestRevert(bytes32 id, uint256[] memory keys, bytes memory reason) private {
        bytes[] memory signatures = signAll(keys, attestationDigest(id, VALID));
        uint64 committedBlock = committedBlockOf(id);
        vm.expectRevert(reason);
        settlement.attest(id, committedBlock, true, VALID, signatures);
    }

    /// @dev A validator's signature on `digest` is, for this batch, one of somebody who is no validator.
    function expectForeign(bytes32 id, bytes32 digest) private {
        bytes[] memory signatures = signAll(oneKey(validatorKeys[0]), digest);
        address read = ECDSA.recover(attestationDigest(id, VALID), signatures[0]);
        assertTrue(read != vm.addr(validatorKeys[0]));
        vm.expectRevert(abi.encodeWithSelector(BatchBook.NotAValidator.selector, read));
        settlement.attest(id, 101, true, VALID, signatures);
    }

    function expectWrongState(bytes32 id, BatchBook.State state) private {
        vm.expectRevert(wrongState(id, state));
    }

    function wrongState(bytes32 id, BatchBook.State state) private pure returns (bytes memory) {
        return abi.encodeWithSelector(Settlement.WrongState.selector, id, state);
    }

    function notAscending(address previous, address signer) private pure returns (bytes memory) {
        return abi.encodeWithSelector(Settlement.SignersNotAscending.selector, previous, signer);
    }
}
