// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Finds the ABI-encoded tuple in a proof without copying it.
library ProofBytes {
    error ProofTooShort();

    /// @return offset in calldata, of the dynamic member that the head names at word `index`. Whoever reads through it
    /// is checked against calldatasize by the compiler, so a wild offset reads zeros or reverts; it proves nothing.
    function member(bytes calldata proof, uint256 index) internal pure returns (uint256 offset) {
        if (proof.length < 32 * (index + 1)) revert ProofTooShort();
        uint256 relative = uint256(bytes32(proof[32 * index:32 * (index + 1)]));
        if (relative >= proof.length) revert ProofTooShort();
        // Nothing but the position of `proof` itself needs assembly.
        assembly ("memory-safe") {
            offset := add(proof.offset, relative)
        }
    }

    /// @return number in the head of the proof, at word `index`.
    function word(bytes calldata proof, uint256 index) internal pure returns (uint256) {
        if (proof.length < 32 * (index + 1)) revert ProofTooShort();
        return uint256(bytes32(proof[32 * index:32 * (index + 1)]));
    }
}
