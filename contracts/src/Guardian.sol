// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Who may pull the brake, and until when
/// @notice Names one guardian (in production a multi-signature account) for a fixed term. It calls nothing and holds
/// nothing: what the guardian may do is written where it is done. TeeRegistry lets it suspend, PauseClock lets it pause
/// new batches, and both end by themselves. It can approve, slash or move nothing.
contract Guardian {
    error NotGovernor(address caller);
    error ZeroAddress();
    error NotHolderOrGovernor(address caller);

    event GuardianAppointed(address indexed holder, uint64 expiresAt);
    event GuardianDismissed(address indexed holder);

    /// @notice The timelock, for ever.
    address public immutable governor;
    /// @notice Seconds that an appointment lasts.
    uint64 public immutable term;
    address public holder;
    uint64 public expiresAt;

    constructor(address governor_, address firstHolder, uint64 guardianTerm) {
        if (governor_ == address(0)) revert ZeroAddress();
        governor = governor_;
        term = guardianTerm;
        // A deployment may do without: zero is nobody.
        if (firstHolder != address(0)) _appoint(firstHolder);
    }

    /// @notice Whether `account` is the guardian now.
    function isGuardian(address account) external view returns (bool) {
        return account != address(0) && account == holder && block.timestamp < expiresAt;
    }

    /// @notice Names a guardian for a new term, in the place of the present one.
    function appoint(address to) external {
        if (msg.sender != governor) revert NotGovernor(msg.sender);
        if (to == address(0)) revert ZeroAddress();
        _appoint(to);
    }

    /// @notice Ends the role before its term. The guardian may also lay it down itself.
    function dismiss() external {
        if (msg.sender != governor && msg.sender != holder) revert NotHolderOrGovernor(msg.sender);
        emit GuardianDismissed(holder);
        holder = address(0);
        expiresAt = 0;
    }

    function _appoint(address to) private {
        holder = to;
        expiresAt = uint64(block.timestamp) + term;
        emit GuardianAppointed(to, expiresAt);
    }
}
