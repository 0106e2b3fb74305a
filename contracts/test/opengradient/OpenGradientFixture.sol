// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {OpenGradientRegistry} from "../../src/opengradient/OpenGradientRegistry.sol";
import {FaultFixture} from "../FaultFixture.sol";
import {RsaVectors} from "./RsaVectors.sol";

/// @title An enclave of Assay's, and how it gets into OpenGradient's registry
abstract contract OpenGradientFixture is FaultFixture {
    bytes internal constant CERTIFICATE = hex"3082";
    string internal constant URL = "http://127.0.0.1:4020";
    bytes32 internal constant TREE = keccak256("tree");

    OpenGradientRegistry internal registry;
    bytes32 internal teeId;

    function deployRegistry() internal {
        deployFaults();
        registry = new OpenGradientRegistry(tee);
        teeId = keccak256(RsaVectors.KEY);
    }

    function signRegistration(uint256 key, address owner, bytes memory publicKey) internal view returns (bytes memory) {
        return signDigest(key, registry.registrationDigest(owner, COMMITTER, URL, publicKey, CERTIFICATE));
    }

    function register() internal returns (bytes32) {
        bytes memory signature = signRegistration(ENCLAVE, NODE, RsaVectors.KEY);
        vm.prank(NODE);
        return registry.registerTEE(COMMITTER, URL, RsaVectors.KEY, CERTIFICATE, signature);
    }
}
