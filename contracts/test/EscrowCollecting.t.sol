// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {GatewayTill} from "../src/GatewayTill.sol";
import {InferenceEscrow} from "../src/InferenceEscrow.sol";
import {IPermit2} from "../src/interfaces/IPermit2.sol";
import {IX402UptoProxy} from "../src/interfaces/IX402UptoProxy.sol";
import {Receipt, RequestAuth} from "../src/libraries/ReceiptLib.sol";
import {OPG} from "../src/OPG.sol";
import {RevenueSplitter} from "../src/RevenueSplitter.sol";
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

/// @title How money comes into escrow: tills, `exact` and `upto`, and what a front-runner can do to them
contract EscrowCollectingTest is EscrowFixture {
    function setUp() public {
        deployEscrow();
    }

    // ---------------------------------------------------------------- tills

    function test_oneTillPerGateway() public {
        assertEq(till.gateway(), G);
        assertEq(till.escrow(), address(escrow));
        assertEq(escrow.gatewayOf(address(till)), G);
        vm.prank(G);
        vm.expectRevert(abi.encodeWithSelector(InferenceEscrow.TillExists.selector, address(till)));
        escrow.openTill("http://again.test");
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(InferenceEscrow.NoTill.selector, STRANGER));
        escrow.setTillUrl("http://stranger.test");
        vm.prank(G);
        vm.expectEmit(address(escrow));
        emit InferenceEscrow.TillUrlSet(G, "http://moved.test");
        escrow.setTillUrl("http://moved.test");
        assertEq(keccak256(bytes(escrow.tillUrl(G))), keccak256("http://moved.test"));
        vm.prank(G);
        vm.expectRevert(abi.encodeWithSelector(InferenceEscrow.UrlTooLong.selector, 257));
        escrow.setTillUrl(string(new bytes(257)));
        vm.prank(G);
        escrow.setTillUrl(string(new bytes(256)));
        vm.prank(STRANGER);
        vm.expectEmit(true, false, false, false);
        emit InferenceEscrow.TillOpened(STRANGER, address(0), "http://s.test");
        GatewayTill own = escrow.openTill("http://s.test");
        assertEq(address(escrow.tillOf(STRANGER)), address(own));
        assertEq(keccak256(bytes(escrow.tillUrl(STRANGER))), keccak256("http://s.test"));
    }

    /// @dev Above what an amount holds nothing is asked of the token; at it, the token's own answer is the reason.
    function test_anAmountThatNoPaymentHoldsIsRejectedByName() public {
        uint256 least = uint256(type(uint96).max) + 1;
        vm.expectEmit();
        emit InferenceEscrow.PaymentRejected(
            escrow.requestIdOf(payer, 1, "a"),
            abi.encodePacked(InferenceEscrow.AuthorisationNotForTill.selector)
        );
        collect(exactOf(least, "a"));
        vm.expectEmit();
        emit InferenceEscrow.PaymentRejected(
            escrow.requestIdOf(payer, 1, "b"),
            abi.encodeWithSelector(
                IERC20Errors.ERC20InsufficientBalance.selector, payer, token.balanceOf(payer), least - 1
            )
        );
        collect(exactOf(least - 1, "b"));
        vm.expectEmit();
        emit InferenceEscrow.PaymentRejected(
            escrow.requestIdOf(payer, 2, bytes32(uint256(9))),
            abi.encodePacked(InferenceEscrow.AmountTooLarge.selector)
        );
        collectUpto(G, uptoOf(till, least, least, 9));
        vm.expectEmit();
        emit InferenceEscrow.PaymentRejected(
            escrow.requestIdOf(payer, 2, bytes32(uint256(9))),
            abi.encodeWithSelector(
                IERC20Errors.ERC20InsufficientBalance.selector, payer, token.balanceOf(payer), least - 1
            )
        );
        collectUpto(G, uptoOf(till, least - 1, least - 1, 9));
    }

    function test_onlyEscrowMovesATillsMoney() public {
        token.transfer(address(till), 5);
        InferenceEscrow.UptoPayment memory item = uptoOf(till, PRICE, PRICE, 1);
        address[3] memory callers = [G, payer, STRANGER];
        for (uint256 i = 0; i < 3; i++) {
            vm.prank(callers[i]);
            vm.expectRevert(abi.encodeWithSelector(GatewayTill.NotEscrow.selector, callers[i]));
            till.sweep(5);
            vm.prank(callers[i]);
            vm.expectRevert(abi.encodeWithSelector(GatewayTill.NotEscrow.selector, callers[i]));
            till.collectUpto(item.permit, 1, payer, item.witness, item.signature);
            vm.prank(callers[i]);
            vm.expectRevert(abi.encodeWithSelector(RevenueSplitter.NotEscrow.selector, callers[i]));
            splitter.credit(MODEL, PUBLISHER, NODE, 5);
        }
    }

    // ---------------------------------------------------------------- exact

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

    function test_aGatewayWithoutATillCollectsNothing() public {
        InferenceEscrow.ExactPayment memory item = exactOf(PRICE, NONCE);
        item.gateway = STRANGER;
        item.signature = authorise(PAYER_KEY, address(0), PRICE, NONCE);
        expectRejected(escrow.requestIdOf(payer, 1, NONCE));
        collect(item);
        InferenceEscrow.UptoPayment memory upto = uptoOf(GatewayTill(address(0)), PRICE, PRICE, 1);
        vm.expectRevert(abi.encodeWithSelector(InferenceEscrow.NoTill.selector, STRANGER));
        collectUpto(STRANGER, upto);
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

    // ---------------------------------------------------------------- upto

    function test_uptoLocksWhatTheAnswerCost() public {
        collectUpto(G, uptoOf(till, PRICE, PRICE / 4, 1));
        bytes32 id = escrow.requestIdOf(payer, 2, bytes32(uint256(1)));
        assertPayment(id, InferenceEscrow.PaymentState.Locked, PRICE / 4);
        assertEq(token.balanceOf(payer), 1_000_000e18 - PRICE / 4);
        assertEq(token.balanceOf(address(escrow)), PRICE / 4);
        assertEq(token.balanceOf(address(till)), 0);
        // Once: the rest of the permission is gone, and nobody hears of a rejected payment that was taken.
        vm.recordLogs();
        collectUpto(G, uptoOf(till, PRICE, PRICE, 1));
        assertEq(vm.getRecordedLogs().length, 0);
        assertEq(token.balanceOf(address(escrow)), PRICE / 4);
    }

    function testFuzz_uptoNeverTakesMoreThanPermitted(uint128 max, uint128 amount) public {
        uint256 permitted = uint256(max) % 1_000_000e18;
        collectUpto(G, uptoOf(till, permitted, amount, 1));
        bytes32 id = escrow.requestIdOf(payer, 2, bytes32(uint256(1)));
        if (amount > permitted) assertPayment(id, InferenceEscrow.PaymentState.None, 0);
        else assertPayment(id, InferenceEscrow.PaymentState.Locked, amount);
        assertEq(token.balanceOf(address(escrow)), amount > permitted ? 0 : amount);
    }

    function test_onlyItsOwnGatewayCollectsUpto() public {
        vm.prank(STRANGER);
        GatewayTill foreign = escrow.openTill("http://stranger.test");
        InferenceEscrow.UptoPayment memory item = uptoOf(till, PRICE, PRICE, 1);
        vm.expectRevert(abi.encodeWithSelector(InferenceEscrow.NotTheGateway.selector, STRANGER, G));
        collectUpto(STRANGER, item);
        // With a changed witness the payer's signature does not fit.
        item.witness.to = address(foreign);
        item.witness.facilitator = address(foreign);
        collectUpto(STRANGER, item);
        assertPayment(escrow.requestIdOf(payer, 2, bytes32(uint256(1))), InferenceEscrow.PaymentState.None, 0);
        // Nor can anybody push it through without escrow.
        item = uptoOf(till, PRICE, PRICE, 1);
        vm.prank(STRANGER);
        vm.expectRevert();
        UPTO.settle(item.permit, PRICE, payer, item.witness, item.signature);
        assertEq(token.balanceOf(payer), 1_000_000e18);
    }

    function test_uptoTakesNoOtherToken() public {
        OPG other = new OPG(payer);
        vm.prank(payer);
        other.approve(address(PERMIT2), type(uint256).max);
        InferenceEscrow.UptoPayment memory item = uptoOf(till, PRICE, PRICE, 1);
        item.permit.permitted.token = address(other);
        bytes32 id = escrow.requestIdOf(payer, 2, bytes32(uint256(1)));
        vm.expectEmit();
        emit InferenceEscrow.PaymentRejected(id, abi.encodePacked(InferenceEscrow.AmountTooLarge.selector));
        collectUpto(G, item);
        assertPayment(id, InferenceEscrow.PaymentState.None, 0);
    }

    function test_uptoOfAPayerWhoWithdrewItStopsNobodyElse() public {
        InferenceEscrow.UptoPayment[] memory items = new InferenceEscrow.UptoPayment[](6);
        items[0] = uptoOf(till, PRICE, PRICE, 1);
        vm.prank(payer);
        PERMIT2.invalidateUnorderedNonces(0, 1 << 1);
        items[1] = uptoOf(till, PRICE, PRICE, 2);
        items[1].permit.permitted.amount = 2 * PRICE;
        items[2] = uptoOf(till, PRICE, uint256(type(uint96).max) + 1, 3);
        items[3] = uptoOf(till, 2_000_000e18, 2_000_000e18, 4);
        validUntil = START - 1;
        items[4] = uptoOf(till, PRICE, PRICE, 5);
        validUntil = START;
        items[5] = uptoOf(till, PRICE, PRICE, 6);
        vm.prank(G);
        escrow.collectUpto(items);
        for (uint256 nonce = 1; nonce <= 6; nonce++) {
            bytes32 id = escrow.requestIdOf(payer, 2, bytes32(nonce));
            bool good = nonce == 6;
            assertPayment(
                id,
                good ? InferenceEscrow.PaymentState.Locked : InferenceEscrow.PaymentState.None,
                good ? PRICE : 0
            );
        }
        // A receipt for what was never collected earns nothing, and holds up no other.
        Receipt[][] memory rows = oneRow(receiptOf(escrow.requestIdOf(payer, 2, bytes32(uint256(1))), 10));
        InferenceEscrow.SettleItem[] memory settled = finalBatch(G, rows);
        expectSkip(rows[0][0].requestId, settled[0].batchId, InferenceEscrow.AlreadyHandled.selector);
        escrow.settle(settled);
    }

    function test_nobodyBurnsAnUptoNonceOrSendsItElsewhere() public {
        InferenceEscrow.UptoPayment memory item = uptoOf(till, PRICE, PRICE, 1);
        bytes32 witness = keccak256(abi.encode(UPTO.WITNESS_TYPEHASH(), item.witness));
        string memory witnessType = UPTO.WITNESS_TYPE_STRING();
        // Straight at Permit2: the payer named x402's proxy as spender.
        vm.startPrank(STRANGER);
        vm.expectRevert(IPermit2.InvalidSigner.selector);
        PERMIT2.permitWitnessTransferFrom(
            item.permit,
            IPermit2.SignatureTransferDetails({to: STRANGER, requestedAmount: PRICE}),
            payer,
            witness,
            witnessType,
            item.signature
        );
        // At the proxy: the payer named the till as the only one who may call it.
        vm.expectRevert(IX402UptoProxy.UnauthorizedFacilitator.selector);
        UPTO.settle(item.permit, 0, payer, item.witness, item.signature);
        item.witness.facilitator = STRANGER;
        vm.expectRevert(IPermit2.InvalidSigner.selector);
        UPTO.settle(item.permit, 0, payer, item.witness, item.signature);
        item.witness.to = STRANGER;
        vm.expectRevert(IPermit2.InvalidSigner.selector);
        UPTO.settle(item.permit, PRICE, payer, item.witness, item.signature);
        vm.stopPrank();
        assertEq(PERMIT2.nonceBitmap(payer, 0), 0);
        // After all that the gateway collects what its answer cost.
        collectUpto(G, uptoOf(till, PRICE, PRICE / 2, 1));
        bytes32 id = escrow.requestIdOf(payer, 2, bytes32(uint256(1)));
        assertPayment(id, InferenceEscrow.PaymentState.Locked, PRICE / 2);
    }

    function test_oneUptoNonceIsLockedOnceInOneCall() public {
        InferenceEscrow.UptoPayment[] memory items = new InferenceEscrow.UptoPayment[](2);
        items[0] = uptoOf(till, PRICE, PRICE / 4, 1);
        items[1] = uptoOf(till, PRICE, PRICE, 1);
        vm.prank(G);
        escrow.collectUpto(items);
        assertEq(token.balanceOf(address(escrow)), PRICE / 4);
    }

    function test_whatLiesInATillIsNoUptoPayment() public {
        token.transfer(address(till), 7);
        collectUpto(G, uptoOf(till, PRICE, PRICE / 2, 1));
        bytes32 id = escrow.requestIdOf(payer, 2, bytes32(uint256(1)));
        assertPayment(id, InferenceEscrow.PaymentState.Locked, PRICE / 2);
        assertEq(token.balanceOf(address(till)), 7);
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

    // ---------------------------------------------------------------- helpers

    function pushThrough(InferenceEscrow.ExactPayment memory item) private {
        vm.prank(STRANGER);
        token.transferWithAuthorization(
            item.payer, address(till), item.value, item.validAfter, item.validBefore, item.nonce, item.signature
        );
    }

    function expectRejected(bytes32 requestId) private {
        vm.expectEmit();
        emit InferenceEscrow.PaymentRejected(
            requestId, abi.encodePacked(InferenceEscrow.AuthorisationNotForTill.selector)
        );
    }
}
