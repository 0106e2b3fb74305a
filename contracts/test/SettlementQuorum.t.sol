// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Settlement} from "../src/Settlement.sol";
import {BatchBook} from "../src/settlement/BatchBook.sol";
import {CommitterFixture} from "./CommitterFixture.sol";
import {Vm} from "./Vm.sol";

/// @title When a batch is attested, and whose stake counts for it
contract SettlementQuorumTest is CommitterFixture {
    function setUp() public {
        deployCommitter();
    }

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
        vm.expectEmit();
        emit BatchBook.BatchAttested(id, vm.addr(validatorKeys[0]), INVALID, MIN_BOND);
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

    /// @dev Once, and the batch was never attested on the way.
    function test_aQuorumAgainstABatchIsToldOnce() public {
        bytes32 id = commitAt(1);
        bytes[] memory signatures = signAll(firstKeys(2), attestationDigest(id, INVALID));
        vm.recordLogs();
        settlement.attest(id, 101, true, INVALID, signatures);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        uint256 told;
        for (uint256 i = 0; i < logs.length; i++) {
            if (logs[i].topics[0] != Settlement.QuorumReached.selector) continue;
            told++;
            assertEq(abi.decode(logs[i].data, (uint256)), INVALID);
        }
        assertEq(told, 1);
    }

    function quorumAtOf(bytes32 id) private view returns (uint64) {
        return settlement.batch(id).quorumAt;
    }
}
