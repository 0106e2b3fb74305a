// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {VestingWallet} from "@openzeppelin/contracts/finance/VestingWallet.sol";

/// @title Part of the genesis supply that its beneficiary receives by and by
/// @notice OpenZeppelin's VestingWallet, whose curve is a straight line from `start` to `start + duration`. The right to
/// it cannot be sold or given away, and tokens in it carry no votes: the wallet delegates to nobody.
/// @dev A lock of 12 months is a later start. VestingWalletCliff would pay the twelve months' catch-up in the second
/// after the cliff. Tokens sent here by others vest along the same line.
contract VestingBucket is VestingWallet {
    error NotTransferable();

    constructor(address beneficiary, uint64 startTimestamp, uint64 durationSeconds)
        VestingWallet(beneficiary, startTimestamp, durationSeconds)
    {}

    function transferOwnership(address) public pure override {
        revert NotTransferable();
    }

    function renounceOwnership() public pure override {
        revert NotTransferable();
    }
}
