// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {Guardian} from "../Guardian.sol";

/// @title Which hardware, roots, code and rules count, and when they did
/// @notice The governor decides; the guardian may suspend. What hangs on them, the keys, is TeeRegistry's.
abstract contract TeeApprovals {
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

    struct Measurement {
        Interval interval;
        uint8 engineClasses;
    }

    // ------------------------------------------------------------------ constants, storage

    uint256 internal constant MAX_URI = 512;
    uint256 private constant MAX_RULE = 256;
    uint256 private constant MAX_RULES_READ = 128;

    /// @notice The timelock, for ever: no approval comes by another way than a vote and its delay.
    address public immutable governor;
    Guardian public immutable guardian;
    /// @notice Seconds after which a suspension lapses unless governance revoked what it is of.
    uint64 public immutable suspensionLength;
    /// @notice Least seconds between `proposeHardware` and `approveRoot`: time for voters to read the report.
    uint64 public immutable hardwareNotice;

    mapping(bytes32 hardwareType => Interval) internal _hardware;
    mapping(bytes32 hardwareType => mapping(bytes32 rootHash => Interval)) internal _roots;
    mapping(bytes32 hardwareType => mapping(bytes32 measurement => Measurement)) internal _measurements;
    mapping(bytes32 hardwareType => mapping(bytes32 rootHash => uint64)) private _announcedAt;
    /// @dev Every value that a rule ever had. Zero, like no value, is the default of docs/evidence.md.
    mapping(bytes32 hardwareType => mapping(bytes32 ruleHash => Checkpoints.Trace208)) private _rules;

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
    event Suspended(Kind indexed kind, bytes32 indexed hardwareType, bytes32 indexed id, uint64 from, uint64 until);
    event SuspensionLifted(Kind indexed kind, bytes32 indexed hardwareType, bytes32 indexed id, uint64 time);

    error NotGovernor(address caller);
    error NotGuardian(address caller);
    error AlreadySuspended(uint64 from);
    error NotSuspended();
    error NotAnnounced(bytes32 hardwareType, bytes32 rootHash, uint64 announcedAt);
    error AlreadyApproved();
    error NotApproved();
    error ZeroAddress();
    error UriTooLong(uint256 length);
    error RuleTooLong(uint256 length);
    error TooManyRules(uint256 count);

    modifier onlyGovernor() {
        if (msg.sender != governor) revert NotGovernor(msg.sender);
        _;
    }

    constructor(address governor_, Guardian guardian_, uint64 suspensionLength_, uint64 hardwareNotice_) {
        if (governor_ == address(0)) revert ZeroAddress();
        governor = governor_;
        guardian = guardian_;
        suspensionLength = suspensionLength_;
        hardwareNotice = hardwareNotice_;
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

    // ------------------------------------------------------------------ internal

    function _approveHardware(bytes32 hardwareType) internal {
        _approve(_hardware[hardwareType]);
        emit HardwareApproved(hardwareType);
    }

    function _approveRoot(bytes32 hardwareType, bytes32 rootHash) internal {
        _approve(_roots[hardwareType][rootHash]);
        emit RootApproved(hardwareType, rootHash);
    }

    function _approveMeasurement(bytes32 hardwareType, bytes32 measurement_, uint8 engineClasses) internal {
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
    function _revoke(Interval storage i) internal {
        if (i.validFrom == 0 || i.revokedAt != 0) revert NotApproved();
        i.revokedAt = block.timestamp < i.suspendedUntil ? i.suspendedFrom : uint64(block.timestamp);
    }

    function _covers(Interval storage i, uint64 t, uint64 knownAt) internal view returns (bool) {
        if (i.validFrom == 0 || t < i.validFrom) return false;
        if (i.revokedAt != 0 && i.revokedAt <= knownAt && t >= i.revokedAt) return false;
        return i.suspendedFrom > knownAt || t < i.suspendedFrom || t >= i.suspendedUntil;
    }

    function _record(Kind kind, bytes32 hardwareType, bytes32 id) private view returns (Interval storage) {
        if (kind == Kind.Hardware) return _hardware[hardwareType];
        if (kind == Kind.Root) return _roots[hardwareType][id];
        if (kind == Kind.Measurement) return _measurements[hardwareType][id].interval;
        return _keyInterval(address(uint160(uint256(id))));
    }

    function _keyInterval(address key) internal view virtual returns (Interval storage);
}
