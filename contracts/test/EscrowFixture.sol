// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DevPermit2} from "../src/devnet/DevPermit2.sol";
import {DevX402UptoProxy} from "../src/devnet/DevX402UptoProxy.sol";
import {GatewayTill} from "../src/GatewayTill.sol";
import {InferenceEscrow} from "../src/InferenceEscrow.sol";
import {IPermit2} from "../src/interfaces/IPermit2.sol";
import {IX402UptoProxy} from "../src/interfaces/IX402UptoProxy.sol";
import {Group} from "../src/libraries/MerkleSumLib.sol";
import {Receipt, RequestAuth} from "../src/libraries/ReceiptLib.sol";
import {ModelRegistry} from "../src/ModelRegistry.sol";
import {RevenueSplitter} from "../src/RevenueSplitter.sol";
import {SpendingGrants} from "../src/SpendingGrants.sol";
import {ReceiptTrees} from "./ReceiptTrees.sol";
import {SettlementFixture} from "./SettlementFixture.sol";

/// @title Everything money passes through, with one gateway, one published model and one payer
abstract contract EscrowFixture is SettlementFixture, ReceiptTrees {
    address internal constant G = address(0x6A7E);
    address internal constant NODE = address(0x40DE);
    address internal constant NODE_2 = address(0x40DF);
    address internal constant NODE_3 = address(0x40E0);
    address internal constant PUBLISHER = address(0x9B11);
    address internal constant TREASURY = address(0x7EA5);
    address internal constant STRANGER = address(0xBAD);
    bytes32 internal constant MODEL = keccak256("model");
    uint256 internal constant PAYER_KEY = 0xA11CE;
    uint64 internal constant INCLUDE_BY = 300;
    bytes32 internal constant NONCE = keccak256("nonce");
    uint256 internal constant PRICE = 1e18;

    DevPermit2 internal constant PERMIT2 = DevPermit2(0x000000000022D473030F116dDEE9F6B43aC78BA3);
    DevX402UptoProxy internal constant UPTO = DevX402UptoProxy(0x4020A4f3b7b90ccA423B9fabCc0CE57C6C240002);

    ModelRegistry internal models;
    RevenueSplitter internal splitter;
    InferenceEscrow internal escrow;
    SpendingGrants internal grants;
    GatewayTill internal till;
    address internal payer;
    /// @dev Until when payments that are signed from now on can be collected, Unix seconds.
    uint256 internal validUntil = START + 600;
    mapping(address committer => uint64) private _height;

    function selfBond() internal pure virtual override returns (uint256) {
        return RICH_BOND;
    }

    function deployEscrow() internal {
        deploySettlement();
        vm.etch(address(PERMIT2), address(new DevPermit2()).code);
        vm.etch(address(UPTO), address(new DevX402UptoProxy()).code);
        models = new ModelRegistry(params);
        splitter = new RevenueSplitter(token, staking, TREASURY);
        escrow = new InferenceEscrow(token, settlement, models, splitter, params, pauseClock, UPTO);
        grants = new SpendingGrants(token, settlement, models, splitter, params);
        splitter.wire(address(escrow), address(grants));
        escrow.setFaultManager(address(this));
        bondRichly(G);
        bondRichly(NODE);
        registerNode(NODE_2);
        registerNode(NODE_3);
        bondRichly(STRANGER);
        vm.prank(PUBLISHER);
        models.publish(MODEL, "http://model.test", keccak256("weights"), 1, 1, 1);
        vm.prank(G);
        till = escrow.openTill("http://gateway.test");
        payer = vm.addr(PAYER_KEY);
        token.transfer(payer, 1_000_000e18);
        vm.prank(payer);
        token.approve(address(PERMIT2), type(uint256).max);
    }

    // ---------------------------------------------------------------- payments

    /// @dev An EIP-3009 authorisation of `key`'s owner towards `to`.
    function authorise(uint256 key, address to, uint256 value, bytes32 nonce) internal view returns (bytes memory) {
        return signDigest(key, authorisationDigest(vm.addr(key), to, value, nonce));
    }

    function authorisationDigest(address from, address to, uint256 value, bytes32 nonce)
        internal
        view
        returns (bytes32)
    {
        bytes32 typeHash = keccak256(
            "TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
        );
        return typedDigest(
            token.DOMAIN_SEPARATOR(),
            keccak256(abi.encode(typeHash, from, to, value, START - 1, validUntil, nonce))
        );
    }

    function exactOf(uint256 value, bytes32 nonce) internal view returns (InferenceEscrow.ExactPayment memory) {
        bytes memory signature = authorise(PAYER_KEY, address(till), value, nonce);
        return InferenceEscrow.ExactPayment(payer, G, value, START - 1, validUntil, nonce, signature);
    }

    function collect(InferenceEscrow.ExactPayment memory item) internal {
        InferenceEscrow.ExactPayment[] memory items = new InferenceEscrow.ExactPayment[](1);
        items[0] = item;
        escrow.collectExact(items);
    }

    /// @dev Locks `value` by `exact`, sent by nobody in particular.
    function pay(uint256 value, bytes32 nonce) internal returns (bytes32 requestId) {
        collect(exactOf(value, nonce));
        return escrow.requestIdOf(payer, 1, nonce);
    }

    /// @dev An `upto` payment of at most `max` to `gateway`'s till, of which `amount` is to be collected.
    function uptoOf(GatewayTill to, uint256 max, uint256 amount, uint256 nonce)
        internal
        view
        returns (InferenceEscrow.UptoPayment memory item)
    {
        item.payer = payer;
        item.amount = amount;
        item.permit = IPermit2.PermitTransferFrom(IPermit2.TokenPermissions(address(token), max), nonce, validUntil);
        item.witness = IX402UptoProxy.Witness(address(to), address(to), START);
        item.signature = signDigest(PAYER_KEY, typedDigest(PERMIT2.DOMAIN_SEPARATOR(), _uptoHash(item)));
    }

    function collectUpto(address caller, InferenceEscrow.UptoPayment memory item) internal {
        InferenceEscrow.UptoPayment[] memory items = new InferenceEscrow.UptoPayment[](1);
        items[0] = item;
        vm.prank(caller);
        escrow.collectUpto(items);
    }

    function stateOfPayment(bytes32 requestId) internal view returns (InferenceEscrow.PaymentState) {
        (,,,,, uint8 state) = escrow.payment(requestId);
        return InferenceEscrow.PaymentState(state);
    }

    function assertPayment(bytes32 requestId, InferenceEscrow.PaymentState expected, uint256 amount) internal view {
        (,, uint128 held,,, uint8 state) = escrow.payment(requestId);
        assertEq(state, uint256(expected));
        assertEq(held, amount);
    }

    function expectRejected(bytes32 requestId) internal {
        vm.expectEmit();
        emit InferenceEscrow.PaymentRejected(
            requestId, abi.encodePacked(InferenceEscrow.AuthorisationNotForTill.selector)
        );
    }

    function _uptoHash(InferenceEscrow.UptoPayment memory item) private pure returns (bytes32) {
        bytes32 permitted = keccak256(
            abi.encode(keccak256("TokenPermissions(address token,uint256 amount)"), item.permit.permitted)
        );
        bytes32 witness = keccak256(
            abi.encode(keccak256("Witness(address to,address facilitator,uint256 validAfter)"), item.witness)
        );
        bytes32 typeHash = keccak256(
            "PermitWitnessTransferFrom(TokenPermissions permitted,address spender,uint256 nonce,uint256 deadline,Witness witness)TokenPermissions(address token,uint256 amount)Witness(address to,address facilitator,uint256 validAfter)"
        );
        return keccak256(
            abi.encode(typeHash, permitted, address(UPTO), item.permit.nonce, item.permit.deadline, witness)
        );
    }

    // ---------------------------------------------------------------- receipts and batches

    function receiptOf(bytes32 requestId, uint128 price) internal view returns (Receipt memory r) {
        r.version = 1;
        r.requestId = requestId;
        r.payer = payer;
        r.node = NODE;
        r.key = NODE;
        r.committer = G;
        r.includeBy = uint64(START) + INCLUDE_BY;
        r.modelId = MODEL;
        r.priceVersion = 1;
        r.engineClass = 2;
        r.requestHash = keccak256("request");
        r.responseHash = keccak256("response");
        r.outputUnits = 1;
        r.price = price;
        r.issuedAt = uint64(START);
    }

    /// @dev Commits the groups in `committer`'s name and names the batch in the items.
    function commitTree(address committer, Group[] memory groups, InferenceEscrow.SettleItem[] memory items)
        internal
        returns (bytes32 id)
    {
        vm.prank(committer);
        id = settlement.commit(++_height[committer], keccak256("data"), groups);
        for (uint256 i = 0; i < items.length; i++) items[i].batchId = id;
    }

    /// @dev Two of the three validators find the batch valid; time passes; it is final.
    function finaliseBatch(bytes32 id) internal {
        attestWith(id, VALID, firstKeys(2));
        vm.warp(vm.getBlockTimestamp() + WINDOW);
        settlement.finalise(id);
    }

    function finalBatch(address committer, Receipt[][] memory rows)
        internal
        returns (InferenceEscrow.SettleItem[] memory items)
    {
        Group[] memory groups;
        (groups, items) = treeOf(rows);
        finaliseBatch(commitTree(committer, groups, items));
    }

    /// @dev A final batch of one receipt.
    function finalSingle(address committer, Receipt memory receipt)
        internal
        returns (InferenceEscrow.SettleItem[] memory)
    {
        return finalBatch(committer, oneRow(receipt));
    }

    function ids(bytes32 requestId) internal pure returns (bytes32[] memory list) {
        list = new bytes32[](1);
        list[0] = requestId;
    }

    function authOf(Receipt memory receipt) internal pure returns (RequestAuth memory) {
        return RequestAuth(
            receipt.requestId,
            receipt.requestHash,
            receipt.modelId,
            receipt.price,
            receipt.committer,
            receipt.issuedAt
        );
    }

    function authDigest(RequestAuth memory auth) internal view returns (bytes32) {
        bytes32 typeHash = keccak256(
            "RequestAuth(bytes32 requestId,bytes32 requestHash,bytes32 modelId,uint128 maxPrice,address committer,uint64 deadline)"
        );
        return typedDigest(domainOf(address(settlement), DEPLOYMENT), keccak256(abi.encode(typeHash, auth)));
    }

    function expectSkip(bytes32 requestId, bytes32 batchId, bytes4 reason) internal {
        vm.expectEmit();
        emit InferenceEscrow.SettlementSkipped(requestId, batchId, reason);
    }

    function expectNotInBatch(InferenceEscrow.SettleItem memory item) internal {
        vm.expectRevert(
            abi.encodeWithSelector(InferenceEscrow.NotInBatch.selector, item.entry.receipt.requestId, item.batchId)
        );
    }

    /// @dev `width` rows of one to `height` receipts, each paid for with PRICE.
    function mixedRows(uint256 width, uint256 height)
        internal
        returns (Receipt[][] memory rows, uint256 count, uint256 total)
    {
        rows = new Receipt[][](width);
        for (uint256 i = 0; i < width; i++) {
            rows[i] = new Receipt[](height);
            for (uint256 j = 0; j < height; j++) {
                Receipt memory receipt = receiptOf(pay(PRICE, keccak256(abi.encode(i, j))), uint128(100 + 7 * count));
                // Two rows of each node.
                receipt.node = [NODE, NODE_2, NODE_3][i / 2];
                receipt.priceVersion = uint64(i + 1);
                rows[i][j] = receipt;
                count += 1;
                total += receipt.price;
            }
        }
    }
}
