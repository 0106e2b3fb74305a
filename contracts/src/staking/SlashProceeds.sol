// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

/// @title Hands slashed tokens over, without ever failing for it
/// @notice A proven fault must take its effect whatever its receiver does.
abstract contract SlashProceeds {
    /// @notice Slashed tokens whose transfer failed, base units; `sendProceeds` tries again.
    uint256 public unsentProceeds;

    function _sendProceeds(IERC20 token, address receiver, uint256 amount) internal {
        if (amount == 0) return;
        try token.transfer(receiver, amount) returns (bool sent) {
            if (sent) return;
        } catch {}
        unsentProceeds += amount;
    }
}
