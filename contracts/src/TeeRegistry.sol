// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Quorum} from "./libraries/Quorum.sol";
import {NodeBond} from "./NodeBond.sol";
import {ParamStore} from "./ParamStore.sol";
import {Settlement} from "./Settlement.sol";
import {ValidatorStaking} from "./ValidatorStaking.sol";

/// @title Which hardware, roots, code and keys count, and when they did
/// @notice Every record is an interval: revoking ends it and leaves its past alone, so honest receipts keep verifying.
/// The governor decides hardware, roots and measurements; validators vote keys in after checking their attestation.
contract TeeRegistry {
    // ------------------------------------------------------------------ types

    /// @dev Valid at t when validFrom ≤ t and (revokedAt = 0 or t < revokedAt).
    struct Interval {
        uint64 validFrom;
        uint64 revokedAt;
    }

    struct Measurement {
        Interval interval;
        uint8 engineClasses;
    }

    struct Key {
        address node;
        uint8 engineClasses;
        bool bonded;
        Interval interval;
        bytes32 hardwareType;
        bytes32 rootHash;
        bytes32 measurement;
        bytes32 evidenceHash;
    }

    struct Registration {
        Key proposed;
        address key;
        uint64 proposedBlock;
        uint256 validStake;
        uint256 invalidStake;
    }

    // ------------------------------------------------------------------ constants

    uint8 private constant BONDED_ENGINE_CLASSES = 4; // engine class 2 alone
    uint256 private constant MAX_URI = 512;
    bytes32 private constant REGISTRATION_TAG = keccak256("assay/registration/v1");
    bytes32 private constant KEY_VOTE_TYPEHASH = keccak256("KeyVote(bytes32 registrationId,bool valid)");
    bytes32 private constant KEY_POSSESSION_TYPEHASH = keccak256("KeyPossession(address node,address key)");

    // ------------------------------------------------------------------ storage

    address public governor;
    NodeBond public immutable bonds;
    ValidatorStaking public immutable staking;
    /// @notice Gives the EIP-712 domain of votes.
    Settlement public immutable settlement;
    ParamStore public immutable params;

    mapping(bytes32 hardwareType => Interval) private _hardware;
    mapping(bytes32 hardwareType => mapping(bytes32 rootHash => Interval)) private _roots;
    mapping(bytes32 hardwareType => mapping(bytes32 measurement => Measurement)) private _measurements;
    mapping(address key => Key) private _keys;
    mapping(bytes32 registrationId => Registration) private _registrations;
    mapping(bytes32 registrationId => mapping(address validator => bool)) public hasVoted;

    // ------------------------------------------------------------------ events, errors

    event HardwareApproved(bytes32 indexed hardwareType);
    event HardwareRevoked(bytes32 indexed hardwareType);
    event RootApproved(bytes32 indexed hardwareType, bytes32 indexed rootHash);
    event RootRevoked(bytes32 indexed hardwareType, bytes32 indexed rootHash);
    event MeasurementApproved(bytes32 indexed hardwareType, bytes32 indexed measurement, uint8 engineClasses);
    event MeasurementRevoked(bytes32 indexed hardwareType, bytes32 indexed measurement);
    event KeyProposed(
        bytes32 indexed registrationId,
        address indexed node,
        address indexed key,
        bytes32 hardwareType,
        bytes32 rootHash,
        bytes32 measurement,
        uint8 engineClasses,
        bytes32 evidenceHash,
        string evidenceURI
    );
    event KeyVoted(bytes32 indexed registrationId, address indexed validator, bool valid, uint256 stake);
    event KeyAdmitted(bytes32 indexed registrationId, address indexed node, address indexed key, uint64 validFrom);
    event GovernorChanged(address indexed from, address indexed to);
    event KeyRevoked(address indexed key, uint64 revokedAt);

    error NotGovernor(address caller);
    error AlreadyApproved();
    error NotApproved();
    error NotBonded(address node);
    error KeyTaken(address key, address owner);
    error AlreadyProposed(bytes32 registrationId);
    error UnknownRegistration(bytes32 registrationId);
    error AlreadyVoted(bytes32 registrationId, address validator);
    error NotAValidator(address signer);
    error NotKeyOwner(address key, address caller);
    error NotValid(address key);
    error NotPossessed(address key, address signer);
    error ZeroAddress();
    error UriTooLong(uint256 length);

    modifier onlyGovernor() {
        if (msg.sender != governor) revert NotGovernor(msg.sender);
        _;
    }

    constructor(
        address governor_,
        NodeBond bonds_,
        ValidatorStaking staking_,
        Settlement settlement_,
        ParamStore params_
    ) {
        governor = governor_;
        bonds = bonds_;
        staking = staking_;
        settlement = settlement_;
        params = params_;
    }

    // ------------------------------------------------------------------ views

    function hardware(bytes32 hardwareType) external view returns (uint64 validFrom, uint64 revokedAt) {
        Interval storage i = _hardware[hardwareType];
        return (i.validFrom, i.revokedAt);
    }

    function root(bytes32 hardwareType, bytes32 rootHash) external view returns (uint64 validFrom, uint64 revokedAt) {
        Interval storage i = _roots[hardwareType][rootHash];
        return (i.validFrom, i.revokedAt);
    }

    function measurement(bytes32 hardwareType, bytes32 measurement_)
        external
        view
        returns (uint64 validFrom, uint64 revokedAt, uint8 engineClasses)
    {
        Measurement storage m = _measurements[hardwareType][measurement_];
        return (m.interval.validFrom, m.interval.revokedAt, m.engineClasses);
    }

    function key(address key_)
        external
        view
        returns (
            address node,
            bytes32 hardwareType,
            bytes32 rootHash,
            bytes32 measurement_,
            uint8 engineClasses,
            bytes32 evidenceHash,
            uint64 validFrom,
            uint64 revokedAt,
            bool bonded
        )
    {
        Key storage k = _keys[key_];
        return (
            k.node,
            k.hardwareType,
            k.rootHash,
            k.measurement,
            k.engineClasses,
            k.evidenceHash,
            k.interval.validFrom,
            k.interval.revokedAt,
            k.bonded
        );
    }

    /// @notice Where a registration stands: the key it is for (zero if unknown) and the stake for and against it.
    function registration(bytes32 registrationId)
        external
        view
        returns (address key_, address node, uint64 proposedBlock, uint256 validStake, uint256 invalidStake)
    {
        Registration storage r = _registrations[registrationId];
        return (r.key, r.proposed.node, r.proposedBlock, r.validStake, r.invalidStake);
    }

    /// @notice Whether `key_` could sign for `node` and this engine class at time `t`: key, hardware, root and
    /// measurement were all valid *then*.
    function isKeyValidAt(address key_, address node, uint8 engineClass, bool bonded, uint64 t)
        external
        view
        returns (bool)
    {
        Key storage k = _keys[key_];
        if (k.node != node || k.bonded != bonded || engineClass > 7) return false;
        if (!_covers(k.interval, t) || k.engineClasses & (1 << engineClass) == 0) return false;
        if (bonded) return true;
        Measurement storage m = _measurements[k.hardwareType][k.measurement];
        return _covers(_hardware[k.hardwareType], t) && _covers(_roots[k.hardwareType][k.rootHash], t)
            && _covers(m.interval, t) && m.engineClasses & (1 << engineClass) != 0;
    }

    /// @notice docs/spec.md §7.
    function registrationIdOf(
        address node,
        address key_,
        bytes32 hardwareType,
        bytes32 rootHash,
        bytes32 measurement_,
        uint8 engineClasses,
        bytes32 evidenceHash
    ) public view returns (bytes32) {
        return keccak256(
            abi.encode(
                REGISTRATION_TAG,
                block.chainid,
                address(this),
                node,
                key_,
                hardwareType,
                rootHash,
                measurement_,
                engineClasses,
                evidenceHash
            )
        );
    }

    // ------------------------------------------------------------------ governance

    /// @notice Hands the role on, from the deployer to the timelock.
    function setGovernor(address to) external onlyGovernor {
        if (to == address(0)) revert ZeroAddress();
        emit GovernorChanged(governor, to);
        governor = to;
    }

    function approveHardware(bytes32 hardwareType) external onlyGovernor {
        _approve(_hardware[hardwareType]);
        emit HardwareApproved(hardwareType);
    }

    function revokeHardware(bytes32 hardwareType) external onlyGovernor {
        _revoke(_hardware[hardwareType]);
        emit HardwareRevoked(hardwareType);
    }

    function approveRoot(bytes32 hardwareType, bytes32 rootHash) external onlyGovernor {
        _approve(_roots[hardwareType][rootHash]);
        emit RootApproved(hardwareType, rootHash);
    }

    function revokeRoot(bytes32 hardwareType, bytes32 rootHash) external onlyGovernor {
        _revoke(_roots[hardwareType][rootHash]);
        emit RootRevoked(hardwareType, rootHash);
    }

    /// @param engineClasses bit i = engine class i that this code may claim.
    function approveMeasurement(bytes32 hardwareType, bytes32 measurement_, uint8 engineClasses)
        external
        onlyGovernor
    {
        Measurement storage m = _measurements[hardwareType][measurement_];
        _approve(m.interval);
        m.engineClasses = engineClasses;
        emit MeasurementApproved(hardwareType, measurement_, engineClasses);
    }

    function revokeMeasurement(bytes32 hardwareType, bytes32 measurement_) external onlyGovernor {
        _revoke(_measurements[hardwareType][measurement_].interval);
        emit MeasurementRevoked(hardwareType, measurement_);
    }

    // ------------------------------------------------------------------ keys

    /// @notice Asks validators to check an enclave's attestation and vote its key in.
    /// @param evidenceURI where the evidence under `evidenceHash` can be fetched.
    function proposeKey(
        address key_,
        bytes32 hardwareType,
        bytes32 rootHash,
        bytes32 measurement_,
        uint8 engineClasses,
        bytes32 evidenceHash,
        string calldata evidenceURI
    ) external returns (bytes32 registrationId) {
        if (bytes(evidenceURI).length > MAX_URI) revert UriTooLong(bytes(evidenceURI).length);
        _requireFree(key_);
        registrationId = registrationIdOf(
            msg.sender, key_, hardwareType, rootHash, measurement_, engineClasses, evidenceHash
        );
        Registration storage r = _registrations[registrationId];
        if (r.proposedBlock != 0) revert AlreadyProposed(registrationId);
        r.key = key_;
        r.proposedBlock = uint64(block.number);
        r.proposed = Key(
            msg.sender, engineClasses, false, Interval(0, 0), hardwareType, rootHash, measurement_, evidenceHash
        );
        emit KeyProposed(
            registrationId,
            msg.sender,
            key_,
            hardwareType,
            rootHash,
            measurement_,
            engineClasses,
            evidenceHash,
            evidenceURI
        );
    }

    /// @notice Counts one validator's signed vote; at the quorum the key becomes valid.
    function voteKey(bytes32 registrationId, bool valid, bytes calldata signature) external {
        Registration storage r = _registrations[registrationId];
        if (r.proposedBlock == 0) revert UnknownRegistration(registrationId);
        address signer = ECDSA.recover(
            settlement.digestOf(keccak256(abi.encode(KEY_VOTE_TYPEHASH, registrationId, valid))), signature
        );
        if (hasVoted[registrationId][signer]) revert AlreadyVoted(registrationId, signer);
        uint256 snapshot = r.proposedBlock - 1;
        uint256 stake = staking.isActive(signer) ? staking.stakeAt(signer, snapshot) : 0;
        if (stake == 0) revert NotAValidator(signer);
        hasVoted[registrationId][signer] = true;
        emit KeyVoted(registrationId, signer, valid, stake);
        if (!valid) {
            r.invalidStake += stake;
            return;
        }
        r.validStake += stake;
        bool quorum = Quorum.reached(r.validStake, staking.totalStakeAt(snapshot));
        // A key has one life: once admitted (and perhaps revoked) it is never admitted again.
        if (quorum && _keys[r.key].node == address(0)) {
            Key storage k = _keys[r.key];
            _copy(k, r.proposed);
            k.interval.validFrom = uint64(block.timestamp);
            emit KeyAdmitted(registrationId, k.node, r.key, k.interval.validFrom);
        }
    }

    /// @notice Registers a key that no enclave vouches for: only the operator's bond does.
    /// @param signature the key's own, over `KeyPossession(node, key)`: else a stranger could take another's key.
    function registerBondedKey(address key_, bytes calldata signature) external {
        _requireFree(key_);
        bytes32 structHash = keccak256(abi.encode(KEY_POSSESSION_TYPEHASH, msg.sender, key_));
        address signer = ECDSA.recover(settlement.digestOf(structHash), signature);
        if (signer != key_) revert NotPossessed(key_, signer);
        _keys[key_] = Key(
            msg.sender,
            BONDED_ENGINE_CLASSES,
            true,
            Interval(uint64(block.timestamp), 0),
            bytes32(0),
            bytes32(0),
            bytes32(0),
            bytes32(0)
        );
        emit KeyAdmitted(bytes32(0), msg.sender, key_, uint64(block.timestamp));
    }

    function revokeKey(address key_) external {
        Key storage k = _keys[key_];
        if (k.node != msg.sender) revert NotKeyOwner(key_, msg.sender);
        if (k.interval.revokedAt != 0) revert NotValid(key_);
        k.interval.revokedAt = uint64(block.timestamp);
        emit KeyRevoked(key_, k.interval.revokedAt);
    }

    // ------------------------------------------------------------------ internal

    /// @dev A key is its operator's from admission on, and forever. A mere proposal claims nothing: whoever copies one
    /// from the mempool holds no evidence that binds the key to itself, and validators vote it down.
    function _requireFree(address key_) private view {
        if (!bonds.isBonded(msg.sender)) revert NotBonded(msg.sender);
        if (key_ == address(0)) revert ZeroAddress();
        if (_keys[key_].node != address(0)) revert KeyTaken(key_, _keys[key_].node);
    }

    function _copy(Key storage to, Key storage from) private {
        to.node = from.node;
        to.engineClasses = from.engineClasses;
        to.hardwareType = from.hardwareType;
        to.rootHash = from.rootHash;
        to.measurement = from.measurement;
        to.evidenceHash = from.evidenceHash;
    }

    function _covers(Interval storage i, uint64 t) private view returns (bool) {
        return i.validFrom != 0 && i.validFrom <= t && (i.revokedAt == 0 || t < i.revokedAt);
    }

    /// @dev An interval has one life; approving again after a revocation would make its gap look approved.
    function _approve(Interval storage i) private {
        if (i.validFrom != 0) revert AlreadyApproved();
        i.validFrom = uint64(block.timestamp);
    }

    function _revoke(Interval storage i) private {
        if (i.validFrom == 0 || i.revokedAt != 0) revert NotApproved();
        i.revokedAt = uint64(block.timestamp);
    }
}
