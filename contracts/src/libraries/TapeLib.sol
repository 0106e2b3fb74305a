// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {ModelRegistry} from "../ModelRegistry.sol";
import {BatchBook} from "../settlement/BatchBook.sol";
import {Settlement} from "../Settlement.sol";
import {DataLib, DataSibling} from "./DataLib.sol";
import {Entry} from "./InclusionLib.sol";
import {Receipt} from "./ReceiptLib.sol";

/// @notice What the registry's hash of a circuit's weights stands for.
struct Circuit {
    bytes32 modelRoot;
    bytes32 weightsRoot;
    bytes32 programRoot;
    /// Gates of the program, and words of each tape.
    uint32 gates;
}

/// @notice What shows that a tape's root stands in a batch file beside a receipt of mode zk (docs/zkml.md, "On chain: fault 2").
library TapeLib {
    uint8 internal constant MODE_ZK = 2;
    bytes32 private constant CIRCUIT_TAG = keccak256("assay/zk-circuit/v1");

    error NotOfThisModel(bytes32 requestId);
    error NotTheFile(bytes32 batchId);
    error NotThere(uint256 position);

    /// @dev The circuit is the one that the publisher of the receipt's model registered.
    function requireModel(ModelRegistry models, Receipt calldata receipt, Circuit memory circuit) internal view {
        bytes32 circuitHash = keccak256(abi.encode(CIRCUIT_TAG, circuit));
        (,,,,, bytes32 weightsHash) = models.model(receipt.modelId);
        if (receipt.mode != MODE_ZK || weightsHash != circuitHash) revert NotOfThisModel(receipt.requestId);
    }

    /// @dev The chunks, which follow each other, are those of the file that the batch's id commits to.
    /// @param length of the whole file, bytes
    /// @param chunks joined
    /// @param siblings of each chunk
    function requireFile(
        Settlement settlement,
        bytes32 batchId,
        uint64 length,
        uint64 firstChunk,
        bytes calldata chunks,
        DataSibling[][] calldata siblings
    ) internal view {
        BatchBook.Batch memory b = settlement.batch(batchId);
        uint256 from = 0;
        for (uint256 i = 0; i < siblings.length; i++) {
            uint64 index = firstChunk + uint64(i);
            uint256 size = DataLib.chunkLength(length, index);
            if (size == 0 || from + size > chunks.length) revert NotTheFile(batchId);
            bytes32 dataHash = DataLib.dataHash(length, index, chunks[from:from + size], siblings[i]);
            if (settlement.batchIdOf(b.committer, b.height, b.root, dataHash) != batchId) revert NotTheFile(batchId);
            from += size;
        }
        if (from != chunks.length) revert NotTheFile(batchId);
    }

    /// @dev `"signature":"0x…","tape":"0x…"`: no text inside a canonical JSON file holds such quotes, so these bytes stand
    /// in it only where it states the tape of this receipt.
    /// @param start where in `chunks` the receipt's signature begins, with its name
    function requireStated(
        Entry calldata entry,
        bytes calldata signature,
        bytes32 tapeRoot,
        bytes calldata chunks,
        uint256 start
    ) internal pure {
        if (keccak256(signature) != entry.signatureHash) revert NotThere(start);
        bytes memory expected = abi.encodePacked(
            '"signature":"',
            Strings.toHexString(signature),
            '","tape":"',
            Strings.toHexString(uint256(tapeRoot), 32),
            '"'
        );
        if (start > chunks.length || expected.length > chunks.length - start) revert NotThere(start);
        if (keccak256(chunks[start:start + expected.length]) != keccak256(expected)) revert NotThere(start);
    }
}
