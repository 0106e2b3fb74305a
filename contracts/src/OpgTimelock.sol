// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title What every vote waits in before it takes effect
/// @notice It is the governor of ParamStore, TeeRegistry, Guardian and SupplyView, for ever. Only OpgGovernor proposes,
/// anybody executes what has waited long enough, and nobody administers it but itself, by a vote.
contract OpgTimelock is TimelockController {
    /// @dev Times the delay of the deployment: so that a vote cannot lock governance away from itself.
    uint256 private constant MAX_FACTOR = 16;

    /// @notice The delay never falls below that of the deployment, seconds, whatever is voted: a hurried approval would
    /// leave those who disagree no time to leave.
    uint256 public immutable shortestDelay;
    address private immutable deployer;
    /// @notice Whether the proposer is named, which happens once.
    bool public wired;

    error AlreadyWired();

    constructor(uint256 timelockDelay)
        TimelockController(timelockDelay, new address[](0), new address[](0), address(0))
    {
        shortestDelay = timelockDelay;
        deployer = msg.sender;
        // Open to everybody: execution is a duty of nobody in particular.
        _grantRole(EXECUTOR_ROLE, address(0));
    }

    /// @notice One-shot: names the only proposer. With it the deployer's last power ends.
    /// @dev The deployer never holds a role, so there is none to renounce and none to forget.
    function wire(address governor_) external {
        if (msg.sender != deployer || wired) revert AlreadyWired();
        wired = true;
        _grantRole(PROPOSER_ROLE, governor_);
        _grantRole(CANCELLER_ROLE, governor_);
    }

    function getMinDelay() public view override returns (uint256) {
        return Math.min(Math.max(super.getMinDelay(), shortestDelay), MAX_FACTOR * shortestDelay);
    }
}
