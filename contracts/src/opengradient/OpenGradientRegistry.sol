// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {TeeRegistry} from "../TeeRegistry.sol";
import {ITeeRegistry} from "./ITeeRegistry.sol";
import {RsaPss} from "./RsaPss.sol";

/// @title RSA keys of Assay's enclaves, as OpenGradient's clients look them up
/// @notice Nobody decides who is listed: an RSA key comes in with the signature of an enclave's receipt key, and counts for
/// as long as Assay's TeeRegistry lets that key sign. What validators admitted there, and holders voted on, holds here.
contract OpenGradientRegistry is ITeeRegistry {
    // ------------------------------------------------------------------ constants, storage

    /// @notice Serves models: the only type that there is here.
    uint8 public constant LLM_PROXY = 0;
    /// @notice Bounds what one call of `getActiveTEEs` reads.
    uint256 public constant MAX_LISTED = 64;
    uint256 public constant MAX_ENDPOINT_BYTES = 256;
    uint256 public constant MAX_CERTIFICATE_BYTES = 4096;
    /// @notice A TEE that was not heard of for longer is not active, seconds.
    uint256 public constant HEARTBEAT_MAX_AGE = 1 hours;
    bytes32 private constant REGISTRATION_TAG = keccak256("assay/opengradient-tee/v1");

    TeeRegistry public immutable keys;

    struct Tee {
        address owner;
        bool enabled;
        uint48 registeredAt;
        uint48 lastHeartbeatAt;
        address paymentAddress;
        /// Receipt key of the enclave that the RSA key lives in.
        address key;
        string endpoint;
        bytes publicKey;
        bytes tlsCertificate;
    }

    mapping(bytes32 teeId => Tee) private _tees;
    /// @notice The RSA key that lives beside a receipt key: one each, so that no operator fills the list.
    mapping(address key => bytes32 teeId) public teeOf;
    bytes32[] private _listed;

    event TEERegistered(bytes32 indexed teeId, address indexed owner, address indexed key);
    event TEEHeartbeat(bytes32 indexed teeId);
    event TEEDisabled(bytes32 indexed teeId);
    event TEEUnlisted(bytes32 indexed teeId);

    error TeeTaken(bytes32 teeId);
    error KeyHasTee(address key, bytes32 teeId);
    error KeyNotAdmitted(address key, address owner);
    error NotTheOwner(bytes32 teeId, address caller);
    error TooLong();
    error RegistryFull();

    constructor(TeeRegistry teeRegistry_) {
        keys = teeRegistry_;
    }

    // ------------------------------------------------------------------ writes

    /// @notice Lists the RSA key of the caller's enclave.
    /// @param signature of the enclave's receipt key over `registrationDigest`
    function registerTEE(
        address paymentAddress,
        string calldata endpoint,
        bytes calldata publicKey,
        bytes calldata tlsCertificate,
        bytes calldata signature
    ) external returns (bytes32 teeId) {
        if (bytes(endpoint).length > MAX_ENDPOINT_BYTES || tlsCertificate.length > MAX_CERTIFICATE_BYTES) revert TooLong();
        RsaPss.modulusOf(publicKey);
        teeId = keccak256(publicKey);
        if (_tees[teeId].owner != address(0)) revert TeeTaken(teeId);
        address key =
            ECDSA.recover(registrationDigest(msg.sender, paymentAddress, endpoint, publicKey, tlsCertificate), signature);
        if (teeOf[key] != bytes32(0)) revert KeyHasTee(key, teeOf[key]);
        if (!_isAdmitted(key, msg.sender)) revert KeyNotAdmitted(key, msg.sender);
        _list(teeId);
        teeOf[key] = teeId;
        _tees[teeId] = Tee(
            msg.sender,
            true,
            uint48(block.timestamp),
            uint48(block.timestamp),
            paymentAddress,
            key,
            endpoint,
            publicKey,
            tlsCertificate
        );
        emit TEERegistered(teeId, msg.sender, key);
    }

    /// @notice Says that the enclave still runs.
    function heartbeat(bytes32 teeId) external {
        _ownedBy(teeId, msg.sender).lastHeartbeatAt = uint48(block.timestamp);
        emit TEEHeartbeat(teeId);
    }

    /// @notice Switches an enclave off, for good.
    function disableTEE(bytes32 teeId) external {
        _ownedBy(teeId, msg.sender).enabled = false;
        emit TEEDisabled(teeId);
    }

    // ------------------------------------------------------------------ views

    /// @notice What the receipt key signs: packages/protocol/src/opengradient/registration.ts.
    function registrationDigest(
        address owner,
        address paymentAddress,
        string calldata endpoint,
        bytes calldata publicKey,
        bytes calldata tlsCertificate
    ) public view returns (bytes32) {
        return keccak256(
            abi.encode(
                REGISTRATION_TAG,
                block.chainid,
                address(this),
                owner,
                paymentAddress,
                keccak256(bytes(endpoint)),
                keccak256(publicKey),
                keccak256(tlsCertificate)
            )
        );
    }

    /// @notice The receipt key of a TEE's enclave, zero where the id is unknown.
    function keyOf(bytes32 teeId) external view returns (address) {
        return _tees[teeId].key;
    }

    /// @notice Modulus of a TEE's RSA key, empty where the id is unknown.
    function modulusOf(bytes32 teeId) external view returns (bytes memory) {
        bytes memory publicKey = _tees[teeId].publicKey;
        return publicKey.length == 0 ? publicKey : this.modulusIn(publicKey);
    }

    function modulusIn(bytes calldata publicKey) external pure returns (bytes memory) {
        return RsaPss.modulusOf(publicKey);
    }

    function getActiveTEEs(uint8 teeType) external view returns (TEEInfo[] memory active) {
        if (teeType != LLM_PROXY) return active;
        uint256 count;
        for (uint256 i = 0; i < _listed.length; i++) if (isTEEActive(_listed[i])) count++;
        active = new TEEInfo[](count);
        for (uint256 i = _listed.length; count > 0; i--) {
            if (isTEEActive(_listed[i - 1])) active[--count] = getTEE(_listed[i - 1]);
        }
    }

    function getEnabledTEEs(uint8 teeType) external view returns (bytes32[] memory enabled) {
        if (teeType != LLM_PROXY) return enabled;
        uint256 count;
        for (uint256 i = 0; i < _listed.length; i++) if (isTEEEnabled(_listed[i])) count++;
        enabled = new bytes32[](count);
        for (uint256 i = _listed.length; count > 0; i--) {
            if (isTEEEnabled(_listed[i - 1])) enabled[--count] = _listed[i - 1];
        }
    }

    function getTEEsByType(uint8 teeType) external view returns (bytes32[] memory) {
        return teeType == LLM_PROXY ? _listed : new bytes32[](0);
    }

    function getTEE(bytes32 teeId) public view returns (TEEInfo memory) {
        Tee storage tee = _tees[teeId];
        bytes32 measurement;
        if (tee.key != address(0)) (,,, measurement,,,,,) = keys.key(tee.key);
        return TEEInfo(
            tee.owner,
            tee.paymentAddress,
            tee.endpoint,
            tee.publicKey,
            tee.tlsCertificate,
            measurement,
            LLM_PROXY,
            tee.enabled,
            tee.registeredAt,
            tee.lastHeartbeatAt,
            // Assay's encrypted requests are another format under another path, and their keys in other registers.
            OhttpConfig(0, 0, 0, 0, "", "", 0)
        );
    }

    function isTEEActive(bytes32 teeId) public view returns (bool) {
        Tee storage tee = _tees[teeId];
        return tee.enabled && block.timestamp <= tee.lastHeartbeatAt + HEARTBEAT_MAX_AGE
            && _isAdmitted(tee.key, tee.owner);
    }

    function isTEEEnabled(bytes32 teeId) public view returns (bool) {
        return _tees[teeId].enabled;
    }

    // ------------------------------------------------------------------ internal

    /// @dev In a model's own enclave or as an authenticated proxy: what validators attested is one of both.
    function _isAdmitted(address key, address owner) private view returns (bool) {
        uint64 time = uint64(block.timestamp);
        return keys.isKeyValidAt(key, owner, 0, false, time) || keys.isKeyValidAt(key, owner, 1, false, time);
    }

    function _ownedBy(bytes32 teeId, address caller) private view returns (Tee storage tee) {
        tee = _tees[teeId];
        if (tee.owner != caller) revert NotTheOwner(teeId, caller);
    }

    /// @dev In the place of one that can never sign again, if there is one: keys end, and the list must not grow for ever.
    /// What was registered stays readable under its id.
    function _list(bytes32 teeId) private {
        for (uint256 i = 0; i < _listed.length; i++) {
            bytes32 old = _listed[i];
            if (isTEEActive(old)) continue;
            _listed[i] = teeId;
            emit TEEUnlisted(old);
            return;
        }
        if (_listed.length == MAX_LISTED) revert RegistryFull();
        _listed.push(teeId);
    }
}
