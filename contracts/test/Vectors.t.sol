// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {InferenceEscrow} from "../src/InferenceEscrow.sol";
import {IX402UptoProxy} from "../src/interfaces/IX402UptoProxy.sol";
import {Group, Sibling} from "../src/libraries/MerkleSumLib.sol";
import {Receipt, ReceiptLib, RequestAuth} from "../src/libraries/ReceiptLib.sol";
import {ModelRegistry} from "../src/ModelRegistry.sol";
import {RevenueSplitter} from "../src/RevenueSplitter.sol";
import {Settlement} from "../src/Settlement.sol";
import {MerkleSumBuilder} from "./MerkleSumBuilder.sol";
import {SettlementFixture} from "./SettlementFixture.sol";

/// @title The contracts against packages/protocol/vectors: statements, receipt, requestId and batch
/// @dev Numbers are copied from there; both escrow and settlement stand at the addresses that the vectors name.
contract VectorsTest is SettlementFixture {
    address private constant SETTLEMENT = 0xf1d422F890bCD7C0A2692d2E8F15fdEEfb95726B;
    address private constant ESCROW = 0xF576A8c5C35A2Cc7F1669c34BFB2D6a583F642f0;
    bytes32 private constant DEPLOYMENT_ID = 0x5ef02046fcbce9a716ad8c2c0e1cc41e1c4dc1b8afa4a6d0aed46a7dc54be368;
    bytes32 private constant REQUEST_ID = 0x71692e36c59594b5a557108cdb2594f5f9d0ad4a97f5951debaf2ffe9ea54e48;
    address private constant PAYER = 0xC876606dA631b405C8F113fc829A43782c034322;
    address private constant COMMITTER = 0xAd3B81431C3856a9e570a79C1cd95B5b3d9D65f5;
    bytes32 private constant MODEL = 0xbdcf352ef6b53e542d2a2b236b12bf5c59025a437769c69a9ce986d4d0415dac;

    address private constant NODE = 0x6D23224024844DeCcd08eF4e84175D06BeE95e5B;
    address private constant NODE_2 = 0x7ABFDe0C8c0F444C4646CE80B15251f507BA7788;

    InferenceEscrow private escrow;

    function setUp() public {
        vm.chainId(31337);
        deploySettlement();
        bondRichly(COMMITTER);
        bondRichly(NODE);
        bondRichly(NODE_2);
        ModelRegistry models = new ModelRegistry(params);
        RevenueSplitter splitter = new RevenueSplitter(token, staking, address(0xEA));
        InferenceEscrow made =
            new InferenceEscrow(token, settlement, models, splitter, params, pauseClock, IX402UptoProxy(address(0)));
        vm.etch(ESCROW, address(made).code);
        escrow = InferenceEscrow(ESCROW);
    }

    function placeSettlement() internal override returns (Settlement) {
        vm.etch(SETTLEMENT, address(newSettlement(DEPLOYMENT_ID)).code);
        return Settlement(SETTLEMENT);
    }

    function test_requestIds() public {
        bytes32 nonce = 0xf1e6a28b7a0d84931de4cf4606e179721482813bcaadf35fec1f826fac5320f5;
        assertEq(escrow.requestIdOf(PAYER, 1, nonce), REQUEST_ID);
        assertEq(
            escrow.requestIdOf(PAYER, 2, bytes32(uint256(123456789012345678901234567890))),
            0x7377fe9e76fcaedca513813e50ee845e6cc7a95619a097b8c0bc872744ce8f2a
        );
        vm.chainId(8453);
        assertEq(
            escrow.requestIdOf(PAYER, 1, nonce), 0x1ffefe7668db9e70205f11b28d4c8d789a5a3df29ef0d7e9fa29b2cbdf640a8c
        );
    }

    function test_attestationDigests() public view {
        bytes32 batchId = 0xa704c80cfcd6381f90712ee055a774afe0b3755d471d18bcd1bb2ce196fac2fb;
        bytes32 root = 0x39f2e8b6679edbdf8fbec1e16a18300ba39467c98e7c16db2bfdbab929a536f3;
        assertEq(
            settlement.digestOf(attestationHash(batchId, root, 77, true, VALID)),
            0x94bb476ff305c3d47346dbdc967ec3843ce98d9c9e008387adbbb59aa254b004
        );
        assertEq(
            settlement.digestOf(attestationHash(batchId, root, type(uint64).max, false, INVALID)),
            0x438d75d21fcacf3ab9759148e85790b6640a18d52553f31b7e99c710f64feb59
        );
        assertEq(settlement.DOMAIN_SEPARATOR(), domainOf(SETTLEMENT, DEPLOYMENT_ID));
    }

    function test_receiptDigestAndLeaf() public view {
        Receipt memory receipt = _receipt();
        bytes32 structHash = 0x2d33fb1da5b79b33f59f0e34ac1684b193f5b7dcebbcf960a4b2417a18d455a5;
        bytes32 leaf = 0x4b7b5ae2ceac3beb738865da67d63567453a981b66b4b95d518839324189ea86;
        bytes32 signatureHash = keccak256(
            hex"ba9965ebbb2fca74d8422b68ad07af27e326f476be5291a802d5a22ee9be327d069d16dd6fa85ba0f81e5d5165cf19d7258b1163eeed11204d62723df7669ef61b"
        );
        assertEq(ReceiptLib.structHash(receipt), structHash);
        assertEq(MerkleSumBuilder.structHash(receipt), structHash);
        assertEq(
            settlement.digestOf(structHash), 0x5ab54508a7c38fc71319ca90d25a9ee874baaa4e11b55d6ec28a2744d87e72e5
        );
        assertEq(ReceiptLib.leafHash(receipt, signatureHash, 0), leaf);
        assertEq(MerkleSumBuilder.leaf(receipt, signatureHash).hash, leaf);
    }

    function test_aPayersRequestAuthIsTaken() public {
        RequestAuth memory auth = RequestAuth({
            requestId: REQUEST_ID,
            requestHash: 0x21c57dea09f3a73e4f013b6532530b07fcec718ad6e7ec2f693ea7c37ad1204d,
            modelId: MODEL,
            maxPrice: 100e18,
            committer: COMMITTER,
            deadline: 1750000300
        });
        bytes memory signature =
            hex"f1d36472676a4c67d442576579d188fde469d824f2fd993b48943e96312235a055cc54251f110355956c572f4c46d93a5caed7161fb1efeba05c23d2bfe82d3c1c";
        assertEq(
            settlement.digestOf(ReceiptLib.structHash(auth)),
            0x7c99bf37cf63c0459d89665d3f5c80e41681f01b5622d60617077d12c0f35ec3
        );
        escrow.postRequestAuth(auth, PAYER, signature);
        assertEq(escrow.requestAuthOf(REQUEST_ID, PAYER), ReceiptLib.structHash(auth));
    }

    function test_aBatchOfTheVectorsSettles() public {
        // The second batch: one receipt of each of two nodes; its second receipt, with the other node's group.
        bytes32 dataHash = 0xa88c782881098eca989d4e75a755b441632eca556293cdb2da882282f53a6f86;
        Group[] memory groups = new Group[](2);
        groups[0] = Group(NODE, 0xda36ecb0cc1ccdbde19a1f8e3bc496a3a0774b4e1afea63cbe89e56e7837341e, 1780, 1e18, 1);
        groups[1] = Group(NODE_2, 0x10b07b27df1e91b76163a2bf534d65af3935cc6642c4dda73e3e37c7dcde9687, 1700, 1e18, 1);
        vm.prank(COMMITTER);
        bytes32 id = settlement.commit(2, dataHash, groups);
        assertEq(id, 0x07f14a44e3b8ee746c0d907df2c5fe1d018a6142324158ffd278f20aac6a7e69);
        attestWith(id, VALID, firstKeys(2));
        vm.warp(START + WINDOW);
        settlement.finalise(id);

        Receipt memory receipt = _receipt();
        receipt.payer = 0x9F079fAd6c659328936585255bC0883F8EbA6a1B;
        receipt.node = NODE_2;
        receipt.priceVersion = 1099511627776;
        InferenceEscrow.SettleItem[] memory items = new InferenceEscrow.SettleItem[](1);
        items[0].batchId = id;
        items[0].entry.receipt = receipt;
        items[0].entry.signatureHash = keccak256(
            hex"2e03fbf4f1e513afd59d42e11e80cd6075e6f5ec7f28cea3a0c13fab765379a91034c6b3c6db8b5c618d48c5976f95016be508e320bdcca39e256c576e6f2bdc1c"
        );
        items[0].path.groupSiblings = new Sibling[](1);
        items[0].path.groupSiblings[0] =
            Sibling(0x8f53692f1e8eaa6c5c9cf2403d229346225e91dcf7264d648db244b61958fdf3, 1780, 1000000000000000000, 1, true);
        // In the batch, but nobody paid: skipped, not refused.
        vm.expectEmit();
        emit InferenceEscrow.SettlementSkipped(REQUEST_ID, id, InferenceEscrow.AlreadyHandled.selector);
        escrow.settle(items);
    }

    function _receipt() private pure returns (Receipt memory r) {
        r.version = 1;
        r.requestId = REQUEST_ID;
        r.payer = PAYER;
        r.node = NODE;
        r.key = 0x657ebdFF57983B58bE664b16ea5273890B0e9255;
        r.seq = 1;
        r.committer = COMMITTER;
        r.includeBy = 1750000600;
        r.modelId = MODEL;
        r.priceVersion = 1;
        r.mode = 1;
        r.requestHash = 0x21c57dea09f3a73e4f013b6532530b07fcec718ad6e7ec2f693ea7c37ad1204d;
        r.responseHash = 0xfca0bb41932a08d06c3393da8697c2d50c6f4d99c933438d48a4be23d1206019;
        r.inputUnits = 20;
        r.outputUnits = 5;
        r.price = 1700;
        r.valueAtRisk = 1e18;
        r.anchorBlock = 1234;
        r.anchorHash = 0x129f827190af118a8f069133b104d28c17e40b1e1c97994ca53829a9e4ec87a0;
        r.issuedAt = 1750000000;
    }
}
