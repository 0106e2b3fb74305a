// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {NodeBond} from "../src/NodeBond.sol";
import {Params} from "../src/libraries/Params.sol";
import {Fixture} from "./Fixture.sol";
import {StubbornToken} from "./StubbornToken.sol";

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
    }

    // ---------------------------------------------------------------- slashing

    function testFuzz_aFractionIsOfAllThatIsThereRoundedUp(uint64 fraction, uint96 leaving) public {
        uint256 part = 1 + uint256(fraction) % 1e18;
        unbond(1 + uint256(leaving) % MIN_BOND);
        uint256 taken = bonds.slashFraction(NODE, part, FAULT);
        assertEq(taken, (MIN_BOND * part + 1e18 - 1) / 1e18);
        assertEq(bonds.slashableOf(NODE), MIN_BOND - taken);
        vm.warp(START + UNBONDING);
        vm.prank(NODE);
        uint256 paid = bonds.withdraw();
        (uint256 bonded,,,,) = bonds.node(NODE);
        assertEq(paid + bonded + taken, MIN_BOND);
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
