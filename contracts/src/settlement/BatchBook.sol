// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Quorum} from "../libraries/Quorum.sol";
import {NodeBond} from "../NodeBond.sol";
import {ValidatorStaking} from "../ValidatorStaking.sol";

/// @title What is kept of a batch, in as few slots as it takes
/// @notice Who called it valid, who covers it, how much stake has spoken.
abstract contract BatchBook {
    // ------------------------------------------------------------------ types

    enum State {
        None,
        Committed,
        Attested,
        Final,
        Void,
        Expired
    }

    /// @dev Three slots. A block number, a time and a height fit 32 bits until 2106, OPG's supply fits 90. What the batch
    /// id commits to beside these (the data hash) and what the root commits to (sums, rows) is not kept: whoever needs it
    /// shows it.
    struct Record {
        address committer;
        uint32 height;
        uint32 committedAt;
        bytes32 root;
        State state;
        /// Put in by anyone, after its time: the data is in the event, and its node alone covers it.
        bool forced;
        /// Nodes whose bonds cover it.
        uint8 covers;
        /// Challenges that hold it open.
        uint8 challenges;
        uint16 count;
        uint32 committedBlock;
        /// Unix seconds; 0 where it has not happened.
        uint32 quorumAt;
        uint32 finalisedAt;
        /// What its receipts put at risk: Σ max(price, valueAtRisk), OPG base units.
        uint96 exposure;
    }

    /// @dev One slot, which is all that a batch of few voters needs of them.
    struct Tally {
        /// Stake that called the batch valid, OPG base units.
        uint96 valid;
        /// Validators who have spoken.
        uint8 voters;
        /// The first of their seats; the others are in `_moreSeats`.
        uint144 seats;
    }

    /// @notice A batch as it is told to others.
    struct Batch {
        address committer;
        uint64 height;
        State state;
        bool forced;
        bytes32 root;
        uint128 exposure;
        uint64 count;
        uint64 committedBlock;
        uint64 committedAt;
        uint64 quorumAt;
        uint64 finalisedAt;
        uint8 challenges;
    }

    // ------------------------------------------------------------------ constants, storage

    uint8 public constant VERDICT_VALID = 1;
    uint8 public constant VERDICT_INVALID = 2;
    /// @notice A validator speaks with at least this part (one in so many) of all stake: what bounds the voters of a
    /// batch, and with them the gas of ending it.
    uint256 public constant LEAST_SHARE = 200;
    /// @dev A seat: 15 bits of the validator's index, then whether it said valid.
    uint256 private constant SEAT_BITS = 16;
    uint256 private constant SEAT_MASK = (1 << SEAT_BITS) - 1;
    uint256 private constant SEATS_IN_TALLY = 9;
    uint256 private constant SEATS_PER_SLOT = 16;

    ValidatorStaking public immutable staking;
    mapping(bytes32 batchId => Record) internal _batches;
    mapping(bytes32 batchId => Tally) private _tallies;
    mapping(bytes32 batchId => mapping(uint256 slot => uint256)) private _moreSeats;
    /// @dev Stake that called a batch invalid, OPG base units: apart, since hardly any batch needs it.
    mapping(bytes32 batchId => uint256) private _invalidStake;
    /// @dev Nodes of a batch, each with its part of the exposure.
    mapping(bytes32 batchId => mapping(uint256 index => NodeBond.Cover)) private _covers;

    event BatchAttested(bytes32 indexed batchId, address indexed validator, uint8 verdict, uint256 stake);
    event AttestationUncovered(bytes32 indexed batchId, address indexed validator);

    error AlreadyAttested(bytes32 batchId, address validator);
    error NotAValidator(address signer);
    error StakeTooSmall(address signer, uint256 stake, uint256 least);

    constructor(ValidatorStaking staking_) {
        staking = staking_;
    }

    // ------------------------------------------------------------------ views

    /// @notice A committed batch; `state` None where the id is unknown.
    function batch(bytes32 batchId) external view returns (Batch memory) {
        Record storage b = _batches[batchId];
        return Batch(
            b.committer,
            b.height,
            b.state,
            b.forced,
            b.root,
            b.exposure,
            b.count,
            b.committedBlock,
            b.committedAt,
            b.quorumAt,
            b.finalisedAt,
            b.challenges
        );
    }

    /// @notice Stake that has called the batch valid and invalid, OPG base units.
    function attestedStake(bytes32 batchId) external view returns (uint256 valid, uint256 invalid) {
        return (_tallies[batchId].valid, _invalidStake[batchId]);
    }

    function hasAttested(bytes32 batchId, address validator) external view returns (bool) {
        Tally memory tally = _tallies[batchId];
        return _isSeated(batchId, tally, tally.voters, staking.indexOf(validator));
    }

    /// @notice Validators who called the batch valid: who answers for it. Fixed once it is neither Committed nor Attested.
    function attestersOf(bytes32 batchId) external view returns (address[] memory) {
        return staking.validatorsAt(_attesters(batchId));
    }

    // ------------------------------------------------------------------ seats

    /// @dev Seats the signers, each once per batch, and adds up their stake.
    /// @return reached whether two thirds of the stake that stood just before the commit have spoken so by now
    function _count(bytes32 batchId, address[] memory signers, bool valid) internal returns (bool reached) {
        Record storage b = _batches[batchId];
        (uint256[] memory stakes, uint256[] memory indexes, uint256 total) =
            staking.weigh(signers, b.committedBlock - 1);
        // One who calls a batch valid answers for its exposure; who cannot bear it now is left out.
        uint256 bearing = valid ? staking.reserve(signers, b.exposure) : type(uint256).max;
        Tally memory tally = _tallies[batchId];
        uint256 seated = tally.voters;
        uint256 sum = valid ? tally.valid : _invalidStake[batchId];
        for (uint256 i = 0; i < signers.length; i++) {
            if (stakes[i] == 0) revert NotAValidator(signers[i]);
            if (stakes[i] * LEAST_SHARE < total) revert StakeTooSmall(signers[i], stakes[i], total / LEAST_SHARE);
            if (_isSeated(batchId, tally, seated, indexes[i])) revert AlreadyAttested(batchId, signers[i]);
            if (bearing & (1 << i) == 0) {
                emit AttestationUncovered(batchId, signers[i]);
                continue;
            }
            _seat(batchId, tally, indexes[i] << 1 | (valid ? 1 : 0));
            sum += stakes[i];
            emit BatchAttested(batchId, signers[i], valid ? VERDICT_VALID : VERDICT_INVALID, stakes[i]);
        }
        // Safe cast: stake is OPG, whose supply is below 2^90 base units.
        if (valid) tally.valid = uint96(sum);
        else _invalidStake[batchId] = sum;
        _tallies[batchId] = tally;
        return Quorum.reached(sum, total);
    }

    /// @dev The caller stores `tally`. LEAST_SHARE bounds the voters.
    function _seat(bytes32 batchId, Tally memory tally, uint256 value) private {
        uint256 seat = tally.voters++;
        if (seat < SEATS_IN_TALLY) {
            // Safe cast: nine seats of 16 bits are 144.
            tally.seats |= uint144(value << (seat * SEAT_BITS));
        } else {
            seat -= SEATS_IN_TALLY;
            _moreSeats[batchId][seat / SEATS_PER_SLOT] |= value << (seat % SEATS_PER_SLOT * SEAT_BITS);
        }
    }

    /// @dev Whether one of the first `seats` seats is that of the validator with this index.
    function _isSeated(bytes32 batchId, Tally memory tally, uint256 seats, uint256 index)
        private
        view
        returns (bool)
    {
        for (uint256 seat = 0; seat < seats; seat++) {
            if (_readSeat(batchId, tally, seat) >> 1 == index) return true;
        }
        return false;
    }

    function _readSeat(bytes32 batchId, Tally memory tally, uint256 seat) private view returns (uint256) {
        if (seat < SEATS_IN_TALLY) return tally.seats >> (seat * SEAT_BITS) & SEAT_MASK;
        seat -= SEATS_IN_TALLY;
        return _moreSeats[batchId][seat / SEATS_PER_SLOT] >> (seat % SEATS_PER_SLOT * SEAT_BITS) & SEAT_MASK;
    }

    /// @dev Indexes of those who called the batch valid.
    function _attesters(bytes32 batchId) internal view returns (uint256[] memory indexes) {
        Tally memory tally = _tallies[batchId];
        indexes = new uint256[](tally.voters);
        uint256 found = 0;
        for (uint256 seat = 0; seat < tally.voters; seat++) {
            uint256 value = _readSeat(batchId, tally, seat);
            if (value & 1 != 0) indexes[found++] = value >> 1;
        }
        assembly ("memory-safe") {
            mstore(indexes, found)
        }
    }

    // ------------------------------------------------------------------ covers

    function _writeCover(bytes32 batchId, uint256 index, address node, uint128 exposure) internal {
        _covers[batchId][index] = NodeBond.Cover(node, SafeCast.toUint96(exposure));
    }

    /// @dev The bonds that answer for a batch: of its nodes, each for its part, and of its committer for all of it.
    function _coversOf(Record storage b, bytes32 batchId) internal view returns (NodeBond.Cover[] memory covers) {
        uint256 nodes = b.covers;
        covers = new NodeBond.Cover[](b.forced ? nodes : nodes + 1);
        for (uint256 i = 0; i < nodes; i++) covers[i] = _covers[batchId][i];
        if (!b.forced) covers[nodes] = NodeBond.Cover(b.committer, b.exposure);
    }
}
