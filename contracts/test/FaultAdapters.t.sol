// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {FaultAdapters} from "../src/faults/FaultAdapters.sol";
import {Finding, IFaultAdapter} from "../src/faults/IFaultAdapter.sol";
import {FaultManager} from "../src/FaultManager.sol";
import {InferenceEscrow} from "../src/InferenceEscrow.sol";
import {Params} from "../src/libraries/Params.sol";
import {BatchBook} from "../src/settlement/BatchBook.sol";
import {StakeState} from "../src/staking/StakeState.sol";
import {BadBatchFixture} from "./BadBatchFixture.sol";
import {FixedJudge} from "./FaultDoubles.sol";

/// @dev Uses up whatever gas it gets.
contract Glutton is IFaultAdapter {
    function judge(bytes calldata) external view returns (Finding memory f) {
        while (gasleft() > 0) f.offenceAt = uint64(gasleft() + block.timestamp);
    }
}

/// @title Each class has one judge, which is never replaced and gets all the gas that it is said to
contract FaultAdaptersTest is BadBatchFixture {
    function setUp() public {
        deployFaults();
    }

    // ---------------------------------------------------------------- adapters

    function test_adaptersAreAddedNeverReplaced() public {
        Glutton glutton = new Glutton();
        vm.expectRevert(abi.encodeWithSelector(FaultAdapters.AdapterTaken.selector, 1));
        faults.addAdapter(1, glutton, 200_000);
        vm.expectRevert(abi.encodeWithSelector(FaultAdapters.BadAdapter.selector, 9, glutton, 200_000));
        faults.addAdapter(9, glutton, 200_000);
        vm.expectRevert(abi.encodeWithSelector(FaultAdapters.BadAdapter.selector, 0, glutton, 200_000));
        faults.addAdapter(0, glutton, 200_000);
        vm.expectRevert(abi.encodeWithSelector(FaultAdapters.BadAdapter.selector, 2, glutton, 99_999));
        faults.addAdapter(2, glutton, 99_999);
        vm.expectRevert(abi.encodeWithSelector(FaultAdapters.BadAdapter.selector, 2, glutton, 12_000_001));
        faults.addAdapter(2, glutton, 12_000_001);
        vm.expectRevert(abi.encodeWithSelector(FaultAdapters.BadAdapter.selector, 2, COPIER, 200_000));
        faults.addAdapter(2, IFaultAdapter(COPIER), 200_000);
        vm.prank(COPIER);
        vm.expectRevert(abi.encodeWithSelector(FaultAdapters.NotGovernor.selector, COPIER));
        faults.addAdapter(2, glutton, 200_000);
        vm.expectEmit(address(faults));
        emit FaultAdapters.AdapterAdded(2, address(glutton), 200_000);
        faults.addAdapter(2, glutton, 200_000);
        vm.expectRevert(abi.encodeWithSelector(FaultAdapters.AdapterTaken.selector, 2));
        faults.addAdapter(2, glutton, 200_000);
        FaultManager other = unwired();
        other.addAdapter(1, glutton, 100_000);
        other.addAdapter(2, glutton, 12_000_000);
    }

    function test_wiringIsOneShot() public {
        vm.expectRevert(FaultAdapters.AlreadyWired.selector);
        faults.wire(new uint8[](0), new IFaultAdapter[](0), new uint64[](0));
        FaultManager other = unwired();
        vm.prank(COPIER);
        vm.expectRevert(FaultAdapters.AlreadyWired.selector);
        other.wire(new uint8[](0), new IFaultAdapter[](0), new uint64[](0));
    }

    /// @dev Each by the parameter of its own name.
    function test_eachClassCostsItsOwnPart() public {
        bytes32[8] memory phis = [
            Params.PHI_TEE_BPS,
            Params.PHI_ZK_BPS,
            Params.PHI_EQUIVOCATION_BPS,
            Params.PHI_DATA_BPS,
            Params.PHI_REPLAY_BPS,
            Params.PHI_SUM_BPS,
            Params.PHI_ROW_BPS,
            Params.PHI_CANARY_BPS
        ];
        FaultManager other = unwired();
        FixedJudge judge = new FixedJudge();
        for (uint8 class = 1; class <= 8; class++) {
            params.set(phis[class - 1], class);
            other.addAdapter(class, judge, 200_000);
        }
        vm.warp(block.timestamp + 1);
        Finding memory f;
        f.offenceAt = uint64(block.timestamp);
        judge.set(f);
        for (uint8 class = 1; class <= 8; class++) {
            vm.prank(HUNTER);
            other.announce(other.commitmentOf(HUNTER, class, keccak256(""), SALT));
            vm.roll(vm.getBlockNumber() + 1);
            vm.prank(HUNTER);
            assertEq(other.fault(other.prove(class, "", SALT)).fraction, uint256(class) * 1e14);
        }
    }

    /// @dev A deployment need not sow canaries to punish who called a false batch valid.
    function test_withoutCanariesAFalseBatchIsAFaultAllTheSame() public {
        FaultManager other = unwired();
        FixedJudge judge = new FixedJudge();
        other.addAdapter(1, judge, 200_000);
        (bytes32 batchId,) = badBatch(3);
        Finding memory f;
        (f.batchId, f.attesters, f.offenceAt) = (batchId, true, uint64(block.timestamp));
        judge.set(f);
        vm.startPrank(HUNTER);
        other.announce(other.commitmentOf(HUNTER, 1, keccak256(""), SALT));
        vm.roll(vm.getBlockNumber() + 1);
        assertEq(other.fault(other.prove(1, "", SALT)).batchId, batchId);
        vm.stopPrank();
    }

    /// @dev What a tolerance may explain costs duty for a while, and is no lie told with others.
    function test_aReplayJailsAndGrowsWithNobody() public {
        FixedJudge replay = new FixedJudge();
        faults.addAdapter(5, replay, 200_000);
        (bytes32 batchId,) = badBatch(3);
        Finding memory f;
        (f.faultKey, f.batchId, f.validator, f.offenceAt) = (batchId, batchId, validatorAt(0), uint64(block.timestamp));
        replay.set(f);
        bytes32 faultId = prove(5, "");
        assertEq(faults.fault(faultId).fraction, 0.05e18);
        assertEq(uint256(staking.validator(validatorAt(0)).status), uint256(StakeState.Status.Jailed));
    }

    function test_aReplayMayHoldItsBatchBackAsADemandMay() public {
        FixedJudge replay = new FixedJudge();
        faults.addAdapter(5, replay, 200_000);
        (bytes32 batchId,) = badBatch(1);
        vm.startPrank(address(replay));
        faults.openChallenge(batchId, SALT);
        assertEq(settlement.batch(batchId).challenges, 1);
        faults.closeChallenge(batchId, SALT);
        assertEq(settlement.batch(batchId).challenges, 0);
        vm.stopPrank();
    }

    function test_aClassWithoutAdapterProvesNothing() public {
        vm.expectRevert(abi.encodeWithSelector(FaultAdapters.NoAdapter.selector, 5));
        faults.prove(5, "", SALT);
    }

    // ---------------------------------------------------------------- gas

    /// @dev Test first 8, gas starvation: too little gas is refused before judging, and proves nothing.
    function test_8_tooLittleGasIsNoVerdict() public {
        (bytes32 batchId, bytes memory proof) = badBatch(0);
        announce(HUNTER, 1, proof);
        for (uint256 gas = 100_000; gas < 1_100_000; gas += 100_000) {
            vm.prank(HUNTER);
            (bool ok,) = address(faults).call{gas: gas}(abi.encodeCall(FaultManager.prove, (1, proof, SALT)));
            if (ok) break;
            assertState(batchId, BatchBook.State.Committed);
            assertEq(bondOf(COMMITTER), MIN_BOND);
        }
        if (stateOf(batchId) == BatchBook.State.Committed) {
            vm.prank(HUNTER);
            faults.prove(1, proof, SALT);
        }
        assertState(batchId, BatchBook.State.Void);
    }

    function test_8_anAdapterThatRunsOutOfGasGivesNoVerdict() public {
        faults.addAdapter(2, new Glutton(), 200_000);
        refuseAny(2, "");
    }

    /// @dev A call passes on 63 parts in 64 of what it has, and needs some for itself.
    function test_8_theJudgeGetsAllItsGasOrNobodyIsJudged() public {
        (, bytes memory proof) = badBatch(0);
        (bool ok, bytes memory reason) =
            address(faults).call{gas: 900_000}(abi.encodeCall(FaultManager.prove, (1, proof, SALT)));
        assertTrue(!ok && bytes4(reason) == FaultAdapters.NotEnoughGas.selector);
        uint256 needed;
        assembly ("memory-safe") {
            needed := mload(add(reason, 68))
        }
        assertEq(needed, uint256(1_000_000) * 64 / 63 + 50_000);
    }


    // ---------------------------------------------------------------- helpers

    function refuseAny(uint8 class, bytes memory proof) private {
        announce(HUNTER, class, proof);
        vm.expectRevert();
        vm.prank(HUNTER);
        faults.prove(class, proof, SALT);
    }

    function unwired() private returns (FaultManager) {
        return new FaultManager(
            token, params, settlement, staking, bonds, InferenceEscrow(address(payments)), grants, INSURANCE, address(this)
        );
    }
}
