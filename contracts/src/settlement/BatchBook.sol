// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MAX_GROUPS} from "../libraries/MerkleSumLib.sol";
import {Quorum} from "../libraries/Quorum.sol";
import {NodeBond} from "../NodeBond.sol";
import {StakeCoverage} from "../staking/StakeCoverage.sol";
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

    /// @dev Three slots, which is all that a batch of one node and three voters ever takes. A block number, a time and a
    /// height fit 32 bits until 2106, OPG's supply fits 90. What the batch id commits to beside these (the data hash) and
    /// what the root commits to (sums, rows) is not kept: whoever needs it shows it.
    struct Record {
        /// Number of who committed it (`NodeBond.operatorAt`); 0 for a receipt that was forced in.
        uint32 committer;
        uint32 height;
        uint32 committedAt;
        /// Stake that called it valid, OPG base units.
        uint96 valid;
        /// Validators who have spoken, and the first three of their seats; the others are in `_moreSeats`.
        uint8 voters;
        uint48 seats;
        bytes32 root;
        State state;
        /// Nodes whose bonds cover it: the number of the only one, or as many as `_shares` names.
        uint8 nodes;
        uint32 node;
        /// Challenges that hold it open.
        uint8 challenges;
        uint16 count;
        uint32 committedBlock;
        /// When it was attested; once final, when it became so. Unix seconds.
        uint32 movedAt;
        /// What its receipts put at risk: Σ max(price, valueAtRisk), OPG base units.
        uint96 exposure;
    }

    /// @dev What a count changes of a record.
    struct Tally {
        uint96 valid;
        uint8 voters;
        uint48 seats;
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
        /// While Attested.
        uint64 quorumAt;
        /// Once Final.
        uint64 finalisedAt;
        uint8 challenges;
    }

    // ------------------------------------------------------------------ constants, storage

    uint8 public constant VERDICT_VALID = 1;
    uint8 public constant VERDICT_INVALID = 2;
    /// @notice A validator speaks with at least this part (one in so many) of all stake: what bounds the voters of a
    /// batch, and with them the gas of ending it, challenging it and proving it false.
    uint256 public constant LEAST_SHARE = 80;
    /// @dev A seat: 15 bits of the validator's index, then whether it said valid.
    uint256 private constant SEAT_BITS = 16;
    uint256 private constant SEAT_MASK = (1 << SEAT_BITS) - 1;
    uint256 private constant SEATS_IN_RECORD = 3;
    uint256 private constant SEATS_PER_SLOT = 16;

    ValidatorStaking public immutable staking;
    NodeBond public immutable bonds;
    mapping(bytes32 batchId => Record) internal _batches;
    mapping(bytes32 batchId => mapping(uint256 slot => uint256)) private _moreSeats;
    /// @dev Stake that called a batch invalid, OPG base units: apart, since hardly any batch needs it.
    mapping(bytes32 batchId => uint256) private _invalidStake;
    /// @dev Nodes of a batch of several, each with its part of the exposure: two to a slot.
    mapping(bytes32 batchId => NodeBond.Share[MAX_GROUPS]) private _shares;
    /// @dev Who forced a receipt in: anyone may, so it need not have a number.
    mapping(bytes32 batchId => address) internal _forcedBy;

    event BatchAttested(bytes32 indexed batchId, address indexed validator, uint8 verdict, uint256 stake);
    event AttestationUncovered(bytes32 indexed batchId, address indexed validator);

    error AlreadyAttested(bytes32 batchId, address validator);
    error NotAValidator(address signer);
    error StakeTooSmall(address signer, uint256 stake, uint256 least);

    constructor(ValidatorStaking staking_, NodeBond bonds_) {
        staking = staking_;
        bonds = bonds_;
    }

    // ------------------------------------------------------------------ views

    /// @notice A committed batch; `state` None where the id is unknown.
    function batch(bytes32 batchId) external view returns (Batch memory) {
        Record storage b = _batches[batchId];
        bool forced = b.committer == 0;
        return Batch(
            forced ? _forcedBy[batchId] : bonds.operatorAt(b.committer),
            b.height,
            b.state,
            forced && b.state != State.None,
            b.root,
            b.exposure,
            b.count,
            b.committedBlock,
            b.committedAt,
            b.state == State.Attested ? b.movedAt : 0,
            b.state == State.Final ? b.movedAt : 0,
            b.challenges
        );
    }

    /// @notice Stake that has called the batch valid and invalid, OPG base units.
    function attestedStake(bytes32 batchId) external view returns (uint256 valid, uint256 invalid) {
        return (_batches[batchId].valid, _invalidStake[batchId]);
    }

    function hasAttested(bytes32 batchId, address validator) external view returns (bool) {
        return voiceOf(batchId, validator) != 0;
    }

    /// @notice What a validator said of a batch: VERDICT_VALID, VERDICT_INVALID, or 0 for nothing that was counted.
    function voiceOf(bytes32 batchId, address validator) public view returns (uint8) {
        Tally memory tally = _tallyOf(_batches[batchId]);
        uint256 index = staking.indexOf(validator);
        for (uint256 seat = 0; seat < tally.voters; seat++) {
            uint256 value = _readSeat(batchId, tally, seat);
            if (value >> 1 == index) return value & 1 != 0 ? VERDICT_VALID : VERDICT_INVALID;
        }
        return 0;
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
        // One who calls a batch valid answers for its exposure; who cannot bear it now is left out.
        (StakeCoverage.Voice[] memory voices, uint256 total) =
            staking.reserve(signers, valid ? b.exposure : 0, b.committedBlock - 1);
        Tally memory tally = _tallyOf(b);
        uint256 seated = tally.voters;
        uint256 sum = valid ? tally.valid : _invalidStake[batchId];
        for (uint256 i = 0; i < signers.length; i++) {
            StakeCoverage.Voice memory voice = voices[i];
            if (voice.stake == 0) revert NotAValidator(signers[i]);
            if (voice.stake * LEAST_SHARE < total) revert StakeTooSmall(signers[i], voice.stake, total / LEAST_SHARE);
            if (_isSeated(batchId, tally, seated, voice.index)) revert AlreadyAttested(batchId, signers[i]);
            if (!voice.bears) {
                emit AttestationUncovered(batchId, signers[i]);
                continue;
            }
            _seat(batchId, tally, voice.index << 1 | (valid ? 1 : 0));
            sum += voice.stake;
            emit BatchAttested(batchId, signers[i], valid ? VERDICT_VALID : VERDICT_INVALID, voice.stake);
        }
        // Safe cast: stake is OPG, whose supply is below 2^90 base units.
        if (valid) tally.valid = uint96(sum);
        else _invalidStake[batchId] = sum;
        (b.valid, b.voters, b.seats) = (tally.valid, tally.voters, tally.seats);
        return Quorum.reached(sum, total);
    }

    function _tallyOf(Record storage b) private view returns (Tally memory) {
        return Tally(b.valid, b.voters, b.seats);
    }

    /// @dev The caller stores `tally`. LEAST_SHARE bounds the voters.
    function _seat(bytes32 batchId, Tally memory tally, uint256 value) private {
        uint256 seat = tally.voters++;
        if (seat < SEATS_IN_RECORD) {
            // Safe cast: three seats of 16 bits are 48.
            tally.seats |= uint48(value << (seat * SEAT_BITS));
        } else {
            seat -= SEATS_IN_RECORD;
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
        if (seat < SEATS_IN_RECORD) return tally.seats >> (seat * SEAT_BITS) & SEAT_MASK;
        seat -= SEATS_IN_RECORD;
        return _moreSeats[batchId][seat / SEATS_PER_SLOT] >> (seat % SEATS_PER_SLOT * SEAT_BITS) & SEAT_MASK;
    }

    /// @dev Indexes of those who called the batch valid.
    function _attesters(bytes32 batchId) internal view returns (uint256[] memory indexes) {
        Tally memory tally = _tallyOf(_batches[batchId]);
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

    // ------------------------------------------------------------------ bonds

    /// @dev Notes whose bonds cover a batch: `shares` are of its committer, unless it was forced, and of its nodes.
    function _writeShares(bytes32 batchId, Record storage b, NodeBond.Share[] memory shares, bool forced) internal {
        uint256 first = forced ? 0 : 1;
        if (!forced) b.committer = shares[0].operator;
        // Safe cast: MerkleSumLib bounds the nodes.
        b.nodes = uint8(shares.length - first);
        if (b.nodes == 1) b.node = shares[first].operator;
        else for (uint256 i = first; i < shares.length; i++) _shares[batchId][i - first] = shares[i];
    }

    /// @dev The bonds that answer for a batch: of its committer for all of it, of each node for its part.
    function _readShares(bytes32 batchId, Record storage b) internal view returns (NodeBond.Share[] memory shares) {
        (uint256 committer, uint256 nodes, uint96 exposure) = (b.committer, b.nodes, b.exposure);
        uint256 first = committer == 0 ? 0 : 1;
        shares = new NodeBond.Share[](first + nodes);
        if (first == 1) shares[0] = NodeBond.Share(uint32(committer), exposure);
        if (nodes == 1) shares[first] = NodeBond.Share(b.node, exposure);
        else for (uint256 i = 0; i < nodes; i++) shares[first + i] = _shares[batchId][i];
    }
}
