// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title What FaultManager asks about a batch that might be false on purpose
interface ICanaries {
    enum Stance {
        /// Nothing was sown here, or it was not shown in time: judged like any other.
        Plain,
        /// Its committer has sown a canary that this batch may turn out to be: nobody pays until that is known.
        Held,
        /// A canary: false on purpose, and exempt from all other faults.
        Exempt
    }

    /// @return stance how a proof against this batch is to be taken now
    /// @return flagger who proved it false first while it was held; zero where nobody did
    function stanceOf(bytes32 batchId) external view returns (Stance stance, address flagger);

    /// @notice Notes who proved a held batch false: who announced it first. By the fault manager.
    function flag(bytes32 batchId, address flagger, uint64 announcedBlock) external;
}
