// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BatchBook} from "../src/settlement/BatchBook.sol";
import {Group} from "../src/libraries/MerkleSumLib.sol";
import {SettlementFixture} from "./SettlementFixture.sol";

/// @title What is kept of a batch: forty voices in seats of sixteen bits, and the bonds of all its nodes
contract BatchBookTest is SettlementFixture {
    address private constant G = address(0x6A7E);
    uint256 private constant VOICES = 40;
    uint128 private constant EXPOSURE = 2;
    bytes32 private constant DATA = keccak256("data");

    function setUp() public {
        deploySettlement();
        bondRichly(G);
    }

    // ---------------------------------------------------------------- voices

    /// @dev Three seats stand in the record and sixteen in each further slot; every third voice says invalid.
    function test_everyVoiceIsRememberedInTheOrderInWhichItSpoke() public {
        uint256[] memory keys = manyValidators();
        bytes32 id = commit(1);
        uint256 valid = 0;
        for (uint256 i = 0; i < VOICES; i++) {
            assertEq(settlement.voiceOf(id, vm.addr(keys[i])), 0);
            assertTrue(!settlement.hasAttested(id, vm.addr(keys[i])));
            attestWith(id, verdictOf(i), oneKey(keys[i]));
            assertTrue(settlement.hasAttested(id, vm.addr(keys[i])));
            if (verdictOf(i) == VALID) valid++;
        }
        // The validator of index zero, which no empty seat speaks for.
        assertEq(staking.indexOf(vm.addr(validatorKeys[0])), 0);
        assertEq(settlement.voiceOf(id, vm.addr(validatorKeys[0])), 0);
        address[] memory attesters = settlement.attestersOf(id);
        assertEq(attesters.length, valid);
        uint256 found = 0;
        for (uint256 i = 0; i < VOICES; i++) {
            assertEq(settlement.voiceOf(id, vm.addr(keys[i])), verdictOf(i));
            if (verdictOf(i) == VALID) assertEq(attesters[found++], vm.addr(keys[i]));
        }
        (uint256 stakeFor, uint256 stakeAgainst) = settlement.attestedStake(id);
        assertEq(stakeFor, valid * MIN_BOND);
        assertEq(stakeAgainst, (VOICES - valid) * MIN_BOND);
    }

    /// @dev The first and the last seat of the record, and of the slots behind it.
    function test_nobodyHasTwoSeats() public {
        uint256[] memory keys = manyValidators();
        bytes32 id = commit(1);
        // Three fifths of the stake: no quorum yet.
        uint256[] memory spoken = new uint256[](26);
        for (uint256 i = 0; i < spoken.length; i++) spoken[i] = keys[i];
        attestWith(id, VALID, spoken);
        uint8[6] memory seats = [0, 2, 3, 18, 19, 25];
        for (uint256 i = 0; i < seats.length; i++) {
            for (uint8 verdict = VALID; verdict <= INVALID; verdict++) {
                bytes[] memory signatures = signAll(oneKey(keys[seats[i]]), attestationDigest(id, verdict));
                uint64 committedBlock = committedBlockOf(id);
                vm.expectRevert(
                    abi.encodeWithSelector(BatchBook.AlreadyAttested.selector, id, vm.addr(keys[seats[i]]))
                );
                settlement.attest(id, committedBlock, true, verdict, signatures);
            }
        }
    }

    /// @dev Who calls it invalid promises nothing, and who is too bold is left out.
    function test_onlyWhoCallsItValidBearsItsExposure() public {
        bytes32 id = commit(1);
        (address first, address second) = (vm.addr(validatorKeys[0]), vm.addr(validatorKeys[1]));
        vm.expectEmit();
        emit BatchBook.BatchAttested(id, first, INVALID, MIN_BOND);
        attestWith(id, INVALID, oneKey(validatorKeys[0]));
        vm.expectEmit();
        emit BatchBook.BatchAttested(id, second, VALID, MIN_BOND);
        attestWith(id, VALID, oneKey(validatorKeys[1]));
        assertEq(staking.openExposureOf(first), 0);
        assertEq(staking.openExposureOf(second), EXPOSURE);
        vm.prank(second);
        staking.undelegate(second, MIN_BOND);
        bytes32 later = commit(2);
        vm.expectEmit();
        emit BatchBook.AttestationUncovered(later, second);
        attestWith(later, VALID, oneKey(validatorKeys[1]));
        assertEq(settlement.voiceOf(later, second), 0);
        vm.roll(block.number + 1);
        later = commit(3);
        bytes[] memory signatures = signAll(oneKey(validatorKeys[1]), attestationDigest(later, VALID));
        vm.expectRevert(abi.encodeWithSelector(BatchBook.NotAValidator.selector, second));
        settlement.attest(later, uint64(block.number), true, VALID, signatures);
    }

    function test_oneInEightyOfTheStakeIsHeardAndABaseUnitLessIsNot() public {
        // 80 parts of which the newcomer holds one.
        registerValidator(vm.addr(0xA9), MIN_BOND);
        delegateTo(vm.addr(validatorKeys[0]), address(0xDE1), 76 * MIN_BOND);
        vm.roll(102);
        bytes32 id = commit(1);
        attestWith(id, INVALID, oneKey(0xA9));
        assertEq(settlement.voiceOf(id, vm.addr(0xA9)), INVALID);

        delegateTo(vm.addr(validatorKeys[0]), address(0xDE1), 1);
        vm.roll(103);
        id = commit(2);
        bytes[] memory signatures = signAll(oneKey(0xA9), attestationDigest(id, INVALID));
        vm.expectRevert(
            abi.encodeWithSelector(BatchBook.StakeTooSmall.selector, vm.addr(0xA9), MIN_BOND, MIN_BOND)
        );
        settlement.attest(id, 103, true, INVALID, signatures);
    }

    // ---------------------------------------------------------------- what is told of it

    function test_anUnknownBatchIsNothing() public view {
        BatchBook.Batch memory nothing;
        assertEq(keccak256(abi.encode(settlement.batch(DATA))), keccak256(abi.encode(nothing)));
    }

    function test_aBatchTellsWhoseItIsAndWhenItReachedWhatItIs() public {
        bytes32 id = commit(1);
        assertEq(settlement.batch(id).committer, G);
        assertTrue(!settlement.batch(id).forced);
        assertEq(settlement.batch(id).quorumAt, 0);
        vm.warp(START + 2);
        attestWith(id, VALID, firstKeys(2));
        assertEq(settlement.batch(id).quorumAt, START + 2);
        assertEq(settlement.batch(id).finalisedAt, 0);
        vm.warp(START + 2 + WINDOW);
        settlement.finalise(id);
        assertEq(settlement.batch(id).quorumAt, 0);
        assertEq(settlement.batch(id).finalisedAt, START + 2 + WINDOW);
        assertEq(settlement.batch(id).committedAt, START);
    }

    // ---------------------------------------------------------------- bonds

    function test_eachNodeAnswersForItsPartAndTheCommitterForAll() public {
        for (uint128 nodes = 1; nodes <= 5; nodes++) {
            bytes32 id = commitOf(nodes);
            for (uint128 i = 0; i < nodes; i++) assertEq(bonds.openExposureOf(nodeAt(i)), (i + 1) * 1e18);
            assertEq(bonds.openExposureOf(G), nodes * (nodes + 1) / 2 * 1e18);
            settlement.voidBatch(id, FAULT);
            for (uint128 i = 0; i < nodes; i++) assertEq(bonds.openExposureOf(nodeAt(i)), 0);
            assertEq(bonds.openExposureOf(G), 0);
        }
    }

    // ---------------------------------------------------------------- helpers

    function verdictOf(uint256 voice) private pure returns (uint8) {
        return voice % 3 == 1 ? INVALID : VALID;
    }

    /// @dev Together with the three of the fixture.
    function manyValidators() private returns (uint256[] memory keys) {
        keys = new uint256[](VOICES);
        for (uint256 i = 0; i < VOICES; i++) {
            keys[i] = 0xB00 + i;
            registerValidator(vm.addr(keys[i]), MIN_BOND);
        }
        vm.roll(block.number + 1);
        return ascending(keys);
    }

    function commit(uint64 height) private returns (bytes32) {
        if (!bonds.isBonded(nodeAt(0))) registerNode(nodeAt(0));
        vm.prank(G);
        return settlement.commit(height, DATA, oneGroup(nodeAt(0), keccak256("top"), EXPOSURE, 1));
    }

    /// @dev A batch in which node i has i + 1 OPG at risk.
    function commitOf(uint128 nodes) private returns (bytes32) {
        Group[] memory groups = new Group[](nodes);
        for (uint128 i = 0; i < nodes; i++) {
            if (!bonds.isBonded(nodeAt(i))) registerNode(nodeAt(i));
            groups[i] = Group(nodeAt(i), keccak256("top"), 1, (i + 1) * 1e18, 1);
        }
        vm.prank(G);
        return settlement.commit(uint64(nodes), DATA, groups);
    }

    function nodeAt(uint256 index) private pure returns (address) {
        return address(uint160(0x40DE + index));
    }
}
