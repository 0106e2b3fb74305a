// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {RsaPss} from "../../src/opengradient/RsaPss.sol";
import {TestBase} from "../TestBase.sol";
import {RsaVectors} from "./RsaVectors.sol";

/// @title Signatures of RFC 8017: those of Python, and those that a key whose secret the test knows can forge
contract RsaPssTest is TestBase {
    bytes private constant MESSAGE = "message";
    /// @dev DER of a SubjectPublicKeyInfo around a modulus of 2048 bits.
    bytes private constant HEAD = hex"30820122300d06092a864886f70d01010105000382010f003082010a0282010100";
    bytes private constant TAIL = hex"0203010001";
    /// @dev 193 · 2²⁰⁴⁰ − 4265: a prime, so it hides no factors, and anyone may sign with the inverse of 65537 modulo one less.
    uint256 private constant BELOW = 4265;
    bytes private constant EXPONENT =
        hex"aebad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bad64529bac72f";
    /// @dev Salts: with the first the encoded message begins below 0x40; with the others the signature begins with a zero,
    /// and with the first byte of the modulus.
    bytes32 private constant LOW = bytes32(uint256(1));
    bytes32 private constant SHORT = bytes32(uint256(33));
    bytes32 private constant HIGH = bytes32(uint256(389));

    // ---------------------------------------------------------------- Python's signatures

    function test_aSignatureOfPythonHolds() public view {
        assertTrue(holds(RsaVectors.MESSAGE, RsaVectors.SIGNATURE, RsaVectors.KEY));
    }

    function test_anotherSchemeSaltKeyOrMessageDoesNot() public view {
        assertTrue(!holds(RsaVectors.MESSAGE, RsaVectors.SHORT_SALT, RsaVectors.KEY));
        assertTrue(!holds(RsaVectors.MESSAGE, RsaVectors.OLD_SCHEME, RsaVectors.KEY));
        assertTrue(!holds(RsaVectors.MESSAGE, RsaVectors.SIGNATURE, RsaVectors.OTHER_KEY));
        assertTrue(!holds(abi.encodePacked(RsaVectors.INPUT), RsaVectors.SIGNATURE, RsaVectors.KEY));
        assertTrue(!holds("", RsaVectors.SIGNATURE, RsaVectors.KEY));
        assertTrue(!holds(RsaVectors.MESSAGE, "", RsaVectors.KEY));
        assertTrue(!holds(RsaVectors.MESSAGE, new bytes(256), RsaVectors.KEY));
    }

    function testFuzz_noFlippedBitHolds(uint16 bit) public view {
        bytes memory signature = RsaVectors.SIGNATURE;
        uint256 place = uint256(bit) % 2048;
        signature[place / 8] ^= bytes1(uint8(1 << (place % 8)));
        assertTrue(!holds(RsaVectors.MESSAGE, signature, RsaVectors.KEY));
    }

    // ---------------------------------------------------------------- encoded messages (§9.1)

    function testFuzz_whatIsEncodedAsTheStandardSaysHolds(bytes calldata message, bytes32 salt) public view {
        bytes memory signature = signed(encoded(message, salt, dataBlock(salt)));
        assertTrue(this.verify(message, signature, modulus()));
    }

    /// @dev Steps 10 and 14: zeros, one, salt. At the ends of each and in its midst.
    function test_anotherDataBlockDoesNotHold() public view {
        uint8[6] memory places = [0, 1, 100, 189, 191, 222];
        for (uint256 i = 0; i < places.length; i++) {
            bytes memory block_ = dataBlock(0);
            block_[places[i]] ^= 0x01;
            refuse(encoded(MESSAGE, 0, block_));
        }
        for (uint8 separator = 0; separator < 4; separator++) {
            bytes memory block_ = dataBlock(0);
            block_[190] = bytes1(separator);
            if (separator != 1) refuse(encoded(MESSAGE, 0, block_));
        }
    }

    /// @dev Step 4.
    function test_anotherTrailerDoesNotHold() public view {
        bytes memory em = encoded(MESSAGE, 0, dataBlock(0));
        em[255] = 0xbd;
        refuse(em);
        em[255] = 0x00;
        refuse(em);
    }

    /// @dev Step 6: 2047 bits, so the first of 2048 is not set.
    function test_aBitTooManyDoesNotHold() public view {
        bytes memory em = encoded(MESSAGE, LOW, dataBlock(LOW));
        em[0] |= 0x80;
        assertTrue(em[0] < 0xc0);
        refuse(em);
    }

    function test_anotherHashDoesNotHold() public view {
        bytes memory em = encoded(MESSAGE, 0, dataBlock(0));
        em[254] ^= 0x01;
        refuse(em);
    }

    // ---------------------------------------------------------------- representatives (§5.2.2)

    /// @dev All three lead to the same power; only the first is the signature.
    function test_ofOneNumberThereIsOneSignature() public view {
        bytes memory signature = signed(encoded(MESSAGE, SHORT, dataBlock(SHORT)));
        assertTrue(this.verify(MESSAGE, signature, modulus()));
        assertEq(uint8(signature[0]), 0);
        assertTrue(!this.verify(MESSAGE, this.without(signature), modulus()));
        assertTrue(!this.verify(MESSAGE, bytes.concat(hex"00", signature), modulus()));
        assertTrue(!this.verify(MESSAGE, sum(signature, modulus()), modulus()));
        assertTrue(!this.verify(MESSAGE, modulus(), modulus()));
    }

    /// @dev Below the modulus by a later byte than the first.
    function test_aSignatureMayBeginAsTheModulusDoes() public view {
        bytes memory signature = signed(encoded(MESSAGE, HIGH, dataBlock(HIGH)));
        assertEq(uint8(signature[0]), 0xc0);
        assertTrue(this.verify(MESSAGE, signature, modulus()));
    }

    function test_withoutAModulusNothingHolds() public view {
        assertTrue(!this.verify(MESSAGE, signed(encoded(MESSAGE, 0, dataBlock(0))), ""));
    }

    // ---------------------------------------------------------------- keys

    function test_aKeyIsItsModulusInItsDer() public {
        bytes memory n = modulus();
        assertEq(keccak256(this.modulusIn(bytes.concat(HEAD, n, TAIL))), keccak256(n));
        n[0] = 0x80;
        assertEq(keccak256(this.modulusIn(bytes.concat(HEAD, n, TAIL))), keccak256(n));
        // 2047 bits,
        n[0] = 0x7f;
        refuseKey(bytes.concat(HEAD, n, TAIL));
        // even,
        n = modulus();
        n[255] ^= 0x01;
        refuseKey(bytes.concat(HEAD, n, TAIL));
    }

    function test_otherDerIsNoKey() public {
        bytes memory key = bytes.concat(HEAD, modulus(), TAIL);
        refuseKey(this.without(key));
        refuseKey(bytes.concat(key, hex"00"));
        refuseKey(bytes.concat(HEAD, modulus(), hex"02030100"));
        uint256[4] memory places = [0, HEAD.length - 1, key.length - 5, key.length - 1];
        for (uint256 i = 0; i < places.length; i++) {
            key[places[i]] ^= 0x02;
            refuseKey(key);
            key[places[i]] ^= 0x02;
        }
        this.modulusIn(key);
    }

    function test_onlyKeysOf2048BitsAndTheUsualExponentAreRead() public {
        refuseKey(RsaVectors.SMALL_EXPONENT);
        refuseKey(RsaVectors.LONG_KEY);
        refuseKey(hex"30");
    }

    // ---------------------------------------------------------------- what is tested, for it reads calldata

    function verify(bytes memory message, bytes calldata signature, bytes memory n) external view returns (bool) {
        return RsaPss.verify(message, signature, n);
    }

    function modulusIn(bytes calldata key) external pure returns (bytes memory) {
        return RsaPss.modulusOf(key);
    }

    /// @dev All but the first byte.
    function without(bytes calldata data) external pure returns (bytes memory) {
        return data[1:];
    }

    // ---------------------------------------------------------------- helpers

    function holds(bytes memory message, bytes memory signature, bytes memory key) private view returns (bool) {
        return this.verify(message, signature, this.modulusIn(key));
    }

    function refuse(bytes memory em) private view {
        assertTrue(!this.verify(MESSAGE, signed(em), modulus()));
    }

    function refuseKey(bytes memory key) private {
        vm.expectRevert(RsaPss.NotAnRsa2048Key.selector);
        this.modulusIn(key);
    }

    function modulus() private pure returns (bytes memory) {
        bytes32 ones = bytes32(type(uint256).max);
        return bytes.concat(hex"c0", bytes31(ones), ones, ones, ones, ones, ones, ones, bytes32(uint256(ones) - BELOW + 1));
    }

    function signed(bytes memory em) private view returns (bytes memory) {
        return Math.modExp(em, EXPONENT, modulus());
    }

    /// @dev PS ‖ 0x01 ‖ salt.
    function dataBlock(bytes32 salt) private pure returns (bytes memory) {
        return bytes.concat(new bytes(190), hex"01", salt);
    }

    /// @dev §9.1.1 for 2047 bits, with whatever stands in the data block.
    function encoded(bytes memory message, bytes32 salt, bytes memory block_) private pure returns (bytes memory) {
        bytes32 hash = sha256(bytes.concat(new bytes(8), sha256(message), salt));
        bytes memory mask;
        for (uint32 i = 0; i < 7; i++) mask = bytes.concat(mask, sha256(abi.encodePacked(hash, i)));
        for (uint256 i = 0; i < block_.length; i++) block_[i] ^= mask[i];
        block_[0] &= 0x7f;
        return bytes.concat(block_, hash, hex"bc");
    }

    /// @dev Of two numbers whose sum fits.
    function sum(bytes memory a, bytes memory b) private pure returns (bytes memory total) {
        total = new bytes(a.length);
        uint256 carry = 0;
        for (uint256 i = a.length; i > 0; i--) {
            carry += uint256(uint8(a[i - 1])) + uint8(b[i - 1]);
            total[i - 1] = bytes1(uint8(carry));
            carry >>= 8;
        }
        assert(carry == 0);
    }
}
