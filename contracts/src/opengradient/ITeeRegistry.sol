// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice How OpenGradient's clients read who serves: its `TEERegistry`, as far as they call it.
/// @dev Names, order and widths are theirs. Older clients decode the first ten members alone.
interface ITeeRegistry {
    struct OhttpConfig {
        uint8 keyId;
        uint16 kemId;
        uint16 kdfId;
        uint16 aeadId;
        bytes publicKey;
        bytes keyConfig;
        uint256 registeredAt;
    }

    struct TEEInfo {
        address owner;
        address paymentAddress;
        string endpoint;
        /// SubjectPublicKeyInfo of the RSA key, DER; its keccak256 is the TEE's id.
        bytes publicKey;
        bytes tlsCertificate;
        bytes32 pcrHash;
        /// 0 serves models, 1 validates.
        uint8 teeType;
        bool enabled;
        uint256 registeredAt;
        uint256 lastHeartbeatAt;
        OhttpConfig ohttpConfig;
    }

    /// @notice Those that may sign now.
    function getActiveTEEs(uint8 teeType) external view returns (TEEInfo[] memory);
    /// @notice Those that their owners have not switched off.
    function getEnabledTEEs(uint8 teeType) external view returns (bytes32[] memory);
    /// @notice Those that are listed.
    function getTEEsByType(uint8 teeType) external view returns (bytes32[] memory);
    /// @notice What was registered, also of one that is no longer listed; empty where the id is unknown.
    function getTEE(bytes32 teeId) external view returns (TEEInfo memory);
    function isTEEActive(bytes32 teeId) external view returns (bool);
    function isTEEEnabled(bytes32 teeId) external view returns (bool);
}
