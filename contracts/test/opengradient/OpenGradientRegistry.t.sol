// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ITeeRegistry} from "../../src/opengradient/ITeeRegistry.sol";
import {OpenGradientRegistry} from "../../src/opengradient/OpenGradientRegistry.sol";
import {RsaPss} from "../../src/opengradient/RsaPss.sol";
import {OpenGradientFixture} from "./OpenGradientFixture.sol";
import {RsaVectors} from "./RsaVectors.sol";

/// @title OpenGradient's registry: nobody is in it who is not on Assay
contract OpenGradientRegistryTest is OpenGradientFixture {
    function setUp() public {
        deployRegistry();
    }

    function test_anEnclaveIsListedWithAllThatClientsRead() public {
        assertEq(register(), teeId);
        ITeeRegistry.TEEInfo[] memory active = registry.getActiveTEEs(0);
        assertEq(active.length, 1);
        ITeeRegistry.TEEInfo memory info = active[0];
        assertEq(info.owner, NODE);
        assertEq(info.paymentAddress, COMMITTER);
        assertEq(keccak256(bytes(info.endpoint)), keccak256(bytes(URL)));
        assertEq(keccak256(info.publicKey), teeId);
        assertEq(keccak256(info.tlsCertificate), keccak256(CERTIFICATE));
        assertEq(info.pcrHash, CODE);
        assertTrue(info.enabled && info.teeType == 0);
        assertEq(info.registeredAt, block.timestamp);
        assertEq(info.lastHeartbeatAt, block.timestamp);
        assertEq(keccak256(abi.encode(info.ohttpConfig)), keccak256(abi.encode(ITeeRegistry.OhttpConfig(0, 0, 0, 0, "", "", 0))));
        assertEq(registry.getActiveTEEs(1).length, 0);
        assertEq(registry.getTEEsByType(0)[0], teeId);
        assertEq(registry.getEnabledTEEs(0)[0], teeId);
        assertEq(registry.keyOf(teeId), vm.addr(ENCLAVE));
        assertEq(registry.getTEE(TREE).owner, address(0));
        assertTrue(!registry.isTEEActive(TREE));
    }

    /// @dev One that sends requests on to a provider, and was attested to do that alone.
    function test_anEnclaveThatIsAProxyIsListedToo() public {
        bytes32 code = keccak256("proxy");
        tee.approveMeasurement(HARDWARE, code, 1 << 1);
        _admit(0xE3, code, 1 << 1);
        bytes memory signature = signRegistration(0xE3, NODE, RsaVectors.KEY);
        vm.prank(NODE);
        registry.registerTEE(COMMITTER, URL, RsaVectors.KEY, CERTIFICATE, signature);
        assertTrue(registry.isTEEActive(teeId));
        assertEq(registry.getActiveTEEs(0)[0].pcrHash, code);
    }

    /// @dev As packages/protocol/src/opengradient/registration.ts says it, for this chain and this registry alone.
    function test_anEnclaveSignsAllThatClientsRead() public view {
        bytes32 signed = keccak256(
            abi.encode(
                keccak256("assay/opengradient-tee/v1"),
                block.chainid,
                registry,
                NODE,
                COMMITTER,
                keccak256(bytes(URL)),
                teeId,
                keccak256(CERTIFICATE)
            )
        );
        assertEq(registry.registrationDigest(NODE, COMMITTER, URL, RsaVectors.KEY, CERTIFICATE), signed);
    }

    function test_theWayOfAnEnclaveIsToldByEvents() public {
        vm.expectEmit(address(registry));
        emit OpenGradientRegistry.TEERegistered(teeId, NODE, vm.addr(ENCLAVE));
        register();
        vm.startPrank(NODE);
        vm.expectEmit(address(registry));
        emit OpenGradientRegistry.TEEHeartbeat(teeId);
        registry.heartbeat(teeId);
        vm.expectEmit(address(registry));
        emit OpenGradientRegistry.TEEDisabled(teeId);
        registry.disableTEE(teeId);
        vm.stopPrank();
        _admit(0xE3);
        bytes memory signature = signRegistration(0xE3, NODE, RsaVectors.OTHER_KEY);
        vm.prank(NODE);
        vm.expectEmit(address(registry));
        emit OpenGradientRegistry.TEEUnlisted(teeId);
        registry.registerTEE(COMMITTER, URL, RsaVectors.OTHER_KEY, CERTIFICATE, signature);
    }

    function test_twoEnclavesAreListedInTheirOrder() public {
        register();
        _admit(0xE3);
        bytes memory signature = signRegistration(0xE3, NODE, RsaVectors.OTHER_KEY);
        vm.prank(NODE);
        bytes32 second = registry.registerTEE(COMMITTER, URL, RsaVectors.OTHER_KEY, CERTIFICATE, signature);
        assertEq(registry.teeOf(vm.addr(0xE3)), second);
        assertEq(registry.getTEEsByType(0)[1], second);
        assertEq(registry.getTEEsByType(1).length, 0);
        assertEq(registry.getEnabledTEEs(1).length, 0);
        assertEq(registry.getEnabledTEEs(0)[0], teeId);
        assertEq(registry.getEnabledTEEs(0)[1], second);
        assertEq(keccak256(registry.getActiveTEEs(0)[1].publicKey), second);
        uint256 state = vm.snapshotState();
        vm.prank(NODE);
        registry.disableTEE(second);
        assertEq(registry.getEnabledTEEs(0)[0], teeId);
        assertEq(keccak256(registry.getActiveTEEs(0)[0].publicKey), teeId);
        vm.revertToState(state);
        vm.prank(NODE);
        registry.disableTEE(teeId);
        assertEq(registry.getEnabledTEEs(0)[0], second);
        assertEq(registry.getActiveTEEs(0).length, 1);
        assertEq(keccak256(registry.getActiveTEEs(0)[0].publicKey), second);
        assertEq(keccak256(registry.modulusOf(second)), keccak256(this.modulusIn(RsaVectors.OTHER_KEY)));
        assertEq(registry.modulusOf(TREE).length, 0);
    }

    function test_64EnclavesAreListedAtMost() public {
        register();
        uint256 slot = slotOfCount();
        vm.store(address(registry), bytes32(slot), bytes32(uint256(1)));
        assertEq(registry.getTEEsByType(0).length, 1);
        bytes32 first = keccak256(abi.encode(slot));
        for (uint256 i = 1; i < 64; i++) vm.store(address(registry), bytes32(uint256(first) + i), teeId);
        vm.store(address(registry), bytes32(slot), bytes32(uint256(64)));
        _admit(0xE3);
        bytes memory signature = signRegistration(0xE3, NODE, RsaVectors.OTHER_KEY);
        vm.prank(NODE);
        vm.expectRevert(OpenGradientRegistry.RegistryFull.selector);
        registry.registerTEE(COMMITTER, URL, RsaVectors.OTHER_KEY, CERTIFICATE, signature);
        vm.store(address(registry), bytes32(slot), bytes32(uint256(63)));
        vm.prank(NODE);
        registry.registerTEE(COMMITTER, URL, RsaVectors.OTHER_KEY, CERTIFICATE, signature);
        assertEq(registry.getTEEsByType(0).length, 64);
    }

    function test_aKeyThatValidatorsDidNotAdmitListsNothing() public {
        bytes memory signature = signRegistration(ROGUE, NODE, RsaVectors.KEY);
        vm.expectRevert(
            abi.encodeWithSelector(OpenGradientRegistry.KeyNotAdmitted.selector, vm.addr(ROGUE), NODE)
        );
        vm.prank(NODE);
        registry.registerTEE(COMMITTER, URL, RsaVectors.KEY, CERTIFICATE, signature);
    }

    function test_nobodyListsAnEnclaveOfAnother() public {
        // Signed for another operator, the enclave's words are those of some stranger's key.
        bytes memory signature = signRegistration(ENCLAVE, NODE, RsaVectors.KEY);
        vm.expectRevert();
        vm.prank(COMMITTER);
        registry.registerTEE(COMMITTER, URL, RsaVectors.KEY, CERTIFICATE, signature);
        signature = signRegistration(ENCLAVE, COMMITTER, RsaVectors.KEY);
        vm.expectRevert(
            abi.encodeWithSelector(OpenGradientRegistry.KeyNotAdmitted.selector, vm.addr(ENCLAVE), COMMITTER)
        );
        vm.prank(COMMITTER);
        registry.registerTEE(COMMITTER, URL, RsaVectors.KEY, CERTIFICATE, signature);
    }

    function test_aKeyHasOneTee_andATeeOneOwner() public {
        register();
        bytes memory signature = signRegistration(ENCLAVE, NODE, RsaVectors.OTHER_KEY);
        vm.expectRevert(
            abi.encodeWithSelector(OpenGradientRegistry.KeyHasTee.selector, vm.addr(ENCLAVE), teeId)
        );
        vm.prank(NODE);
        registry.registerTEE(COMMITTER, URL, RsaVectors.OTHER_KEY, CERTIFICATE, signature);
        signature = signRegistration(ENCLAVE, NODE, RsaVectors.KEY);
        vm.expectRevert(abi.encodeWithSelector(OpenGradientRegistry.TeeTaken.selector, teeId));
        vm.prank(NODE);
        registry.registerTEE(COMMITTER, URL, RsaVectors.KEY, CERTIFICATE, signature);
    }

    function test_whatIsTooLongIsRefused() public {
        vm.startPrank(NODE);
        vm.expectRevert(OpenGradientRegistry.TooLong.selector);
        registry.registerTEE(COMMITTER, string(new bytes(257)), RsaVectors.KEY, CERTIFICATE, "");
        vm.expectRevert(OpenGradientRegistry.TooLong.selector);
        registry.registerTEE(COMMITTER, URL, RsaVectors.KEY, new bytes(4097), "");
        (string memory url, bytes memory certificate) = (string(new bytes(256)), new bytes(4096));
        bytes memory signature = signDigest(
            ENCLAVE, registry.registrationDigest(NODE, COMMITTER, url, RsaVectors.KEY, certificate)
        );
        registry.registerTEE(COMMITTER, url, RsaVectors.KEY, certificate, signature);
        vm.stopPrank();
    }

    /// @dev And its history stays readable: what was signed under it can be checked for ever.
    function test_whatEndsOnAssayEndsHere() public {
        register();
        tee.revokeMeasurement(HARDWARE, CODE);
        vm.warp(block.timestamp + 1);
        assertEq(registry.getActiveTEEs(0).length, 0);
        assertEq(keccak256(registry.getTEE(teeId).publicKey), teeId);
        assertEq(registry.getEnabledTEEs(0).length, 1);
    }

    function test_silenceEndsIt_andAHeartbeatBringsItBack() public {
        register();
        vm.warp(block.timestamp + 1 hours);
        assertTrue(registry.isTEEActive(teeId));
        vm.warp(block.timestamp + 1);
        assertTrue(!registry.isTEEActive(teeId));
        vm.expectRevert(
            abi.encodeWithSelector(OpenGradientRegistry.NotTheOwner.selector, teeId, COMMITTER)
        );
        vm.prank(COMMITTER);
        registry.heartbeat(teeId);
        vm.prank(NODE);
        registry.heartbeat(teeId);
        assertTrue(registry.isTEEActive(teeId));
    }

    function test_itsOwnerAloneSwitchesItOff() public {
        register();
        vm.expectRevert(
            abi.encodeWithSelector(OpenGradientRegistry.NotTheOwner.selector, teeId, COMMITTER)
        );
        vm.prank(COMMITTER);
        registry.disableTEE(teeId);
        vm.prank(NODE);
        registry.disableTEE(teeId);
        assertTrue(!registry.isTEEEnabled(teeId));
        assertEq(registry.getEnabledTEEs(0).length, 0);
        assertEq(registry.getActiveTEEs(0).length, 0);
    }

    function test_aSuccessorTakesThePlaceOfAKeyThatEnded() public {
        register();
        vm.prank(NODE);
        registry.disableTEE(teeId);
        _admit(0xE3);
        bytes memory signature = signRegistration(0xE3, NODE, RsaVectors.OTHER_KEY);
        vm.prank(NODE);
        bytes32 next = registry.registerTEE(COMMITTER, URL, RsaVectors.OTHER_KEY, CERTIFICATE, signature);
        assertEq(registry.getTEEsByType(0).length, 1);
        assertEq(registry.getTEEsByType(0)[0], next);
        assertEq(registry.getTEE(teeId).owner, NODE);
    }

    // ---------------------------------------------------------------- helpers

    function modulusIn(bytes calldata key) external pure returns (bytes memory) {
        return RsaPss.modulusOf(key);
    }

    /// @dev Of the list's length: the one slot that holds the number of enclaves, one.
    function slotOfCount() private view returns (uint256 slot) {
        while (uint256(vm.load(address(registry), bytes32(slot))) != 1) slot++;
    }
}
