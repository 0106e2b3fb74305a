// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @notice RSASSA-PSS-VERIFY (RFC 8017 §8.1.2) for the one kind of key that OpenGradient's enclaves have: 2048 bits,
/// exponent 65537, SHA-256 for message and mask, salt of 32 bytes.
library RsaPss {
    uint256 internal constant SIZE = 256;
    uint256 private constant HASH = 32;
    /// @dev Length of DB: emLen − hLen − 1.
    uint256 private constant DB = SIZE - HASH - 1;
    /// @dev Zeros of DB before its 0x01: emLen − sLen − hLen − 2.
    uint256 private constant ZEROS = DB - HASH - 1;

    /// @dev All of a SubjectPublicKeyInfo (RFC 3279 §2.3.1) before the modulus, and after it the exponent.
    bytes private constant SPKI_HEAD = hex"30820122300d06092a864886f70d01010105000382010f003082010a0282010100";
    bytes private constant SPKI_TAIL = hex"0203010001";

    error NotAnRsa2048Key();

    /// @notice The modulus of a DER SubjectPublicKeyInfo.
    /// @dev DER has one encoding for each key, so comparing is parsing. A modulus of 2048 bits has its first bit set.
    function modulusOf(bytes calldata spki) internal pure returns (bytes calldata modulus) {
        if (spki.length != SPKI_HEAD.length + SIZE + SPKI_TAIL.length) revert NotAnRsa2048Key();
        modulus = spki[SPKI_HEAD.length:SPKI_HEAD.length + SIZE];
        if (
            keccak256(spki[:SPKI_HEAD.length]) != keccak256(SPKI_HEAD)
                || keccak256(spki[SPKI_HEAD.length + SIZE:]) != keccak256(SPKI_TAIL) || uint8(modulus[0]) < 0x80
                || uint8(modulus[SIZE - 1]) & 1 == 0
        ) revert NotAnRsa2048Key();
    }

    /// @param message what was signed; SHA-256 is taken of it
    function verify(bytes memory message, bytes calldata signature, bytes memory modulus)
        internal
        view
        returns (bool)
    {
        if (signature.length != SIZE || modulus.length != SIZE || !_isBelow(signature, modulus)) return false;
        bytes memory em = Math.modExp(signature, hex"010001", modulus);
        // §9.1.2 steps 4 and 6: the trailer, and the bit that 2047 bits leave over.
        if (uint8(em[SIZE - 1]) != 0xbc || uint8(em[0]) & 0x80 != 0) return false;
        bytes32 h = _word(em, DB);
        // Steps 7 to 9: the mask is taken off in place, a hash at a time; the one byte behind DB that it
        // spoils is of `h`, which was read.
        for (uint256 start = 0; start < DB; start += HASH) {
            bytes32 mask = sha256(abi.encodePacked(h, uint32(start / HASH)));
            for (uint256 i = 0; i < HASH; i++) em[start + i] ^= mask[i];
        }
        em[0] &= 0x7f;
        // Step 10.
        for (uint256 i = 0; i < ZEROS; i++) if (em[i] != 0) return false;
        if (em[ZEROS] != 0x01) return false;
        // Steps 11 to 14.
        return sha256(abi.encodePacked(uint64(0), sha256(message), _word(em, ZEROS + 1))) == h;
    }

    /// @dev §5.2.2 step 1: a representative out of range has a twin in range.
    function _isBelow(bytes calldata a, bytes memory b) private pure returns (bool) {
        for (uint256 i = 0; i < SIZE; i++) {
            if (a[i] != b[i]) return a[i] < b[i];
        }
        return false;
    }

    function _word(bytes memory data, uint256 offset) private pure returns (bytes32 word) {
        // Both callers read within the 256 bytes of `em`.
        assembly ("memory-safe") {
            word := mload(add(add(data, 32), offset))
        }
    }
}
