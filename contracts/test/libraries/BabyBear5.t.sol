// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BabyBear5} from "../../src/libraries/BabyBear5.sol";
import {TestBase} from "../TestBase.sol";

/// @title The field of challenges against polynomials that are multiplied term by term
contract BabyBear5Test is TestBase {
    uint256 private constant P = 15 * 2 ** 27 + 1;
    uint256 private constant DEGREE = 5;
    /// @dev X⁵ = 2.
    uint256 private constant FIFTH_POWER = 2;

    // ---------------------------------------------------------------- arithmetic

    function testFuzz_arithmeticIsThatOfPolynomials(bytes32 one, bytes32 other) public pure {
        uint256[DEGREE] memory a = coefficients(one);
        uint256[DEGREE] memory b = coefficients(other);
        assertArithmetic(a, b);
    }

    /// @dev Every coefficient the greatest there is: no product overflows its neighbours.
    function test_arithmeticHoldsAtTheGreatestCoefficients() public pure {
        uint256[DEGREE] memory zero;
        uint256[DEGREE] memory greatest = [P - 1, P - 1, P - 1, P - 1, P - 1];
        assertArithmetic(greatest, greatest);
        assertArithmetic(greatest, zero);
        assertArithmetic(zero, greatest);
        assertArithmetic(zero, zero);
    }

    /// @dev One coefficient at a time, so that each of the twenty-five products stands alone.
    function test_productsOfPowersOfXAreThePowersTheyShouldBe() public pure {
        for (uint256 i = 0; i < DEGREE; i++) {
            for (uint256 j = 0; j < DEGREE; j++) {
                uint256[DEGREE] memory expected;
                expected[(i + j) % DEGREE] = i + j < DEGREE ? 1 : FIFTH_POWER;
                assertEq(BabyBear5.mul(monomial(i), monomial(j)), packed(expected));
            }
        }
    }

    function testFuzz_theFieldsLawsHold(bytes32 one, bytes32 second, bytes32 third) public pure {
        uint256 a = packed(coefficients(one));
        uint256 b = packed(coefficients(second));
        uint256 c = packed(coefficients(third));
        assertEq(BabyBear5.mul(a, BabyBear5.mul(b, c)), BabyBear5.mul(BabyBear5.mul(a, b), c));
        assertEq(BabyBear5.mul(a, BabyBear5.add(b, c)), BabyBear5.add(BabyBear5.mul(a, b), BabyBear5.mul(a, c)));
        assertEq(BabyBear5.mul(a, BabyBear5.ONE), a);
        assertEq(BabyBear5.add(BabyBear5.sub(a, b), b), a);
        assertEq(BabyBear5.sub(a, a), 0);
    }

    /// @dev a^(p⁵ − 2) is the inverse of a only where X⁵ − 2 makes a field of p⁵ elements.
    function testFuzz_everyElementButZeroHasItsInverse(bytes32 seed) public pure {
        uint256 a = packed(coefficients(seed));
        if (a == 0) return;
        uint256 inverse = power(a, P ** DEGREE - 2);
        assertEq(BabyBear5.mul(a, inverse), BabyBear5.ONE);
    }

    // ---------------------------------------------------------------- words and challenges

    function testFuzz_everyWordIsTurnedRoundInItsPlace(bytes32 words) public pure {
        bytes memory turned = new bytes(32);
        for (uint256 i = 0; i < 32; i++) turned[i] = words[i / 4 * 4 + 3 - i % 4];
        assertEq(bytes32(BabyBear5.turned(uint256(words))), bytes32(turned));
    }

    function testFuzz_aChallengeIsFiveTimesSixBytesModuloP(bytes32 state) public pure {
        uint256[DEGREE] memory expected;
        for (uint256 i = 0; i < DEGREE; i++) {
            uint256 number;
            for (uint256 j = 0; j < 6; j++) number = number * 256 + uint8(state[6 * i + j]);
            expected[i] = number % P;
        }
        assertEq(BabyBear5.fromRandomness(state), packed(expected));
    }

    // ---------------------------------------------------------------- helpers

    function assertArithmetic(uint256[DEGREE] memory a, uint256[DEGREE] memory b) private pure {
        uint256[DEGREE] memory sum;
        uint256[DEGREE] memory difference;
        uint256[DEGREE] memory product;
        for (uint256 i = 0; i < DEGREE; i++) {
            sum[i] = (a[i] + b[i]) % P;
            difference[i] = (a[i] + P - b[i]) % P;
            for (uint256 j = 0; j < DEGREE; j++) {
                uint256 term = a[i] * b[j] % P;
                if (i + j >= DEGREE) term = FIFTH_POWER * term;
                product[(i + j) % DEGREE] = (product[(i + j) % DEGREE] + term) % P;
            }
        }
        assertEq(BabyBear5.add(packed(a), packed(b)), packed(sum));
        assertEq(BabyBear5.sub(packed(a), packed(b)), packed(difference));
        assertEq(BabyBear5.mul(packed(a), packed(b)), packed(product));
    }

    function coefficients(bytes32 seed) private pure returns (uint256[DEGREE] memory a) {
        for (uint256 i = 0; i < DEGREE; i++) a[i] = uint256(keccak256(abi.encode(seed, i))) % P;
    }

    function packed(uint256[DEGREE] memory a) private pure returns (uint256 element) {
        for (uint256 i = 0; i < DEGREE; i++) element = element << 32 | a[i];
    }

    function monomial(uint256 exponent) private pure returns (uint256) {
        uint256[DEGREE] memory a;
        a[exponent] = 1;
        return packed(a);
    }

    function power(uint256 base, uint256 exponent) private pure returns (uint256 result) {
        result = BabyBear5.ONE;
        for (; exponent != 0; exponent >>= 1) {
            if (exponent & 1 == 1) result = BabyBear5.mul(result, base);
            base = BabyBear5.mul(base, base);
        }
    }
}
