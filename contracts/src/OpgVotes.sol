// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC5805} from "@openzeppelin/contracts/interfaces/IERC5805.sol";
import {IERC6372} from "@openzeppelin/contracts/interfaces/IERC6372.sol";
import {IVotesSource} from "./interfaces/IVotesSource.sol";

/// @title Votes of a holder: tokens delegated to it, and its own stake
/// @notice No token counts twice. What is staked lies with the staking contract, which has delegated to nobody, so it
/// carries votes as stake only; what vests lies with wallets that cannot delegate, so it carries none.
/// @dev Both parts are read at the end of a past block. What was borrowed and returned within a block never voted.
contract OpgVotes is IERC6372 {
    IERC5805 public immutable token;
    IVotesSource public immutable stakes;

    constructor(IERC5805 token_, IVotesSource stakes_) {
        token = token_;
        stakes = stakes_;
    }

    /// @notice OPG base units.
    function getPastVotes(address account, uint256 timepoint) external view returns (uint256) {
        return token.getPastVotes(account, timepoint) + stakes.getPastStakeVotes(account, timepoint);
    }

    /// @notice Whole of a quorum: all tokens that exist. Staked ones are among them already, and vesting ones count
    /// though they cannot vote, so that no unlock moves the quorum.
    function getPastTotalSupply(uint256 timepoint) external view returns (uint256) {
        return token.getPastTotalSupply(timepoint);
    }

    function clock() external view returns (uint48) {
        return token.clock();
    }

    // solhint-disable-next-line func-name-mixedcase
    function CLOCK_MODE() external view returns (string memory) {
        return token.CLOCK_MODE();
    }
}
