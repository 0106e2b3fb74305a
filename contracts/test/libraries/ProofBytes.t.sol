// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ProofBytes} from "../../src/faults/ProofBytes.sol";
import {TestBase} from "../TestBase.sol";

/// @title Where the members of an encoded proof stand
contract ProofBytesTest is TestBase {
    function testFuzz_wordsOfTheHeadAreReadInOrder(uint256 first, uint256 second, uint256 third) public view {
        bytes memory proof = abi.encode(first, second, third);
        assertEq(this.word(proof, 0), first);
        assertEq(this.word(proof, 1), second);
        assertEq(this.word(proof, 2), third);
    }

    function test_aWordThatDoesNotFitIsNotRead() public {
        this.word(new bytes(64), 1);
        for (uint256 length = 33; length < 64; length++) {
            vm.expectRevert(ProofBytes.ProofTooShort.selector);
            this.word(new bytes(length), 1);
        }
        vm.expectRevert(ProofBytes.ProofTooShort.selector);
        this.word("", 0);
    }

    /// @dev Both heads are of two words; the member named second holds what the other member does not.
    function testFuzz_aMemberStandsWhereItsWordSays(bytes calldata one, bytes calldata other) public view {
        bytes memory proof = abi.encode(one, other);
        assertEq(keccak256(this.bytesAt(proof, 0)), keccak256(one));
        assertEq(keccak256(this.bytesAt(proof, 1)), keccak256(other));
    }

    function test_aMemberBeginsWithinTheProof() public {
        this.offset(abi.encode(uint256(63), uint256(0)), 0);
        this.offset(abi.encode(uint256(0), uint256(63)), 1);
        for (uint256 index = 0; index < 2; index++) {
            vm.expectRevert(ProofBytes.ProofTooShort.selector);
            this.offset(abi.encode(uint256(64), uint256(64)), index);
            vm.expectRevert(ProofBytes.ProofTooShort.selector);
            this.offset(abi.encode(type(uint256).max, type(uint256).max), index);
        }
    }

    function test_aMemberWhoseWordDoesNotFitIsNotThere() public {
        this.offset(new bytes(64), 1);
        for (uint256 length = 33; length < 64; length++) {
            vm.expectRevert(ProofBytes.ProofTooShort.selector);
            this.offset(new bytes(length), 1);
        }
    }

    // ---------------------------------------------------------------- helpers

    /// @dev External, for the library reads calldata.
    function word(bytes calldata proof, uint256 index) external pure returns (uint256) {
        return ProofBytes.word(proof, index);
    }

    /// @return relative to the proof itself
    function offset(bytes calldata proof, uint256 index) external pure returns (uint256 relative) {
        relative = ProofBytes.member(proof, index);
        assembly ("memory-safe") {
            relative := sub(relative, proof.offset)
        }
    }

    function bytesAt(bytes calldata proof, uint256 index) external view returns (bytes memory) {
        uint256 position = this.offset(proof, index);
        uint256 length = uint256(bytes32(proof[position:position + 32]));
        return proof[position + 32:position + 32 + length];
    }
}
