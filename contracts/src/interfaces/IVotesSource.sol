// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Votes that staked tokens carry
/// @notice Implemented by ValidatorStaking: a holder's own and delegated stake over all validators, at what its shares
/// were worth at the end of a block, so that a slash takes votes with the tokens. What is on its way out may count or
/// not, but never in two places: the staking contract itself never delegates its OPG.
interface IVotesSource {
    /// @param timepoint a past block, as OPG's own clock counts (ERC-6372, block numbers).
    /// @return OPG base units.
    function getPastStakeVotes(address holder, uint256 timepoint) external view returns (uint256);

    /// @return OPG base units of all stake that carries votes; never less than the sum over holders.
    function getPastTotalStake(uint256 timepoint) external view returns (uint256);
}
