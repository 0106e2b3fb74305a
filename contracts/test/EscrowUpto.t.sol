// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {GatewayTill} from "../src/GatewayTill.sol";
import {InferenceEscrow} from "../src/InferenceEscrow.sol";
import {IPermit2} from "../src/interfaces/IPermit2.sol";
import {IX402UptoProxy} from "../src/interfaces/IX402UptoProxy.sol";
import {Receipt} from "../src/libraries/ReceiptLib.sol";
import {OPG} from "../src/OPG.sol";
import {EscrowFixture} from "./EscrowFixture.sol";

/// @title Payments of the kind `upto`: what an answer cost, once, and what a front-runner can do to them
contract EscrowUptoTest is EscrowFixture {
    function setUp() public {
        deployEscrow();
    }

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
}
