// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

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

    /// @dev Four slots. A block number and a height fit 32 bits for centuries, OPG's supply fits 90.
    struct Record {
        address committer;
        uint32 height;
        uint32 committedBlock;
        State state;
        /// Nodes whose bonds cover it.
        uint8 covers;
        /// Validators who have spoken.
        uint8 voters;
        /// Challenges that hold it open.
        uint8 challenges;
        bytes32 root;
        /// Zero for a forced receipt, whose data is in the event.
        bytes32 dataHash;
        /// Prices of its receipts, OPG base units.
        uint96 sum;
        /// What its receipts put at risk: Σ max(price, valueAtRisk), OPG base units.
        uint96 exposure;
        uint16 count;
        uint40 committedAt;
    }

    /// @dev One slot. Times are Unix seconds, good until 2106; 0 where it has not happened.
    struct Tally {
        uint96 valid;
        uint96 invalid;
        uint32 quorumAt;
        uint32 finalisedAt;
    }

    /// @notice A batch as it is told to others.
    struct Batch {
        address committer;
        uint64 height;
        State state;
        bytes32 root;
        bytes32 dataHash;
        uint128 sum;
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
    /// @dev A seat: 23 bits of the validator's index, then whether it said valid.
    uint256 private constant SEAT_BITS = 24;
    uint256 private constant SEATS_PER_SLOT = 10;
    uint256 private constant SEAT_MASK = (1 << SEAT_BITS) - 1;

    ValidatorStaking public immutable staking;
    mapping(bytes32 batchId => Record) internal _batches;
    mapping(bytes32 batchId => Tally) internal _tallies;
    mapping(bytes32 batchId => mapping(uint256 slot => uint256)) private _seats;
    mapping(bytes32 batchId => mapping(uint256 index => uint256)) private _covers;

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
        Tally storage t = _tallies[batchId];
        return Batch(
            b.committer,
            b.height,
            b.state,
            b.root,
            b.dataHash,
            b.sum,
            b.exposure,
            b.count,
            b.committedBlock,
            b.committedAt,
            t.quorumAt,
            t.finalisedAt,
            b.challenges
        );
    }

    /// @notice Stake that has called the batch valid and invalid, OPG base units.
    function attestedStake(bytes32 batchId) external view returns (uint256 valid, uint256 invalid) {
        return (_tallies[batchId].valid, _tallies[batchId].invalid);
    }

    function hasAttested(bytes32 batchId, address validator) external view returns (bool) {
        uint256 index = staking.indexOf(validator);
        uint256 voters = _batches[batchId].voters;
        for (uint256 i = 0; i < voters; i++) {
            if (_readSeat(batchId, i) >> 1 == index) return true;
        }
        return false;
    }

    /// @notice Validators who called the batch valid: who answers for it. Fixed once it is neither Committed nor Attested.
    function attestersOf(bytes32 batchId) public view returns (address[] memory found) {
        uint256 voters = _batches[batchId].voters;
        found = new address[](voters);
        uint256 count = 0;
        uint256 word = 0;
        for (uint256 seat = 0; seat < voters; seat++) {
            if (seat % SEATS_PER_SLOT == 0) word = _seats[batchId][seat / SEATS_PER_SLOT];
            uint256 value = word >> (seat % SEATS_PER_SLOT * SEAT_BITS) & SEAT_MASK;
            if (value & 1 != 0) found[count++] = staking.validatorAt(value >> 1);
        }
        assembly ("memory-safe") {
            mstore(found, count)
        }
    }

    // ------------------------------------------------------------------ seats

    /// @dev Seats the signers, each once per batch, and adds up their stake.
    /// @return sum stake that has spoken so by now
    function _count(bytes32 batchId, address[] memory signers, bool valid, uint256 total)
        internal
        returns (uint256 sum)
    {
        uint256[] memory stakes = staking.stakesAt(signers, _batches[batchId].committedBlock - 1);
        for (uint256 i = 0; i < signers.length; i++) {
            if (stakes[i] == 0) revert NotAValidator(signers[i]);
            if (stakes[i] * LEAST_SHARE < total) revert StakeTooSmall(signers[i], stakes[i], total / LEAST_SHARE);
        }
        Tally storage tally = _tallies[batchId];
        uint256 covered = _seat(batchId, signers, valid);
        sum = valid ? tally.valid : tally.invalid;
        for (uint256 i = 0; i < signers.length; i++) {
            if (covered & (1 << i) == 0) {
                emit AttestationUncovered(batchId, signers[i]);
                continue;
            }
            sum += stakes[i];
            emit BatchAttested(batchId, signers[i], valid ? VERDICT_VALID : VERDICT_INVALID, stakes[i]);
        }
        // Safe casts: stake is OPG, whose supply is below 2^90 base units.
        if (valid) tally.valid = uint96(sum);
        else tally.invalid = uint96(sum);
    }

    /// @dev Gives the signers seats, and reserves the exposure on those who call the batch valid.
    /// @return covered bit i is set if signer i has a seat now
    function _seat(bytes32 batchId, address[] memory signers, bool valid)
        private
        returns (uint256 covered)
    {
        Record storage b = _batches[batchId];
        uint256 voters = b.voters;
        uint256[] memory indexes = new uint256[](signers.length);
        for (uint256 i = 0; i < signers.length; i++) {
            indexes[i] = staking.indexOf(signers[i]);
            for (uint256 seat = 0; seat < voters; seat++) {
                if (_readSeat(batchId, seat) >> 1 == indexes[i]) revert AlreadyAttested(batchId, signers[i]);
            }
        }
        covered = valid ? staking.reserve(signers, b.exposure) : type(uint256).max;
        uint256 flag = valid ? 1 : 0;
        for (uint256 i = 0; i < signers.length; i++) {
            if (covered & (1 << i) != 0) _writeSeat(batchId, voters++, indexes[i] << 1 | flag);
        }
        // Safe cast: LEAST_SHARE bounds it.
        b.voters = uint8(voters);
    }

    function _readSeat(bytes32 batchId, uint256 seat) private view returns (uint256) {
        return _seats[batchId][seat / SEATS_PER_SLOT] >> (seat % SEATS_PER_SLOT * SEAT_BITS) & SEAT_MASK;
    }

    function _writeSeat(bytes32 batchId, uint256 seat, uint256 value) private {
        _seats[batchId][seat / SEATS_PER_SLOT] |= value << (seat % SEATS_PER_SLOT * SEAT_BITS);
    }

    // ------------------------------------------------------------------ covers

    function _writeCover(bytes32 batchId, uint256 index, address node, uint256 exposure) internal {
        _covers[batchId][index] = uint256(uint160(node)) << 96 | exposure;
    }

    function _readCover(bytes32 batchId, uint256 index) internal view returns (address node, uint96 exposure) {
        uint256 packed = _covers[batchId][index];
        return (address(uint160(packed >> 96)), uint96(packed));
    }
}
