// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Settlement} from "../src/Settlement.sol";
import {BatchBook} from "../src/settlement/BatchBook.sol";
import {CommitterFixture} from "./CommitterFixture.sol";

/// @title Which signatures are attestations: of whom, of what, and how often
contract SettlementSignaturesTest is CommitterFixture {
    function setUp() public {
        deployCommitter();
    }

    function test_nobodyAttestsTwice() public {
        bytes32 id = commitAt(1);
        address first = vm.addr(validatorKeys[0]);
        attestWith(id, VALID, oneKey(validatorKeys[0]));
        bytes memory twice = abi.encodeWithSelector(BatchBook.AlreadyAttested.selector, id, first);
        expectAttestRevert(id, oneKey(validatorKeys[0]), twice);
        // Nor with the other verdict.
        bytes[] memory other = signAll(oneKey(validatorKeys[0]), attestationDigest(id, INVALID));
        vm.expectRevert(twice);
        settlement.attest(id, 101, true, INVALID, other);
        // Nor twice in one list.
        uint256[] memory same = new uint256[](2);
        (same[0], same[1]) = (validatorKeys[1], validatorKeys[1]);
        expectAttestRevert(id, same, notAscending(vm.addr(same[0]), vm.addr(same[1])));
        assertState(id, BatchBook.State.Committed);
    }

    function test_signersMustAscend() public {
        bytes32 id = commitAt(1);
        uint256[] memory keys = new uint256[](2);
        (keys[0], keys[1]) = (validatorKeys[1], validatorKeys[0]);
        expectAttestRevert(id, keys, notAscending(vm.addr(keys[0]), vm.addr(keys[1])));
    }

    function testFuzz_onlyValidatorsAttest(uint256 key) public {
        key = 1 + key % (2 ** 255);
        for (uint256 i = 0; i < 3; i++) vm.assume(key != validatorKeys[i]);
        bytes32 id = commitAt(1);
        expectAttestRevert(
            id, oneKey(key), abi.encodeWithSelector(BatchBook.NotAValidator.selector, vm.addr(key))
        );
    }

    function test_oneStrangerSpoilsTheWholeCall() public {
        bytes32 id = commitAt(1);
        uint256[] memory keys = new uint256[](2);
        (keys[0], keys[1]) = (validatorKeys[0], 0xBEEF);
        keys = ascending(keys);
        bytes[] memory signatures = signAll(keys, attestationDigest(id, VALID));
        vm.expectRevert(abi.encodeWithSelector(BatchBook.NotAValidator.selector, vm.addr(0xBEEF)));
        settlement.attest(id, 101, true, VALID, signatures);
        assertTrue(!settlement.hasAttested(id, vm.addr(validatorKeys[0])));
    }

    function test_anotherRegistryBlockIsRefused() public {
        bytes32 id = commitAt(1);
        for (uint64 given = 100; given <= 102; given += 2) {
            bytes32 digest = typedDigest(
                domainOf(address(settlement), DEPLOYMENT), attestationHash(id, rootOf(2), given, true, VALID)
            );
            bytes[] memory signatures = signAll(firstKeys(3), digest);
            vm.expectRevert(abi.encodeWithSelector(Settlement.WrongRegistryBlock.selector, given, 101));
            settlement.attest(id, given, true, VALID, signatures);
        }
    }

    function test_aSignatureOfAnotherDeploymentIsWorthNothing() public {
        bytes32 id = commitAt(1);
        bytes32 message = attestationHash(id, rootOf(2), 101, true, VALID);
        bytes32[4] memory domains = [
            domainOf(address(settlement), keccak256("another deployment")),
            domainOf(address(0xDEAD), DEPLOYMENT),
            domainBut("1", block.chainid + 1),
            domainBut("2", block.chainid)
        ];
        for (uint256 i = 0; i < domains.length; i++) {
            expectForeign(id, typedDigest(domains[i], message));
        }
        assertTrue(!settlement.hasAttested(id, vm.addr(validatorKeys[0])));
    }

    function test_everySignedMemberCounts() public {
        bytes32 id = commitAt(1);
        bytes32 domain = domainOf(address(settlement), DEPLOYMENT);
        bytes32[4] memory messages = [
            attestationHash(keccak256("another batch"), rootOf(2), 101, true, VALID),
            attestationHash(id, keccak256("another root"), 101, true, VALID),
            attestationHash(id, rootOf(2), 101, false, VALID),
            attestationHash(id, rootOf(2), 101, true, INVALID)
        ];
        for (uint256 i = 0; i < messages.length; i++) {
            expectForeign(id, typedDigest(domain, messages[i]));
        }
    }

    function test_onlyTheCanonicalFormOfASignatureCounts() public {
        bytes32 id = commitAt(1);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(validatorKeys[0], attestationDigest(id, VALID));
        uint256 n = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
        bytes[] memory signatures = new bytes[](1);
        signatures[0] = abi.encodePacked(r, bytes32(n - uint256(s)), v == 27 ? uint8(28) : uint8(27));
        vm.expectRevert(abi.encodeWithSelector(ECDSA.ECDSAInvalidSignatureS.selector, bytes32(n - uint256(s))));
        settlement.attest(id, 101, true, VALID, signatures);
        signatures[0] = abi.encodePacked(r, s, v, uint8(0));
        vm.expectRevert(abi.encodeWithSelector(ECDSA.ECDSAInvalidSignatureLength.selector, 66));
        settlement.attest(id, 101, true, VALID, signatures);
    }

    function test_onlyTwoVerdictsExist() public {
        bytes32 id = commitAt(1);
        for (uint256 i = 0; i < 2; i++) {
            uint8 verdict = i == 0 ? 0 : 3;
            bytes[] memory signatures = signAll(firstKeys(2), attestationDigest(id, verdict));
            vm.expectRevert(abi.encodeWithSelector(Settlement.BadVerdict.selector, verdict));
            settlement.attest(id, 101, true, verdict, signatures);
        }
    }

    /// @dev Who was shown no data may say so; only who calls a batch valid must have had it all.
    function test_onlyWhoCallsABatchValidMustHaveItsData() public {
        bytes32 id = commitAt(1);
        bytes32 domain = domainOf(address(settlement), DEPLOYMENT);
        for (uint8 verdict = VALID; verdict <= INVALID; verdict++) {
            bytes32 digest = typedDigest(domain, attestationHash(id, rootOf(2), 101, false, verdict));
            bytes[] memory signatures = signAll(firstKeys(2), digest);
            if (verdict == VALID) vm.expectRevert(abi.encodeWithSelector(Settlement.BadVerdict.selector, VALID));
            settlement.attest(id, 101, false, verdict, signatures);
        }
        assertState(id, BatchBook.State.Void);
    }

    function test_aCallBringsSixtyFourSignaturesAtMost() public {
        bytes32 id = commitAt(1);
        address first = vm.addr(validatorKeys[0]);
        uint256[] memory keys = new uint256[](64);
        for (uint256 i = 0; i < 64; i++) keys[i] = validatorKeys[0];
        expectAttestRevert(id, keys, notAscending(first, first));
        uint256[] memory more = new uint256[](65);
        for (uint256 i = 0; i < 65; i++) more[i] = validatorKeys[0];
        expectAttestRevert(id, more, abi.encodeWithSelector(Settlement.TooManySignatures.selector, 65));
    }

    // ---------------------------------------------------------------- helpers

    /// @dev The domain of this settlement, were it not for the version or the chain.
    function domainBut(string memory version, uint256 chainId) private view returns (bytes32) {
        bytes32 typeHash = keccak256(
            "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)"
        );
        bytes32 name = keccak256("Assay");
        return keccak256(
            abi.encode(typeHash, name, keccak256(bytes(version)), chainId, address(settlement), DEPLOYMENT)
        );
    }

    /// @dev A validator's signature on `digest` is, for this batch, one of somebody who is no validator.
    function expectForeign(bytes32 id, bytes32 digest) private {
        bytes[] memory signatures = signAll(oneKey(validatorKeys[0]), digest);
        address read = ECDSA.recover(attestationDigest(id, VALID), signatures[0]);
        assertTrue(read != vm.addr(validatorKeys[0]));
        vm.expectRevert(abi.encodeWithSelector(BatchBook.NotAValidator.selector, read));
        settlement.attest(id, 101, true, VALID, signatures);
    }

    function notAscending(address previous, address signer) private pure returns (bytes memory) {
        return abi.encodeWithSelector(Settlement.SignersNotAscending.selector, previous, signer);
    }
}
