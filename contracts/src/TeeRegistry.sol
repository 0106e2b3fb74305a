// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Quorum} from "./libraries/Quorum.sol";
import {Guardian} from "./Guardian.sol";
import {NodeBond} from "./NodeBond.sol";
import {Settlement} from "./Settlement.sol";
import {TeeApprovals} from "./tee/TeeApprovals.sol";
import {ValidatorStaking} from "./ValidatorStaking.sol";

/// @title Which hardware, roots, code and keys count, and when they did
/// @notice Every record is an interval: revoking ends it and leaves its past alone, so honest receipts keep verifying.
/// The governor decides hardware, roots, measurements and rules; validators vote keys in after checking their attestation,
/// and vote again on fresh evidence before a key's term is over.
/// The guardian may suspend a record, once and for a bounded time: governance makes that final, or it lapses.
contract TeeRegistry is TeeApprovals {
    // ------------------------------------------------------------------ types

    /// @notice Seconds, fixed at deployment; what each is for stands at the variable of its name.
    struct Times {
        uint64 suspensionLength;
        uint64 hardwareNotice;
        uint64 keyTerm;
    }

    /// @dev `attestedAt` is when the evidence that was last voted valid was proposed: the key's term runs from there.
    struct Key {
        address node;
        uint8 engineClasses;
        bool bonded;
        uint64 attestedAt;
        Interval interval;
        bytes32 hardwareType;
        bytes32 rootHash;
        bytes32 measurement;
        bytes32 evidenceHash;
    }

    /// @dev In `proposed`, `interval.validFrom` is the `attestedAt` that a renewal starts from, zero for a new key.
    struct Registration {
        Key proposed;
        address key;
        uint64 proposedBlock;
        uint256 validStake;
        uint256 invalidStake;
    }

    // ------------------------------------------------------------------ constants

    uint8 private constant BONDED_ENGINE_CLASSES = 4; // engine class 2 alone
    bytes32 private constant REGISTRATION_TAG = keccak256("assay/registration/v1");
    bytes32 private constant KEY_VOTE_TYPEHASH = keccak256("KeyVote(bytes32 registrationId,bool valid)");
    bytes32 private constant KEY_POSSESSION_TYPEHASH = keccak256("KeyPossession(address node,address key)");

    // ------------------------------------------------------------------ storage

    /// @notice Seconds that one attestation backs an enclave's key.
    uint64 public immutable keyTerm;
    NodeBond public immutable bonds;
    ValidatorStaking public immutable staking;
    /// @notice Gives the EIP-712 domain of votes.
    Settlement public immutable settlement;

    mapping(address key => Key) private _keys;
    mapping(bytes32 registrationId => Registration) private _registrations;
    mapping(bytes32 registrationId => mapping(address validator => bool)) public hasVoted;

    // ------------------------------------------------------------------ events, errors

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
    event KeyRenewed(bytes32 indexed registrationId, address indexed key, bytes32 evidenceHash, uint64 expiresAt);
    event KeyRevoked(address indexed key, uint64 revokedAt);

    error NotBonded(address node);
    error KeyTaken(address key, address owner);
    error AlreadyProposed(bytes32 registrationId);
    error UnknownRegistration(bytes32 registrationId);
    error AlreadyVoted(bytes32 registrationId, address validator);
    error NotAValidator(address signer);
    error NotKeyOwner(address key, address caller);
    error NotValid(address key);
    error NotPossessed(address key, address signer);
    error ZeroTerm();

    constructor(
        address governor_,
        Guardian guardian_,
        NodeBond bonds_,
        ValidatorStaking staking_,
        Settlement settlement_,
        Times memory times,
        Approval[] memory approvals
    ) TeeApprovals(governor_, guardian_, times.suspensionLength, times.hardwareNotice) {
        if (times.keyTerm == 0) revert ZeroTerm();
        bonds = bonds_;
        staking = staking_;
        settlement = settlement_;
        keyTerm = times.keyTerm;
        for (uint256 i = 0; i < approvals.length; i++) {
            Approval memory a = approvals[i];
            // Several entries may share hardware and root; a measurement given twice is a mistake.
            if (_hardware[a.hardwareType].validFrom == 0) _approveHardware(a.hardwareType);
            if (_roots[a.hardwareType][a.rootHash].validFrom == 0) _approveRoot(a.hardwareType, a.rootHash);
            _approveMeasurement(a.hardwareType, a.measurement, a.engineClasses);
        }
    }

    // ------------------------------------------------------------------ views

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

    /// @notice When the evidence behind an enclave's key was last proposed, and when it stops counting unless the key is
    /// attested again; zeros for a bonded key or one that is not known. Unix seconds.
    function term(address key_) external view returns (uint64 attestedAt, uint64 expiresAt) {
        attestedAt = _keys[key_].attestedAt;
        if (attestedAt != 0) expiresAt = attestedAt + keyTerm;
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
        return wasKeyValid(key_, node, engineClass, bonded, t, type(uint64).max);
    }

    /// @notice As `isKeyValidAt`, from what the registry held at `knownAt`: an end that was made later does not count.
    /// @dev For a fault proof: nobody is slashed for a revocation it could not have known.
    function wasKeyValid(address key_, address node, uint8 engineClass, bool bonded, uint64 t, uint64 knownAt)
        public
        view
        returns (bool)
    {
        Key storage k = _keys[key_];
        if (k.node != node || k.bonded != bonded || engineClass > 7) return false;
        if (!_covers(k.interval, t, knownAt) || k.engineClasses & (1 << engineClass) == 0) return false;
        if (bonded) return true;
        if (t >= k.attestedAt + keyTerm) return false;
        Measurement storage m = _measurements[k.hardwareType][k.measurement];
        return _covers(_hardware[k.hardwareType], t, knownAt)
            && _covers(_roots[k.hardwareType][k.rootHash], t, knownAt) && _covers(m.interval, t, knownAt)
            && m.engineClasses & (1 << engineClass) != 0;
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

    // ------------------------------------------------------------------ keys

    /// @notice Asks validators to check an enclave's attestation and vote its key in, or, for a key of the caller's that
    /// is valid and claims the same, to vote it a new term on fresh evidence.
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
        registrationId = registrationIdOf(
            msg.sender, key_, hardwareType, rootHash, measurement_, engineClasses, evidenceHash
        );
        Registration storage r = _registrations[registrationId];
        if (r.proposedBlock != 0) revert AlreadyProposed(registrationId);
        // A key of the caller's may be proposed again; whether that renews it is decided when the votes are in.
        if (_keys[key_].node == msg.sender && _isOpen(_keys[key_])) _requireBonded();
        else _requireFree(key_);
        r.key = key_;
        r.proposedBlock = uint64(block.number);
        r.proposed.node = msg.sender;
        r.proposed.engineClasses = engineClasses;
        r.proposed.attestedAt = uint64(block.timestamp);
        r.proposed.interval.validFrom = _keys[key_].attestedAt;
        r.proposed.hardwareType = hardwareType;
        r.proposed.rootHash = rootHash;
        r.proposed.measurement = measurement_;
        r.proposed.evidenceHash = evidenceHash;
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
        if (!Quorum.reached(r.validStake, staking.totalStakeAt(snapshot))) return;
        Key storage k = _keys[r.key];
        // A key has one life: once admitted (and perhaps revoked) it is never admitted again.
        if (k.node == address(0)) {
            _copy(k, r.proposed);
            k.interval.validFrom = uint64(block.timestamp);
            emit KeyAdmitted(registrationId, k.node, r.key, k.interval.validFrom);
        } else if (_renews(r.proposed, k)) {
            k.attestedAt = r.proposed.attestedAt;
            emit KeyRenewed(registrationId, r.key, r.proposed.evidenceHash, k.attestedAt + keyTerm);
        }
    }

    /// @notice Registers a key that no enclave vouches for: only the operator's bond does.
    /// @param signature the key's own, over `KeyPossession(node, key)`: else a stranger could take another's key.
    function registerBondedKey(address key_, bytes calldata signature) external {
        _requireFree(key_);
        bytes32 structHash = keccak256(abi.encode(KEY_POSSESSION_TYPEHASH, msg.sender, key_));
        address signer = ECDSA.recover(settlement.digestOf(structHash), signature);
        if (signer != key_) revert NotPossessed(key_, signer);
        Key storage k = _keys[key_];
        k.node = msg.sender;
        k.engineClasses = BONDED_ENGINE_CLASSES;
        k.bonded = true;
        k.interval.validFrom = uint64(block.timestamp);
        emit KeyAdmitted(bytes32(0), msg.sender, key_, uint64(block.timestamp));
    }

    /// @notice Ends a key: by its operator at any time, by governance for cause.
    function revokeKey(address key_) external {
        Key storage k = _keys[key_];
        if (k.node != msg.sender && msg.sender != governor) revert NotKeyOwner(key_, msg.sender);
        if (k.node == address(0) || k.interval.revokedAt != 0) revert NotValid(key_);
        _revoke(k.interval);
        emit KeyRevoked(key_, k.interval.revokedAt);
    }

    // ------------------------------------------------------------------ internal

    /// @dev A key is its operator's from admission on, and forever. A mere proposal claims nothing: whoever copies one
    /// from the mempool holds no evidence that binds the key to itself, and validators vote it down.
    function _requireFree(address key_) private view {
        _requireBonded();
        if (key_ == address(0)) revert ZeroAddress();
        if (_keys[key_].node != address(0)) revert KeyTaken(key_, _keys[key_].node);
    }

    function _requireBonded() private view {
        if (!bonds.isBonded(msg.sender)) revert NotBonded(msg.sender);
    }

    /// @dev An enclave's key that has not ended. What ended stays ended: a gap would look attested afterwards.
    function _isOpen(Key storage k) private view returns (bool) {
        return !k.bonded && k.interval.revokedAt == 0 && block.timestamp < k.attestedAt + keyTerm;
    }

    /// @dev Only evidence asked for since the last that counted gives a new term: of several proposals with the same
    /// evidence in other words, the first that is voted in leaves the others behind.
    function _renews(Key storage p, Key storage k) private view returns (bool) {
        return p.interval.validFrom == k.attestedAt && p.node == k.node && _isOpen(k)
            && p.hardwareType == k.hardwareType && p.rootHash == k.rootHash && p.measurement == k.measurement
            && p.engineClasses == k.engineClasses;
    }

    function _copy(Key storage to, Key storage from) private {
        to.node = from.node;
        to.attestedAt = from.attestedAt;
        to.engineClasses = from.engineClasses;
        to.hardwareType = from.hardwareType;
        to.rootHash = from.rootHash;
        to.measurement = from.measurement;
        to.evidenceHash = from.evidenceHash;
    }

    function _keyInterval(address key_) internal view override returns (Interval storage) {
        return _keys[key_].interval;
    }
}
