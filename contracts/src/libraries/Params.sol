// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Params
/// @notice Names of the numbers that governance may move within bounds. A key is the name itself, as a bytes32 string,
/// so that anybody who reads storage or an event can read it.
library Params {
    /// @dev Seconds after a commit until which validators may attest; then the batch expires.
    bytes32 internal constant ATTEST_TIMEOUT = "ATTEST_TIMEOUT";
    /// @dev Seconds between the quorum on a batch and its finality.
    bytes32 internal constant CHALLENGE_WINDOW = "CHALLENGE_WINDOW";
    /// @dev Seconds from the locking of a payment until it may be refunded for want of a final batch.
    bytes32 internal constant REFUND_TIMEOUT = "REFUND_TIMEOUT";
    /// @dev Seconds that bonds and stakes stay slashable after their owner asked for them.
    bytes32 internal constant UNBONDING = "UNBONDING";
    /// @dev Base units of OPG a validator must hold of its own.
    bytes32 internal constant MIN_SELF_BOND = "MIN_SELF_BOND";
    /// @dev Base units of OPG a node operator must hold.
    bytes32 internal constant MIN_NODE_BOND = "MIN_NODE_BOND";
    /// @dev Open exposure allowed per unit of bond or stake, in 1/10,000.
    bytes32 internal constant COVERAGE_KAPPA_BPS = "COVERAGE_KAPPA_BPS";
    /// @dev Seconds between the announcement of a higher price and its first use.
    bytes32 internal constant PRICE_RISE_DELAY = "PRICE_RISE_DELAY";
}
