// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DataLib, DataSibling} from "../../src/libraries/DataLib.sol";
import {TestBase} from "../TestBase.sol";

/// @title Files in chunks against docs/spec.md §6
contract DataLibTest is TestBase {
    uint64 private constant CHUNK = 8192;
    uint256 private constant MAX_DEPTH = 16;

    function test_aFileHasAsManyChunksAsItsBytesBegin() public pure {
        assertEq(DataLib.chunkCount(0), 0);
        assertEq(DataLib.chunkCount(1), 1);
        assertEq(DataLib.chunkCount(CHUNK - 1), 1);
        assertEq(DataLib.chunkCount(CHUNK), 1);
        assertEq(DataLib.chunkCount(CHUNK + 1), 2);
        assertEq(DataLib.chunkCount(type(uint64).max), 1 << 51);
    }

    function test_onlyTheLastChunkIsShort() public pure {
        assertEq(DataLib.chunkLength(CHUNK + 1, 0), CHUNK);
        assertEq(DataLib.chunkLength(CHUNK + 1, 1), 1);
        assertEq(DataLib.chunkLength(CHUNK + 1, 2), 0);
        assertEq(DataLib.chunkLength(CHUNK, 0), CHUNK);
        assertEq(DataLib.chunkLength(CHUNK, 1), 0);
        assertEq(DataLib.chunkLength(0, 0), 0);
    }

    function testFuzz_theChunksOfAFileAreItsLength(uint32 length) public pure {
        length %= 64 * uint32(CHUNK);
        uint256 total = 0;
        uint256 count = DataLib.chunkCount(length);
        for (uint256 i = 0; i < count; i++) {
            assertTrue(DataLib.chunkLength(length, i) != 0);
            total += DataLib.chunkLength(length, i);
        }
        assertEq(total, length);
        assertEq(DataLib.chunkLength(length, count), 0);
    }

    function test_eachChunkLeadsToTheHashOfItsFile() public view {
        bytes32[3] memory leaves = [leafOf(0, "first"), leafOf(1, "second"), leafOf(2, "third")];
        bytes32 pair = nodeOf(leaves[0], leaves[1]);
        bytes32 expected = keccak256(abi.encode(keccak256("assay/data/v1"), uint64(20_000), nodeOf(pair, leaves[2])));
        DataSibling[] memory two = new DataSibling[](2);
        two[1] = DataSibling(leaves[2], false);
        two[0] = DataSibling(leaves[1], false);
        assertEq(this.dataHash(20_000, 0, "first", two), expected);
        two[0] = DataSibling(leaves[0], true);
        assertEq(this.dataHash(20_000, 1, "second", two), expected);
        DataSibling[] memory one = new DataSibling[](1);
        one[0] = DataSibling(pair, true);
        assertEq(this.dataHash(20_000, 2, "third", one), expected);
    }

    function test_aChunkMayHaveSixteenSiblingsAndNoMore() public {
        this.dataHash(1, 0, "x", new DataSibling[](MAX_DEPTH));
        vm.expectRevert(abi.encodeWithSelector(DataLib.ProofTooDeep.selector, MAX_DEPTH + 1));
        this.dataHash(1, 0, "x", new DataSibling[](MAX_DEPTH + 1));
    }

    /// @dev External, for what the library reads stands in calldata.
    function dataHash(uint64 length, uint64 index, bytes calldata chunk, DataSibling[] calldata siblings)
        external
        pure
        returns (bytes32)
    {
        return DataLib.dataHash(length, index, chunk, siblings);
    }

    function leafOf(uint64 index, bytes memory chunk) private pure returns (bytes32) {
        return keccak256(abi.encode(keccak256("assay/data-chunk/v1"), index, keccak256(chunk)));
    }

    function nodeOf(bytes32 left, bytes32 right) private pure returns (bytes32) {
        return keccak256(abi.encode(keccak256("assay/data-node/v1"), left, right));
    }
}
