// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {NodeBond} from "../src/NodeBond.sol";
import {Params} from "../src/libraries/Params.sol";
import {Fixture} from "./Fixture.sol";

/// @title What an operator puts up, takes back in time, and covers meanwhile
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

    function test_whoNeverRegisteredIsNotSaidToHave() public view {
        (,,,, bool registered) = bonds.node(NODE);
        assertTrue(registered);
        (,,,, registered) = bonds.node(STRANGER);
        assertTrue(!registered);
    }

    function test_cannotUnbondMoreThanBonded() public {
        vm.prank(NODE);
        vm.expectRevert(abi.encodeWithSelector(NodeBond.NotEnoughBond.selector, MIN_BOND, MIN_BOND + 1));
        bonds.beginUnbond(MIN_BOND + 1);
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

    function test_theSettlementIsNamedOnceByTheDeployer() public {
        assertEq(bonds.settlement(), address(settlement));
        vm.expectRevert(NodeBond.AlreadyWired.selector);
        bonds.setSettlement(STRANGER);
        NodeBond other = new NodeBond(token, params);
        vm.prank(STRANGER);
        vm.expectRevert(NodeBond.AlreadyWired.selector);
        other.setSettlement(STRANGER);
    }

    // ---------------------------------------------------------------- exits

    function test_aSecondExitDoesNotDelayTheFirst() public {
        unbond(40e18);
        vm.warp(START + 20);
        unbond(30e18);
        (, uint256 unbonding, uint64 next,,) = bonds.node(NODE);
        assertEq(unbonding, 70e18);
        assertEq(next, START + UNBONDING);
        vm.warp(START + UNBONDING);
        vm.prank(NODE);
        assertEq(bonds.withdraw(), 40e18);
        vm.warp(START + 20 + UNBONDING - 1);
        vm.prank(NODE);
        vm.expectRevert(abi.encodeWithSelector(NodeBond.StillUnbonding.selector, START + 20 + UNBONDING));
        bonds.withdraw();
        vm.warp(START + 20 + UNBONDING);
        vm.prank(NODE);
        assertEq(bonds.withdraw(), 30e18);
        assertEq(bonds.exitsOf(NODE).length, 0);
    }

    function test_aVoteMovesNoExitUnderWay() public {
        unbond(40e18);
        params.set(Params.UNBONDING, 90 days);
        vm.warp(START + UNBONDING);
        vm.prank(NODE);
        assertEq(bonds.withdraw(), 40e18);
    }

    function test_exitsAreBounded() public {
        for (uint256 i = 0; i < 32; i++) unbond(1e18);
        vm.prank(NODE);
        vm.expectRevert(NodeBond.TooManyExits.selector);
        bonds.beginUnbond(1e18);
        vm.warp(START + UNBONDING);
        vm.prank(NODE);
        assertEq(bonds.withdraw(), 32e18);
        unbond(1e18);
    }

    function test_addingToABondMakesItWhole() public {
        unbond(40e18);
        assertTrue(!bonds.isBonded(NODE));
        fund(NODE, 40e18);
        vm.prank(NODE);
        bonds.add(40e18);
        assertTrue(bonds.isBonded(NODE));
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(NodeBond.NotRegistered.selector, STRANGER));
        bonds.add(1);
    }

    function test_allMayLeaveButNothingIsNoExit() public {
        vm.prank(NODE);
        vm.expectRevert(abi.encodeWithSelector(NodeBond.NotEnoughBond.selector, MIN_BOND, 0));
        bonds.beginUnbond(0);
        unbond(1);
        unbond(MIN_BOND - 1);
        (uint256 bonded, uint256 unbonding,,,) = bonds.node(NODE);
        assertEq(bonded, 0);
        assertEq(unbonding, MIN_BOND);
    }

    function test_theEarliestExitIsTheNextWhereverItStands() public {
        unbond(10e18);
        vm.warp(START + 10);
        unbond(20e18);
        vm.warp(START + 20);
        unbond(30e18);
        // The first is paid and the last takes its place in the list.
        vm.warp(START + UNBONDING);
        vm.prank(NODE);
        bonds.withdraw();
        (,, uint64 next,,) = bonds.node(NODE);
        assertEq(next, START + 10 + UNBONDING);
    }

    // ---------------------------------------------------------------- coverage

    function test_openExposureNeverExceedsKappaTimesTheBond() public {
        uint256 covered = MIN_BOND * 6667 / 10_000;
        vm.startPrank(address(settlement));
        bonds.reserve(cover(NODE, 60e18));
        vm.expectRevert(abi.encodeWithSelector(NodeBond.CoverageExceeded.selector, NODE, 60e18, 7e18, covered));
        bonds.reserve(cover(NODE, 7e18));
        bonds.reserve(cover(NODE, uint96(covered - 60e18)));
        assertEq(bonds.openExposureOf(NODE), covered);
        bonds.release(share(60e18));
        assertEq(bonds.openExposureOf(NODE), covered - 60e18);
        vm.stopPrank();
        // What is leaving covers nothing new.
        unbond(60e18);
        vm.prank(address(settlement));
        vm.expectRevert(
            abi.encodeWithSelector(
                NodeBond.CoverageExceeded.selector, NODE, covered - 60e18, 50e18, 40e18 * 6667 / 10_000
            )
        );
        bonds.reserve(cover(NODE, 50e18));
    }

    function test_onlySettlementReserves() public {
        bytes memory refusal = abi.encodeWithSelector(NodeBond.NotSettlement.selector, address(this));
        vm.expectRevert(refusal);
        bonds.reserve(cover(NODE, 1));
        vm.expectRevert(refusal);
        bonds.release(share(1));
    }

    function test_anUnbondedOperatorCoversNothing() public {
        vm.prank(address(settlement));
        vm.expectRevert(abi.encodeWithSelector(NodeBond.CoverageExceeded.selector, STRANGER, 0, 1, 0));
        bonds.reserve(cover(STRANGER, 1));
        // Nor nothing: a batch names who can answer for it.
        vm.prank(address(settlement));
        vm.expectRevert(abi.encodeWithSelector(NodeBond.NotRegistered.selector, STRANGER));
        bonds.reserve(cover(STRANGER, 0));
        assertEq(bonds.coverageOf(STRANGER), 0);
        assertEq(bonds.coverageOf(NODE), MIN_BOND * 6667 / 10_000);
    }

    function test_withoutAMinimumAStrangerIsStillNotBonded() public {
        assertTrue(!bonds.isBonded(STRANGER));
        vm.mockCall(
            address(params), abi.encodeCall(params.get, (Params.MIN_NODE_BOND)), abi.encode(uint256(0))
        );
        assertTrue(!bonds.isBonded(STRANGER));
        assertTrue(bonds.isBonded(NODE));
    }

    /// @dev `release` outlives a slash: what was reserved is more than what is left, and never wraps round.
    function test_moreThanIsOpenIsReleasedAsNothingLeft() public {
        vm.startPrank(address(settlement));
        bonds.reserve(cover(NODE, 10e18));
        bonds.release(share(11e18));
        vm.stopPrank();
        assertEq(bonds.openExposureOf(NODE), 0);
    }

    // ---------------------------------------------------------------- what an indexer reads

    function test_everyChangeOfABondIsAnEventAndAValue() public {
        fund(STRANGER, MIN_BOND + 1);
        vm.prank(STRANGER);
        vm.expectEmit(address(bonds));
        emit NodeBond.NodeRegistered(STRANGER, "http://a.test", MIN_BOND);
        bonds.register("http://a.test", MIN_BOND);
        (,,, string memory url, bool registered) = bonds.node(STRANGER);
        assertEq(keccak256(bytes(url)), keccak256("http://a.test"));
        assertTrue(registered);

        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(NodeBond.AlreadyRegistered.selector, STRANGER));
        bonds.register("http://b.test", MIN_BOND);

        vm.prank(STRANGER);
        vm.expectEmit(address(bonds));
        emit NodeBond.NodeUrlSet(STRANGER, "http://b.test");
        bonds.setUrl("http://b.test");
        (,,, url,) = bonds.node(STRANGER);
        assertEq(keccak256(bytes(url)), keccak256("http://b.test"));

        vm.prank(STRANGER);
        vm.expectEmit(address(bonds));
        emit NodeBond.BondAdded(STRANGER, 1);
        bonds.add(1);

        vm.prank(STRANGER);
        vm.expectEmit(address(bonds));
        emit NodeBond.UnbondBegun(STRANGER, 1, uint64(START + UNBONDING));
        bonds.beginUnbond(1);

        vm.expectEmit(address(bonds));
        emit NodeBond.NodeSlashed(STRANGER, 2, FAULT);
        bonds.slash(STRANGER, 2, FAULT);

        vm.warp(START + UNBONDING);
        vm.prank(STRANGER);
        vm.expectEmit(address(bonds));
        emit NodeBond.BondWithdrawn(STRANGER, 1);
        bonds.withdraw();
    }

    function test_aUrlIsBounded() public {
        bytes memory url = new bytes(256);
        vm.prank(NODE);
        bonds.setUrl(string(url));
        vm.prank(NODE);
        vm.expectRevert();
        bonds.setUrl(string(new bytes(257)));
    }

    // ---------------------------------------------------------------- helpers

    function unbond(uint256 amount) private {
        vm.prank(NODE);
        bonds.beginUnbond(amount);
    }

    function cover(address operator, uint96 exposure) private pure returns (NodeBond.Cover[] memory covers) {
        covers = new NodeBond.Cover[](1);
        covers[0] = NodeBond.Cover(operator, exposure);
    }

    /// @dev Of the only operator.
    function share(uint96 exposure) private pure returns (NodeBond.Share[] memory shares) {
        shares = new NodeBond.Share[](1);
        shares[0] = NodeBond.Share(1, exposure);
    }
}
