// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {Quorum} from "./libraries/Quorum.sol";
import {Guardian} from "./Guardian.sol";
import {NodeBond} from "./NodeBond.sol";
import {Settlement} from "./Settlement.sol";
import {ValidatorStaking} from "./ValidatorStaking.sol";

/// @title Which hardware, roots, code and keys count, and when they did
/// @notice Every record is an interval: revoking ends it and leaves its past alone, so honest receipts keep verifying.
/// The governor decides hardware, roots, measurements and rules; validators vote keys in after checking their attestation,
/// and vote again on fresh evidence before a key's term is over.
/// The guardian may suspend a record, once and for a bounded time: governance makes that final, or it lapses.
contract TeeRegistry {
    using Checkpoints for Checkpoints.Trace208;

    // ------------------------------------------------------------------ types

    /// @dev One slot. Valid at t when validFrom ≤ t, and t < revokedAt if it was revoked, and not
    /// suspendedFrom ≤ t < suspendedUntil if it was suspended.
    struct Interval {
        uint64 validFrom;
        uint64 revokedAt;
        uint64 suspendedFrom;
        uint64 suspendedUntil;
    }

    /// @dev What a suspension is of. A root or measurement is named by its hardware type and hash, hardware by its
    /// type and zero, a key by zero and its address.
    enum Kind {
        Hardware,
        Root,
        Measurement,
        Key
    }

    /// @notice Hardware, root and code that a deployment accepts from its first block, for all to read in its
    /// constructor's arguments.
    struct Approval {
        bytes32 hardwareType;
        bytes32 rootHash;
        bytes32 measurement;
        uint8 engineClasses;
    }

    /// @notice Seconds, fixed at deployment; what each is for stands at the variable of its name.
    struct Times {
        uint64 suspensionLength;
        uint64 hardwareNotice;
        uint64 keyTerm;
    }

    struct Measurement {
        Interval interval;
        uint8 engineClasses;
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
    uint256 private constant MAX_URI = 512;
    uint256 private constant MAX_RULE = 256;
    uint256 private constant MAX_RULES_READ = 128;
    bytes32 private constant REGISTRATION_TAG = keccak256("assay/registration/v1");
    bytes32 private constant KEY_VOTE_TYPEHASH = keccak256("KeyVote(bytes32 registrationId,bool valid)");
    bytes32 private constant KEY_POSSESSION_TYPEHASH = keccak256("KeyPossession(address node,address key)");

    // ------------------------------------------------------------------ storage

    /// @notice The timelock, for ever: no approval comes by another way than a vote and its delay.
    address public immutable governor;
    Guardian public immutable guardian;
    /// @notice Seconds after which a suspension lapses unless governance revoked what it is of.
    uint64 public immutable suspensionLength;
    /// @notice Least seconds between `proposeHardware` and `approveRoot`: time for voters to read the report.
    uint64 public immutable hardwareNotice;
    /// @notice Seconds that one attestation backs an enclave's key.
    uint64 public immutable keyTerm;
    NodeBond public immutable bonds;
    ValidatorStaking public immutable staking;
    /// @notice Gives the EIP-712 domain of votes.
    Settlement public immutable settlement;

    mapping(bytes32 hardwareType => Interval) private _hardware;
    mapping(bytes32 hardwareType => mapping(bytes32 rootHash => Interval)) private _roots;
    mapping(bytes32 hardwareType => mapping(bytes32 measurement => Measurement)) private _measurements;
    mapping(bytes32 hardwareType => mapping(bytes32 rootHash => uint64)) private _announcedAt;
    /// @dev Every value that a rule ever had. Zero, like no value, is the default of docs/evidence.md.
    mapping(bytes32 hardwareType => mapping(bytes32 ruleHash => Checkpoints.Trace208)) private _rules;
    mapping(address key => Key) private _keys;
    mapping(bytes32 registrationId => Registration) private _registrations;
    mapping(bytes32 registrationId => mapping(address validator => bool)) public hasVoted;

    // ------------------------------------------------------------------ events, errors

    /// @dev Anybody may announce; the report says what the hardware is and why its root should be trusted.
    event HardwareProposed(bytes32 indexed hardwareType, bytes32 indexed rootHash, string reportURI);
    event HardwareApproved(bytes32 indexed hardwareType);
    event HardwareRevoked(bytes32 indexed hardwareType);
    event RootApproved(bytes32 indexed hardwareType, bytes32 indexed rootHash);
    event RootRevoked(bytes32 indexed hardwareType, bytes32 indexed rootHash);
    event MeasurementApproved(bytes32 indexed hardwareType, bytes32 indexed measurement, uint8 engineClasses);
    event MeasurementRevoked(bytes32 indexed hardwareType, bytes32 indexed measurement);
    event RuleSet(bytes32 indexed hardwareType, string rule, uint64 value);
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
    event Suspended(Kind indexed kind, bytes32 indexed hardwareType, bytes32 indexed id, uint64 from, uint64 until);
    event SuspensionLifted(Kind indexed kind, bytes32 indexed hardwareType, bytes32 indexed id, uint64 time);

    error NotGovernor(address caller);
    error NotGuardian(address caller);
    error AlreadySuspended(uint64 from);
    error NotSuspended();
    error NotAnnounced(bytes32 hardwareType, bytes32 rootHash, uint64 announcedAt);
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
    error RuleTooLong(uint256 length);
    error TooManyRules(uint256 count);
    error ZeroTerm();

    modifier onlyGovernor() {
        if (msg.sender != governor) revert NotGovernor(msg.sender);
        _;
    }

    constructor(
        address governor_,
        Guardian guardian_,
        NodeBond bonds_,
        ValidatorStaking staking_,
        Settlement settlement_,
        Times memory times,
        Approval[] memory approvals
    ) {
        if (governor_ == address(0)) revert ZeroAddress();
        if (times.keyTerm == 0) revert ZeroTerm();
        governor = governor_;
        guardian = guardian_;
        bonds = bonds_;
        staking = staking_;
        settlement = settlement_;
        suspensionLength = times.suspensionLength;
        hardwareNotice = times.hardwareNotice;
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

    /// @notice When a record was suspended and when that ends or ended; zeros if it never was.
    /// @param hardwareType zero for a key
    /// @param id root hash or measurement; zero for hardware; a key's address as a number
    function suspension(Kind kind, bytes32 hardwareType, bytes32 id) external view returns (uint64 from, uint64 until) {
        Interval storage i = _record(kind, hardwareType, id);
        return (i.suspendedFrom, i.suspendedUntil);
    }

    /// @notice When a root was announced, Unix seconds; zero if it was not.
    function announcedAt(bytes32 hardwareType, bytes32 rootHash) external view returns (uint64) {
        return _announcedAt[hardwareType][rootHash];
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

    /// @notice When the evidence behind an enclave's key was last proposed, and when it stops counting unless the key is
    /// attested again; zeros for a bonded key or one that is not known. Unix seconds.
    function term(address key_) external view returns (uint64 attestedAt, uint64 expiresAt) {
        attestedAt = _keys[key_].attestedAt;
        if (attestedAt != 0) expiresAt = attestedAt + keyTerm;
    }

    /// @notice What rules said at time `t`, each in the order asked; zero is the default.
    /// @param rules names, docs/evidence.md: which of them bear on a piece of evidence follows from the evidence
    function rulesAt(bytes32 hardwareType, string[] calldata rules, uint64 t)
        external
        view
        returns (uint64[] memory values)
    {
        if (rules.length > MAX_RULES_READ) revert TooManyRules(rules.length);
        values = new uint64[](rules.length);
        uint48 time = t > type(uint48).max ? type(uint48).max : uint48(t);
        for (uint256 i = 0; i < rules.length; i++) {
            // Safe cast: only uint64 values are pushed.
            values[i] = uint64(_rules[hardwareType][keccak256(bytes(rules[i]))].upperLookupRecent(time));
        }
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

    // ------------------------------------------------------------------ governance

    /// @notice Announces a root, with a report that says what voters would trust. Anybody may; it costs nobody anything.
    /// @dev The first announcement counts for the notice; every one is an event.
    function proposeHardware(bytes32 hardwareType, bytes32 rootHash, string calldata reportURI) external {
        if (bytes(reportURI).length > MAX_URI) revert UriTooLong(bytes(reportURI).length);
        if (_announcedAt[hardwareType][rootHash] == 0) _announcedAt[hardwareType][rootHash] = uint64(block.timestamp);
        emit HardwareProposed(hardwareType, rootHash, reportURI);
    }

    function approveHardware(bytes32 hardwareType) external onlyGovernor {
        _approveHardware(hardwareType);
    }

    function revokeHardware(bytes32 hardwareType) external onlyGovernor {
        _revoke(_hardware[hardwareType]);
        emit HardwareRevoked(hardwareType);
    }

    /// @notice Approves a root that was announced in time.
    function approveRoot(bytes32 hardwareType, bytes32 rootHash) external onlyGovernor {
        uint64 announced = _announcedAt[hardwareType][rootHash];
        if (announced == 0 || block.timestamp < announced + hardwareNotice) {
            revert NotAnnounced(hardwareType, rootHash, announced);
        }
        _approveRoot(hardwareType, rootHash);
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
        _approveMeasurement(hardwareType, measurement_, engineClasses);
    }

    function revokeMeasurement(bytes32 hardwareType, bytes32 measurement_) external onlyGovernor {
        _revoke(_measurements[hardwareType][measurement_].interval);
        emit MeasurementRevoked(hardwareType, measurement_);
    }

    /// @notice Says what else genuine evidence of this hardware must or must not show: a least patch level, a chip that
    /// is denied, or an exception from what is refused by default. Validators and readers apply it.
    /// @param rule such as `minimum-tcb/Genoa` or `deny-chip/0x…`, docs/evidence.md; whole in the event, for all to read
    /// @param value as the rule says; zero returns to the default
    function setRule(bytes32 hardwareType, string calldata rule, uint64 value) external onlyGovernor {
        if (bytes(rule).length > MAX_RULE) revert RuleTooLong(bytes(rule).length);
        _rules[hardwareType][keccak256(bytes(rule))].push(uint48(block.timestamp), value);
        emit RuleSet(hardwareType, rule, value);
    }

    // ------------------------------------------------------------------ guardian

    /// @notice Stops a record for `suspensionLength` seconds, at once. It was valid before and is valid after, unless
    /// governance revokes it in between: then it ended when it was suspended.
    /// @dev Once per record, so that a guardian cannot make a suspension last by repeating it.
    function suspend(Kind kind, bytes32 hardwareType, bytes32 id) external {
        if (!guardian.isGuardian(msg.sender)) revert NotGuardian(msg.sender);
        Interval storage i = _record(kind, hardwareType, id);
        if (i.validFrom == 0 || i.revokedAt != 0) revert NotApproved();
        if (i.suspendedFrom != 0) revert AlreadySuspended(i.suspendedFrom);
        i.suspendedFrom = uint64(block.timestamp);
        i.suspendedUntil = uint64(block.timestamp) + suspensionLength;
        emit Suspended(kind, hardwareType, id, i.suspendedFrom, i.suspendedUntil);
    }

    /// @notice Ends a suspension early. What was issued during it stays unverified.
    function liftSuspension(Kind kind, bytes32 hardwareType, bytes32 id) external onlyGovernor {
        Interval storage i = _record(kind, hardwareType, id);
        if (i.revokedAt != 0 || block.timestamp >= i.suspendedUntil) revert NotSuspended();
        i.suspendedUntil = uint64(block.timestamp);
        emit SuspensionLifted(kind, hardwareType, id, uint64(block.timestamp));
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

    function _record(Kind kind, bytes32 hardwareType, bytes32 id) private view returns (Interval storage) {
        if (kind == Kind.Hardware) return _hardware[hardwareType];
        if (kind == Kind.Root) return _roots[hardwareType][id];
        if (kind == Kind.Measurement) return _measurements[hardwareType][id].interval;
        return _keys[address(uint160(uint256(id)))].interval;
    }

    function _covers(Interval storage i, uint64 t, uint64 knownAt) private view returns (bool) {
        if (i.validFrom == 0 || t < i.validFrom) return false;
        if (i.revokedAt != 0 && i.revokedAt <= knownAt && t >= i.revokedAt) return false;
        return i.suspendedFrom > knownAt || t < i.suspendedFrom || t >= i.suspendedUntil;
    }

    function _approveHardware(bytes32 hardwareType) private {
        _approve(_hardware[hardwareType]);
        emit HardwareApproved(hardwareType);
    }

    function _approveRoot(bytes32 hardwareType, bytes32 rootHash) private {
        _approve(_roots[hardwareType][rootHash]);
        emit RootApproved(hardwareType, rootHash);
    }

    function _approveMeasurement(bytes32 hardwareType, bytes32 measurement_, uint8 engineClasses) private {
        Measurement storage m = _measurements[hardwareType][measurement_];
        _approve(m.interval);
        m.engineClasses = engineClasses;
        emit MeasurementApproved(hardwareType, measurement_, engineClasses);
    }

    /// @dev An interval has one life; approving again after a revocation would make its gap look approved.
    function _approve(Interval storage i) private {
        if (i.validFrom != 0) revert AlreadyApproved();
        i.validFrom = uint64(block.timestamp);
    }

    /// @dev During a suspension this makes it final: the record ended when the guardian stopped it, and not now.
    function _revoke(Interval storage i) private {
        if (i.validFrom == 0 || i.revokedAt != 0) revert NotApproved();
        i.revokedAt = block.timestamp < i.suspendedUntil ? i.suspendedFrom : uint64(block.timestamp);
    }
}
