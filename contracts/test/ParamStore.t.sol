// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ParamStore} from "../src/ParamStore.sol";
import {Params} from "../src/libraries/Params.sol";
import {Fixture} from "./Fixture.sol";

/// @title Voted numbers: their bounds, what holds between them, and from when a vote counts
contract ParamStoreTest is Fixture {
    function setUp() public {
        deployAll();
    }

    function testFuzz_valuesStayInTheirBounds(uint256 value) public {
        (uint256 min, uint256 max) = params.bounds(Params.COVERAGE_KAPPA_BPS);
        bool inside = value >= min && value <= max;
        if (!inside) {
            vm.expectRevert(
                abi.encodeWithSelector(ParamStore.OutOfBounds.selector, Params.COVERAGE_KAPPA_BPS, value, min, max)
            );
        }
        params.set(Params.COVERAGE_KAPPA_BPS, value);
        assertEq(params.get(Params.COVERAGE_KAPPA_BPS), inside ? value : 6667);
    }

    function test_boundsHoldAtTheirEdges() public {
        params.set(Params.COVERAGE_KAPPA_BPS, 10_000);
        params.set(Params.COVERAGE_KAPPA_BPS, 6667);
        vm.expectRevert(
            abi.encodeWithSelector(ParamStore.OutOfBounds.selector, Params.COVERAGE_KAPPA_BPS, 6666, 6667, 10_000)
        );
        params.set(Params.COVERAGE_KAPPA_BPS, 6666);
    }

    function test_stakeOutlastsAttestationWindowAdjudicationAndGrace() public {
        // With attestation 1, adjudication 5 and grace 5, of 30.
        params.set(Params.CHALLENGE_WINDOW, 19);
        refuse(params, Params.CHALLENGE_WINDOW, 20, ParamStore.UnbondingTooShort.selector, UNBONDING, 31);
        refuse(params, Params.ATTEST_TIMEOUT, 2, ParamStore.UnbondingTooShort.selector, UNBONDING, 31);
        refuse(params, Params.ADJUDICATION, 6, ParamStore.UnbondingTooShort.selector, UNBONDING, 31);
        refuse(params, Params.GRACE, 6, ParamStore.UnbondingTooShort.selector, UNBONDING, 31);
        refuse(params, Params.UNBONDING, 29, ParamStore.UnbondingTooShort.selector, 29, 30);
        params.set(Params.UNBONDING, 31);
        params.set(Params.GRACE, 6);
    }

    /// @dev A pause stretches what stake answers for, but not the way out of that stake.
    function test_stakeOutlastsThePauseThatStretchesItsWindows() public {
        number(Params.UNBONDING, 30);
        number(Params.CHALLENGE_WINDOW, 10);
        number(Params.GRACE, 10);
        number(Params.LONGEST_PAUSE, 10);
        ParamStore store = newParams(address(this));
        refuse(store, Params.GRACE, 11, ParamStore.UnbondingTooShort.selector, 30, 31);
        store.set(Params.UNBONDING, 31);
        store.set(Params.GRACE, 11);
    }

    /// @dev What happened under the longer windows can be proven for as long as they were, so stake stays for it.
    function test_aCutOfTheWindowsDoesNotLetStakeLeaveBeforeWhatCameFirst() public {
        assertEq(params.liability(), 16);
        params.set(Params.CHALLENGE_WINDOW, 19);
        assertEq(params.liability(), 30);
        vm.warp(START + 1000);
        params.set(Params.CHALLENGE_WINDOW, 5);
        assertEq(params.liability(), 30);
        refuse(params, Params.UNBONDING, 29, ParamStore.UnbondingTooShort.selector, 29, 30);
        // Other votes neither end nor prolong it.
        vm.warp(START + 1020);
        params.set(Params.COVERAGE_KAPPA_BPS, 7000);
        vm.warp(START + 1030);
        assertEq(params.liability(), 30);
        vm.warp(START + 1031);
        assertEq(params.liability(), 16);
        params.set(Params.UNBONDING, 16);
    }

    /// @dev Against the plain rule, for every second at which something began and every later one at which stake left.
    function testFuzz_stakeOutlastsWhateverBeganBeforeItLeft(uint8[12] memory votes, uint8[12] memory gaps) public {
        uint256[] memory liabilities = new uint256[](13);
        uint256[] memory changes = new uint256[](13);
        (liabilities[0], changes[0]) = (16, START);
        uint256 time = START;
        for (uint256 i = 0; i < 12; i++) {
            time += gaps[i] % 16;
            vm.warp(time);
            bytes32[4] memory keys =
                [Params.CHALLENGE_WINDOW, Params.ADJUDICATION, Params.GRACE, Params.UNBONDING];
            try params.set(keys[votes[i] % 4], 1 + votes[i] / 4) {} catch {}
            liabilities[i + 1] = params.get(Params.CHALLENGE_WINDOW) + params.get(Params.ADJUDICATION)
                + params.get(Params.GRACE) + params.get(Params.ATTEST_TIMEOUT);
            changes[i + 1] = time;
            // Stake that leaves now is free at time + U. What began in any second before ends by its own liability;
            // the latest such second of each value is the one at which the next value came.
            uint256 free = time + params.get(Params.UNBONDING);
            for (uint256 j = 0; j <= i; j++) assertTrue(changes[j + 1] + liabilities[j] <= free);
            assertTrue(time + liabilities[i + 1] <= free);
            assertTrue(params.liability() <= params.get(Params.UNBONDING));
        }
    }

    function test_noRefundComesBeforeTheLongestWayToFinality() public {
        // Attestation 1 + window 5 + adjudication 5.
        params.set(Params.REFUND_TIMEOUT, 11);
        refuse(params, Params.REFUND_TIMEOUT, 10, ParamStore.RefundBeforeFinality.selector, 10, 11);
        refuse(params, Params.ATTEST_TIMEOUT, 2, ParamStore.RefundBeforeFinality.selector, 11, 12);
    }

    /// @dev Else a payer would have its deposit back before a call from before is paid.
    function test_noDepositComesBackBeforeTheLongestWayToFinality() public {
        ParamStore store = storeOf(Params.DEPOSIT_WITHDRAWAL, 11, Params.CHALLENGE_WINDOW, 11);
        refuse(store, Params.DEPOSIT_WITHDRAWAL, 10, ParamStore.RefundBeforeFinality.selector, 10, 11);
        refuse(store, Params.CHALLENGE_WINDOW, 12, ParamStore.RefundBeforeFinality.selector, 11, 12);
    }

    /// @dev A challenge that may stay open for longer than it is reckoned with would outlast the stake that answers for it.
    function test_noChallengeIsAnsweredAfterItsAdjudication() public {
        ParamStore store = storeOf(Params.DATA_RESPONSE, 20, Params.ADJUDICATION, 20);
        refuse(store, Params.DATA_RESPONSE, 21, ParamStore.ResponseAfterAdjudication.selector, 21, 20);
        refuse(store, Params.ADJUDICATION, 19, ParamStore.ResponseAfterAdjudication.selector, 20, 19);
    }

    /// @dev A table is held to the same from the first second on; what it does not name it is not held to.
    function test_aTableThatContradictsItselfIsNotDeployed() public {
        vm.expectRevert(abi.encodeWithSelector(ParamStore.UnbondingTooShort.selector, 30, 31));
        storeOf(Params.UNBONDING, 30, Params.GRACE, 31);
        storeOf(Params.UNBONDING, 31, Params.GRACE, 31);
        assertEq(storeOf(Params.COVERAGE_KAPPA_BPS, 1, Params.GRACE, 31).liability(), 31);
    }

    function test_theNamesOfATableCanBeRead() public {
        bytes32[] memory names = storeOf(Params.UNBONDING, 31, Params.GRACE, 31).keys();
        assertEq(names.length, 2);
        assertEq(names[0], Params.UNBONDING);
        assertEq(names[1], Params.GRACE);
    }

    function test_onlyTheGovernorSetsAndTheRoleNeverMoves() public {
        vm.prank(address(0xBAD));
        vm.expectRevert(abi.encodeWithSelector(ParamStore.NotGovernor.selector, address(0xBAD)));
        params.set(Params.COVERAGE_KAPPA_BPS, 7000);
        assertEq(params.governor(), address(this));
        (bool handedOn,) = address(params).call(abi.encodeWithSignature("setGovernor(address)", address(0xBAD)));
        assertTrue(!handedOn);
    }

    /// @dev What began before a vote is judged by what stood then, also if both lie in one block.
    function test_aVoteDoesNotReachBackToWhatBeganBefore() public {
        params.set(Params.COVERAGE_KAPPA_BPS, 7000);
        assertEq(params.get(Params.COVERAGE_KAPPA_BPS), 7000);
        assertEq(params.getAt(Params.COVERAGE_KAPPA_BPS, START), 6667);
        assertEq(params.getAt(Params.COVERAGE_KAPPA_BPS, START + 1), 7000);
        vm.warp(START + 100);
        params.set(Params.COVERAGE_KAPPA_BPS, 8000);
        vm.warp(START + 200);
        assertEq(params.getAt(Params.COVERAGE_KAPPA_BPS, 0), 6667);
        assertEq(params.getAt(Params.COVERAGE_KAPPA_BPS, START + 100), 7000);
        assertEq(params.getAt(Params.COVERAGE_KAPPA_BPS, START + 101), 8000);
        assertEq(params.getAt(Params.COVERAGE_KAPPA_BPS, type(uint256).max), 8000);
        vm.expectRevert(abi.encodeWithSelector(ParamStore.UnknownParam.selector, bytes32("NOTHING")));
        params.getAt("NOTHING", START);
    }

    function test_aVotedNumberIsAnEvent() public {
        vm.expectEmit(address(params));
        emit ParamStore.ParamSet(Params.COVERAGE_KAPPA_BPS, 7000);
        params.set(Params.COVERAGE_KAPPA_BPS, 7000);
    }

    function test_twoVotesOfOneBlockLeaveTheLast() public {
        vm.warp(START + 10);
        params.set(Params.COVERAGE_KAPPA_BPS, 7000);
        params.set(Params.COVERAGE_KAPPA_BPS, 9000);
        assertEq(params.getAt(Params.COVERAGE_KAPPA_BPS, START + 10), 6667);
        assertEq(params.getAt(Params.COVERAGE_KAPPA_BPS, START + 11), 9000);
    }

    function test_badTablesAreRefusedAtDeployment() public {
        bytes32[] memory names = new bytes32[](2);
        uint256[] memory numbers = new uint256[](2);
        vm.expectRevert(abi.encodeWithSelector(ParamStore.DuplicateParam.selector, bytes32(0)));
        new ParamStore(address(this), names, numbers, numbers, numbers);
        vm.expectRevert(ParamStore.ZeroAddress.selector);
        new ParamStore(address(0), names, numbers, numbers, numbers);
        names[1] = "X";
        vm.expectRevert(ParamStore.LengthMismatch.selector);
        new ParamStore(address(this), names, numbers, numbers, new uint256[](1));
        vm.expectRevert(ParamStore.LengthMismatch.selector);
        new ParamStore(address(this), names, numbers, new uint256[](3), numbers);
        vm.expectRevert(ParamStore.LengthMismatch.selector);
        new ParamStore(address(this), names, new uint256[](3), numbers, numbers);
        uint256[] memory highs = new uint256[](2);
        highs[1] = 1 << 128;
        vm.expectRevert();
        new ParamStore(address(this), names, numbers, numbers, highs);
        uint256[] memory lows = new uint256[](2);
        lows[1] = 1;
        vm.expectRevert(abi.encodeWithSelector(ParamStore.OutOfBounds.selector, bytes32("X"), 1, 1, 0));
        new ParamStore(address(this), names, numbers, lows, numbers);
    }

    function test_anUnknownNameIsNeverZero() public {
        vm.expectRevert(abi.encodeWithSelector(ParamStore.UnknownParam.selector, bytes32("NOTHING")));
        params.get("NOTHING");
    }

    // ---------------------------------------------------------------- helpers

    /// @dev A vote that would put one time beyond another.
    function refuse(ParamStore store, bytes32 name, uint256 value, bytes4 reason, uint256 one, uint256 other) private {
        vm.expectRevert(abi.encodeWithSelector(reason, one, other));
        store.set(name, value);
    }

    /// @dev Of two names, each up to all that a parameter holds.
    function storeOf(bytes32 one, uint256 its, bytes32 other, uint256 others) private returns (ParamStore) {
        number(one, its, 0, type(uint128).max);
        number(other, others, 0, type(uint128).max);
        return newParams(address(this));
    }
}
