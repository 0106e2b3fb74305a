// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {IVotesSource} from "../src/interfaces/IVotesSource.sol";

/// @title Stake votes that a test sets at will
contract StakeLedger is IVotesSource {
    using Checkpoints for Checkpoints.Trace208;

    mapping(address holder => Checkpoints.Trace208) private _votes;
    Checkpoints.Trace208 private _total;

    function set(address holder, uint256 votes) external {
        uint256 total = _total.latest() - _votes[holder].latest() + votes;
        _votes[holder].push(uint48(block.number), uint208(votes));
        _total.push(uint48(block.number), uint208(total));
    }

    function getPastStakeVotes(address holder, uint256 timepoint) external view returns (uint256) {
        return _votes[holder].upperLookupRecent(uint48(timepoint));
    }

    function getPastTotalStake(uint256 timepoint) external view returns (uint256) {
        return _total.upperLookupRecent(uint48(timepoint));
    }
}
