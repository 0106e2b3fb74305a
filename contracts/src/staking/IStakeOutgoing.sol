// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Ways in which stake leaves: by its holder's will, or for a fault
interface IStakeOutgoing {
    // ------------------------------------------------------------------ exits

    event Undelegated(
        address indexed validator, address indexed holder, uint256 shares, uint256 amount, uint64 releaseAt
    );
    event Redelegated(
        address indexed from, address indexed to, address indexed holder, uint256 shares, uint256 amount, uint64 bondsAt
    );
    event RedelegationBonded(address indexed from, address indexed to, address indexed holder, uint256 amount);
    event StakeWithdrawn(address indexed validator, address indexed holder, uint256 amount);

    error NotEnoughShares(uint256 held, uint256 asked);
    error TooManyExits();
    error NothingToWithdraw();
    error NothingToBond();
    error SelfBondStays();
    error SameValidator();

    /// @notice Starts an exit of `shares`, the oldest first. At the validator itself: of tokens of its own bond. What
    /// leaves stays slashable for every epoch in which it stood.
    function undelegate(address validator, uint256 shares) external;

    /// @notice Starts a move of `shares` to another validator; `bond` completes it when it is free.
    function redelegate(address from, address to, uint256 shares) external;

    /// @notice Bonds whatever a holder has moved away from `from` and is free by now. Anyone may call.
    /// @return amount OPG base units.
    function bond(address from, address holder) external returns (uint256 amount);

    /// @notice Pays out every exit of the caller that is due. What was on its way to another validator and could not be
    /// bonded there is paid out once a plain exit of that day would be.
    /// @return amount OPG base units.
    function withdraw(address validator) external returns (uint256 amount);

    // ------------------------------------------------------------------ faults

    event ValidatorSlashed(
        address indexed validator, uint256 indexed captureEpoch, uint256 taken, uint256 fraction, bytes32 indexed faultId
    );
    event ValidatorsFrozen(address[] validators);
    event ValidatorsUnfrozen(address[] validators);
    event ValidatorJailed(address indexed validator, uint64 until);
    event ValidatorUnjailed(address indexed validator);
    event ValidatorTombstoned(address indexed validator);

    error BadFraction(uint256 fraction);
    error NotFrozen(address validator);
    error NotJailed(address validator);
    error StillJailed(uint64 until);

    /// @notice Takes `fraction` (10^18 = all) of what stood behind a validator in `captureEpoch`, and sends it to the
    /// fault manager, who alone may call. Takes less, down to nothing, where that much is no longer there; it never
    /// fails for it.
    /// @return taken OPG base units.
    function slash(address validator, uint64 captureEpoch, uint256 fraction, bytes32 faultId)
        external
        returns (uint256 taken);

    /// @notice Sends the fault manager what an earlier transfer could not. Anyone may call.
    function sendProceeds() external;

    /// @notice An open challenge holds back deposits, for fresh money would dilute the guilty; exits run on. Counted.
    function freeze(address[] calldata validators) external;

    function unfreeze(address[] calldata validators) external;

    /// @notice Takes a validator off duty, for the rest of this epoch and all of the next at least.
    function jail(address validator) external;

    /// @notice Back to duty, by the operator.
    function unjail() external;

    /// @notice Takes a validator off duty for ever. Nobody's exit becomes shorter by it.
    function tombstone(address validator) external;
}
