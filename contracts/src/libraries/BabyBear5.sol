// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice The field of challenges of the proof system (docs/zkml.md): BabyBear's extension by X⁵ − 2.
/// @dev An element is five coefficients of 32 bits, that of 1 the highest: the words of its encoding, each turned round.
library BabyBear5 {
    uint256 internal constant P = 2_013_265_921;
    uint256 internal constant ONE = 1 << 128;
    /// @dev p in every coefficient, so that a difference is never negative.
    uint256 private constant ALL_P = P << 128 | P << 96 | P << 64 | P << 32 | P;
    uint256 private constant WORD = 0xffffffff;
    uint256 private constant BYTES = type(uint256).max / 0xffff * 0xff;
    uint256 private constant HALVES = type(uint256).max / 0xffffffff * 0xffff;

    /// @return words of four bytes each, turned round: between how they are computed with and how a proof holds them
    function turned(uint256 words) internal pure returns (uint256) {
        words = (words & BYTES) << 8 | words >> 8 & BYTES;
        return (words & HALVES) << 16 | words >> 16 & HALVES;
    }

    /// @notice Five 48-bit numbers from the first, modulo p: a challenge.
    function fromRandomness(bytes32 state) internal pure returns (uint256 element) {
        uint256 v = uint256(state);
        for (uint256 i = 0; i < 5; i++) {
            element = element << 32 | (v >> 208 - 48 * i & 0xffffffffffff) % P;
        }
    }

    function add(uint256 a, uint256 b) internal pure returns (uint256) {
        // No coefficient carries: 2·(p − 1) < 2³².
        return _reduce(a + b);
    }

    function sub(uint256 a, uint256 b) internal pure returns (uint256) {
        return _reduce(a + ALL_P - b);
    }

    /// @notice Schoolbook, with X⁵ = 2. Nine products of 62 bits never overflow a word.
    function mul(uint256 a, uint256 b) internal pure returns (uint256 c) {
        assembly ("memory-safe") {
            let a0 := shr(128, a)
            let a1 := and(shr(96, a), WORD)
            let a2 := and(shr(64, a), WORD)
            let a3 := and(shr(32, a), WORD)
            a := and(a, WORD)
            let b0 := shr(128, b)
            let b1 := and(shr(96, b), WORD)
            let b2 := and(shr(64, b), WORD)
            let b3 := and(shr(32, b), WORD)
            b := and(b, WORD)
            c := add(mul(a1, b), add(mul(a2, b3), add(mul(a3, b2), mul(a, b1))))
            c := mod(add(mul(a0, b0), shl(1, c)), P)
            c := or(shl(32, c), mod(add(mul(a0, b1), add(mul(a1, b0), shl(1, add(mul(a2, b), add(mul(a3, b3), mul(a, b2)))))), P))
            c := or(shl(32, c), mod(add(mul(a0, b2), add(mul(a1, b1), add(mul(a2, b0), shl(1, add(mul(a3, b), mul(a, b3)))))), P))
            c := or(shl(32, c), mod(add(mul(a0, b3), add(mul(a1, b2), add(mul(a2, b1), add(mul(a3, b0), shl(1, mul(a, b)))))), P))
            c := or(shl(32, c), mod(add(mul(a0, b), add(mul(a1, b3), add(mul(a2, b2), add(mul(a3, b1), mul(a, b0))))), P))
        }
    }

    function _reduce(uint256 v) private pure returns (uint256) {
        unchecked {
            return (v >> 128) % P << 128 | (v >> 96 & WORD) % P << 96 | (v >> 64 & WORD) % P << 64
                | (v >> 32 & WORD) % P << 32 | (v & WORD) % P;
        }
    }
}
