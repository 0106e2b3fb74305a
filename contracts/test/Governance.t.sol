// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Guardian} from "../src/Guardian.sol";
import {NodeBond} from "../src/NodeBond.sol";
import {ParamStore} from "../src/ParamStore.sol";
import {TeeApprovals} from "../src/tee/TeeApprovals.sol";
import {StakeState} from "../src/staking/StakeState.sol";
import {Params} from "../src/libraries/Params.sol";
import {GovernanceFixture} from "./GovernanceFixture.sol";

/// @title What a vote may do, and that it remits nothing that is owed
/// @notice Economics, "Test first" 14: guardian and governance cannot shorten windows or void a pending slash.
contract GovernanceTest is GovernanceFixture {
    function setUp() public {
        deployVoters();
    }

    // ---------------------------------------------------------------- nothing owed is remitted

    /// @dev 14: exits and windows that run keep the length that they began with.
    function test14_noVoteShortensAWindowThatIsOpen() public {
        registerValidator(MALLORY, 1000e18);
        delegateTo(MALLORY, BOB, 100e18);
        uint256 id = ripen(ALICE, address(params), setCall(Params.UNBONDING, 16));
        uint256 opened = vm.getBlockTimestamp();
        uint256 shares = staking.sharesOf(MALLORY, BOB);
        vm.prank(BOB);
        staking.undelegate(MALLORY, shares);
        governor.execute(id);
        assertEq(params.get(Params.UNBONDING), 16);
        assertEq(params.getAt(Params.UNBONDING, opened), UNBONDING);
        // All exits of an epoch are free together, the unbonding time after its end.
        uint256 free = (staking.epochAt(opened) + 1) * staking.epochLength() + UNBONDING;
        vm.warp(free - 1);
        vm.prank(BOB);
        vm.expectRevert();
        staking.withdraw(MALLORY);
        vm.warp(free);
        vm.prank(BOB);
        staking.withdraw(MALLORY);
        // Nor does any vote bring stake below what it answers for.
        passInVain(
            ALICE,
            address(params),
            setCall(Params.CHALLENGE_WINDOW, 6),
            abi.encodeWithSelector(ParamStore.UnbondingTooShort.selector, 16, 17)
        );
        passInVain(
            ALICE,
            address(params),
            setCall(Params.UNBONDING, 9),
            abi.encodeWithSelector(ParamStore.OutOfBounds.selector, Params.UNBONDING, 9, 10, 90 days)
        );
    }

    /// @dev 14: the contracts that hold stake answer to their fault manager alone, whoever the timelock is.
    function test14_noVoteVoidsOrMovesASlash() public {
        registerValidator(MALLORY, 1000e18);
        registerNode(BOB);
        staking.setFaultManager(address(this));
        bonds.setFaultManager(address(this));
        passInVain(
            ALICE,
            address(staking),
            abi.encodeWithSignature("setFaultManager(address)", ALICE),
            abi.encodeWithSelector(StakeState.AlreadyWired.selector)
        );
        passInVain(
            ALICE,
            address(bonds),
            abi.encodeWithSignature("setFaultManager(address)", ALICE),
            abi.encodeWithSelector(NodeBond.AlreadyWired.selector)
        );
        passInVain(
            ALICE,
            address(staking),
            abi.encodeWithSignature("slash(address,uint64,uint256,bytes32)", MALLORY, 0, 1e17, FAULT),
            abi.encodeWithSelector(StakeState.NotFaultManager.selector, address(timelock))
        );
        uint256 before = token.balanceOf(address(this));
        staking.slash(MALLORY, uint64(staking.currentEpoch()), 5e17, FAULT);
        assertEq(token.balanceOf(address(this)) - before, 500e18);
    }

    /// @dev 14: whatever the guardian may call, it approves, slashes and moves nothing.
    function test14_theGuardianOnlyStopsThings() public {
        pass(ALICE, address(tee), abi.encodeCall(TeeApprovals.approveMeasurement, (HARDWARE, CODE, 1)));
        registerValidator(MALLORY, 1000e18);
        registerNode(BOB);
        bytes32 other = keccak256("other");
        refuseGuardian(address(tee), abi.encodeCall(TeeApprovals.approveHardware, (other)));
        refuseGuardian(address(tee), abi.encodeCall(TeeApprovals.approveRoot, (HARDWARE, other)));
        refuseGuardian(address(tee), abi.encodeCall(TeeApprovals.approveMeasurement, (HARDWARE, other, 1)));
        refuseGuardian(address(tee), abi.encodeCall(TeeApprovals.revokeMeasurement, (HARDWARE, CODE)));
        refuseGuardian(address(params), setCall(Params.GRACE, 4));
        refuseGuardian(address(guardian), abi.encodeCall(Guardian.appoint, (GUARDIAN)));
        refuseGuardian(address(staking), abi.encodeWithSignature("slash(address,uint64,uint256,bytes32)", MALLORY, 0, 1, 0));
        refuseGuardian(address(bonds), abi.encodeWithSignature("slash(address,uint256,bytes32)", BOB, 1, 0));
        refuseGuardian(address(staking), abi.encodeWithSignature("setFaultManager(address)", GUARDIAN));
        refuseGuardian(address(staking), abi.encodeWithSignature("withdraw(address)", MALLORY));
        refuseGuardian(address(timelock), abi.encodeCall(timelock.updateDelay, (0)));
        refuseGuardian(address(timelock), abi.encodeCall(timelock.grantRole, (timelock.PROPOSER_ROLE(), GUARDIAN)));
        // What it may do: stop a record, stop new batches, each for a bounded time.
        vm.prank(GUARDIAN);
        tee.suspend(TeeApprovals.Kind.Measurement, HARDWARE, CODE);
        vm.prank(GUARDIAN);
        pauseClock.pause(type(uint64).max);
        assertTrue(pauseClock.paused());
        vm.warp(vm.getBlockTimestamp() + 3 days);
        assertTrue(!pauseClock.paused());
    }

    // ---------------------------------------------------------------- what governance is for

    function test_aSuspensionIsMadeFinalByVoteInTime() public {
        pass(ALICE, address(tee), abi.encodeCall(TeeApprovals.approveMeasurement, (HARDWARE, CODE, 1)));
        vm.prank(GUARDIAN);
        tee.suspend(TeeApprovals.Kind.Measurement, HARDWARE, CODE);
        uint256 suspended = vm.getBlockTimestamp();
        pass(ALICE, address(tee), abi.encodeCall(TeeApprovals.revokeMeasurement, (HARDWARE, CODE)));
        (, uint64 revokedAt,) = tee.measurement(HARDWARE, CODE);
        assertTrue(vm.getBlockTimestamp() > suspended);
        assertEq(revokedAt, suspended);
    }

    function test_governanceNamesTheNextGuardian() public {
        vm.warp(START + 365 days);
        assertTrue(!guardian.isGuardian(GUARDIAN));
        pass(ALICE, address(guardian), abi.encodeCall(Guardian.appoint, (BOB)));
        assertTrue(guardian.isGuardian(BOB));
        vm.prank(BOB);
        pauseClock.pause(1 days);
        // Lifting a pause by vote takes longer than any pause, so the guardian's own hand is the quick one.
        vm.prank(BOB);
        pauseClock.resume();
        assertTrue(!pauseClock.paused());
    }

    /// @dev Anybody can queue and execute from the chain's state alone: the governor keeps what was proposed.
    function test_proposalsAreKeptOnChain() public {
        uint256 id = proposeCall(ALICE, address(params), setCall(Params.GRACE, 4));
        assertEq(governor.proposalCount(), 1);
        (uint256 first,,,,) = governor.proposalDetailsAt(0);
        assertEq(first, id);
        (address[] memory targets,, bytes[] memory calls,) = governor.proposalDetails(id);
        assertEq(targets[0], address(params));
        assertEq(keccak256(calls[0]), keccak256(setCall(Params.GRACE, 4)));
    }

    // ---------------------------------------------------------------- helpers

    function refuseGuardian(address target, bytes memory call) private {
        vm.prank(GUARDIAN);
        (bool done,) = target.call(call);
        assertTrue(!done);
    }
}
