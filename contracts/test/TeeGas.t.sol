// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {TeeApprovals} from "../src/tee/TeeApprovals.sol";
import {TeeRegistry} from "../src/TeeRegistry.sol";
import {Fixture} from "./Fixture.sol";
import {GasMeter} from "./GasMeter.sol";

/// @title What it costs to keep an enclave's key: proposed by its node, voted in by validators, and again before each term
contract TeeGasTest is Fixture, GasMeter {
    bytes32 private constant HARDWARE = keccak256("snp");
    bytes32 private constant ROOT = keccak256("root");
    bytes32 private constant CODE = keccak256("code");
    bytes32 private constant VOTE = keccak256("KeyVote(bytes32 registrationId,bool valid)");
    string private constant URI = "https://node.example/v1/evidence/0x1234567890123456789012345678901234567890123456789012";
    address private constant NODE = address(0xC1);
    address private constant KEY = address(0xE1);
    uint64 private constant TERM = 7 days;

    function setUp() public {
        deployAll();
        TeeApprovals.Approval[] memory approvals = new TeeApprovals.Approval[](1);
        approvals[0] = TeeApprovals.Approval(HARDWARE, ROOT, CODE, 3);
        tee = deployTee(approvals, TERM);
        registerNode(NODE);
        for (uint256 i = 1; i <= 3; i++) registerValidator(vm.addr(i), 300e18);
        vm.roll(101);
    }

    /// forge-config: default.isolate = true
    function test_gas_key() public {
        bytes32 first = propose("key, propose", "first");
        vm.roll(102);
        spend("key, vote 1 of 3", address(tee), vote(first, 1));
        spend("key, vote 2 of 3, which admits it", address(tee), vote(first, 2));
        spend("key, vote 3 of 3, too late to matter", address(tee), vote(first, 3));
        vm.warp(vm.getBlockTimestamp() + TERM / 2);
        bytes32 second = propose("key, propose fresh evidence", "second");
        vm.roll(103);
        (bool ok,) = address(tee).call(vote(second, 1));
        assertTrue(ok);
        spend("key, vote 2 of 3, which renews it", address(tee), vote(second, 2));
    }

    /// forge-config: default.isolate = true
    function test_gas_rule() public {
        string memory rule = "minimum-tcb/Genoa";
        spend("rule, set first", address(tee), abi.encodeCall(TeeApprovals.setRule, (HARDWARE, rule, 1)));
        vm.warp(vm.getBlockTimestamp() + 1);
        spend("rule, set again", address(tee), abi.encodeCall(TeeApprovals.setRule, (HARDWARE, rule, 2)));
    }

    // ---------------------------------------------------------------- helpers

    function propose(string memory what, string memory evidence) private returns (bytes32) {
        bytes32 hash = keccak256(bytes(evidence));
        vm.prank(NODE);
        spend(what, address(tee), abi.encodeCall(TeeRegistry.proposeKey, (KEY, HARDWARE, ROOT, CODE, 1, hash, URI)));
        return tee.registrationIdOf(NODE, KEY, HARDWARE, ROOT, CODE, 1, hash);
    }

    function vote(bytes32 id, uint256 validatorKey) private view returns (bytes memory) {
        bytes32 digest = typedDigest(settlement.DOMAIN_SEPARATOR(), keccak256(abi.encode(VOTE, id, true)));
        return abi.encodeCall(TeeRegistry.voteKey, (id, true, signDigest(validatorKey, digest)));
    }
}
