// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {TeeApprovals} from "../src/tee/TeeApprovals.sol";
import {Fixture} from "./Fixture.sol";

/// @title The registry of enclaves with two bonded nodes and three validators, of 40, 30 and 30 % of the stake
abstract contract TeeFixture is Fixture {
    bytes32 internal constant HARDWARE = keccak256("nitro-sim");
    bytes32 internal constant ROOT = keccak256("root");
    bytes32 internal constant CODE = keccak256("code");
    bytes32 internal constant EVIDENCE = keccak256("evidence");
    bytes32 private constant VOTE = keccak256("KeyVote(bytes32 registrationId,bool valid)");
    uint256 internal constant ENCLAVE = 0xE1;
    address internal constant NODE = address(0xC1);
    address internal constant RIVAL = address(0xC2);
    address internal key;

    /// @dev One measurement is approved, for one engine class, and no term ends.
    function deployRegistry() internal {
        TeeApprovals.Approval[] memory approvals = new TeeApprovals.Approval[](1);
        approvals[0] = TeeApprovals.Approval(HARDWARE, ROOT, CODE, 1);
        deployRegistry(approvals, KEY_TERM);
        vm.warp(START + 10);
    }

    function deployRegistry(TeeApprovals.Approval[] memory approvals, uint64 keyTerm) internal {
        deployAll();
        tee = deployTee(approvals, keyTerm);
        key = vm.addr(ENCLAVE);
        registerNode(NODE);
        registerNode(RIVAL);
        registerValidator(vm.addr(1), 400e18);
        registerValidator(vm.addr(2), 300e18);
        registerValidator(vm.addr(3), 300e18);
        vm.roll(101);
    }

    function propose(address node, bytes32 evidence) internal returns (bytes32) {
        vm.prank(node);
        return tee.proposeKey(key, HARDWARE, ROOT, CODE, 1, evidence, "http://node.test/evidence");
    }

    function admit() internal {
        voteIn(propose(NODE, EVIDENCE));
    }

    function vote(bytes32 id, uint256 validatorKey, bool valid) internal {
        tee.voteKey(id, valid, signVote(id, validatorKey, valid));
    }

    /// @dev All three validators say yes.
    function voteIn(bytes32 id) internal {
        for (uint256 i = 1; i <= 3; i++) vote(id, i, true);
    }

    function signVote(bytes32 id, uint256 validatorKey, bool valid) internal view returns (bytes memory) {
        bytes32 structHash = keccak256(abi.encode(VOTE, id, valid));
        return signDigest(validatorKey, typedDigest(settlement.DOMAIN_SEPARATOR(), structHash));
    }

    function signPossession(address node) internal view returns (bytes memory) {
        bytes32 structHash = keccak256(abi.encode(keccak256("KeyPossession(address node,address key)"), node, key));
        return signDigest(ENCLAVE, typedDigest(settlement.DOMAIN_SEPARATOR(), structHash));
    }

    /// @dev Whether a receipt issued `second` seconds after START counts, as the registry stands.
    function validAt(uint256 second) internal view returns (bool) {
        return tee.isKeyValidAt(key, NODE, 0, false, uint64(START + second));
    }

    function told() internal {
        vm.expectEmit(address(tee));
    }
}
