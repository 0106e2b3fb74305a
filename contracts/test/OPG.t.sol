// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {OPG} from "../src/OPG.sol";
import {TestBase} from "./TestBase.sol";

/// @dev A wallet that accepts the signatures of one key (ERC-1271).
contract SmartWallet is IERC1271 {
    address private owner;

    constructor(address owner_) {
        owner = owner_;
    }

    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        return ECDSA.recover(hash, signature) == owner ? IERC1271.isValidSignature.selector : bytes4(0xffffffff);
    }
}

contract OPGTest is TestBase {
    uint256 private constant KEY = 0xA11CE;
    uint256 private constant OTHER_KEY = 0xB0B;
    address private constant PAYEE = address(0xCAFE);
    bytes32 private constant NONCE = keccak256("nonce");
    uint256 private constant VALUE = 3e18;
    uint256 private constant NOW = 1_700_000_000;

    OPG private token;
    address private payer;

    function setUp() public {
        vm.warp(NOW);
        token = new OPG(address(this));
        payer = vm.addr(KEY);
        token.transfer(payer, 10e18);
    }

    function test_supplyIsMintedOnceToTheAllocator() public {
        OPG fresh = new OPG(PAYEE);
        assertEq(fresh.totalSupply(), 1_000_000_000e18);
        assertEq(fresh.balanceOf(PAYEE), fresh.totalSupply());
        assertEq(keccak256(bytes(fresh.symbol())), keccak256("OPG"));
    }

    function test_domainIsOpenGradientVersion1() public view {
        bytes32 expected = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("OpenGradient"),
                keccak256("1"),
                block.chainid,
                address(token)
            )
        );
        assertEq(token.DOMAIN_SEPARATOR(), expected);
        assertEq(keccak256(bytes(token.version())), keccak256("1"));
    }

    function test_authorisationMovesTheValueAndIsRecorded() public {
        assertTrue(!token.authorizationState(payer, NONCE));
        assertEq(token.consumedAuthorization(payer, NONCE), 0);
        _transfer(_signTransfer(KEY, VALUE));
        assertEq(token.balanceOf(PAYEE), VALUE);
        assertEq(token.balanceOf(payer), 10e18 - VALUE);
        assertTrue(token.authorizationState(payer, NONCE));
        assertEq(token.consumedAuthorization(payer, NONCE), keccak256(abi.encode(PAYEE, VALUE)));
    }

    function test_authorisationWithSplitSignature() public {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, _transferDigest(payer, VALUE));
        vm.expectEmit(address(token));
        emit OPG.AuthorizationUsed(payer, NONCE);
        token.transferWithAuthorization(payer, PAYEE, VALUE, NOW - 1, NOW + 60, NONCE, v, r, s);
        assertEq(token.balanceOf(PAYEE), VALUE);
    }

    function test_receivingWithSplitSignature() public {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, _receiveDigest());
        vm.expectRevert(abi.encodeWithSelector(OPG.CallerNotPayee.selector, address(this), PAYEE));
        token.receiveWithAuthorization(payer, PAYEE, VALUE, NOW - 1, NOW + 60, NONCE, v, r, s);
        vm.prank(PAYEE);
        token.receiveWithAuthorization(payer, PAYEE, VALUE, NOW - 1, NOW + 60, NONCE, v, r, s);
        assertEq(token.balanceOf(PAYEE), VALUE);
    }

    function test_frontRunnerLeavesTheRecordThatProvesThePayment() public {
        bytes memory signature = _signTransfer(KEY, VALUE);
        vm.prank(address(0xBAD));
        _transfer(signature);
        assertEq(token.consumedAuthorization(payer, NONCE), keccak256(abi.encode(PAYEE, VALUE)));
        vm.expectRevert(abi.encodeWithSelector(OPG.AuthorizationAlreadyUsed.selector, payer, NONCE));
        _transfer(signature);
        assertEq(token.balanceOf(PAYEE), VALUE);
    }

    function test_cancelledAuthorisationPaysNothing() public {
        bytes32 cancel = keccak256(abi.encode(token.CANCEL_AUTHORIZATION_TYPEHASH(), payer, NONCE));
        bytes memory signature = signDigest(KEY, typedDigest(token.DOMAIN_SEPARATOR(), cancel));
        token.cancelAuthorization(payer, NONCE, signature);
        assertTrue(token.authorizationState(payer, NONCE));
        assertEq(token.consumedAuthorization(payer, NONCE), bytes32(uint256(1)));
        bytes memory transfer = _signTransfer(KEY, VALUE);
        vm.expectRevert(abi.encodeWithSelector(OPG.AuthorizationAlreadyUsed.selector, payer, NONCE));
        _transfer(transfer);
        vm.expectRevert(abi.encodeWithSelector(OPG.AuthorizationAlreadyUsed.selector, payer, NONCE));
        token.cancelAuthorization(payer, NONCE, signature);
    }

    function test_cancellingWithSplitSignatureIsAnEvent() public {
        bytes32 cancel = keccak256(abi.encode(token.CANCEL_AUTHORIZATION_TYPEHASH(), payer, NONCE));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, typedDigest(token.DOMAIN_SEPARATOR(), cancel));
        vm.expectEmit(address(token));
        emit OPG.AuthorizationCanceled(payer, NONCE);
        token.cancelAuthorization(payer, NONCE, v, r, s);
        assertEq(token.consumedAuthorization(payer, NONCE), bytes32(uint256(1)));
    }

    function test_onlyTheAuthorizerCancels() public {
        bytes32 cancel = keccak256(abi.encode(token.CANCEL_AUTHORIZATION_TYPEHASH(), payer, NONCE));
        bytes memory signature = signDigest(OTHER_KEY, typedDigest(token.DOMAIN_SEPARATOR(), cancel));
        vm.expectRevert(abi.encodeWithSelector(OPG.InvalidAuthorizationSignature.selector, payer));
        token.cancelAuthorization(payer, NONCE, signature);
    }

    function test_usedAuthorisationCannotBeCancelled() public {
        _transfer(_signTransfer(KEY, VALUE));
        bytes32 cancel = keccak256(abi.encode(token.CANCEL_AUTHORIZATION_TYPEHASH(), payer, NONCE));
        bytes memory signature = signDigest(KEY, typedDigest(token.DOMAIN_SEPARATOR(), cancel));
        vm.expectRevert(abi.encodeWithSelector(OPG.AuthorizationAlreadyUsed.selector, payer, NONCE));
        token.cancelAuthorization(payer, NONCE, signature);
    }

    function test_bothBoundsOfTheValidityAreExclusive() public {
        bytes memory signature = _signTransfer(KEY, VALUE);
        vm.warp(NOW - 1);
        vm.expectRevert(abi.encodeWithSelector(OPG.AuthorizationNotYetValid.selector, NOW - 1));
        _transfer(signature);
        vm.warp(NOW + 60);
        vm.expectRevert(abi.encodeWithSelector(OPG.AuthorizationExpired.selector, NOW + 60));
        _transfer(signature);
        vm.warp(NOW + 59);
        _transfer(signature);
    }

    function test_wrongSignerAndChangedValueAreRefused() public {
        bytes memory wrong = _signTransfer(OTHER_KEY, VALUE);
        vm.expectRevert(abi.encodeWithSelector(OPG.InvalidAuthorizationSignature.selector, payer));
        _transfer(wrong);
        bytes memory other = _signTransfer(KEY, VALUE + 1);
        vm.expectRevert(abi.encodeWithSelector(OPG.InvalidAuthorizationSignature.selector, payer));
        _transfer(other);
        assertTrue(!token.authorizationState(payer, NONCE));
    }

    function test_failedTransferDoesNotConsumeTheAuthorisation() public {
        bytes memory signature = _signTransfer(KEY, 11e18);
        vm.expectRevert();
        token.transferWithAuthorization(payer, PAYEE, 11e18, NOW - 1, NOW + 60, NONCE, signature);
        assertTrue(!token.authorizationState(payer, NONCE));
    }

    function test_receiveIsForThePayeeOnly() public {
        bytes memory signature = signDigest(KEY, _receiveDigest());
        vm.expectRevert(abi.encodeWithSelector(OPG.CallerNotPayee.selector, address(this), PAYEE));
        token.receiveWithAuthorization(payer, PAYEE, VALUE, NOW - 1, NOW + 60, NONCE, signature);
        // The two authorisations are different messages: one cannot stand for the other.
        vm.expectRevert(abi.encodeWithSelector(OPG.InvalidAuthorizationSignature.selector, payer));
        _transfer(signature);
        vm.prank(PAYEE);
        token.receiveWithAuthorization(payer, PAYEE, VALUE, NOW - 1, NOW + 60, NONCE, signature);
        assertEq(token.balanceOf(PAYEE), VALUE);
        assertEq(token.consumedAuthorization(payer, NONCE), keccak256(abi.encode(PAYEE, VALUE)));
    }

    function test_smartWalletAuthorises() public {
        address wallet = address(new SmartWallet(payer));
        token.transfer(wallet, VALUE);
        bytes memory forged = signDigest(OTHER_KEY, _transferDigest(wallet, VALUE));
        vm.expectRevert(abi.encodeWithSelector(OPG.InvalidAuthorizationSignature.selector, wallet));
        token.transferWithAuthorization(wallet, PAYEE, VALUE, NOW - 1, NOW + 60, NONCE, forged);
        bytes memory signature = signDigest(KEY, _transferDigest(wallet, VALUE));
        token.transferWithAuthorization(wallet, PAYEE, VALUE, NOW - 1, NOW + 60, NONCE, signature);
        assertEq(token.balanceOf(PAYEE), VALUE);
    }

    function test_permitAllowsOnce() public {
        bytes32 permit = keccak256(
            abi.encode(
                keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"),
                payer,
                PAYEE,
                VALUE,
                0,
                NOW
            )
        );
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, typedDigest(token.DOMAIN_SEPARATOR(), permit));
        token.permit(payer, PAYEE, VALUE, NOW, v, r, s);
        assertEq(token.allowance(payer, PAYEE), VALUE);
        assertEq(token.nonces(payer), 1);
        vm.expectRevert();
        token.permit(payer, PAYEE, VALUE, NOW, v, r, s);
    }

    function test_votesFollowTheTokens() public {
        vm.prank(payer);
        token.delegate(payer);
        assertEq(token.getVotes(payer), 10e18);
        _transfer(_signTransfer(KEY, VALUE));
        assertEq(token.getVotes(payer), 10e18 - VALUE);
    }

    function testFuzz_recordBindsPayeeAndValue(uint64 value, bytes32 nonce) public {
        uint256 amount = uint256(value) % 10e18;
        bytes32 structHash = keccak256(
            abi.encode(
                token.TRANSFER_WITH_AUTHORIZATION_TYPEHASH(), payer, PAYEE, amount, NOW - 1, NOW + 60, nonce
            )
        );
        bytes memory signature = signDigest(KEY, typedDigest(token.DOMAIN_SEPARATOR(), structHash));
        token.transferWithAuthorization(payer, PAYEE, amount, NOW - 1, NOW + 60, nonce, signature);
        assertEq(token.consumedAuthorization(payer, nonce), keccak256(abi.encode(PAYEE, amount)));
        assertEq(token.balanceOf(PAYEE), amount);
    }

    function _transfer(bytes memory signature) private {
        token.transferWithAuthorization(payer, PAYEE, VALUE, NOW - 1, NOW + 60, NONCE, signature);
    }

    function _signTransfer(uint256 key, uint256 value) private view returns (bytes memory) {
        return signDigest(key, _transferDigest(payer, value));
    }

    function _receiveDigest() private view returns (bytes32) {
        bytes32 structHash = keccak256(
            abi.encode(
                token.RECEIVE_WITH_AUTHORIZATION_TYPEHASH(), payer, PAYEE, VALUE, NOW - 1, NOW + 60, NONCE
            )
        );
        return typedDigest(token.DOMAIN_SEPARATOR(), structHash);
    }

    function _transferDigest(address from, uint256 value) private view returns (bytes32) {
        bytes32 structHash = keccak256(
            abi.encode(
                token.TRANSFER_WITH_AUTHORIZATION_TYPEHASH(), from, PAYEE, value, NOW - 1, NOW + 60, NONCE
            )
        );
        return typedDigest(token.DOMAIN_SEPARATOR(), structHash);
    }
}
