// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BabyBear5} from "../libraries/BabyBear5.sol";

/// @notice The first steps of a proof's verification (docs/zkml.md, "The protocol", 1 and 2), which are the same for every
/// model: the transcript up to the tree of fractions, the tree's root, and the sumchecks of its upper layers.
/// @dev Step by step what packages/zkml/src/lookup/verifyLookups.ts does, from the first byte of the proof.
library ZkFractions {
    using BabyBear5 for uint256;

    /// @notice Why the verifier refuses a proof.
    enum Flaw {
        None,
        /// It ends before what is to be read.
        Short,
        /// A word is not below p.
        Element,
        /// The fractions do not sum to zero.
        Sum,
        /// A denominator is zero.
        Denominator,
        /// A round's polynomial does not sum to its claim.
        Round,
        /// The fractions of a layer are not what the layer above claims.
        Layer
    }

    /// @dev What one layer hands down to the next.
    struct State {
        bytes32 transcript;
        /// Position in the proof, bytes.
        uint256 position;
        /// Coordinates bound so far, from the lowest bit of the index.
        uint256[] point;
        uint256 claim;
        uint256 lambda;
    }

    uint256 private constant HASH = 32;
    uint256 private constant HALVES = 80;
    uint256 private constant ROUND = 60;

    /// @return bytes of a proof that are read for `layers` layers below the root
    function lengthFor(uint256 layers) internal pure returns (uint256) {
        return HASH + HALVES + layers * HALVES + layers * (layers + 1) / 2 * ROUND;
    }

    /// @param proof its first `lengthFor(layers)` bytes, or all of it where it is shorter
    /// @return flaw the first that the verifier meets on the way down `layers` layers
    /// @return layer in which, 0 = the root
    function replay(
        bytes32 modelRoot,
        bytes32 inputHash,
        bytes32 outputHash,
        bytes memory proof,
        uint256 layers
    ) internal pure returns (Flaw flaw, uint256 layer) {
        State memory s;
        s.transcript = keccak256("assay/zkml/v2");
        s.transcript = _absorb(s.transcript, "model", abi.encode(modelRoot));
        s.transcript = _absorb(s.transcript, "input", abi.encode(inputHash));
        s.transcript = _absorb(s.transcript, "output", abi.encode(outputHash));
        if (proof.length < HASH + HALVES) return (Flaw.Short, 0);
        s.transcript = _absorb(s.transcript, "witness", _slice(proof, 0, HASH));
        s.transcript = _squeeze(s.transcript, "lookup/alpha");
        s.transcript = _squeeze(s.transcript, "lookup/beta");
        s.position = HASH;
        s.point = new uint256[](layers);
        uint256[4] memory halves;
        (flaw, halves) = _halves(s, proof);
        if (flaw != Flaw.None) return (flaw, 0);
        (uint256 top, uint256 bottom) = _join(halves);
        if (top != 0) return (Flaw.Sum, 0);
        if (bottom == 0) return (Flaw.Denominator, 0);
        for (layer = 1; layer <= layers; layer++) {
            (flaw, halves) = _layer(s, proof, halves, layer);
            if (flaw != Flaw.None) return (flaw, layer);
        }
    }

    // ------------------------------------------------------------------ steps

    /// @dev From the halves of one layer to those of the next, by a sumcheck of `layer` rounds.
    function _layer(State memory s, bytes memory proof, uint256[4] memory halves, uint256 layer)
        private
        pure
        returns (Flaw flaw, uint256[4] memory next)
    {
        uint256 select = _challenge(s, "fractions/select");
        s.point[layer - 1] = select;
        s.lambda = _challenge(s, "fractions/combine");
        s.claim = _mix(halves[0], halves[1], select).add(s.lambda.mul(_mix(halves[2], halves[3], select)));
        // Bound from the last coordinate to the first; each challenge takes the place of the one it binds.
        for (uint256 left = layer; left > 0; left--) {
            flaw = _round(s, proof, left - 1);
            if (flaw != Flaw.None) return (flaw, next);
        }
        (flaw, next) = _halves(s, proof);
        if (flaw != Flaw.None) return (flaw, next);
        (uint256 top, uint256 bottom) = _join(next);
        if (top.add(s.lambda.mul(bottom)) != s.claim) flaw = Flaw.Layer;
    }

    /// @dev (1 − w)·q(0) + w·q(1) must be the claim; q at the challenge is the next one.
    function _round(State memory s, bytes memory proof, uint256 coordinate) private pure returns (Flaw) {
        if (proof.length < s.position + ROUND) return Flaw.Short;
        (uint256 atZero, bool ok0) = BabyBear5.read(proof, s.position);
        (uint256 atOne, bool ok1) = BabyBear5.read(proof, s.position + 20);
        (uint256 leading, bool ok2) = BabyBear5.read(proof, s.position + 40);
        if (!ok0 || !ok1 || !ok2) return Flaw.Element;
        s.transcript = _absorb(s.transcript, "fractions/round", _slice(proof, s.position, ROUND));
        s.position += ROUND;
        if (_mix(atZero, atOne, s.point[coordinate]) != s.claim) return Flaw.Round;
        uint256 x = _challenge(s, "fractions/round");
        s.point[coordinate] = x;
        s.claim = atZero.add(x.mul(atOne.sub(atZero).sub(leading).add(x.mul(leading))));
        return Flaw.None;
    }

    /// @return halves numerators, then denominators, of the two fractions of a layer
    function _halves(State memory s, bytes memory proof) private pure returns (Flaw, uint256[4] memory halves) {
        if (proof.length < s.position + HALVES) return (Flaw.Short, halves);
        for (uint256 i = 0; i < 4; i++) {
            bool canonical;
            (halves[i], canonical) = BabyBear5.read(proof, s.position + 20 * i);
            if (!canonical) return (Flaw.Element, halves);
        }
        s.transcript = _absorb(s.transcript, "fractions/halves", _slice(proof, s.position, HALVES));
        s.position += HALVES;
        return (Flaw.None, halves);
    }

    /// @dev p₀/q₀ + p₁/q₁
    function _join(uint256[4] memory halves) private pure returns (uint256 top, uint256 bottom) {
        top = halves[0].mul(halves[3]).add(halves[1].mul(halves[2]));
        bottom = halves[2].mul(halves[3]);
    }

    /// @dev low + x·(high − low), which is (1 − x)·low + x·high.
    function _mix(uint256 low, uint256 high, uint256 x) private pure returns (uint256) {
        return low.add(x.mul(high.sub(low)));
    }

    // ------------------------------------------------------------------ transcript

    function _challenge(State memory s, bytes memory label) private pure returns (uint256) {
        s.transcript = _squeeze(s.transcript, label);
        return BabyBear5.fromRandomness(s.transcript);
    }

    function _absorb(bytes32 state, bytes memory label, bytes memory data) private pure returns (bytes32) {
        return keccak256(
            abi.encodePacked(state, uint8(0), uint8(label.length), label, uint32(data.length), data)
        );
    }

    function _squeeze(bytes32 state, bytes memory label) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(state, uint8(1), uint8(label.length), label));
    }

    function _slice(bytes memory data, uint256 from, uint256 length) private pure returns (bytes memory part) {
        part = new bytes(length);
        assembly ("memory-safe") {
            mcopy(add(part, 32), add(add(data, 32), from), length)
        }
    }
}
