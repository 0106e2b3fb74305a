// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice What a payer lets one gateway spend without a signature for every call; docs/spec.md §4.
struct SpendingGrant {
    address payer;
    address gateway;
    /// Most that may ever be spent under it, OPG base units.
    uint128 maxTotal;
    /// Most that one call may cost, OPG base units.
    uint128 maxPerCall;
    /// Most that calls of any one hour may cost, OPG base units; 0 = no such limit.
    uint128 ratePerHour;
    /// Models that may be called; none = any.
    bytes32[] models;
    /// Nodes that may serve; none = any.
    address[] nodes;
    /// Unix seconds; calls asked for later are not paid.
    uint64 expiry;
    uint256 nonce;
}

/// @notice Typed data of spending grants (EIP-712).
library GrantLib {
    bytes32 internal constant TYPEHASH = keccak256(
        "SpendingGrant(address payer,address gateway,uint128 maxTotal,uint128 maxPerCall,uint128 ratePerHour,bytes32[] models,address[] nodes,uint64 expiry,uint256 nonce)"
    );

    function structHash(SpendingGrant memory grant) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                TYPEHASH,
                grant.payer,
                grant.gateway,
                grant.maxTotal,
                grant.maxPerCall,
                grant.ratePerHour,
                keccak256(abi.encodePacked(grant.models)),
                // Every element is padded to 32 bytes, as EIP-712 encodes arrays.
                keccak256(abi.encodePacked(grant.nodes)),
                grant.expiry,
                grant.nonce
            )
        );
    }
}
