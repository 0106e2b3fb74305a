// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SpendingGrant} from "../src/libraries/GrantLib.sol";
import {Group, RowKey, SumNode} from "../src/libraries/MerkleSumLib.sol";
import {Receipt} from "../src/libraries/ReceiptLib.sol";
import {Settlement} from "../src/Settlement.sol";
import {SpendingGrants} from "../src/SpendingGrants.sol";
import {EscrowFixture} from "./EscrowFixture.sol";
import {GasMeter} from "./GasMeter.sol";
import {MerkleSumBuilder} from "./MerkleSumBuilder.sol";

/// @title The way of a batch of 4,096 inferences of one payer at one node, from its commit to its payment
/// @notice Not the first of its kind: whatever is written once and for all was written by an earlier batch.
contract SettlementGasTest is EscrowFixture, GasMeter {
    uint64 private constant COUNT = 4096;
    SpendingGrant private _grant;

    function setUp() public {
        deployEscrow();
        _grant.payer = payer;
        _grant.gateway = G;
        _grant.maxTotal = 1000e18;
        _grant.maxPerCall = 1e18;
        _grant.expiry = uint64(START + 1 days);
        vm.startPrank(payer);
        token.approve(address(grants), type(uint256).max);
        grants.open(_grant, "", 1000e18);
        vm.stopPrank();
        bytes32 earlier = commitAs(1);
        attestWith(earlier, VALID, validatorKeys);
        vm.warp(vm.getBlockTimestamp() + WINDOW);
        grants.settle(earlier, rowItems());
    }

    /// forge-config: default.isolate = true
    function test_gas_3Validators() public {
        measure("3");
    }

    /// forge-config: default.isolate = true
    function test_gas_16Validators() public {
        enrol(13, RICH_BOND / 25);
        measure("16");
    }

    /// forge-config: default.isolate = true
    function test_gas_64Validators() public {
        enrol(61, RICH_BOND / 25);
        measure("64");
    }

    /// forge-config: default.isolate = true
    function test_gas_eachValidatorForItself() public {
        bytes32 batchId = commitAs(2);
        for (uint256 i = 0; i < 3; i++) {
            string memory what = ["attest, 1st of 3 alone", "attest, 2nd of 3 alone", "attest, 3rd of 3 alone"][i];
            spend(what, address(settlement), attestation(batchId, oneKey(validatorKeys[i])));
        }
        vm.warp(vm.getBlockTimestamp() + WINDOW);
        spend("finalise, 3 validators", address(settlement), abi.encodeCall(Settlement.finalise, (batchId)));
        spend("settle one payer, already final", address(grants), abi.encodeCall(grants.settle, (batchId, rowItems())));
        spend("pass takings on, first ever", address(grants), abi.encodeCall(grants.passOn, (MODEL, NODE)));
    }

    // ---------------------------------------------------------------- helpers

    /// @dev So that each of 64 has a voice.
    function selfBond() internal pure override returns (uint256) {
        return RICH_BOND / 4;
    }

    function measure(string memory validators) private {
        Group[] memory groups = groupsOf();
        bytes memory commit_ = abi.encodeCall(Settlement.commit, (2, keccak256("data"), groups));
        vm.startPrank(G);
        spend(string.concat("commit, ", validators, " validators"), address(settlement), commit_);
        vm.stopPrank();
        bytes32 batchId = settlement.batchIdOf(G, 2, MerkleSumBuilder.nodesOf(groups)[0].hash, keccak256("data"));
        string memory attest_ = string.concat("attest, ", validators, " validators in one call");
        spend(attest_, address(settlement), attestation(batchId, validatorKeys));
        vm.warp(vm.getBlockTimestamp() + WINDOW);
        string memory settle_ = string.concat("finalise and settle one payer, ", validators, " validators");
        spend(settle_, address(grants), abi.encodeCall(grants.settle, (batchId, rowItems())));
    }

    function attestation(bytes32 batchId, uint256[] memory keys) private view returns (bytes memory) {
        bytes[] memory signatures = signAll(keys, attestationDigest(batchId, VALID));
        return abi.encodeCall(Settlement.attest, (batchId, committedBlockOf(batchId), true, VALID, signatures));
    }

    function commitAs(uint64 height) private returns (bytes32 batchId) {
        Group[] memory groups = groupsOf();
        vm.prank(G);
        return settlement.commit(height, keccak256("data"), groups);
    }

    function top() private pure returns (SumNode memory) {
        return SumNode(keccak256("leaves"), 40e18, 40e18, COUNT);
    }

    function groupsOf() private view returns (Group[] memory groups) {
        Receipt memory receipt = receiptOf(keccak256("request"), 0);
        SumNode[] memory rows = new SumNode[](1);
        rows[0] = MerkleSumBuilder.row(receipt, grants.grantIdOf(_grant), top());
        groups = new Group[](1);
        groups[0] = MerkleSumBuilder.group(NODE, rows);
    }

    function rowItems() private view returns (SpendingGrants.RowItem[] memory rows) {
        rows = new SpendingGrants.RowItem[](1);
        rows[0].key = RowKey(NODE, payer, grants.grantIdOf(_grant), MODEL, 1);
        rows[0].top = top();
    }
}
