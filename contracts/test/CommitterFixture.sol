// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Settlement} from "../src/Settlement.sol";
import {BatchBook} from "../src/settlement/BatchBook.sol";
import {SettlementFixture} from "./SettlementFixture.sol";

/// @title Settlement with one committer, whose batches hold the rows of one node
abstract contract CommitterFixture is SettlementFixture {
    address internal constant G = address(0x6A7E);
    address internal constant STRANGER = address(0xBAD);
    address internal constant NODE = address(0x40DE);
    bytes32 internal constant TOP = keccak256("top");
    bytes32 internal constant DATA = keccak256("data");

    function deployCommitter() internal {
        deploySettlement();
        bondRichly(G);
        bondRichly(NODE);
        bondRichly(STRANGER);
    }

    function commitAt(uint64 height) internal returns (bytes32) {
        vm.prank(G);
        return settlement.commit(height, DATA, oneGroup(NODE, TOP, 10, 2));
    }

    function idOf(uint64 height) internal pure returns (bytes32) {
        return keccak256(abi.encode(keccak256("assay/batch/v1"), G, height, rootOf(2), DATA));
    }

    function rootOf(uint64 count) internal pure returns (bytes32) {
        return keccak256(abi.encode(keccak256("assay/group/v1"), NODE, TOP, 10, 10, count));
    }

    function expectAttestRevert(bytes32 id, uint256[] memory keys, bytes memory reason) internal {
        bytes[] memory signatures = signAll(keys, attestationDigest(id, VALID));
        uint64 committedBlock = committedBlockOf(id);
        vm.expectRevert(reason);
        settlement.attest(id, committedBlock, true, VALID, signatures);
    }

    function expectWrongState(bytes32 id, BatchBook.State state) internal {
        vm.expectRevert(wrongState(id, state));
    }

    function wrongState(bytes32 id, BatchBook.State state) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(Settlement.WrongState.selector, id, state);
    }
}
