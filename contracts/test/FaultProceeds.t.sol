// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {FaultProceeds} from "../src/faults/FaultProceeds.sol";
import {Params} from "../src/libraries/Params.sol";
import {OPG} from "../src/OPG.sol";
import {ParamStore} from "../src/ParamStore.sol";
import {FaultFixture} from "./FaultFixture.sol";

/// @dev What a fault manager does with proceeds, at anyone's call.
contract OpenProceeds is FaultProceeds {
    constructor(OPG token_, ParamStore params_, address insurance_) FaultProceeds(token_, params_, insurance_) {}

    function open(bytes32 faultId, address prover) external {
        _openProceeds(faultId, prover, uint64(block.timestamp));
    }

    function add(bytes32 faultId, uint256 taken) external {
        _addProceeds(faultId, taken);
    }

    function note(bytes32 faultId, address payer, uint128 owed) external {
        _noteClaim(faultId, keccak256(abi.encode(payer)), payer, owed);
    }

    function closed(bytes32 faultId) external view returns (bool) {
        return _claimsClosed(faultId);
    }
}

/// @title Where slashed tokens go, to the base unit
contract FaultProceedsTest is FaultFixture {
    bytes32 private constant ID = keccak256("fault id");
    address private constant ALICE = address(0xB1);
    address private constant BOB = address(0xB2);
    address private constant CAROL = address(0xB3);

    OpenProceeds private proceeds;

    function setUp() public {
        vm.warp(START);
        token = new OPG(address(this));
        params = deployFaultParams();
        proceeds = new OpenProceeds(token, params, INSURANCE);
        proceeds.open(ID, HUNTER);
    }

    // ---------------------------------------------------------------- shares

    function test_aFifthIsBountyThreeTenthsAreInsuranceTheRestBurns() public {
        uint256 supply = token.totalSupply();
        take(100e18);
        distribute();
        assertEq(proceeds.credit(HUNTER), 20e18);
        assertEq(proceeds.credit(INSURANCE), 30e18);
        assertEq(token.totalSupply(), supply - 50e18);
        assertEq(proceeds.pendingBurn(), 0);
        FaultProceeds.Proceeds memory p = proceeds.proceedsOf(ID);
        assertEq(p.taken, 100e18);
        assertEq(p.distributed, 100e18);
        assertEq(p.bounty, 20e18);
        assertEq(uint256(p.owed) + p.compensated, 0);
    }

    function test_theCapHoldsOverAllDistributionsOfAFault() public {
        uint256[3] memory bounties = [uint256(20e18), 30e18, 30e18];
        for (uint256 i = 0; i < 3; i++) {
            take(100e18);
            distribute();
            assertEq(proceeds.credit(HUNTER), bounties[i]);
            assertEq(proceeds.credit(INSURANCE), (i + 1) * 30e18);
        }
    }

    function test_sharesAreThoseOfTheTimeOfTheOffence() public {
        vote(1000, 15e18, 2000);
        vm.warp(START + 1);
        proceeds.open(ID, HUNTER);
        vm.warp(START + 2);
        vote(1, 1, 1);
        take(100e18);
        vm.warp(START + 1 + GRACE);
        proceeds.distribute(ID);
        assertEq(proceeds.credit(HUNTER), 10e18);
        assertEq(proceeds.credit(INSURANCE), 20e18);
        take(100e18);
        proceeds.distribute(ID);
        assertEq(proceeds.credit(HUNTER), 15e18);
    }

    function test_nothingIsSharedOutBeforeClaimsCloseNorTwice() public {
        take(100e18);
        vm.warp(START + GRACE - 1);
        assertTrue(!proceeds.closed(ID));
        vm.expectRevert(abi.encodeWithSelector(FaultProceeds.ClaimsOpen.selector, START + GRACE));
        proceeds.distribute(ID);
        vm.warp(START + GRACE);
        assertTrue(proceeds.closed(ID));
        proceeds.distribute(ID);
        vm.expectRevert(abi.encodeWithSelector(FaultProceeds.NothingToDistribute.selector, ID));
        proceeds.distribute(ID);
        vm.expectRevert(abi.encodeWithSelector(FaultProceeds.NothingToDistribute.selector, FAULT));
        proceeds.distribute(FAULT);
    }

    // ---------------------------------------------------------------- compensation

    function test_whoLostComesFirst() public {
        proceeds.note(ID, ALICE, 30e18);
        proceeds.note(ID, BOB, 10e18);
        assertEq(proceeds.proceedsOf(ID).owed, 40e18);
        take(100e18);
        distribute();
        assertCredits(30e18, 10e18);
        assertEq(proceeds.credit(HUNTER), 12e18);
        assertEq(proceeds.credit(INSURANCE), 18e18);
        assertOwed(0, 0);
        // Whole is whole: what comes later is no longer theirs.
        take(100e18);
        distribute();
        assertCredits(30e18, 10e18);
    }

    function test_sevenTenthsAreSharedInProportionUntilAllAreWhole() public {
        proceeds.note(ID, ALICE, 100e18);
        proceeds.note(ID, BOB, 50e18);
        take(90e18);
        distribute();
        assertCredits(42e18, 21e18);
        assertOwed(58e18, 29e18);
        assertEq(proceeds.proceedsOf(ID).compensated, 63e18);
        take(60e18);
        distribute();
        assertCredits(70e18, 35e18);
        take(100e18);
        distribute();
        assertCredits(100e18, 50e18);
        assertOwed(0, 0);
    }

    function testFuzz_nobodyGetsMoreThanItLostAndAllTogetherSevenTenths(uint96[3] memory owed, uint96 taken) public {
        address[3] memory payers = [ALICE, BOB, CAROL];
        for (uint256 i = 0; i < 3; i++) proceeds.note(ID, payers[i], owed[i]);
        uint256 amount = 1 + uint256(taken) % 1e26;
        take(amount);
        distribute();
        uint256 given = 0;
        for (uint256 i = 0; i < 3; i++) {
            uint256 credit = proceeds.credit(payers[i]);
            assertTrue(credit <= owed[i]);
            assertEq(proceeds.claimsOf(ID)[i].owed, owed[i] - credit);
            given += credit;
        }
        assertTrue(given <= amount * 7 / 10);
        assertEq(proceeds.proceedsOf(ID).compensated, given);
        assertTrue(given + proceeds.credit(HUNTER) <= amount * 76 / 100);
    }

    function test_theLargestThirtyTwoLossesAreClaimed() public {
        for (uint160 i = 0; i < 32; i++) proceeds.note(ID, address(i + 1), i == 1 || i == 7 ? 5e18 : 10e18 + uint128(i));
        uint256 owed = proceeds.proceedsOf(ID).owed;
        vm.expectRevert(abi.encodeWithSelector(FaultProceeds.TooManyClaims.selector, ID));
        proceeds.note(ID, ALICE, 5e18);
        // Of two equals the earlier makes room,
        proceeds.note(ID, ALICE, 5e18 + 1);
        assertEq(proceeds.claimsOf(ID)[1].payer, ALICE);
        assertEq(proceeds.proceedsOf(ID).owed, owed + 1);
        // then the other, then those, and then the first of all.
        proceeds.note(ID, BOB, 8e18);
        assertEq(proceeds.claimsOf(ID)[7].payer, BOB);
        for (uint256 i = 0; i < 2; i++) proceeds.note(ID, CAROL, 20e18);
        assertEq(proceeds.claimsOf(ID)[1].payer, CAROL);
        assertEq(proceeds.claimsOf(ID)[7].payer, CAROL);
        proceeds.note(ID, ALICE, 20e18);
        assertEq(proceeds.claimsOf(ID)[0].payer, ALICE);
        assertEq(proceeds.claimsOf(ID).length, 32);
    }

    // ---------------------------------------------------------------- credit and fire

    function test_aCreditIsWithdrawnOnce() public {
        take(100e18);
        distribute();
        vm.prank(HUNTER);
        assertEq(proceeds.withdraw(), 20e18);
        assertEq(token.balanceOf(HUNTER), 20e18);
        vm.expectRevert(abi.encodeWithSelector(FaultProceeds.NoCredit.selector, HUNTER));
        vm.prank(HUNTER);
        proceeds.withdraw();
    }

    function test_whatIsToBeBurnedWaitsForItsTokens() public {
        uint256 supply = token.totalSupply();
        proceeds.add(ID, 100e18);
        token.transfer(address(proceeds), 50e18 - 1);
        distribute();
        assertEq(proceeds.pendingBurn(), 50e18);
        token.transfer(address(proceeds), 1);
        proceeds.burn();
        assertEq(proceeds.pendingBurn(), 0);
        assertEq(token.totalSupply(), supply - 50e18);
        // To the unit what is needed is enough.
        proceeds.add(ID, 100e18);
        token.transfer(address(proceeds), 60e18);
        distribute();
        assertEq(token.totalSupply(), supply - 110e18);
    }

    function test_somebodyIsInsured() public {
        vm.expectRevert(FaultProceeds.ZeroAddress.selector);
        new OpenProceeds(token, params, address(0));
    }

    function test_theWayOfProceedsIsToldByEvents() public {
        vm.expectEmit(address(proceeds));
        emit FaultProceeds.ClaimNoted(ID, keccak256(abi.encode(ALICE)), ALICE, 40e18);
        proceeds.note(ID, ALICE, 40e18);
        take(100e18);
        vm.warp(START + GRACE);
        vm.expectEmit(address(proceeds));
        emit FaultProceeds.Compensated(ID, ALICE, 40e18);
        vm.expectEmit(address(proceeds));
        emit FaultProceeds.ProceedsDistributed(ID, HUNTER, 40e18, 12e18, 18e18, 30e18);
        proceeds.distribute(ID);
        vm.expectEmit(address(proceeds));
        emit FaultProceeds.CreditWithdrawn(ALICE, 40e18);
        vm.prank(ALICE);
        proceeds.withdraw();
    }

    // ---------------------------------------------------------------- helpers

    function vote(uint256 bountyBps, uint256 cap, uint256 insuranceBps) private {
        params.set(Params.BOUNTY_BPS, bountyBps);
        params.set(Params.BOUNTY_CAP, cap);
        params.set(Params.INSURANCE_BPS, insuranceBps);
    }

    function take(uint256 amount) private {
        proceeds.add(ID, amount);
        token.transfer(address(proceeds), amount);
    }

    function distribute() private {
        vm.warp(START + GRACE);
        proceeds.distribute(ID);
    }

    function assertCredits(uint256 alice, uint256 bob) private view {
        assertEq(proceeds.credit(ALICE), alice);
        assertEq(proceeds.credit(BOB), bob);
    }

    function assertOwed(uint256 alice, uint256 bob) private view {
        assertEq(proceeds.claimsOf(ID)[0].owed, alice);
        assertEq(proceeds.claimsOf(ID)[1].owed, bob);
    }
}
