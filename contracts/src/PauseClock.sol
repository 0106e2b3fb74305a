// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Guardian} from "./Guardian.sol";

/// @title A clock that stands still while new batches are paused
/// @notice The guardian may pause for a bounded time, and again only after an interval. Whatever waits for a time asks
/// here how much of it counts, so a pause moves every open end by exactly its length: nobody loses a window to it.
/// @dev A pause ends by itself. It may stop `commit`; it must never stop forced inclusion, a proof of a fault or a
/// withdrawal, whose windows it only extends.
contract PauseClock {
    // ---------------------------------------------------------------- types, errors, events

    /// @dev One slot. `before` is the sum of all earlier pauses, seconds.
    struct Pause {
        uint64 from;
        uint64 until;
        uint64 before;
    }

    error NotGuardian(address caller);
    error NotGuardianOrGovernor(address caller);
    error AlreadyPaused(uint64 until);
    error NotPaused();
    error TooSoon(uint64 notBefore);
    error BadInterval(uint64 longest, uint64 interval);

    event Paused(uint64 from, uint64 until);
    event Resumed(uint64 time);

    // ---------------------------------------------------------------- storage

    Guardian public immutable guardian;
    /// @notice Most seconds that one pause lasts.
    uint64 public immutable longestPause;
    /// @notice Least seconds from the start of a pause to the start of the next.
    uint64 public immutable pauseInterval;
    Pause[] private _pauses;

    constructor(Guardian guardian_, uint64 longestPause_, uint64 pauseInterval_) {
        // Otherwise pauses could follow each other without a gap, and the bound would bound nothing.
        if (pauseInterval_ < 2 * longestPause_) revert BadInterval(longestPause_, pauseInterval_);
        guardian = guardian_;
        longestPause = longestPause_;
        pauseInterval = pauseInterval_;
    }

    // ---------------------------------------------------------------- views

    /// @notice Whether new batches are refused now.
    function paused() public view returns (bool) {
        uint256 count = _pauses.length;
        return count != 0 && block.timestamp < _pauses[count - 1].until;
    }

    /// @notice Seconds of pause since the deployment, up to now.
    function pausedSeconds() external view returns (uint64) {
        return pausedSecondsAt(uint64(block.timestamp));
    }

    /// @notice Seconds of pause that count towards something that began at `from`: those after it, up to now.
    function pausedSince(uint64 from) public view returns (uint64) {
        uint256 count = _pauses.length;
        // The usual case, one or two slots: there was no pause, or none since.
        if (count == 0 || from >= _pauses[count - 1].until) return 0;
        return pausedSecondsAt(uint64(block.timestamp)) - pausedSecondsAt(from);
    }

    /// @notice When something that began at `from` and was to end at `until` ends, as far as known now.
    /// @dev The one call that a contract with windows makes: over if and only if block.timestamp ≥ extended(from, until).
    /// What is over stays over: a later pause stops the clock and never turns it back.
    function extended(uint64 from, uint64 until) external view returns (uint64) {
        return until + pausedSince(from);
    }

    /// @notice Seconds of pause from the deployment to `time`, which must not lie in the future.
    function pausedSecondsAt(uint64 time) public view returns (uint64) {
        // Binary search for the last pause that began at or before `time`.
        uint256 low = 0;
        uint256 high = _pauses.length;
        while (low < high) {
            uint256 middle = (low + high) / 2;
            if (_pauses[middle].from <= time) low = middle + 1;
            else high = middle;
        }
        if (low == 0) return 0;
        Pause memory last = _pauses[low - 1];
        return last.before + (time < last.until ? time : last.until) - last.from;
    }

    function pauseCount() external view returns (uint256) {
        return _pauses.length;
    }

    function pauseAt(uint256 index) external view returns (uint64 from, uint64 until) {
        Pause storage p = _pauses[index];
        return (p.from, p.until);
    }

    // ---------------------------------------------------------------- writes

    /// @notice Stops new batches for `duration` seconds at most.
    function pause(uint64 duration) external {
        if (!guardian.isGuardian(msg.sender)) revert NotGuardian(msg.sender);
        uint64 now_ = uint64(block.timestamp);
        uint64 before = 0;
        uint256 count = _pauses.length;
        if (count != 0) {
            Pause memory last = _pauses[count - 1];
            if (now_ < last.until) revert AlreadyPaused(last.until);
            if (now_ < last.from + pauseInterval) revert TooSoon(last.from + pauseInterval);
            before = last.before + last.until - last.from;
        }
        uint64 until = now_ + (duration < longestPause ? duration : longestPause);
        _pauses.push(Pause(now_, until, before));
        emit Paused(now_, until);
    }

    /// @notice Ends the pause early.
    function resume() external {
        if (!guardian.isGuardian(msg.sender) && msg.sender != guardian.governor()) {
            revert NotGuardianOrGovernor(msg.sender);
        }
        if (!paused()) revert NotPaused();
        _pauses[_pauses.length - 1].until = uint64(block.timestamp);
        emit Resumed(uint64(block.timestamp));
    }
}
