// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Settlement} from "../src/Settlement.sol";
import {TeeApprovals} from "../src/tee/TeeApprovals.sol";
import {TeeRegistry} from "../src/TeeRegistry.sol";
import {Entry} from "../src/libraries/InclusionLib.sol";
import {Group} from "../src/libraries/MerkleSumLib.sol";
import {Receipt, ReceiptLib} from "../src/libraries/ReceiptLib.sol";
import {Fixture} from "./Fixture.sol";

/// @title Holes seen in other networks, each kept shut by the test that bears its name (docs/threat-model.md, appendix)
contract HolesTest is Fixture {
    bytes32 private constant HARDWARE = keccak256("nitro-sim");
    bytes32 private constant ROOT = keccak256("root");
    bytes32 private constant CODE = keccak256("code");
    address private constant NODE = address(0xC1);
    address private constant STRANGER = address(0xC9);

    function setUp() public {
        deployAll();
        TeeApprovals.Approval[] memory approvals = new TeeApprovals.Approval[](1);
        approvals[0] = TeeApprovals.Approval(HARDWARE, ROOT, CODE, 1);
        tee = deployTee(approvals);
        registerNode(NODE);
        registerValidator(vm.addr(1), 1000e18);
        vm.roll(101);
        vm.warp(START + 10);
    }

    /// @dev A digest without chain, request, payer or price would let one signature stand for two debts.
    function test_hole_aDigestBindsChainRequestPayerAndPrice() public {
        Receipt memory receipt;
        receipt.requestId = keccak256("request");
        receipt.payer = address(0xA1);
        receipt.price = 7;
        bytes32 digest = digestOf(receipt);

        receipt.requestId = keccak256("another request");
        assertTrue(digestOf(receipt) != digest);
        receipt.requestId = keccak256("request");
        receipt.payer = address(0xA2);
        assertTrue(digestOf(receipt) != digest);
        receipt.payer = address(0xA1);
        receipt.price = 8;
        assertTrue(digestOf(receipt) != digest);
        receipt.price = 7;
        assertEq(digestOf(receipt), digest);
        Settlement other = newSettlement(keccak256("deployment"));
        assertTrue(other.digestOf(ReceiptLib.structHash(receipt)) != digest);
        vm.chainId(8453);
        assertTrue(digestOf(receipt) != digest);
    }

    /// @dev A revocation that loops over every enclave runs out of gas when it matters most.
    function test_hole_aRevocationCostsTheSameHoweverManyEnclavesThereAre() public {
        for (uint256 enclave = 1; enclave <= 40; enclave++) admit(0xE00 + enclave);
        vm.warp(START + 20);
        uint256 before = gasleft();
        tee.revokeMeasurement(HARDWARE, CODE);
        assertTrue(before - gasleft() < 120_000);
        assertTrue(!validNow(vm.addr(0xE01)));
        assertTrue(!validNow(vm.addr(0xE28)));
        // Its past stays good.
        assertTrue(tee.isKeyValidAt(vm.addr(0xE28), NODE, 0, false, uint64(START + 10)));
    }

    /// @dev There is no heartbeat whose replay could extend anything: a vote counts once, and what ended stays ended.
    function test_hole_aReplayedHeartbeatExtendsNothing() public {
        address key = vm.addr(0xE1);
        bytes32 id = propose(key);
        bytes memory signature = signVote(id);
        tee.voteKey(id, true, signature);
        vm.expectRevert(abi.encodeWithSelector(TeeRegistry.AlreadyVoted.selector, id, vm.addr(1)));
        tee.voteKey(id, true, signature);
        vm.prank(NODE);
        tee.revokeKey(key);
        vm.warp(START + 20);
        vm.expectRevert();
        tee.voteKey(id, true, signature);
        assertTrue(!validNow(key));
    }

    /// @dev Batch events that anybody can emit, over leaves that nobody signed, would be worth nothing.
    function test_hole_aBatchEventCannotBeForged() public {
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(Settlement.NotBonded.selector, STRANGER));
        settlement.commit(1, keccak256("data"), new Group[](0));
        // Forcing needs no bond: there the enclave's own signature is asked for.
        Entry memory entry;
        entry.receipt.key = vm.addr(0xE1);
        bytes memory forged = signDigest(0xE2, digestOf(entry.receipt));
        vm.expectRevert(abi.encodeWithSelector(Settlement.WrongSigner.selector, vm.addr(0xE1), vm.addr(0xE2)));
        settlement.force(1, entry, forged);
    }

    // ---------------------------------------------------------------- helpers

    function digestOf(Receipt memory receipt) private view returns (bytes32) {
        return settlement.digestOf(ReceiptLib.structHash(receipt));
    }

    function propose(address key) private returns (bytes32) {
        vm.prank(NODE);
        return tee.proposeKey(key, HARDWARE, ROOT, CODE, 1, keccak256("evidence"), "http://node.test/evidence");
    }

    function signVote(bytes32 id) private view returns (bytes memory) {
        bytes32 structHash =
            keccak256(abi.encode(keccak256("KeyVote(bytes32 registrationId,bool valid)"), id, true));
        return signDigest(1, typedDigest(settlement.DOMAIN_SEPARATOR(), structHash));
    }

    function admit(uint256 enclave) private {
        bytes32 id = propose(vm.addr(enclave));
        tee.voteKey(id, true, signVote(id));
    }

    function validNow(address key) private view returns (bool) {
        return tee.isKeyValidAt(key, NODE, 0, false, uint64(vm.getBlockTimestamp()));
    }
}
