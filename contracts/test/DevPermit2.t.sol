// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DevPermit2} from "../src/devnet/DevPermit2.sol";
import {DevX402ExactProxy} from "../src/devnet/DevX402ExactProxy.sol";
import {DevX402UptoProxy} from "../src/devnet/DevX402UptoProxy.sol";
import {IPermit2} from "../src/interfaces/IPermit2.sol";
import {IX402ExactProxy} from "../src/interfaces/IX402ExactProxy.sol";
import {IX402UptoProxy} from "../src/interfaces/IX402UptoProxy.sol";
import {OPG} from "../src/OPG.sol";
import {TestBase} from "./TestBase.sol";

/// @dev The types are written out here, as a client's wallet builds them, not taken from the contracts under test.
contract DevPermit2Test is TestBase {
    uint256 private constant KEY = 0xA11CE;
    address private constant TILL = address(0xCAFE);
    uint256 private constant NOW = 1_700_000_000;
    uint256 private constant MAX = 5e18;
    uint256 private constant NONCE = 7 * 256 + 3;

    DevPermit2 private constant PERMIT2 = DevPermit2(0x000000000022D473030F116dDEE9F6B43aC78BA3);
    DevX402ExactProxy private constant EXACT = DevX402ExactProxy(0x402085c248EeA27D92E8b30b2C58ed07f9E20001);
    DevX402UptoProxy private constant UPTO = DevX402UptoProxy(0x4020A4f3b7b90ccA423B9fabCc0CE57C6C240002);

    bytes32 private constant UPTO_TYPEHASH = keccak256(
        "PermitWitnessTransferFrom(TokenPermissions permitted,address spender,uint256 nonce,uint256 deadline,Witness witness)TokenPermissions(address token,uint256 amount)Witness(address to,address facilitator,uint256 validAfter)"
    );
    bytes32 private constant EXACT_TYPEHASH = keccak256(
        "PermitWitnessTransferFrom(TokenPermissions permitted,address spender,uint256 nonce,uint256 deadline,Witness witness)TokenPermissions(address token,uint256 amount)Witness(address to,uint256 validAfter)"
    );
    bytes32 private constant PLAIN_TYPEHASH = keccak256(
        "PermitTransferFrom(TokenPermissions permitted,address spender,uint256 nonce,uint256 deadline)TokenPermissions(address token,uint256 amount)"
    );

    OPG private token;
    address private payer;

    function setUp() public {
        vm.warp(NOW);
        // Code only, as a devnet places it: a constructor's work would be missing here.
        vm.etch(address(PERMIT2), address(new DevPermit2()).code);
        vm.etch(address(EXACT), address(new DevX402ExactProxy()).code);
        vm.etch(address(UPTO), address(new DevX402UptoProxy()).code);
        token = new OPG(address(this));
        payer = vm.addr(KEY);
        token.transfer(payer, 10e18);
        vm.prank(payer);
        token.approve(address(PERMIT2), type(uint256).max);
    }

    function test_domainHasNoVersion() public view {
        assertEq(
            PERMIT2.DOMAIN_SEPARATOR(),
            keccak256(
                abi.encode(
                    keccak256("EIP712Domain(string name,uint256 chainId,address verifyingContract)"),
                    keccak256("Permit2"),
                    block.chainid,
                    address(PERMIT2)
                )
            )
        );
    }

    function test_uptoCollectsWhatWasUsed() public {
        bytes memory signature = _signUpto(_uptoWitness());
        vm.prank(TILL);
        vm.expectEmit(address(UPTO));
        emit IX402UptoProxy.Settled();
        UPTO.settle(_permit(), 2e18, payer, _uptoWitness(), signature);
        assertEq(token.balanceOf(TILL), 2e18);
        assertEq(token.balanceOf(payer), 8e18);
        assertEq(PERMIT2.nonceBitmap(payer, 7), 1 << 3);
    }

    function test_uptoIsCollectedOnce() public {
        bytes memory signature = _signUpto(_uptoWitness());
        vm.prank(TILL);
        UPTO.settle(_permit(), 2e18, payer, _uptoWitness(), signature);
        vm.expectRevert(IPermit2.InvalidNonce.selector);
        vm.prank(TILL);
        UPTO.settle(_permit(), 1e18, payer, _uptoWitness(), signature);
    }

    function test_uptoRefusesAnotherFacilitator() public {
        bytes memory signature = _signUpto(_uptoWitness());
        vm.expectRevert(IX402UptoProxy.UnauthorizedFacilitator.selector);
        UPTO.settle(_permit(), 1e18, payer, _uptoWitness(), signature);
        IX402UptoProxy.Witness memory mine = _uptoWitness();
        mine.facilitator = address(this);
        vm.expectRevert(IPermit2.InvalidSigner.selector);
        UPTO.settle(_permit(), 1e18, payer, mine, signature);
    }

    function test_uptoRefusesMoreThanPermitted() public {
        bytes memory signature = _signUpto(_uptoWitness());
        vm.expectRevert(IX402UptoProxy.AmountExceedsPermitted.selector);
        vm.prank(TILL);
        UPTO.settle(_permit(), MAX + 1, payer, _uptoWitness(), signature);
    }

    function test_uptoRefusesAChangedDestination() public {
        bytes memory signature = _signUpto(_uptoWitness());
        IX402UptoProxy.Witness memory changed = _uptoWitness();
        changed.to = address(0xBAD);
        vm.expectRevert(IPermit2.InvalidSigner.selector);
        vm.prank(TILL);
        UPTO.settle(_permit(), 1e18, payer, changed, signature);
    }

    function test_uptoKeepsItsTimes() public {
        bytes memory signature = _signUpto(_uptoWitness());
        vm.warp(NOW - 1);
        vm.expectRevert(IX402UptoProxy.PaymentTooEarly.selector);
        vm.prank(TILL);
        UPTO.settle(_permit(), 1e18, payer, _uptoWitness(), signature);
        vm.warp(NOW + 61);
        vm.expectRevert(abi.encodeWithSelector(IPermit2.SignatureExpired.selector, NOW + 60));
        vm.prank(TILL);
        UPTO.settle(_permit(), 1e18, payer, _uptoWitness(), signature);
        vm.warp(NOW + 60);
        vm.prank(TILL);
        UPTO.settle(_permit(), 1e18, payer, _uptoWitness(), signature);
    }

    function test_invalidatedNonceIsRefused() public {
        vm.prank(payer);
        vm.expectEmit(address(PERMIT2));
        emit IPermit2.UnorderedNonceInvalidation(payer, 7, 1 << 3);
        PERMIT2.invalidateUnorderedNonces(7, 1 << 3);
        bytes memory signature = _signUpto(_uptoWitness());
        vm.expectRevert(IPermit2.InvalidNonce.selector);
        vm.prank(TILL);
        UPTO.settle(_permit(), 1e18, payer, _uptoWitness(), signature);
    }

    function test_exactMovesTheWholeAmountForAnyone() public {
        IX402ExactProxy.Witness memory witness = IX402ExactProxy.Witness(TILL, NOW);
        bytes memory signature = _signExact(witness);
        vm.expectEmit(address(EXACT));
        emit IX402ExactProxy.Settled();
        EXACT.settle(_permit(), payer, witness, signature);
        assertEq(token.balanceOf(TILL), MAX);
        vm.expectRevert(IPermit2.InvalidNonce.selector);
        EXACT.settle(_permit(), payer, witness, signature);
    }

    function test_plainTransferIsBoundToItsSpender() public {
        bytes memory signature = _signPlain(address(this));
        IPermit2.SignatureTransferDetails memory details = IPermit2.SignatureTransferDetails(TILL, 1e18);
        vm.expectRevert(IPermit2.InvalidSigner.selector);
        vm.prank(address(0xBAD));
        PERMIT2.permitTransferFrom(_permit(), details, payer, signature);
        PERMIT2.permitTransferFrom(_permit(), details, payer, signature);
        assertEq(token.balanceOf(TILL), 1e18);
    }

    function test_aSpenderTakesAllThatWasPermittedAndNoMore() public {
        bytes memory signature = _signPlain(address(this));
        IPermit2.SignatureTransferDetails memory details = IPermit2.SignatureTransferDetails(TILL, MAX + 1);
        vm.expectRevert(abi.encodeWithSelector(IPermit2.InvalidAmount.selector, MAX));
        PERMIT2.permitTransferFrom(_permit(), details, payer, signature);
        details.requestedAmount = MAX;
        PERMIT2.permitTransferFrom(_permit(), details, payer, signature);
        assertEq(token.balanceOf(TILL), MAX);
    }

    function test_aPayerWithoutAllowancePermitsAndPaysInOneTransaction() public {
        vm.prank(payer);
        token.approve(address(PERMIT2), 0);
        bytes memory signature = _signUpto(_uptoWitness());
        (uint8 v, bytes32 r, bytes32 s) = _signPermit(MAX);
        IX402UptoProxy.EIP2612Permit memory permit2612 = IX402UptoProxy.EIP2612Permit(MAX, NOW + 60, r, s, v);
        vm.startPrank(TILL);
        permit2612.value = MAX - 1;
        vm.expectRevert(IX402UptoProxy.Permit2612AmountMismatch.selector);
        UPTO.settleWithPermit(permit2612, _permit(), 2e18, payer, _uptoWitness(), signature);
        permit2612.value = MAX;
        vm.expectEmit(address(UPTO));
        emit IX402UptoProxy.SettledWithPermit();
        UPTO.settleWithPermit(permit2612, _permit(), 2e18, payer, _uptoWitness(), signature);
        vm.stopPrank();
        assertEq(token.balanceOf(TILL), 2e18);
    }

    function test_theExactWayTakesAPermitToo() public {
        vm.prank(payer);
        token.approve(address(PERMIT2), 0);
        IX402ExactProxy.Witness memory witness = IX402ExactProxy.Witness(TILL, NOW);
        bytes memory signature = _signExact(witness);
        (uint8 v, bytes32 r, bytes32 s) = _signPermit(MAX);
        IX402ExactProxy.EIP2612Permit memory permit2612 = IX402ExactProxy.EIP2612Permit(MAX - 1, NOW + 60, r, s, v);
        vm.expectRevert(IX402ExactProxy.Permit2612AmountMismatch.selector);
        EXACT.settleWithPermit(permit2612, _permit(), payer, witness, signature);
        permit2612.value = MAX;
        vm.expectEmit(address(EXACT));
        emit IX402ExactProxy.SettledWithPermit();
        EXACT.settleWithPermit(permit2612, _permit(), payer, witness, signature);
        assertEq(token.balanceOf(TILL), MAX);
    }

    /// @dev Refused by their names before Permit2 is asked: what a client reads to correct itself.
    function test_whatMakesNoPaymentIsNamed() public {
        IX402ExactProxy.Witness memory exact = IX402ExactProxy.Witness(TILL, NOW + 1);
        vm.expectRevert(IX402ExactProxy.PaymentTooEarly.selector);
        EXACT.settle(_permit(), payer, exact, "");
        vm.warp(NOW + 1);
        IPermit2.PermitTransferFrom memory nothing = _permit();
        nothing.permitted.amount = 0;
        vm.expectRevert(IX402ExactProxy.InvalidAmount.selector);
        EXACT.settle(nothing, payer, exact, "");
        vm.expectRevert(IX402ExactProxy.InvalidOwner.selector);
        EXACT.settle(_permit(), address(0), exact, "");
        exact.to = address(0);
        vm.expectRevert(IX402ExactProxy.InvalidDestination.selector);
        EXACT.settle(_permit(), payer, exact, "");
        vm.startPrank(TILL);
        vm.expectRevert(IX402UptoProxy.InvalidOwner.selector);
        UPTO.settle(_permit(), 1, address(0), _uptoWitness(), "");
        IX402UptoProxy.Witness memory upto = _uptoWitness();
        upto.to = address(0);
        vm.expectRevert(IX402UptoProxy.InvalidDestination.selector);
        UPTO.settle(_permit(), 1, payer, upto, "");
        vm.stopPrank();
    }

    function testFuzz_uptoNeverTakesMoreThanPermitted(uint256 amount) public {
        bytes memory signature = _signUpto(_uptoWitness());
        vm.prank(TILL);
        try UPTO.settle(_permit(), amount, payer, _uptoWitness(), signature) {
            assertTrue(amount <= MAX);
            assertEq(token.balanceOf(TILL), amount);
        } catch {
            assertTrue(amount > MAX);
            assertEq(token.balanceOf(TILL), 0);
        }
    }

    function _permit() private view returns (IPermit2.PermitTransferFrom memory) {
        return IPermit2.PermitTransferFrom(IPermit2.TokenPermissions(address(token), MAX), NONCE, NOW + 60);
    }

    function _uptoWitness() private pure returns (IX402UptoProxy.Witness memory) {
        return IX402UptoProxy.Witness(TILL, TILL, NOW);
    }

    function _permittedHash() private view returns (bytes32) {
        return keccak256(
            abi.encode(keccak256("TokenPermissions(address token,uint256 amount)"), address(token), MAX)
        );
    }

    function _signPermit(uint256 value) private view returns (uint8 v, bytes32 r, bytes32 s) {
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"),
                payer,
                address(PERMIT2),
                value,
                token.nonces(payer),
                NOW + 60
            )
        );
        return vm.sign(KEY, typedDigest(token.DOMAIN_SEPARATOR(), structHash));
    }

    function _signExact(IX402ExactProxy.Witness memory witness) private view returns (bytes memory) {
        bytes32 witnessHash = keccak256(
            abi.encode(keccak256("Witness(address to,uint256 validAfter)"), witness.to, witness.validAfter)
        );
        bytes32 structHash = keccak256(
            abi.encode(EXACT_TYPEHASH, _permittedHash(), address(EXACT), NONCE, NOW + 60, witnessHash)
        );
        return signDigest(KEY, typedDigest(PERMIT2.DOMAIN_SEPARATOR(), structHash));
    }

    function _signPlain(address spender) private view returns (bytes memory) {
        bytes32 structHash = keccak256(abi.encode(PLAIN_TYPEHASH, _permittedHash(), spender, NONCE, NOW + 60));
        return signDigest(KEY, typedDigest(PERMIT2.DOMAIN_SEPARATOR(), structHash));
    }

    function _signUpto(IX402UptoProxy.Witness memory witness) private view returns (bytes memory) {
        bytes32 witnessHash = keccak256(
            abi.encode(
                keccak256("Witness(address to,address facilitator,uint256 validAfter)"),
                witness.to,
                witness.facilitator,
                witness.validAfter
            )
        );
        bytes32 structHash = keccak256(
            abi.encode(UPTO_TYPEHASH, _permittedHash(), address(UPTO), NONCE, NOW + 60, witnessHash)
        );
        return signDigest(KEY, typedDigest(PERMIT2.DOMAIN_SEPARATOR(), structHash));
    }
}
