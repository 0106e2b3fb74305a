// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BabyBear5} from "../libraries/BabyBear5.sol";
import {WordRun, WordTree} from "../libraries/WordTree.sol";

/// @notice The smallest steps of a verification (docs/zkml.md, "On chain: fault 2"), each judged alone: what value k of a
/// tape must be, given values before it, or what must hold of those. A gate is one word:
///   op(1) ‖ a(4) ‖ b(4) ‖ n(2) ‖ m(1) ‖ c(4) ‖ d(4) ‖ 0(12), or from c on a label, length(1) ‖ bytes(19), or a constant.
/// @dev packages/zkml/src/tape/gates.ts says what each does, and numbers them alike.
library ZkGates {
    using BabyBear5 for uint256;

    /// @dev A gate, its value, and what both are judged against.
    struct Step {
        bytes32 gate;
        bytes32 value;
        bytes32 tapeRoot;
        /// Of the tape's tree.
        uint256 depth;
        bytes32 modelRoot;
        bytes32 weightsRoot;
        /// Of the receipt.
        bytes32 evidenceHash;
    }

    uint8 internal constant START = 1;
    uint8 internal constant MODEL = 2;
    uint8 internal constant WEIGHTS = 3;
    uint8 internal constant ELEMENT = 5;
    uint8 internal constant BASES = 6;
    uint8 internal constant INTEGERS = 7;
    uint8 internal constant CONSTANT = 8;
    uint8 internal constant COPY = 9;
    uint8 internal constant STATEMENT = 10;
    uint8 internal constant TENSOR = 11;
    uint8 internal constant TENSOR_PIECE = 12;
    uint8 internal constant LONG_TENSOR = 13;
    uint8 internal constant ABSORB_WORD = 14;
    uint8 internal constant ABSORB = 15;
    uint8 internal constant PIECE = 16;
    uint8 internal constant ABSORB_LONG = 17;
    uint8 internal constant SQUEEZE = 18;
    uint8 internal constant CHALLENGE = 19;
    uint8 internal constant INDEX = 20;
    uint8 internal constant ADD = 21;
    uint8 internal constant SUBTRACT = 22;
    uint8 internal constant MULTIPLY = 23;
    uint8 internal constant SCALE = 24;
    uint8 internal constant EQUAL = 25;
    uint8 internal constant DIFFER = 26;
    uint8 internal constant DOT_BASES = 27;
    uint8 internal constant DOT_INTEGERS = 28;
    uint8 internal constant ROOT = 29;
    uint8 internal constant POWERS = 30;
    uint8 internal constant OPENING = 31;

    bytes32 private constant EVIDENCE_TAG = keccak256("assay/zk-evidence/v1");
    bytes32 private constant PROTOCOL = keccak256("assay/zkml/v2");
    bytes32 private constant TENSOR_TAG = keccak256("assay/zkml/v2/tensor");
    bytes32 private constant LONG_TENSOR_TAG = keccak256("assay/zkml/v2/long-tensor");
    uint256 private constant LANES = 8;
    uint256 private constant WORD = 0xffffffff;

    error NotOnTheTape(uint256 place);

    /// @param reads what it reads of the tape, in the order of its members
    /// @return whether the gate holds; one that says nothing does
    function holds(Step memory s, WordRun[] calldata reads) internal pure returns (bool) {
        uint8 op = uint8(s.gate[0]);
        if (op < STATEMENT) return _states(s, op, reads);
        if (op < ABSORB_WORD) return _hashes(s, op, reads);
        if (op < ADD) return _says(s, op, reads);
        if (op < DOT_BASES) return _computes(s, op, reads);
        return _opens(s, op, reads);
    }

    // ------------------------------------------------------------------ values that are given

    function _states(Step memory s, uint8 op, WordRun[] calldata reads) private pure returns (bool) {
        if (op == START) return s.value == PROTOCOL;
        if (op == MODEL) return s.value == s.modelRoot;
        if (op == WEIGHTS) return s.value == s.weightsRoot;
        if (op == ELEMENT) return uint256(s.value) >> 160 == 0 && _lanesBelowP(uint256(s.value) << 96, 5);
        if (op == BASES) return _lanesBelowP(uint256(s.value), _n(s.gate));
        if (op == INTEGERS) return _lanesWithin(uint256(s.value), _n(s.gate), _c(s.gate), int32(uint32(_d(s.gate))));
        if (op == CONSTANT) return uint256(s.value) == uint160(uint256(s.gate));
        if (op == COPY) return s.value == _word(s, reads, 0, _a(s.gate));
        return true;
    }

    /// @return whether the first `n` of eight lanes are below p, and the others empty
    function _lanesBelowP(uint256 word, uint256 n) private pure returns (bool) {
        for (uint256 i = 0; i < LANES; i++) {
            if (_lane(word, i) >= (i < n ? BabyBear5.P : 1)) return false;
        }
        return true;
    }

    function _lanesWithin(uint256 word, uint256 n, int256 low, int256 high) private pure returns (bool) {
        for (uint256 i = 0; i < LANES; i++) {
            int256 integer = int32(uint32(_lane(word, i)));
            if (i < n ? integer < low || integer > high : integer != 0) return false;
        }
        return true;
    }

    // ------------------------------------------------------------------ the statement

    function _hashes(Step memory s, uint8 op, WordRun[] calldata reads) private pure returns (bool) {
        if (op == STATEMENT) {
            bytes32 inputHash = _word(s, reads, 0, _a(s.gate));
            bytes32 outputHash = _word(s, reads, 1, _b(s.gate));
            return keccak256(abi.encode(EVIDENCE_TAG, s.modelRoot, inputHash, outputHash)) == s.evidenceHash;
        }
        if (op == TENSOR_PIECE) return s.value == keccak256(_integers(s, reads, 0));
        bytes32 hash = _word(s, reads, 0, _a(s.gate));
        if (op == TENSOR) return hash == keccak256(bytes.concat(TENSOR_TAG, _integers(s, reads, 1)));
        bytes32[] calldata pieces = _run(s, reads, 1, _b(s.gate), _n(s.gate));
        return hash == keccak256(bytes.concat(LONG_TENSOR_TAG, abi.encodePacked(pieces[:_n(s.gate)])));
    }

    /// @dev The integers of a run as a tensor's hash wants them.
    function _integers(Step memory s, WordRun[] calldata reads, uint256 which)
        private
        pure
        returns (bytes memory data)
    {
        data = abi.encodePacked(_run(s, reads, which, _b(s.gate), _n(s.gate)));
        uint256 length = 4 * _cWord(s.gate);
        assert(length <= data.length);
        assembly ("memory-safe") {
            mstore(data, length)
        }
    }

    // ------------------------------------------------------------------ the transcript

    function _says(Step memory s, uint8 op, WordRun[] calldata reads) private pure returns (bool) {
        uint256 n = _n(s.gate);
        if (op == PIECE) return s.value == keccak256(_elements(_run(s, reads, 0, _b(s.gate), n), n));
        bytes32 state = _word(s, reads, 0, _a(s.gate));
        if (op == CHALLENGE) return uint256(s.value) == BabyBear5.fromRandomness(state);
        if (op == INDEX) return uint256(s.value) == _lane(uint256(state), n) & ((1 << _m(s.gate)) - 1);
        bytes memory said = abi.encodePacked(state, _kindOf(op), uint8(s.gate[12]), _label(s.gate));
        if (op == SQUEEZE) return s.value == keccak256(said);
        bytes memory item = _item(s, op, reads);
        return s.value == keccak256(abi.encodePacked(said, uint32(item.length), item));
    }

    /// @dev How the transcript tells what is said to it.
    function _kindOf(uint8 op) private pure returns (uint8) {
        if (op == SQUEEZE) return 1;
        return op == ABSORB_LONG ? 2 : 0;
    }

    function _item(Step memory s, uint8 op, WordRun[] calldata reads) private pure returns (bytes memory) {
        if (op == ABSORB_WORD) return abi.encodePacked(_word(s, reads, 1, _b(s.gate)));
        uint256 n = _n(s.gate);
        bytes32[] calldata run = _run(s, reads, 1, _b(s.gate), n);
        return op == ABSORB ? _elements(run, n) : abi.encodePacked(run[:n]);
    }

    /// @dev Twenty bytes an element, its words turned round: how a proof holds them.
    function _elements(bytes32[] calldata run, uint256 n) private pure returns (bytes memory data) {
        // Each store fills a word, of which the next element takes back twelve bytes.
        data = new bytes(20 * n + 12);
        uint256 end;
        assembly ("memory-safe") {
            end := add(data, 32)
        }
        for (uint256 i = 0; i < n; i++) {
            uint256 turned = BabyBear5.turned(uint256(run[i])) << 96;
            assembly ("memory-safe") {
                mstore(end, turned)
                end := add(end, 20)
            }
        }
        assembly ("memory-safe") {
            mstore(data, mul(20, n))
        }
    }

    // ------------------------------------------------------------------ the field

    function _computes(Step memory s, uint8 op, WordRun[] calldata reads) private pure returns (bool) {
        uint256 a = uint256(_word(s, reads, 0, _a(s.gate)));
        if (op == SCALE) return uint256(s.value) == a.mul(_cWord(s.gate) << 128);
        uint256 b = uint256(_word(s, reads, 1, _b(s.gate)));
        if (op == ADD) return uint256(s.value) == a.add(b);
        if (op == SUBTRACT) return uint256(s.value) == a.sub(b);
        if (op == MULTIPLY) return uint256(s.value) == a.mul(b);
        return op == EQUAL ? a == b : a != b;
    }

    // ------------------------------------------------------------------ openings

    function _opens(Step memory s, uint8 op, WordRun[] calldata reads) private pure returns (bool) {
        if (op == OPENING) return _opened(s, reads);
        uint256 n = _n(s.gate);
        if (op == ROOT || op == POWERS) {
            uint256 a = uint256(_word(s, reads, 0, _a(s.gate)));
            if (op == ROOT) return uint256(s.value) == _codewordRoot(a, _m(s.gate)) << 128;
            return uint256(s.value) == _powers(_run(s, reads, 1, _b(s.gate), n), n, a >> 128);
        }
        return uint256(s.value) == _dot(_factors(s, op, reads), _run(s, reads, 1, _b(s.gate), n));
    }

    /// @dev Elements of the base field, lane by lane, or integers less c.
    function _factors(Step memory s, uint8 op, WordRun[] calldata reads)
        private
        pure
        returns (uint256[] memory factors)
    {
        uint256 n = _n(s.gate);
        bytes32[] calldata words = _run(s, reads, 0, _a(s.gate), _words(n));
        int256 shift = _c(s.gate);
        factors = new uint256[](n);
        for (uint256 i = 0; i < n; i++) {
            uint256 lane = _lane(uint256(words[i / LANES]), i % LANES);
            // Safe cast: four times p outweighs two words of 32 bits.
            factors[i] =
                op == DOT_BASES ? lane : uint256(int256(4 * BabyBear5.P) + int256(int32(uint32(lane))) - shift);
        }
    }

    function _dot(uint256[] memory factors, bytes32[] calldata weights) private pure returns (uint256) {
        uint256 c0;
        uint256 c1;
        uint256 c2;
        uint256 c3;
        uint256 c4;
        // 128 products of at most 66 bits never overflow a word.
        unchecked {
            for (uint256 i = 0; i < factors.length; i++) {
                uint256 weight = uint256(weights[i]);
                uint256 factor = factors[i];
                c0 += factor * (weight >> 128 & WORD);
                c1 += factor * (weight >> 96 & WORD);
                c2 += factor * (weight >> 64 & WORD);
                c3 += factor * (weight >> 32 & WORD);
                c4 += factor * (weight & WORD);
            }
        }
        uint256 p = BabyBear5.P;
        return c0 % p << 128 | c1 % p << 96 | c2 % p << 64 | c3 % p << 32 | c4 % p;
    }

    /// @dev Σ element·x^i, from the highest down.
    function _powers(bytes32[] calldata run, uint256 n, uint256 x) private pure returns (uint256) {
        uint256 c0;
        uint256 c1;
        uint256 c2;
        uint256 c3;
        uint256 c4;
        uint256 p = BabyBear5.P;
        for (uint256 i = n; i > 0; i--) {
            uint256 element = uint256(run[i - 1]);
            c0 = addmod(mulmod(c0, x, p), element >> 128 & WORD, p);
            c1 = addmod(mulmod(c1, x, p), element >> 96 & WORD, p);
            c2 = addmod(mulmod(c2, x, p), element >> 64 & WORD, p);
            c3 = addmod(mulmod(c3, x, p), element >> 32 & WORD, p);
            c4 = addmod(mulmod(c4, x, p), element & WORD, p);
        }
        return c0 << 128 | c1 << 96 | c2 << 64 | c3 << 32 | c4;
    }

    /// @dev The element of order 2^bits to the power of the index, its bits in the other order: codewords are listed so.
    function _codewordRoot(uint256 index, uint256 bits) private pure returns (uint256 power) {
        uint256 exponent = 0;
        for (uint256 i = 0; i < bits; i++) {
            exponent = exponent << 1 | index >> i & 1;
        }
        // 31 generates the multiplicative group, of order 15·2^27.
        uint256 base = 31;
        power = 1;
        for (exponent *= 15 << (27 - bits); exponent > 0; exponent >>= 1) {
            if (exponent & 1 == 1) power = mulmod(power, base, BabyBear5.P);
            base = mulmod(base, base, BabyBear5.P);
        }
    }

    /// @dev keccak(0 ‖ rows ‖ elements) for the column, keccak(1 ‖ 0 ‖ left ‖ right) for nodes, words little-endian.
    function _opened(Step memory s, WordRun[] calldata reads) private pure returns (bool) {
        bytes32 node = _columnHash(s, reads);
        uint256 index = uint256(_word(s, reads, 0, _a(s.gate)));
        bytes32[] calldata path = _run(s, reads, 2, _cWord(s.gate), _m(s.gate));
        for (uint256 i = 0; i < _m(s.gate); i++) {
            node = index >> i & 1 == 0 ? _node(node, path[i]) : _node(path[i], node);
        }
        return node == _word(s, reads, 3, _d(s.gate));
    }

    function _columnHash(Step memory s, WordRun[] calldata reads) private pure returns (bytes32) {
        uint256 n = _n(s.gate);
        return keccak256(_leaf(_run(s, reads, 1, _b(s.gate), _words(n)), n));
    }

    function _node(bytes32 left, bytes32 right) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(uint64(1 << 56), left, right));
    }

    function _leaf(bytes32[] calldata column, uint256 n) private pure returns (bytes memory leaf) {
        leaf = abi.encodePacked(uint32(0), bytes4(uint32(BabyBear5.turned(n))), column);
        for (uint256 i = 0; i < _words(n); i++) {
            uint256 word = BabyBear5.turned(uint256(column[i]));
            assembly ("memory-safe") {
                mstore(add(add(leaf, 40), mul(32, i)), word)
            }
        }
        assembly ("memory-safe") {
            mstore(leaf, add(8, mul(4, n)))
        }
    }

    // ------------------------------------------------------------------ the tape

    function _word(Step memory s, WordRun[] calldata reads, uint256 which, uint256 place)
        private
        pure
        returns (bytes32)
    {
        return _run(s, reads, which, place, 1)[0];
    }

    /// @return words of the run of `count` that begins at `first`, filled up to a power of two
    function _run(Step memory s, WordRun[] calldata reads, uint256 which, uint256 first, uint256 count)
        private
        pure
        returns (bytes32[] calldata words)
    {
        words = reads[which].words;
        if (words.length != 1 << WordTree.bitsOf(count)) revert NotOnTheTape(first);
        (bytes32 root, uint256 depth) = WordTree.rootOf(reads[which], first);
        if (root != s.tapeRoot || depth != s.depth) revert NotOnTheTape(first);
    }

    // ------------------------------------------------------------------ members of a gate

    function _a(bytes32 gate) private pure returns (uint256) {
        return uint32(bytes4(gate << 8));
    }

    function _b(bytes32 gate) private pure returns (uint256) {
        return uint32(bytes4(gate << 40));
    }

    function _n(bytes32 gate) private pure returns (uint256) {
        return uint16(bytes2(gate << 72));
    }

    function _m(bytes32 gate) private pure returns (uint256) {
        return uint8(gate[11]);
    }

    function _cWord(bytes32 gate) private pure returns (uint256) {
        return uint32(bytes4(gate << 96));
    }

    function _c(bytes32 gate) private pure returns (int256) {
        return int32(uint32(_cWord(gate)));
    }

    function _d(bytes32 gate) private pure returns (uint256) {
        return uint32(bytes4(gate << 128));
    }

    function _label(bytes32 gate) private pure returns (bytes memory label) {
        label = new bytes(uint8(gate[12]));
        for (uint256 i = 0; i < label.length; i++) {
            label[i] = gate[13 + i];
        }
    }

    /// @return four bytes of a word, the first highest
    function _lane(uint256 word, uint256 which) private pure returns (uint256) {
        return word >> (224 - 32 * which) & 0xffffffff;
    }

    function _words(uint256 n) private pure returns (uint256) {
        return (n + LANES - 1) / LANES;
    }
}
