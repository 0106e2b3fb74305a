// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @notice Tokens that stood behind a validator for the same epochs, owned by shares.
/// @dev `perShare` and what follows matter only while the tranche is active; exits earn nothing.
struct Tranche {
    uint128 tokens;
    uint128 shares;
    /// Reward per share since the tranche began, scaled by 10^27, settled up to the validator's `settled`.
    uint256 perShare;
    uint256 settled;
    /// What all its shares became when it grew old enough to join the main pool, and where that pool's rewards stood.
    uint128 foldedShares;
    uint24 foldedGeneration;
    bool folded;
    uint256 foldedPerShare;
}

/// @title Tranches of stake, told apart by the epochs in which they stood
/// @notice One rule decides who answers for a fault: a tranche does if and only if it stood in the capture epoch. Stake
/// that came later has a later `from`, stake that had left before has an earlier `to`; neither is hit nor dilutes.
/// @dev An id says it all: from (32 bits), to (32), release (40), kind (4), generation (20). `release` is when an exit
/// becomes free, or when a young tranche may join the main pool; it is part of the id, so that no later change of a
/// parameter moves it.
library Tranches {
    /// @dev `to` of what has not asked to leave.
    uint256 internal constant FOREVER = type(uint32).max;
    uint256 internal constant ACTIVE = 0;
    uint256 internal constant EXIT = 1;
    /// @dev On the way to another validator.
    uint256 internal constant TRANSIT = 2;
    /// @dev A validator's own bond on its way out: it still pays first.
    uint256 internal constant SELF_EXIT = 3;
    /// @dev A main pool that was slashed to almost nothing, and whose holders are leaving it.
    uint256 internal constant RETIRED = 4;
    /// @dev Below one token for 10^9 shares a pool takes no deposits: after slashes near 100% shares would grow without
    /// bound (economics: exchange-rate floor).
    uint256 private constant FLOOR_SHARES = 1e9;

    function idOf(uint256 from, uint256 to, uint256 release, uint256 kind, uint256 generation)
        internal
        pure
        returns (uint128)
    {
        // Safe cast: epochs fit 32 bits and times 40 for thirty thousand years at one second an epoch until 2106.
        return uint128(
            (from & 0xffffffff) << 96 | (to & 0xffffffff) << 64 | (release & 0xffffffffff) << 24 | kind << 20
                | (generation & 0xfffff)
        );
    }

    function fromOf(uint128 id) internal pure returns (uint256) {
        return id >> 96;
    }

    function toOf(uint128 id) internal pure returns (uint256) {
        return (id >> 64) & 0xffffffff;
    }

    function releaseOf(uint128 id) internal pure returns (uint256) {
        return (id >> 24) & 0xffffffffff;
    }

    function kindOf(uint128 id) internal pure returns (uint256) {
        return (id >> 20) & 0xf;
    }

    function stoodIn(uint128 id, uint256 epoch) internal pure returns (bool) {
        return fromOf(id) <= epoch && epoch <= toOf(id);
    }

    function isWiped(Tranche storage t) internal view returns (bool) {
        return uint256(t.tokens) * FLOOR_SHARES < t.shares;
    }

    /// @dev What `amount` is in shares of a pool that holds `tokens` under `all` shares.
    function sharesFor(uint256 amount, uint256 tokens, uint256 all) internal pure returns (uint256) {
        return all == 0 ? amount : Math.mulDiv(amount, all, tokens);
    }

    /// @dev Rounded down: the newcomer never dilutes those who are there. Never called on a wiped tranche.
    function join(Tranche storage t, uint256 amount) internal returns (uint256 shares) {
        (uint256 tokens, uint256 all) = (t.tokens, t.shares);
        shares = sharesFor(amount, tokens, all);
        // Safe casts: the supply is below 2^90 and the floor lets shares be at most 10^9 times that.
        t.tokens = uint128(tokens + amount);
        t.shares = uint128(all + shares);
    }

    /// @dev Rounded down: what a leaver leaves behind belongs to those who stay.
    function quit(Tranche storage t, uint256 shares) internal returns (uint256 amount) {
        (uint256 tokens, uint256 all) = (t.tokens, t.shares);
        amount = Math.mulDiv(shares, tokens, all);
        // Safe casts: both shrink.
        t.tokens = uint128(tokens - amount);
        t.shares = uint128(all - shares);
    }

    function worth(Tranche storage t, uint256 shares) internal view returns (uint256) {
        return t.shares == 0 ? 0 : Math.mulDiv(shares, t.tokens, t.shares);
    }
}

/// @notice Ids in the order in which they were opened; those before `head` are over.
struct TrancheQueue {
    uint128[] ids;
    uint256 head;
}
