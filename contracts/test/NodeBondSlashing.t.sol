// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {NodeBond} from "../src/NodeBond.sol";
import {Fixture} from "./Fixture.sol";
import {StubbornToken} from "./StubbornToken.sol";

/// @title What a fault takes of a bond, to the last base unit, and that no transfer stops it
contract NodeBondSlashingTest is Fixture {
    address private constant NODE = address(0xC1);
    address private constant STRANGER = address(0xC2);

    function setUp() public {
        deployAll();
        registerNode(NODE);
    }

    function test_slashReachesWhatIsLeaving() public {
        vm.prank(NODE);
        bonds.beginUnbond(60e18);
        uint256 mine = token.balanceOf(address(this));
        assertEq(bonds.slash(NODE, 70e18, FAULT), 70e18);
        (uint256 bonded, uint256 unbonding,,,) = bonds.node(NODE);
        assertEq(bonded, 0);
        assertEq(unbonding, 30e18);
        // Never more than there is, so a slash cannot reach the bonds of others.
        assertEq(bonds.slash(NODE, 1000e18, FAULT), 30e18);
        assertEq(token.balanceOf(address(this)) - mine, MIN_BOND);
        assertEq(token.balanceOf(address(bonds)), 0);
    }

    function test_onlyTheFaultManagerSlashes() public {
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(NodeBond.NotFaultManager.selector, STRANGER));
        bonds.slash(NODE, 1, FAULT);
        vm.expectRevert(NodeBond.AlreadyWired.selector);
        bonds.setFaultManager(STRANGER);
    }

    function testFuzz_aFractionIsOfAllThatIsThereRoundedUp(uint64 fraction, uint96 leaving) public {
        uint256 part = 1 + uint256(fraction) % 1e18;
        vm.prank(NODE);
        bonds.beginUnbond(1 + uint256(leaving) % MIN_BOND);
        uint256 taken = bonds.slashFraction(NODE, part, FAULT);
        assertEq(taken, (MIN_BOND * part + 1e18 - 1) / 1e18);
        assertEq(bonds.slashableOf(NODE), MIN_BOND - taken);
        vm.warp(START + UNBONDING);
        vm.prank(NODE);
        uint256 paid = bonds.withdraw();
        (uint256 bonded,,,,) = bonds.node(NODE);
        assertEq(paid + bonded + taken, MIN_BOND);
    }

    function test_halfOfAnOddBondIsTheGreaterHalf() public {
        fund(NODE, 1);
        vm.prank(NODE);
        bonds.add(1);
        assertEq(bonds.slashFraction(NODE, 0.5e18, FAULT), MIN_BOND / 2 + 1);
    }

    function test_aFractionIsAPartOfOne() public {
        vm.expectRevert(abi.encodeWithSelector(NodeBond.BadFraction.selector, 0));
        bonds.slashFraction(NODE, 0, FAULT);
        vm.expectRevert(abi.encodeWithSelector(NodeBond.BadFraction.selector, 1e18 + 1));
        bonds.slashFraction(NODE, 1e18 + 1, FAULT);
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(NodeBond.NotFaultManager.selector, STRANGER));
        bonds.slashFraction(NODE, 1, FAULT);
    }

    function test_aSlashNeverRevertsOnATransfer() public {
        StubbornToken stubborn = new StubbornToken();
        NodeBond other = new NodeBond(stubborn, params);
        other.setFaultManager(address(this));
        stubborn.transfer(NODE, MIN_BOND);
        vm.startPrank(NODE);
        stubborn.approve(address(other), MIN_BOND);
        other.register("http://node.test", MIN_BOND);
        vm.stopPrank();
        stubborn.refuse(address(this), false);
        assertEq(other.slash(NODE, 30e18, FAULT), 30e18);
        assertEq(other.unsentProceeds(), 30e18);
        stubborn.refuse(address(0), false);
        uint256 mine = stubborn.balanceOf(address(this));
        other.sendProceeds();
        assertEq(stubborn.balanceOf(address(this)) - mine, 30e18);
    }

    function test_proceedsThatWereHeldUpAreSentOnce() public {
        StubbornToken stubborn = new StubbornToken();
        NodeBond other = new NodeBond(stubborn, params);
        other.setFaultManager(address(this));
        stubborn.transfer(NODE, 2 * MIN_BOND);
        vm.startPrank(NODE);
        stubborn.approve(address(other), 2 * MIN_BOND);
        other.register("http://node.test", 2 * MIN_BOND);
        vm.stopPrank();
        stubborn.refuse(address(this), false);
        other.slash(NODE, 30e18, FAULT);
        stubborn.refuse(address(0), false);
        other.sendProceeds();
        assertEq(other.unsentProceeds(), 0);
        uint256 mine = stubborn.balanceOf(address(this));
        other.sendProceeds();
        assertEq(stubborn.balanceOf(address(this)), mine);
    }

    function test_aTransferOfNothingIsNone() public {
        vm.recordLogs();
        bonds.sendProceeds();
        assertEq(vm.getRecordedLogs().length, 0);
        uint256 mine = token.balanceOf(address(this));
        bonds.slash(NODE, 1, FAULT);
        assertEq(token.balanceOf(address(this)) - mine, 1);
    }
}
