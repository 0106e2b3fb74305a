// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ZkFault} from "../src/faults/ZkFault.sol";
import {ZkGates} from "../src/faults/ZkGates.sol";
import {BabyBear5} from "../src/libraries/BabyBear5.sol";
import {WordRun} from "../src/libraries/WordTree.sol";
import {ModelRegistry} from "../src/ModelRegistry.sol";
import {Settlement} from "../src/Settlement.sol";
import {TestBase} from "./TestBase.sol";
import {WordTreeBuilder} from "./WordTreeBuilder.sol";

/// @title Every kind of gate: true with the value that it must have, and with no other
contract ZkGatesTest is TestBase {
    uint256 private constant P = 15 * 2 ** 27 + 1;
    uint256 private constant SIZE = 16;
    uint256 private constant DEPTH = 4;
    bytes32 private constant MODEL = keccak256("model");
    bytes32 private constant WEIGHTS = keccak256("weights");
    bytes32 private constant STATE = keccak256("state");

    ZkFault private zk;
    /// @dev What gates read: words 0 to 15.
    bytes32[] private tape;
    bytes32 private evidenceHash;

    function setUp() public {
        zk = new ZkFault(Settlement(address(0)), ModelRegistry(address(0)));
        tape = new bytes32[](SIZE);
    }

    // ---------------------------------------------------------------- values that are given

    function test_whatTheModelSaysIsWhatItIs() public view {
        assertOnly(gate(ZkGates.START, 0, 0), keccak256("assay/zkml/v2"));
        assertOnly(gate(ZkGates.MODEL, 0, 0), MODEL);
        assertOnly(gate(ZkGates.WEIGHTS, 0, 0), WEIGHTS);
        assertOnly(gate(ZkGates.CONSTANT, 0, 0) | bytes32(uint256(7 << 128 | 9)), bytes32(uint256(7 << 128 | 9)));
    }

    function test_whatSaysNothingHolds() public view {
        assertTrue(holds(gate(0, 0, 0), bytes32(uint256(1)), none()));
        assertTrue(holds(gate(4, 0, 0), STATE, none()));
    }

    function test_anElementIsFiveWordsBelowTheModulus() public view {
        for (uint256 i = 0; i < 8; i++) {
            uint256 at = 32 * i;
            assertTrue(holds(gate(ZkGates.ELEMENT, 0, 0), bytes32((P - 1) << at), none()) == (i < 5));
            assertTrue(!holds(gate(ZkGates.ELEMENT, 0, 0), bytes32(P << at), none()));
            assertTrue(holds(gate(ZkGates.ELEMENT, 0, 0), bytes32(uint256(1) << at), none()) == (i < 5));
        }
    }

    function test_lanesPastTheLastAreEmpty() public view {
        for (uint256 n = 1; n <= 8; n++) {
            for (uint256 i = 0; i < 8; i++) {
                uint256 at = 224 - 32 * i;
                assertTrue(holds(counted(ZkGates.BASES, n), bytes32((P - 1) << at), none()) == (i < n));
                assertTrue(holds(counted(ZkGates.BASES, n), lane(i, 1), none()) == (i < n));
                assertTrue(!holds(counted(ZkGates.BASES, n), bytes32(P << at), none()));
                bytes32 bounded = counted(ZkGates.INTEGERS, n) | bounds(-3, 5);
                assertTrue(holds(bounded, lane(i, -3), none()) == (i < n));
                assertTrue(holds(bounded, lane(i, 5), none()) == (i < n));
                assertTrue(!holds(bounded, lane(i, -4), none()));
                assertTrue(!holds(bounded, lane(i, 6), none()));
            }
        }
    }

    function test_aCopyIsWhatItCopies() public {
        tape[5] = STATE;
        assertOnly(gate(ZkGates.COPY, 5, 0), STATE, runs(run(5, 1)));
    }

    // ---------------------------------------------------------------- the statement

    function test_theStatementIsTheReceipts() public {
        (tape[2], tape[3]) = (keccak256("input"), keccak256("output"));
        WordRun[] memory reads = runs(run(2, 1), run(3, 1));
        evidenceHash = keccak256(abi.encode(keccak256("assay/zk-evidence/v1"), MODEL, tape[2], tape[3]));
        assertTrue(holds(gate(ZkGates.STATEMENT, 2, 3), 0, reads));
        evidenceHash = keccak256("another");
        assertTrue(!holds(gate(ZkGates.STATEMENT, 2, 3), 0, reads));
    }

    function test_aTensorIsTheOneUnderItsHash() public {
        (tape[4], tape[5]) = (keccak256("eight integers"), bytes32(uint256(3) << 224 | uint256(4) << 192));
        bytes memory integers = abi.encodePacked(tape[4], uint32(3), uint32(4));
        bytes32 members = counted(ZkGates.TENSOR, 2) | place(0, 4) | word(12, 10);
        tape[0] = keccak256(abi.encodePacked(keccak256("assay/zkml/v2/tensor"), integers));
        assertTrue(holds(members, 0, runs(run(0, 1), run(4, 2))));
        bytes32 piece = counted(ZkGates.TENSOR_PIECE, 2) | place(0, 4) | word(12, 10);
        assertOnly(piece, keccak256(integers), runs(run(4, 2)));
        tape[0] = keccak256("another");
        assertTrue(!holds(members, 0, runs(run(0, 1), run(4, 2))));
    }

    /// @dev A program that asks for more integers than its words hold convicts nobody.
    function test_aTensorIsNoLongerThanItsWords() public {
        tape[4] = keccak256("eight integers");
        bytes32 members = counted(ZkGates.TENSOR_PIECE, 1) | place(0, 4);
        assertOnly(members | word(12, 8), keccak256(abi.encodePacked(tape[4])), runs(run(4, 1)));
        ZkGates.Step memory asked = step(members | word(12, 9), 0);
        vm.expectRevert(abi.encodeWithSignature("Panic(uint256)", 1));
        zk.holds(asked, runs(run(4, 1)));
    }

    function test_aLongTensorIsItsPieces() public {
        fill(8, 3);
        tape[0] = keccak256(abi.encodePacked(keccak256("assay/zkml/v2/long-tensor"), tape[8], tape[9], tape[10]));
        bytes32 members = counted(ZkGates.LONG_TENSOR, 3) | place(0, 8);
        assertTrue(holds(members, 0, runs(run(0, 1), run(8, 3))));
        tape[10] = 0;
        assertTrue(!holds(members, 0, runs(run(0, 1), run(8, 3))));
    }

    // ---------------------------------------------------------------- the transcript

    function test_aTranscriptGoesOnFromWhatIsSaid() public {
        tape[0] = STATE;
        fill(8, 3);
        bytes32 said = keccak256(abi.encodePacked(STATE, uint8(0), uint8(3), "abc", uint32(32), tape[9]));
        assertOnly(labelled(gate(ZkGates.ABSORB_WORD, 0, 9)), said, runs(run(0, 1), run(9, 1)));
        bytes32 drawn = keccak256(abi.encodePacked(STATE, uint8(1), uint8(3), "abc"));
        assertOnly(labelled(gate(ZkGates.SQUEEZE, 0, 0)), drawn, runs(run(0, 1)));
        bytes memory hashes = abi.encodePacked(tape[8], tape[9], tape[10]);
        bytes32 long = keccak256(abi.encodePacked(STATE, uint8(2), uint8(3), "abc", uint32(96), hashes));
        bytes32 members = labelled(counted(ZkGates.ABSORB_LONG, 3)) | place(0, 8);
        assertOnly(members, long, runs(run(0, 1), run(8, 3)));
    }

    function test_elementsAreSaidAsAProofHoldsThem() public {
        tape[0] = STATE;
        tape[4] = bytes32(element(1, 2, 3, 4, 0x01020304));
        tape[5] = bytes32(element(6, 7, 8, 9, 10));
        bytes memory item = hex"0100000002000000030000000400000004030201060000000700000008000000090000000a000000";
        bytes32 said = keccak256(abi.encodePacked(STATE, uint8(0), uint8(3), "abc", uint32(40), item));
        bytes32 members = labelled(counted(ZkGates.ABSORB, 2)) | place(0, 4);
        assertOnly(members, said, runs(run(0, 1), run(4, 2)));
        assertOnly(counted(ZkGates.PIECE, 2) | place(0, 4), keccak256(item), runs(run(4, 2)));
    }

    function test_noElementsAreNoBytes() public {
        tape[0] = STATE;
        bytes32 said = keccak256(abi.encodePacked(STATE, uint8(0), uint8(3), "abc", uint32(0)));
        assertOnly(labelled(counted(ZkGates.ABSORB, 0)) | place(0, 4), said, runs(run(0, 1), run(4, 1)));
        assertOnly(counted(ZkGates.PIECE, 0) | place(0, 4), keccak256(""), runs(run(4, 1)));
    }

    function test_challengesAndIndicesAreDrawnFromTheTranscript() public {
        tape[0] = STATE;
        bytes32 challenge = bytes32(BabyBear5.fromRandomness(STATE));
        assertOnly(gate(ZkGates.CHALLENGE, 0, 0), challenge, runs(run(0, 1)));
        for (uint256 n = 0; n < 8; n++) {
            uint256 drawn = uint256(STATE) >> (224 - 32 * n) & 0x3ff;
            bytes32 members = counted(ZkGates.INDEX, n) | bytes32(uint256(10) << 160);
            assertOnly(members, bytes32(drawn), runs(run(0, 1)));
        }
    }

    // ---------------------------------------------------------------- the field

    function test_operationsAreThoseOfTheField() public {
        uint256 a = element(1, P - 1, 3, 4, 5);
        uint256 b = element(P - 1, 7, 8, 9, P - 2);
        (tape[1], tape[2]) = (bytes32(a), bytes32(b));
        WordRun[] memory reads = runs(run(1, 1), run(2, 1));
        assertOnly(gate(ZkGates.ADD, 1, 2), bytes32(BabyBear5.add(a, b)), reads);
        assertOnly(gate(ZkGates.SUBTRACT, 1, 2), bytes32(BabyBear5.sub(a, b)), reads);
        assertOnly(gate(ZkGates.MULTIPLY, 1, 2), bytes32(BabyBear5.mul(a, b)), reads);
        bytes32 scaled = bytes32(BabyBear5.mul(a, 11 << 128));
        assertOnly(gate(ZkGates.SCALE, 1, 0) | word(12, 11), scaled, runs(run(1, 1)));
    }

    function test_checksCompare() public {
        (tape[1], tape[2], tape[3]) = (STATE, STATE, MODEL);
        assertTrue(holds(gate(ZkGates.EQUAL, 1, 2), 0, runs(run(1, 1), run(2, 1))));
        assertTrue(!holds(gate(ZkGates.EQUAL, 1, 3), 0, runs(run(1, 1), run(3, 1))));
        assertTrue(!holds(gate(ZkGates.DIFFER, 1, 2), 0, runs(run(1, 1), run(2, 1))));
        assertTrue(holds(gate(ZkGates.DIFFER, 1, 3), 0, runs(run(1, 1), run(3, 1))));
    }

    // ---------------------------------------------------------------- openings

    /// @dev Nine factors in two words, against nine weights.
    function test_sumsOfProductsAreTermByTerm() public {
        fillWeights();
        tape[10] = lane(0, 2) | lane(1, 3) | lane(7, 4);
        tape[11] = lane(0, 5);
        WordRun[] memory reads = runs(run(10, 2), run(0, 16));
        uint256[9] memory factors = [uint256(2), 3, 0, 0, 0, 0, 0, 4, 5];
        assertOnly(counted(ZkGates.DOT_BASES, 9) | place(10, 0), sumOf(factors), reads);
        // Each less −1.
        bytes32 shifted = counted(ZkGates.DOT_INTEGERS, 9) | word(12, uint32(uint256(int256(-1))));
        for (uint256 i = 0; i < 9; i++) factors[i]++;
        assertOnly(shifted | place(10, 0), sumOf(factors), reads);
    }

    function test_eightFactorsAreOneWord() public {
        fillWeights();
        tape[10] = lane(0, 2) | lane(6, 3) | lane(7, 4);
        uint256[9] memory factors = [uint256(2), 0, 0, 0, 0, 0, 3, 4, 0];
        assertOnly(counted(ZkGates.DOT_BASES, 8) | place(10, 0), sumOf(factors), runs(run(10, 1), run(0, 8)));
    }

    /// @dev The same word is −5 to one and 2³² − 5 to the other.
    function test_integersHaveASignAndBasesHaveNone() public {
        fillWeights();
        tape[10] = lane(0, -5);
        WordRun[] memory reads = runs(run(10, 1), run(1, 1));
        bytes32 negative = bytes32(BabyBear5.sub(0, BabyBear5.mul(uint256(tape[1]), 4 << 128)));
        bytes32 members = counted(ZkGates.DOT_INTEGERS, 1) | place(10, 1) | word(12, uint32(uint256(int256(-1))));
        assertOnly(members, negative, reads);
        bytes32 positive = bytes32(BabyBear5.mul(uint256(tape[1]), (2 ** 32 - 5) % P << 128));
        assertOnly(counted(ZkGates.DOT_BASES, 1) | place(10, 1), positive, reads);
    }

    function test_aRowIsAPolynomial() public {
        fill(8, 0);
        for (uint256 i = 0; i < 3; i++) tape[8 + i] = bytes32(element(i + 5, P - 1, i, 1, P - 2));
        uint256 x = (P - 3) << 128;
        tape[0] = bytes32(x);
        uint256 sum = BabyBear5.add(uint256(tape[8]), BabyBear5.mul(x, uint256(tape[9])));
        sum = BabyBear5.add(sum, BabyBear5.mul(x, BabyBear5.mul(x, uint256(tape[10]))));
        assertOnly(counted(ZkGates.POWERS, 3) | place(0, 8), bytes32(sum), runs(run(0, 1), run(8, 3)));
    }

    /// @dev Of order 8: its eighth power is one and its fourth is not; position 6 of 8 is 3 turned round, and 1 is 4.
    function test_positionsOfACodewordAreRootsOfUnity() public {
        uint256 root = 31;
        for (uint256 i = 0; i < 24; i++) root = mulmod(root, root, P);
        root = power(root, 15);
        assertEq(power(root, 8), 1);
        assertEq(power(root, 4), P - 1);
        bytes32 members = gate(ZkGates.ROOT, 0, 0) | bytes32(uint256(3) << 160);
        uint256[8] memory turned = [uint256(0), 4, 2, 6, 1, 5, 3, 7];
        for (uint256 i = 0; i < 8; i++) {
            tape[0] = bytes32(i);
            assertOnly(members, bytes32(power(root, turned[i]) << 128), runs(run(0, 1)));
        }
    }

    /// @dev Ten elements at index 2 of 4.
    function test_aColumnIsInTheTreeWhereItsPathLeads() public {
        tape[4] = lane(0, 0x01020304) | lane(7, 9);
        tape[5] = lane(0, 1) | lane(1, 2);
        bytes memory leaf = hex"000000000a00000004030201000000000000000000000000000000000000000000000000090000000100000002000000";
        (tape[8], tape[9]) = (keccak256("beside"), keccak256("above"));
        bytes8 prefix = 0x0100000000000000;
        bytes32 node = keccak256(abi.encodePacked(prefix, keccak256(leaf), tape[8]));
        tape[1] = keccak256(abi.encodePacked(prefix, tape[9], node));
        tape[0] = bytes32(uint256(2));
        bytes32 members =
            counted(ZkGates.OPENING, 10) | place(0, 4) | bytes32(uint256(2) << 160) | word(12, 8) | word(16, 1);
        assertTrue(holds(members, 0, runs(run(0, 1), run(4, 2), run(8, 2), run(1, 1))));
        tape[0] = bytes32(uint256(3));
        assertTrue(!holds(members, 0, runs(run(0, 1), run(4, 2), run(8, 2), run(1, 1))));
        tape[0] = bytes32(uint256(0));
        assertTrue(!holds(members, 0, runs(run(0, 1), run(4, 2), run(8, 2), run(1, 1))));
    }

    // ---------------------------------------------------------------- the tape

    /// @dev A root stands under itself, at no depth.
    function test_noNodeIsReadAsAWord() public {
        fill(0, 16);
        WordRun memory root = run(5, 1);
        (root.words[0], root.siblings) = (WordTreeBuilder.root(tape), new bytes32[](0));
        refused(gate(ZkGates.COPY, 5, 0), runs(root), 5);
    }

    function test_nothingIsReadThatIsNotThere() public {
        fill(0, 16);
        bytes32 copy = gate(ZkGates.COPY, 5, 0);
        refused(copy, runs(run(4, 1)), 5);
        refused(copy, runs(run(4, 2)), 5);
        WordRun memory short = run(5, 1);
        short.siblings = new bytes32[](0);
        refused(copy, runs(short), 5);
        WordRun memory changed = run(5, 1);
        changed.words[0] = STATE;
        refused(copy, runs(changed), 5);
    }

    // ---------------------------------------------------------------- helpers

    function holds(bytes32 members, bytes32 value, WordRun[] memory reads) private view returns (bool) {
        return zk.holds(step(members, value), reads);
    }

    function step(bytes32 members, bytes32 value) private view returns (ZkGates.Step memory) {
        return ZkGates.Step(members, value, WordTreeBuilder.root(tape), DEPTH, MODEL, WEIGHTS, evidenceHash);
    }

    function assertOnly(bytes32 members, bytes32 value) private view {
        assertOnly(members, value, none());
    }

    function assertOnly(bytes32 members, bytes32 value, WordRun[] memory reads) private view {
        assertTrue(holds(members, value, reads));
        assertTrue(!holds(members, value ^ bytes32(uint256(1)), reads));
        assertTrue(!holds(members, value ^ bytes32(uint256(1) << 255), reads));
    }

    function refused(bytes32 members, WordRun[] memory reads, uint256 at) private {
        ZkGates.Step memory asked = step(members, 0);
        vm.expectRevert(abi.encodeWithSelector(ZkGates.NotOnTheTape.selector, at));
        zk.holds(asked, reads);
    }

    function gate(uint8 op, uint256 a, uint256 b) private pure returns (bytes32) {
        return bytes32(uint256(op) << 248) | place(a, b);
    }

    function place(uint256 a, uint256 b) private pure returns (bytes32) {
        return bytes32(a << 216 | b << 184);
    }

    function counted(uint8 op, uint256 n) private pure returns (bytes32) {
        return gate(op, 0, 0) | bytes32(n << 168);
    }

    /// @dev Four bytes from the byte `at` on.
    function word(uint256 at, uint256 value) private pure returns (bytes32) {
        return bytes32(value << (224 - 8 * at));
    }

    function bounds(int32 low, int32 high) private pure returns (bytes32) {
        return word(12, uint32(low)) | word(16, uint32(high));
    }

    function labelled(bytes32 members) private pure returns (bytes32) {
        return members | bytes32(uint256(3) << 152) | bytes32(bytes3("abc")) >> 104;
    }

    function lane(uint256 which, int32 value) private pure returns (bytes32) {
        return bytes32(uint256(uint32(value)) << (224 - 32 * which));
    }

    function element(uint256 a, uint256 b, uint256 c, uint256 d, uint256 e) private pure returns (uint256) {
        return a << 128 | b << 96 | c << 64 | d << 32 | e;
    }

    function power(uint256 base, uint256 exponent) private pure returns (uint256 result) {
        result = 1;
        for (uint256 i = 0; i < exponent; i++) result = mulmod(result, base, P);
    }

    function fill(uint256 from, uint256 count) private {
        for (uint256 i = 0; i < count; i++) tape[from + i] = keccak256(abi.encode(i));
    }

    function fillWeights() private {
        for (uint256 i = 0; i < 9; i++) tape[i] = bytes32(element(i + 1, P - 1, i + 2, i + 7, P - 1 - i));
    }

    function sumOf(uint256[9] memory factors) private view returns (bytes32) {
        uint256 sum = 0;
        for (uint256 i = 0; i < 9; i++) {
            sum = BabyBear5.add(sum, BabyBear5.mul(uint256(tape[i]), factors[i] << 128));
        }
        return bytes32(sum);
    }

    function run(uint256 first, uint256 count) private view returns (WordRun memory) {
        return WordTreeBuilder.run(WordTreeBuilder.grow(tape), first, count);
    }

    function none() private pure returns (WordRun[] memory) {
        return new WordRun[](0);
    }

    function runs(WordRun memory a) private pure returns (WordRun[] memory all) {
        all = new WordRun[](1);
        all[0] = a;
    }

    function runs(WordRun memory a, WordRun memory b) private pure returns (WordRun[] memory all) {
        all = new WordRun[](2);
        (all[0], all[1]) = (a, b);
    }

    function runs(WordRun memory a, WordRun memory b, WordRun memory c, WordRun memory d)
        private
        pure
        returns (WordRun[] memory all)
    {
        all = new WordRun[](4);
        (all[0], all[1], all[2], all[3]) = (a, b, c, d);
    }
}
