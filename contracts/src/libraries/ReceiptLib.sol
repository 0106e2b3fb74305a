// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice What a node signs about one answer; docs/spec.md §4 gives every field.
struct Receipt {
    uint8 version;
    bytes32 requestId;
    address payer;
    address node;
    address key;
    uint64 seq;
    address committer;
    uint64 includeBy;
    bytes32 modelId;
    uint64 priceVersion;
    uint8 engineClass;
    uint8 mode;
    uint8 status;
    bytes32 requestHash;
    bytes32 responseHash;
    bytes32 evidenceHash;
    uint64 inputUnits;
    uint64 outputUnits;
    uint128 price;
    uint128 valueAtRisk;
    uint64 anchorBlock;
    bytes32 anchorHash;
    uint64 issuedAt;
}

/// @notice The payer's own signature on what it asked for; docs/spec.md §4.
struct RequestAuth {
    bytes32 requestId;
    bytes32 requestHash;
    bytes32 modelId;
    uint128 maxPrice;
    address committer;
    uint64 deadline;
}

/// @notice Hashes of the typed data and of the batch leaf (docs/spec.md §4, §5).
library ReceiptLib {
    bytes32 internal constant RECEIPT_TYPEHASH = keccak256(
        "Receipt(uint8 version,bytes32 requestId,address payer,address node,address key,uint64 seq,address committer,uint64 includeBy,bytes32 modelId,uint64 priceVersion,uint8 engineClass,uint8 mode,uint8 status,bytes32 requestHash,bytes32 responseHash,bytes32 evidenceHash,uint64 inputUnits,uint64 outputUnits,uint128 price,uint128 valueAtRisk,uint64 anchorBlock,bytes32 anchorHash,uint64 issuedAt)"
    );
    bytes32 internal constant REQUEST_AUTH_TYPEHASH = keccak256(
        "RequestAuth(bytes32 requestId,bytes32 requestHash,bytes32 modelId,uint128 maxPrice,address committer,uint64 deadline)"
    );
    bytes32 internal constant LEAF_TAG = keccak256("assay/leaf/v1");

    /// @dev All members are static, so the ABI encoding of the struct is its members in line, as EIP-712 wants.
    function structHash(Receipt memory receipt) internal pure returns (bytes32) {
        return keccak256(abi.encode(RECEIPT_TYPEHASH, receipt));
    }

    function structHash(RequestAuth memory auth) internal pure returns (bytes32) {
        return keccak256(abi.encode(REQUEST_AUTH_TYPEHASH, auth));
    }

    /// @notice What is lost if the receipt is a lie, OPG base units.
    function exposure(Receipt memory receipt) internal pure returns (uint128) {
        return receipt.price > receipt.valueAtRisk ? receipt.price : receipt.valueAtRisk;
    }

    /// @param signatureHash keccak256 of the node's 65-byte signature: nobody can pair a leaf with garbage.
    /// @param counter place of the call under its spending grant, zero without one.
    function leafHash(Receipt memory receipt, bytes32 signatureHash, uint64 counter) internal pure returns (bytes32) {
        return keccak256(
            bytes.concat(keccak256(abi.encode(LEAF_TAG, structHash(receipt), signatureHash, counter)))
        );
    }
}
