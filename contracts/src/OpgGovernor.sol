// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Governor} from "@openzeppelin/contracts/governance/Governor.sol";
import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {GovernorCountingSimple} from "@openzeppelin/contracts/governance/extensions/GovernorCountingSimple.sol";
import {GovernorPreventLateQuorum} from "@openzeppelin/contracts/governance/extensions/GovernorPreventLateQuorum.sol";
import {GovernorSettings} from "@openzeppelin/contracts/governance/extensions/GovernorSettings.sol";
import {GovernorStorage} from "@openzeppelin/contracts/governance/extensions/GovernorStorage.sol";
import {GovernorTimelockControl} from "@openzeppelin/contracts/governance/extensions/GovernorTimelockControl.sol";
import {GovernorVotes} from "@openzeppelin/contracts/governance/extensions/GovernorVotes.sol";
import {
    GovernorVotesQuorumFraction
} from "@openzeppelin/contracts/governance/extensions/GovernorVotesQuorumFraction.sol";
import {IVotes} from "@openzeppelin/contracts/governance/utils/IVotes.sol";
import {OpgTimelock} from "./OpgTimelock.sol";
import {OpgVotes} from "./OpgVotes.sol";

/// @title Holders and stakers decide which numbers, hardware and code the network trusts
/// @notice OpenZeppelin's Governor. Its own rules may be made slower or stricter by vote, and back, but never faster or
/// looser than they were deployed; times are blocks, as OPG's clock counts. Proposals are kept on chain, so that anybody
/// can list, queue and execute them without an archive of events.
contract OpgGovernor is
    Governor,
    GovernorSettings,
    GovernorCountingSimple,
    GovernorVotes,
    GovernorVotesQuorumFraction,
    GovernorTimelockControl,
    GovernorPreventLateQuorum,
    GovernorStorage
{
    // ------------------------------------------------------------------ types

    struct Rules {
        /// Blocks between a proposal and the snapshot of votes.
        uint48 votingDelay;
        /// Blocks in which to vote.
        uint32 votingPeriod;
        /// Blocks left at least once the quorum is reached.
        uint48 lateQuorumExtension;
        /// Votes needed to propose, OPG base units.
        uint256 proposalThreshold;
        /// For and abstaining votes needed, 1/10,000 of the supply.
        uint256 quorumBps;
    }

    // ------------------------------------------------------------------ constants

    /// @dev Times a rule of the deployment: so that a vote cannot put governance to sleep.
    uint256 private constant MAX_FACTOR = 16;
    /// @dev A thousandth of the supply: so that a vote cannot shut out everybody else.
    uint256 private constant MAX_THRESHOLD = 1_000_000e18;
    uint256 private constant MAX_QUORUM_BPS = 3000;

    // ------------------------------------------------------------------ storage

    // Zero while the base constructors run, which therefore take the deployment's values as they are.
    uint48 private immutable leastVotingDelay;
    uint32 private immutable leastVotingPeriod;
    uint48 private immutable leastLateQuorumExtension;
    uint256 private immutable leastQuorumBps;

    error RuleOutOfBounds(uint256 value, uint256 least, uint256 most);
    error TimelockIsFixed();

    constructor(OpgVotes votes, OpgTimelock timelock_, Rules memory rules)
        Governor("OpgGovernor")
        GovernorSettings(rules.votingDelay, rules.votingPeriod, rules.proposalThreshold)
        GovernorVotes(IVotes(address(votes)))
        GovernorVotesQuorumFraction(rules.quorumBps)
        GovernorTimelockControl(TimelockController(payable(address(timelock_))))
        GovernorPreventLateQuorum(rules.lateQuorumExtension)
    {
        leastVotingDelay = rules.votingDelay;
        leastVotingPeriod = rules.votingPeriod;
        leastLateQuorumExtension = rules.lateQuorumExtension;
        leastQuorumBps = rules.quorumBps;
    }

    // ------------------------------------------------------------------ bounds

    function quorumDenominator() public pure override returns (uint256) {
        return 10_000;
    }

    /// @dev What is approved waits in the timelock that the contracts know. Another one would govern nothing.
    function updateTimelock(TimelockController) public pure override {
        revert TimelockIsFixed();
    }

    function _setVotingDelay(uint48 value) internal override {
        _requireSlower(value, leastVotingDelay);
        super._setVotingDelay(value);
    }

    function _setVotingPeriod(uint32 value) internal override {
        _requireSlower(value, leastVotingPeriod);
        super._setVotingPeriod(value);
    }

    function _setLateQuorumVoteExtension(uint48 value) internal override {
        _requireSlower(value, leastLateQuorumExtension);
        super._setLateQuorumVoteExtension(value);
    }

    function _setProposalThreshold(uint256 value) internal override {
        _requireBetween(value, 0, MAX_THRESHOLD);
        super._setProposalThreshold(value);
    }

    function _updateQuorumNumerator(uint256 value) internal override {
        _requireBetween(value, leastQuorumBps, MAX_QUORUM_BPS);
        super._updateQuorumNumerator(value);
    }

    function _requireSlower(uint256 value, uint256 least) private pure {
        _requireBetween(value, least, least == 0 ? type(uint256).max : MAX_FACTOR * least);
    }

    function _requireBetween(uint256 value, uint256 least, uint256 most) private pure {
        if (value < least || value > most) revert RuleOutOfBounds(value, least, most);
    }

    // ------------------------------------------------------------------ one answer where several parts have one

    function proposalThreshold() public view override(Governor, GovernorSettings) returns (uint256) {
        return super.proposalThreshold();
    }

    function state(uint256 proposalId)
        public
        view
        override(Governor, GovernorTimelockControl)
        returns (ProposalState)
    {
        return super.state(proposalId);
    }

    function proposalDeadline(uint256 proposalId)
        public
        view
        override(Governor, GovernorPreventLateQuorum)
        returns (uint256)
    {
        return super.proposalDeadline(proposalId);
    }

    function proposalNeedsQueuing(uint256 proposalId)
        public
        view
        override(Governor, GovernorTimelockControl)
        returns (bool)
    {
        return super.proposalNeedsQueuing(proposalId);
    }

    function _propose(
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        string memory description,
        address proposer
    ) internal override(Governor, GovernorStorage) returns (uint256) {
        return super._propose(targets, values, calldatas, description, proposer);
    }

    function _tallyUpdated(uint256 proposalId) internal override(Governor, GovernorPreventLateQuorum) {
        super._tallyUpdated(proposalId);
    }

    function _queueOperations(
        uint256 proposalId,
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        bytes32 descriptionHash
    ) internal override(Governor, GovernorTimelockControl) returns (uint48) {
        return super._queueOperations(proposalId, targets, values, calldatas, descriptionHash);
    }

    function _executeOperations(
        uint256 proposalId,
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        bytes32 descriptionHash
    ) internal override(Governor, GovernorTimelockControl) {
        super._executeOperations(proposalId, targets, values, calldatas, descriptionHash);
    }

    function _cancel(
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        bytes32 descriptionHash
    ) internal override(Governor, GovernorTimelockControl) returns (uint256) {
        return super._cancel(targets, values, calldatas, descriptionHash);
    }

    function _executor() internal view override(Governor, GovernorTimelockControl) returns (address) {
        return super._executor();
    }
}
