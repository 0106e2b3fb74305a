// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Burnable} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Burnable.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {ERC20Votes} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Votes.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

/// @title OPG, the token that pays for inference
/// @notice Fixed supply, minted once. Beside ERC-20, EIP-2612 and votes it implements EIP-3009, and it remembers what
/// each authorisation paid, so that a collector who was front-run can still prove the money came.
contract OPG is ERC20, ERC20Permit, ERC20Votes, ERC20Burnable {
    /// @notice 1,000,000,000 OPG of 18 decimals.
    uint256 public constant SUPPLY = 1_000_000_000e18;

    bytes32 public constant TRANSFER_WITH_AUTHORIZATION_TYPEHASH = keccak256(
        "TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
    );
    bytes32 public constant RECEIVE_WITH_AUTHORIZATION_TYPEHASH = keccak256(
        "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
    );
    bytes32 public constant CANCEL_AUTHORIZATION_TYPEHASH =
        keccak256("CancelAuthorization(address authorizer,bytes32 nonce)");

    bytes32 private constant CANCELLED = bytes32(uint256(1));

    /// @notice What became of an authorisation: 0 unused, 1 cancelled, otherwise keccak256(abi.encode(to, value)).
    mapping(address authorizer => mapping(bytes32 nonce => bytes32 record)) public consumedAuthorization;

    event AuthorizationUsed(address indexed authorizer, bytes32 indexed nonce);
    event AuthorizationCanceled(address indexed authorizer, bytes32 indexed nonce);

    error AuthorizationNotYetValid(uint256 validAfter);
    error AuthorizationExpired(uint256 validBefore);
    error AuthorizationAlreadyUsed(address authorizer, bytes32 nonce);
    error CallerNotPayee(address caller, address payee);
    error InvalidAuthorizationSignature(address authorizer);

    constructor(address genesisAllocator) ERC20("OpenGradient", "OPG") ERC20Permit("OpenGradient") {
        _mint(genesisAllocator, SUPPLY);
    }

    /// @notice True once the authorisation was used or cancelled (EIP-3009).
    function authorizationState(address authorizer, bytes32 nonce) external view returns (bool) {
        return consumedAuthorization[authorizer][nonce] != 0;
    }

    /// @notice Version of the EIP-712 domain, which x402 clients read.
    function version() external pure returns (string memory) {
        return "1";
    }

    /// @notice Executes a signed transfer; anyone may send it (EIP-3009).
    function transferWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external {
        transferWithAuthorization(from, to, value, validAfter, validBefore, nonce, abi.encodePacked(r, s, v));
    }

    /// @notice As above; the signature may also be an ERC-1271 one.
    function transferWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes memory signature
    ) public {
        bytes32 structHash = keccak256(
            abi.encode(TRANSFER_WITH_AUTHORIZATION_TYPEHASH, from, to, value, validAfter, validBefore, nonce)
        );
        _consume(from, nonce, validAfter, validBefore, structHash, keccak256(abi.encode(to, value)), signature);
        _transfer(from, to, value);
    }

    /// @notice Executes a signed transfer that only its payee may send, so nobody can front-run it (EIP-3009).
    function receiveWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external {
        receiveWithAuthorization(from, to, value, validAfter, validBefore, nonce, abi.encodePacked(r, s, v));
    }

    /// @notice As above; the signature may also be an ERC-1271 one.
    function receiveWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes memory signature
    ) public {
        require(msg.sender == to, CallerNotPayee(msg.sender, to));
        bytes32 structHash = keccak256(
            abi.encode(RECEIVE_WITH_AUTHORIZATION_TYPEHASH, from, to, value, validAfter, validBefore, nonce)
        );
        _consume(from, nonce, validAfter, validBefore, structHash, keccak256(abi.encode(to, value)), signature);
        _transfer(from, to, value);
    }

    /// @notice Makes an unused authorisation worthless for ever (EIP-3009).
    function cancelAuthorization(address authorizer, bytes32 nonce, uint8 v, bytes32 r, bytes32 s) external {
        cancelAuthorization(authorizer, nonce, abi.encodePacked(r, s, v));
    }

    /// @notice As above; the signature may also be an ERC-1271 one.
    function cancelAuthorization(address authorizer, bytes32 nonce, bytes memory signature) public {
        bytes32 structHash = keccak256(abi.encode(CANCEL_AUTHORIZATION_TYPEHASH, authorizer, nonce));
        _record(authorizer, nonce, structHash, CANCELLED, signature);
        emit AuthorizationCanceled(authorizer, nonce);
    }

    function nonces(address owner) public view override(ERC20Permit, Nonces) returns (uint256) {
        return super.nonces(owner);
    }

    function _consume(
        address from,
        bytes32 nonce,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 structHash,
        bytes32 record,
        bytes memory signature
    ) private {
        // Both bounds are exclusive in EIP-3009.
        require(block.timestamp > validAfter, AuthorizationNotYetValid(validAfter));
        require(block.timestamp < validBefore, AuthorizationExpired(validBefore));
        _record(from, nonce, structHash, record, signature);
        emit AuthorizationUsed(from, nonce);
    }

    function _record(
        address authorizer,
        bytes32 nonce,
        bytes32 structHash,
        bytes32 record,
        bytes memory signature
    ) private {
        require(consumedAuthorization[authorizer][nonce] == 0, AuthorizationAlreadyUsed(authorizer, nonce));
        require(
            SignatureChecker.isValidSignatureNow(authorizer, _hashTypedDataV4(structHash), signature),
            InvalidAuthorizationSignature(authorizer)
        );
        consumedAuthorization[authorizer][nonce] = record;
    }

    function _update(address from, address to, uint256 value) internal override(ERC20, ERC20Votes) {
        super._update(from, to, value);
    }
}
