// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {TeeFault} from "../src/faults/TeeFault.sol";
import {Entry} from "../src/libraries/InclusionLib.sol";
import {Receipt} from "../src/libraries/ReceiptLib.sol";
import {FaultFixture} from "./FaultFixture.sol";

/// @title Batches with receipts that no enclave has signed, and who is punished for them
abstract contract BadBatchFixture is FaultFixture {
    address internal constant COPIER = address(0xC0B1);

    uint8 internal constant LOCKED = 1;
    uint8 internal constant PAID = 2;

    /// @dev One bad receipt among four honest ones, which `attesters` validators call valid.
    function badBatch(uint256 attesters) internal returns (bytes32 batchId, bytes memory proof) {
        bytes[] memory proofs;
        (batchId, proofs) = badReceipts(1);
        if (attesters > 0) attestAll(batchId, attesters);
        proof = proofs[0];
    }

    function badReceipts(uint256 count) internal returns (bytes32 batchId, bytes[] memory proofs) {
        return badReceiptsOf(count, 180);
    }

    function expensiveReceipts() internal returns (bytes32 batchId, bytes[] memory proofs) {
        return badReceiptsOf(2, 30e18);
    }

    function badReceiptsOf(uint256 count, uint128 price) internal returns (bytes32 batchId, bytes[] memory proofs) {
        uint256 size = count < 5 ? 5 : count + 1;
        Entry[] memory entries = among(honestEntry(size - 1), size - 1, size);
        bytes[] memory signatures = new bytes[](count);
        for (uint256 i = 0; i < count; i++) {
            Receipt memory r = honest(i);
            r.price = price;
            signatures[i] = sign(r, ROGUE);
            entries[i] = entryOf(r, signatures[i]);
        }
        batchId = commitEntries(entries);
        proofs = new bytes[](count);
        for (uint256 i = 0; i < count; i++) {
            proofs[i] = abi.encode(TeeFault.Proof(batchId, entries[i], signatures[i], pathOf(entries, i)));
        }
    }

    function closeAndDistribute(bytes32 faultId) internal {
        vm.warp(block.timestamp + GRACE);
        faults.distribute(faultId);
    }
}
