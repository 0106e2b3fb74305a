// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice What a proof shows: who is guilty of what, and who lost by it. Zero where a member does not apply.
struct Finding {
    /// Names the fault within its class: whatever proof shows it, one fault is punished once.
    bytes32 faultKey;
    /// Batch in which it was committed.
    bytes32 batchId;
    /// The batch is worth nothing, unless it is final already.
    bool voids;
    /// Everyone who called the batch valid is guilty.
    bool attesters;
    /// Guilty by its bond for having committed the batch.
    address committer;
    /// A single guilty validator.
    address validator;
    /// Guilty node operator.
    address node;
    /// Request whose payer lost by it, and how much, OPG base units.
    bytes32 requestId;
    address payer;
    uint128 loss;
    /// Grant under which that was paid, if one pays: then its payer lost, whatever `payer` says.
    bytes32 grantId;
    /// Where in the batch: receipts before that row, and before what the loss is of.
    uint64 row;
    uint64 position;
    /// When it was done, Unix seconds: penalties are those of then, and who stood behind the guilty then answers.
    uint64 offenceAt;
    /// Who earns the bounty where a bonded challenge names it; else who announced the proof first.
    address bountyTo;
}

/// @title Decides one class of faults from the proof alone
/// @notice A proof that does not hold makes `judge` revert. Running out of gas reverts too, so it never counts as a
/// verdict in either direction; an adapter must not catch it.
interface IFaultAdapter {
    function judge(bytes calldata proof) external view returns (Finding memory);
}
