// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {TeeFault} from "../src/faults/TeeFault.sol";
import {Entry} from "../src/libraries/InclusionLib.sol";
import {Group, SumNode} from "../src/libraries/MerkleSumLib.sol";
import {FaultFixture} from "./FaultFixture.sol";
import {MerkleSumBuilder} from "./MerkleSumBuilder.sol";

/// @title A committer that sows batches which are false on purpose
abstract contract CanaryFixture is FaultFixture {
    uint8 internal constant TEE = 1;
    uint8 internal constant CANARY = 8;
    address internal constant WATCHER = address(0x3A7C4);

    Entry[] internal entries;

    function deployCanaries() internal {
        deployFaults();
        fund(COMMITTER, 1000e18);
        vm.prank(COMMITTER);
        token.approve(address(canaries), type(uint256).max);
    }

    /// @dev Five receipts in a row; the third bears a signature of nobody's key.
    function fill() internal {
        delete entries;
        for (uint256 i = 0; i < 5; i++) {
            if (i != 2) entries.push(honestEntry(i));
            else entries.push(entryOf(honest(2), sign(honest(2), ROGUE)));
        }
    }

    function nextBatchId() internal view returns (bytes32) {
        SumNode[] memory rows = rowsAround(rowOf(keyOf(entries[0]), MerkleSumBuilder.top(leavesOf(entries))));
        return idOf(groupsWith(NODE, MerkleSumBuilder.top(rows)));
    }

    function idOf(Group[] memory groups) internal view returns (bytes32) {
        bytes32 root = MerkleSumBuilder.top(MerkleSumBuilder.nodesOf(groups)).hash;
        return settlement.batchIdOf(COMMITTER, height + 1, root, keccak256("data"));
    }

    function sow(bytes32 batchId) internal {
        bytes32 commitment = canaries.commitmentOf(COMMITTER, batchId, SALT);
        vm.prank(COMMITTER);
        canaries.sow(commitment);
    }

    function sown() internal returns (bytes32 batchId) {
        fill();
        return sownAgain();
    }

    function sownAgain() internal returns (bytes32 batchId) {
        batchId = nextBatchId();
        sow(batchId);
        vm.warp(block.timestamp + 1);
        assertEq(commitEntries(entries), batchId);
    }

    function proofOf(bytes32 batchId) internal view returns (bytes memory) {
        uint256 bad = entries.length > 2 ? 2 : 0;
        bytes memory signature = sign(entries[bad].receipt, bad == 2 ? ROGUE : ENCLAVE);
        return abi.encode(TeeFault.Proof(batchId, entries[bad], signature, pathOf(entries, bad)));
    }

    function reveal(bytes32 batchId) internal returns (bytes32) {
        canaries.reveal(batchId, SALT, TEE, proofOf(batchId));
        return faults.faultIdOf(CANARY, batchId);
    }
}
