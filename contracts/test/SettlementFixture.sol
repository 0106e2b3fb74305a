// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {NodeBond} from "../src/NodeBond.sol";
import {OPG} from "../src/OPG.sol";
import {ParamStore} from "../src/ParamStore.sol";
import {BatchBook} from "../src/settlement/BatchBook.sol";
import {Guardian} from "../src/Guardian.sol";
import {Settlement} from "../src/Settlement.sol";
import {ValidatorStaking} from "../src/ValidatorStaking.sol";
import {Group} from "../src/libraries/MerkleSumLib.sol";
import {Params} from "../src/libraries/Params.sol";
import {Fixture} from "./Fixture.sol";

/// @title Settlement with three equal validators, whose keys the test holds
abstract contract SettlementFixture is Fixture {
    uint256 internal constant WINDOW = 5;
    uint256 internal constant ATTEST_TIMEOUT = 20;
    uint256 internal constant VOID_FEE_BPS = 100;
    uint256 internal constant REFUND_TIMEOUT = 900;
    uint256 internal constant DEPOSIT_WITHDRAWAL = 600;
    uint256 internal constant RICH_BOND = 100_000_000e18;
    uint8 internal constant VALID = 1;
    uint8 internal constant INVALID = 2;
    bytes32 internal constant DEPLOYMENT = keccak256("deployment");

    /// @dev Ascending by address, as `attest` wants signers.
    uint256[] internal validatorKeys;

    function deploySettlement() internal {
        vm.warp(START);
        vm.roll(100);
        token = new OPG(address(this));
        params = deployTimedParams();
        bonds = new NodeBond(token, params);
        staking = new ValidatorStaking(token, params);
        guardian = new Guardian(address(this), GUARDIAN, 365 days);
        settlement = placeSettlement();
        bonds.setSettlement(address(settlement));
        staking.setSettlement(address(settlement));
        bonds.setFaultManager(address(this));
        settlement.setFaultManager(address(this));
        staking.setFaultManager(address(this));
        enrolThree();
        vm.roll(101);
    }

    function enrolThree() internal {
        uint256[] memory keys = new uint256[](3);
        (keys[0], keys[1], keys[2]) = (0xA1, 0xA2, 0xA3);
        validatorKeys = ascending(keys);
        for (uint256 i = 0; i < 3; i++) registerValidator(vm.addr(validatorKeys[i]), selfBond());
    }

    /// @dev Beside the three, for what is committed from the next block on.
    function enrol(uint256 more, uint256 bond) internal {
        for (uint256 i = 0; i < more; i++) {
            validatorKeys.push(0x7000 + i);
            registerValidator(vm.addr(0x7000 + i), bond);
        }
        validatorKeys = ascending(validatorKeys);
        vm.roll(block.number + 1);
    }

    /// @dev What each of the three validators has at stake.
    function selfBond() internal pure virtual returns (uint256) {
        return MIN_BOND;
    }

    /// @dev Where a test needs it at a certain address, it says so here.
    function placeSettlement() internal virtual returns (Settlement) {
        return newSettlement(DEPLOYMENT);
    }

    function deployTimedParams() internal returns (ParamStore) {
        number(Params.UNBONDING, UNBONDING);
        number(Params.CHALLENGE_WINDOW, WINDOW);
        number(Params.MIN_SELF_BOND, MIN_BOND);
        number(Params.MIN_NODE_BOND, MIN_BOND);
        number(Params.ATTEST_TIMEOUT, ATTEST_TIMEOUT);
        number(Params.REFUND_TIMEOUT, REFUND_TIMEOUT);
        number(Params.COVERAGE_KAPPA_BPS, 5000);
        number(Params.SELF_FIRST_BPS, 2000);
        number(Params.COMMISSION_CAP_BPS, 2000);
        number(Params.COMMISSION_STEP_BPS, 100);
        number(Params.DEPOSIT_WITHDRAWAL, DEPOSIT_WITHDRAWAL);
        number(Params.VOID_FEE_BPS, VOID_FEE_BPS);
        return newParams(address(this));
    }

    /// @dev Bonds `who` with enough for whatever a test commits.
    function bondRichly(address who) internal {
        fund(who, RICH_BOND);
        vm.prank(who);
        bonds.register("http://operator.test", RICH_BOND);
    }

    /// @dev One node's rows, as a committer states them.
    function oneGroup(address node, bytes32 top, uint128 sum, uint64 count) internal pure returns (Group[] memory g) {
        g = new Group[](1);
        g[0] = Group(node, top, sum, sum, count);
    }

    /// @dev Written out from docs/spec.md §4, not taken from the contract.
    function attestationHash(bytes32 batchId, bytes32 root, uint64 registryBlock, bool dataAvailable, uint8 verdict)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(
            abi.encode(
                keccak256(
                    "Attestation(bytes32 batchId,bytes32 root,uint64 registryBlock,bool dataAvailable,uint8 verdict)"
                ),
                batchId,
                root,
                registryBlock,
                dataAvailable,
                verdict
            )
        );
    }

    /// @dev Domain separator of docs/spec.md §4.
    function domainOf(address settlement_, bytes32 deploymentId) internal view returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256(
                    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)"
                ),
                keccak256("Assay"),
                keccak256("1"),
                block.chainid,
                settlement_,
                deploymentId
            )
        );
    }

    function attestationDigest(bytes32 batchId, uint8 verdict) internal view returns (bytes32) {
        BatchBook.Batch memory batch = settlement.batch(batchId);
        return typedDigest(
            domainOf(address(settlement), settlement.deploymentId()),
            attestationHash(batchId, batch.root, batch.committedBlock, true, verdict)
        );
    }

    function signAll(uint256[] memory keys, bytes32 digest) internal pure returns (bytes[] memory signatures) {
        signatures = new bytes[](keys.length);
        for (uint256 i = 0; i < keys.length; i++) signatures[i] = signDigest(keys[i], digest);
    }

    /// @dev The keys must ascend by address.
    function attestWith(bytes32 batchId, uint8 verdict, uint256[] memory keys) internal {
        bytes[] memory signatures = signAll(keys, attestationDigest(batchId, verdict));
        settlement.attest(batchId, committedBlockOf(batchId), true, verdict, signatures);
    }

    function committedBlockOf(bytes32 batchId) internal view returns (uint64) {
        return settlement.batch(batchId).committedBlock;
    }

    function stateOf(bytes32 batchId) internal view returns (BatchBook.State) {
        return settlement.batch(batchId).state;
    }

    function assertState(bytes32 batchId, BatchBook.State expected) internal view {
        assertEq(uint256(stateOf(batchId)), uint256(expected));
    }

    /// @dev The first `count` of the three validators.
    function firstKeys(uint256 count) internal view returns (uint256[] memory keys) {
        keys = new uint256[](count);
        for (uint256 i = 0; i < count; i++) keys[i] = validatorKeys[i];
    }

    function oneKey(uint256 key) internal pure returns (uint256[] memory keys) {
        keys = new uint256[](1);
        keys[0] = key;
    }

    function ascending(uint256[] memory keys) internal pure returns (uint256[] memory) {
        for (uint256 i = 1; i < keys.length; i++) {
            for (uint256 j = i; j > 0 && vm.addr(keys[j]) < vm.addr(keys[j - 1]); j--) {
                (keys[j], keys[j - 1]) = (keys[j - 1], keys[j]);
            }
        }
        return keys;
    }
}
