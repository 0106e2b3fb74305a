// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {GatewayTill} from "../src/GatewayTill.sol";
import {InferenceEscrow} from "../src/InferenceEscrow.sol";
import {Receipt, RequestAuth} from "../src/libraries/ReceiptLib.sol";
import {OPG} from "../src/OPG.sol";
import {EscrowFixture} from "./EscrowFixture.sol";

/// @dev A wallet that signs with its owner's key (ERC-1271).
contract Wallet is IERC1271 {
    address private immutable owner;

    constructor(address owner_) {
        owner = owner_;
    }

    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        return ECDSA.recover(hash, signature) == owner ? IERC1271.isValidSignature.selector : bytes4(0);
    }
}

/// @title Payments of the kind `exact`: locked once, by anyone, and what a front-runner can do to them
contract EscrowExactTest is EscrowFixture {
    function setUp() public {
        deployEscrow();
    }

    function test_exactIsLockedByAnyone() public {
        InferenceEscrow.ExactPayment memory item = exactOf(PRICE, NONCE);
        vm.expectEmit();
        emit InferenceEscrow.PaymentLocked(escrow.requestIdOf(payer, 1, NONCE), payer, G, PRICE);
        vm.prank(STRANGER);
        collect(item);
        bytes32 id = escrow.requestIdOf(payer, 1, NONCE);
        (address paidBy, address gateway, uint128 amount, uint128 paid, uint64 lockedAt, uint8 state) =
            escrow.payment(id);
        assertEq(paidBy, payer);
        assertEq(gateway, G);
        assertEq(amount, PRICE);
        assertEq(paid, 0);
        assertEq(lockedAt, START);
        assertEq(state, uint256(InferenceEscrow.PaymentState.Locked));
        assertEq(token.balanceOf(address(escrow)), PRICE);
        assertEq(token.balanceOf(address(till)), 0);
    }

    function test_exactIsLockedOnce() public {
        InferenceEscrow.ExactPayment[] memory items = new InferenceEscrow.ExactPayment[](2);
        items[0] = exactOf(PRICE, NONCE);
        items[1] = items[0];
        escrow.collectExact(items);
        vm.recordLogs();
        escrow.collectExact(items);
        assertEq(vm.getRecordedLogs().length, 0);
        assertEq(token.balanceOf(address(escrow)), PRICE);
        assertEq(token.balanceOf(payer), 1_000_000e18 - PRICE);
    }

    function test_aTransferPushedThroughDirectlyIsCreditedOnce() public {
        InferenceEscrow.ExactPayment memory item = exactOf(PRICE, NONCE);
        pushThrough(item);
        assertEq(token.balanceOf(address(till)), PRICE);
        // Even long after the authorisation lapsed, and whatever else lies in the till.
        vm.warp(START + 10_000);
        token.transfer(address(till), 7);
        collect(item);
        bytes32 id = escrow.requestIdOf(payer, 1, NONCE);
        assertPayment(id, InferenceEscrow.PaymentState.Locked, PRICE);
        collect(item);
        assertEq(token.balanceOf(address(escrow)), PRICE);
        assertEq(token.balanceOf(address(till)), 7);
    }

    function test_aPushedTransferCannotBeCreditedAtAnotherValueOrTill() public {
        InferenceEscrow.ExactPayment memory item = exactOf(PRICE, NONCE);
        pushThrough(item);
        pay(5 * PRICE, keccak256("other"));
        token.transfer(address(till), 5 * PRICE);
        bytes32 id = escrow.requestIdOf(payer, 1, NONCE);
        item.value = 2 * PRICE;
        expectRejected(id);
        collect(item);
        item.value = PRICE;
        vm.prank(STRANGER);
        GatewayTill foreign = escrow.openTill("http://stranger.test");
        token.transfer(address(foreign), PRICE);
        item.gateway = STRANGER;
        expectRejected(id);
        collect(item);
        assertPayment(id, InferenceEscrow.PaymentState.None, 0);
        item.gateway = G;
        collect(item);
        assertPayment(id, InferenceEscrow.PaymentState.Locked, PRICE);
    }

    function test_aCancelledNonceIsNeverCredited() public {
        bytes32 typeHash = keccak256("CancelAuthorization(address authorizer,bytes32 nonce)");
        bytes32 digest = typedDigest(token.DOMAIN_SEPARATOR(), keccak256(abi.encode(typeHash, payer, NONCE)));
        token.cancelAuthorization(payer, NONCE, signDigest(PAYER_KEY, digest));
        token.transfer(address(till), PRICE);
        InferenceEscrow.ExactPayment memory item = exactOf(PRICE, NONCE);
        bytes32 id = escrow.requestIdOf(payer, 1, NONCE);
        expectRejected(id);
        collect(item);
        assertPayment(id, InferenceEscrow.PaymentState.None, 0);
        assertEq(token.balanceOf(address(till)), PRICE);
    }

    function test_anAuthorisationTowardsAForeignTillIsNotCollected() public {
        vm.prank(STRANGER);
        GatewayTill foreign = escrow.openTill("http://stranger.test");
        InferenceEscrow.ExactPayment memory item = exactOf(PRICE, NONCE);
        // Unused: the signature names another payee. Used: OPG remembers the other payee.
        item.signature = authorise(PAYER_KEY, address(foreign), PRICE, NONCE);
        collect(item);
        bytes32 id = escrow.requestIdOf(payer, 1, NONCE);
        assertPayment(id, InferenceEscrow.PaymentState.None, 0);
        token.transferWithAuthorization(
            payer, address(foreign), PRICE, START - 1, START + 600, NONCE, item.signature
        );
        expectRejected(id);
        collect(item);
        assertPayment(id, InferenceEscrow.PaymentState.None, 0);
        item.gateway = STRANGER;
        collect(item);
        (, address gateway,,,,) = escrow.payment(id);
        assertEq(gateway, STRANGER);
    }

    function test_oneBadPaymentDoesNotStopTheOthers() public {
        InferenceEscrow.ExactPayment[] memory items = new InferenceEscrow.ExactPayment[](4);
        items[0] = exactOf(PRICE, keccak256("bad signature"));
        items[0].signature = hex"00";
        items[1] = exactOf(2_000_000e18, keccak256("more than there is"));
        items[2] = exactOf(uint256(type(uint96).max) + 1, keccak256("more than an amount holds"));
        items[3] = exactOf(PRICE, NONCE);
        escrow.collectExact(items);
        for (uint256 i = 0; i < 3; i++) {
            assertPayment(escrow.requestIdOf(payer, 1, items[i].nonce), InferenceEscrow.PaymentState.None, 0);
        }
        assertPayment(escrow.requestIdOf(payer, 1, NONCE), InferenceEscrow.PaymentState.Locked, PRICE);
    }

    function test_exactOutsideItsTimeIsNotCollected() public {
        bytes32 id = escrow.requestIdOf(payer, 1, NONCE);
        InferenceEscrow.ExactPayment memory item = exactOf(PRICE, NONCE);
        vm.warp(START + 600);
        vm.expectEmit();
        emit InferenceEscrow.PaymentRejected(
            id, abi.encodeWithSelector(OPG.AuthorizationExpired.selector, START + 600)
        );
        collect(item);
        vm.warp(START - 1);
        vm.expectEmit();
        emit InferenceEscrow.PaymentRejected(
            id, abi.encodeWithSelector(OPG.AuthorizationNotYetValid.selector, START - 1)
        );
        collect(item);
        assertPayment(id, InferenceEscrow.PaymentState.None, 0);
        vm.warp(START + 599);
        collect(item);
        assertPayment(id, InferenceEscrow.PaymentState.Locked, PRICE);
    }

    function test_onlyTheTillCouldReceiveAnAuthorisationItself() public {
        // A transfer authorisation is none of the `receive` kind, and the till never calls that.
        InferenceEscrow.ExactPayment memory item = exactOf(PRICE, NONCE);
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(OPG.CallerNotPayee.selector, STRANGER, address(till)));
        token.receiveWithAuthorization(
            payer, address(till), PRICE, START - 1, START + 600, NONCE, item.signature
        );
        vm.prank(address(till));
        vm.expectRevert(abi.encodeWithSelector(OPG.InvalidAuthorizationSignature.selector, payer));
        token.receiveWithAuthorization(
            payer, address(till), PRICE, START - 1, START + 600, NONCE, item.signature
        );
    }

    function test_aContractPaysAndSignsByErc1271() public {
        Wallet wallet = new Wallet(payer);
        token.transfer(address(wallet), PRICE);
        InferenceEscrow.ExactPayment memory item = exactOf(PRICE, NONCE);
        item.payer = address(wallet);
        bytes32 digest = authorisationDigest(address(wallet), address(till), PRICE, NONCE);
        item.signature = signDigest(0xBAD, digest);
        collect(item);
        bytes32 id = escrow.requestIdOf(address(wallet), 1, NONCE);
        assertPayment(id, InferenceEscrow.PaymentState.None, 0);
        item.signature = signDigest(PAYER_KEY, digest);
        collect(item);
        assertPayment(id, InferenceEscrow.PaymentState.Locked, PRICE);
        Receipt memory receipt = receiptOf(id, uint128(PRICE / 2));
        receipt.payer = address(wallet);
        RequestAuth memory auth = authOf(receipt);
        bytes memory forged = signDigest(0xBAD, authDigest(auth));
        vm.expectRevert(abi.encodeWithSelector(InferenceEscrow.BadRequestAuth.selector, id));
        escrow.postRequestAuth(auth, address(wallet), forged);
        escrow.postRequestAuth(auth, address(wallet), signDigest(PAYER_KEY, authDigest(auth)));
        escrow.settle(finalSingle(G, receipt));
        assertPayment(id, InferenceEscrow.PaymentState.Paid, PRICE / 2);
        vm.prank(address(wallet));
        assertEq(escrow.withdrawCredit(), PRICE / 2);
    }

    // ---------------------------------------------------------------- helpers

    function pushThrough(InferenceEscrow.ExactPayment memory item) private {
        vm.prank(STRANGER);
        token.transferWithAuthorization(
            item.payer, address(till), item.value, item.validAfter, item.validBefore, item.nonce, item.signature
        );
    }
}
