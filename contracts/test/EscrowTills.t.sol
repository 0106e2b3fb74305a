// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {GatewayTill} from "../src/GatewayTill.sol";
import {InferenceEscrow} from "../src/InferenceEscrow.sol";
import {RevenueSplitter} from "../src/RevenueSplitter.sol";
import {EscrowFixture} from "./EscrowFixture.sol";

/// @title Tills: whose they are, who moves what lies in them, and what comes into none
contract EscrowTillsTest is EscrowFixture {
    function setUp() public {
        deployEscrow();
    }

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

    /// @dev Nothing more is tried with it, and one reason is given.
    function test_aRejectedPaymentIsToldOnce() public {
        uint256 tooMuch = uint256(type(uint96).max) + 1;
        InferenceEscrow.ExactPayment[] memory items = new InferenceEscrow.ExactPayment[](3);
        (items[0], items[1], items[2]) = (exactOf(tooMuch, "a"), exactOf(PRICE, "b"), exactOf(PRICE, "c"));
        items[1].signature = hex"00";
        items[2].gateway = STRANGER;
        vm.recordLogs();
        escrow.collectExact(items);
        collectUpto(G, uptoOf(till, tooMuch, tooMuch, 9));
        assertEq(vm.getRecordedLogs().length, 4);
    }
}
