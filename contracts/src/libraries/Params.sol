// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Params
/// @notice Names of the numbers that governance may move within bounds. A key is the name itself, as a bytes32 string,
/// so that anybody who reads storage or an event can read it. Times are seconds, amounts OPG base units, BPS 1/10,000.
library Params {
    // ---------------------------------------------------------------- windows

    /// @dev Seconds after a commit until which validators may attest; then the batch expires.
    bytes32 internal constant ATTEST_TIMEOUT = "ATTEST_TIMEOUT";
    /// @dev W: seconds between the quorum on a batch and its finality.
    bytes32 internal constant CHALLENGE_WINDOW = "CHALLENGE_WINDOW";
    /// @dev A: seconds within which an open challenge must be decided.
    bytes32 internal constant ADJUDICATION = "ADJUDICATION";
    /// @dev G: seconds of benefit of the doubt, for a proof to be mined and for a revocation to be known.
    bytes32 internal constant GRACE = "GRACE";
    /// @dev Most seconds that new batches may be paused, as PauseClock was deployed; no vote moves it. A pause extends
    /// the windows that stake answers for and not the exits of that stake, so the exits are longer by it from the start.
    bytes32 internal constant LONGEST_PAUSE = "LONGEST_PAUSE";
    /// @dev U: seconds that bonds and stakes stay slashable after their owner asked for them. Never below
    /// ATTEST_TIMEOUT + W + A + G and the longest pause.
    bytes32 internal constant UNBONDING = "UNBONDING";
    /// @dev Seconds from the locking of a payment until it may be refunded for want of a final batch.
    bytes32 internal constant REFUND_TIMEOUT = "REFUND_TIMEOUT";
    /// @dev Seconds that a prepaid deposit stays behind its open calls after its owner asked for it.
    bytes32 internal constant DEPOSIT_WITHDRAWAL = "DEPOSIT_WITHDRAWAL";
    /// @dev Seconds within which a chunk of a batch file must be shown to whoever challenged its availability.
    bytes32 internal constant DATA_RESPONSE = "DATA_RESPONSE";
    /// @dev Seconds between the announcement of a higher price and its first use.
    bytes32 internal constant PRICE_RISE_DELAY = "PRICE_RISE_DELAY";
    /// @dev Seconds between the announcement of a higher commission and its first use.
    bytes32 internal constant COMMISSION_DELAY = "COMMISSION_DELAY";

    // ---------------------------------------------------------------- stake

    /// @dev Base units of OPG a validator must hold of its own.
    bytes32 internal constant MIN_SELF_BOND = "MIN_SELF_BOND";
    /// @dev Base units of OPG a node operator must hold.
    bytes32 internal constant MIN_NODE_BOND = "MIN_NODE_BOND";
    /// @dev κ: open exposure allowed per unit of bond or stake.
    bytes32 internal constant COVERAGE_KAPPA_BPS = "COVERAGE_KAPPA_BPS";
    /// @dev What a committer pays for a batch that validators found void, of what the batch put at risk.
    bytes32 internal constant VOID_FEE_BPS = "VOID_FEE_BPS";
    /// @dev Part of a slash that the validator's own bond pays before anybody else.
    bytes32 internal constant SELF_FIRST_BPS = "SELF_FIRST_BPS";
    /// @dev Highest commission of a validator, and the most it may rise by in one step.
    bytes32 internal constant COMMISSION_CAP_BPS = "COMMISSION_CAP_BPS";
    bytes32 internal constant COMMISSION_STEP_BPS = "COMMISSION_STEP_BPS";

    // ---------------------------------------------------------------- faults

    /// @dev φ of each class of fault: the part of the exposure that it costs.
    bytes32 internal constant PHI_TEE_BPS = "PHI_TEE_BPS";
    bytes32 internal constant PHI_ZK_BPS = "PHI_ZK_BPS";
    bytes32 internal constant PHI_EQUIVOCATION_BPS = "PHI_EQUIVOCATION_BPS";
    bytes32 internal constant PHI_DATA_BPS = "PHI_DATA_BPS";
    bytes32 internal constant PHI_REPLAY_BPS = "PHI_REPLAY_BPS";
    bytes32 internal constant PHI_SUM_BPS = "PHI_SUM_BPS";
    bytes32 internal constant PHI_ROW_BPS = "PHI_ROW_BPS";
    bytes32 internal constant PHI_CANARY_BPS = "PHI_CANARY_BPS";
    /// @dev What a sower of a canary leaves until it is clear that no real payer's money was in it.
    bytes32 internal constant CANARY_DEPOSIT = "CANARY_DEPOSIT";
    /// @dev What it pays to whoever notices.
    bytes32 internal constant CANARY_REWARD = "CANARY_REWARD";
    /// @dev Least bond of a challenge that needs one.
    bytes32 internal constant CHALLENGE_BOND = "CHALLENGE_BOND";
    /// @dev Part of the proceeds that goes to who proved the fault, and the most it may be.
    bytes32 internal constant BOUNTY_BPS = "BOUNTY_BPS";
    bytes32 internal constant BOUNTY_CAP = "BOUNTY_CAP";
    /// @dev Part of the proceeds that goes to the insurance; the rest is burned.
    bytes32 internal constant INSURANCE_BPS = "INSURANCE_BPS";
}
