// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {NodeBond} from "../src/NodeBond.sol";
import {Fixture} from "./Fixture.sol";

contract NodeBondTest is Fixture {
    address private constant NODE = address(0xC1);
    address private constant STRANGER = address(0xC2);

    function setUp() public {
        deployAll();
        registerNode(NODE);
    }

    function test_bondIsPaidBackOnlyAfterItsTime() public {
        assertTrue(bonds.isBonded(NODE));
        vm.prank(NODE);
        bonds.beginUnbond(40e18);
        assertTrue(!bonds.isBonded(NODE));
        vm.warp(START + UNBONDING - 1);
        vm.prank(NODE);
        vm.expectRevert(abi.encodeWithSelector(NodeBond.StillUnbonding.selector, START + UNBONDING));
        bonds.withdraw();
        vm.warp(START + UNBONDING);
        vm.prank(NODE);
        assertEq(bonds.withdraw(), 40e18);
        assertEq(token.balanceOf(NODE), 40e18);
        vm.prank(NODE);
        vm.expectRevert(abi.encodeWithSelector(NodeBond.NothingUnbonding.selector, NODE));
        bonds.withdraw();
    }

    function test_cannotUnbondMoreThanBonded() public {
        vm.prank(NODE);
        vm.expectRevert(abi.encodeWithSelector(NodeBond.NotEnoughBond.selector, MIN_BOND, MIN_BOND + 1));
        bonds.beginUnbond(MIN_BOND + 1);
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

    function test_anotherDeploysAndNobodyElseWires() public {
        NodeBond other = new NodeBond(token, params);
        vm.prank(STRANGER);
        vm.expectRevert(NodeBond.AlreadyWired.selector);
        other.setFaultManager(STRANGER);
    }

    function test_registerWantsTheMinimum() public {
        fund(STRANGER, MIN_BOND);
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(NodeBond.BondTooSmall.selector, MIN_BOND - 1, MIN_BOND));
        bonds.register("http://node.test", MIN_BOND - 1);
    }
}
