// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {FaultProceeds} from "../src/faults/FaultProceeds.sol";
import {TeeFault} from "../src/faults/TeeFault.sol";
import {Entry} from "../src/libraries/InclusionLib.sol";
import {Receipt} from "../src/libraries/ReceiptLib.sol";
import {BatchBook} from "../src/settlement/BatchBook.sol";
import {FaultFixture} from "./FaultFixture.sol";
import {IWalk, WalkTest} from "./WalkTest.sol";

/// @title Everything that a dishonest committer, its attesters, hunters and victims can do, one public function a move
/// @notice Up to three faults are open at a time. A move reverts only where a promise is broken. Stands in this file
/// because the fuzzer calls only contracts of test files.
contract FaultWalk is FaultFixture {
    uint256 private constant MAX_OPEN = 3;
    uint256 private constant BAD = 2;

    struct Open {
        bytes32 batchId;
        bytes32 faultId;
        bytes[2] proofs;
        bytes32[2] requestIds;
    }

    struct Ends {
        uint256 proven;
        uint256 refunded;
        uint256 distributed;
        uint256 withdrawn;
        uint256 latePunished;
    }

    Open[] private _open;
    bytes32[] private _faults;
    uint256[] private _keys;
    uint256 private _nonce;
    uint256 private _supply;
    /// @dev What the committer lost and added by the walk's own count, OPG base units.
    uint256 private _slashed;
    uint256 private _added;
    Ends private _ends;

    function deploy() external {
        deployFaults();
        _supply = token.totalSupply();
        for (uint256 i = 0; i < 3; i++) _keys.push(validatorKeys[i]);
    }

    function moves() external pure returns (bytes4[] memory m) {
        m = new bytes4[](9);
        (m[0], m[1], m[2], m[3], m[4]) = (
            this.commitBad.selector,
            this.showProof.selector,
            this.punishSome.selector,
            this.claimOne.selector,
            this.shareOut.selector
        );
        (m[5], m[6], m[7], m[8]) =
            (this.takeCredit.selector, this.pass.selector, this.hire.selector, this.addBond.selector);
    }

    function ends() external view returns (Ends memory) {
        return _ends;
    }

    // ---------------------------------------------------------------- moves

    function commitBad(uint256 dice, uint256) external {
        if (_covers(NODE) && _covers(COMMITTER)) _commitBad(dice);
    }

    /// @dev Room for the dearest batch; who was punished bonds anew before it commits.
    function _covers(address operator) private view returns (bool) {
        return !bonds.isBonded(operator) || bonds.openExposureOf(operator) + 50e18 <= bonds.coverageOf(operator);
    }

    function _commitBad(uint256 dice) private {
        if (_open.length == MAX_OPEN) _forget(dice % MAX_OPEN);
        Entry[] memory entries = among(honestEntry(_nonce + 4), 4, 5);
        Open storage o = _open.push();
        bytes[2] memory signatures;
        for (uint256 i = 0; i < BAD; i++) {
            Receipt memory r = honest(100 + _nonce++);
            // Up to what a bond can just cover.
            r.price = uint128((dice >> (8 * i)) % 5 == 0 ? 20e18 : 180 + dice % 1e18);
            signatures[i] = sign(r, ROGUE);
            entries[i] = entryOf(r, signatures[i]);
            o.requestIds[i] = r.requestId;
            payments.set(r.requestId, PAYER, dice % 7 == 0 ? HUNTER : COMMITTER, r.price, uint8((dice >> 64) % 3));
        }
        o.batchId = commitEntries(entries);
        o.faultId = faults.faultIdOf(1, o.batchId);
        for (uint256 i = 0; i < BAD; i++) {
            o.proofs[i] = abi.encode(TeeFault.Proof(o.batchId, entries[i], signatures[i], pathOf(entries, i)));
        }
        _attest(o.batchId, dice >> 32);
    }

    function showProof(uint256 dice, uint256 other) external {
        if (_open.length == 0) return;
        Open storage o = _open[dice % _open.length];
        bytes memory proof = o.proofs[other % BAD];
        address prover = _account(dice >> 8);
        bool known = faults.fault(o.faultId).provenAt != 0;
        (uint64 announcedBlock,) = faults.announcements(faults.commitmentOf(prover, 1, keccak256(proof), SALT));
        // One that was refused is kept.
        if (announcedBlock == 0) announce(prover, 1, proof);
        uint256 before = bondOf(COMMITTER);
        vm.prank(prover);
        try faults.prove(1, proof, SALT) {
            // A second proof may only come from an earlier announcement, and none is earlier here.
            assertTrue(!known);
            _faults.push(o.faultId);
            _ends.proven++;
            _slashed += before - before / 2;
            if (payments.refunded(o.requestIds[other % BAD])) _ends.refunded++;
        } catch {
            assertTrue(known);
        }
    }

    function punishSome(uint256 dice, uint256 other) external {
        if (_faults.length == 0) return;
        bytes32 faultId = _faults[dice % _faults.length];
        bool late = faults.proceedsOf(faultId).distributed > 0;
        uint256 before = faults.proceedsOf(faultId).taken;
        faults.punish(faultId, other % 3, other % 3 + (dice >> 8) % 3);
        if (late && faults.proceedsOf(faultId).taken > before) _ends.latePunished++;
    }

    function claimOne(uint256 dice, uint256 other) external {
        if (_open.length == 0) return;
        Open storage o = _open[dice % _open.length];
        try faults.claim(1, o.proofs[other % BAD]) {
            assertTrue(faults.fault(o.faultId).provenAt != 0);
            assertTrue(faults.answered(o.requestIds[other % BAD]));
        } catch {}
    }

    function shareOut(uint256 dice, uint256) external {
        if (_faults.length == 0) return;
        bytes32 faultId = _faults[dice % _faults.length];
        FaultProceeds.Proceeds memory p = faults.proceedsOf(faultId);
        if (block.timestamp < p.closesAt || p.taken == p.distributed) return;
        faults.distribute(faultId);
        _ends.distributed++;
    }

    function takeCredit(uint256 dice, uint256) external {
        address who = _account(dice);
        if (faults.credit(who) == 0) return;
        vm.prank(who);
        _ends.withdrawn += faults.withdraw();
    }

    function pass(uint256 dice, uint256) external {
        vm.warp(vm.getBlockTimestamp() + 1 + dice % 6);
        vm.roll(vm.getBlockNumber() + 1);
    }

    /// @dev Tombstoned validators do not come back; others take their place.
    function hire(uint256, uint256) external {
        if (_keys.length == 40) return;
        uint256 key = 0x5000 + _keys.length;
        _keys.push(key);
        registerValidator(vm.addr(key), MIN_BOND);
        vm.roll(vm.getBlockNumber() + 1);
    }

    function addBond(uint256 dice, uint256) external {
        uint256 amount = dice % MIN_BOND + 1;
        fund(COMMITTER, amount);
        vm.prank(COMMITTER);
        bonds.add(amount);
        _added += amount;
    }

    // ---------------------------------------------------------------- books

    function check() external view {
        (uint256 taken, uint256 waiting) = (0, 0);
        for (uint256 i = 0; i < _faults.length; i++) {
            FaultProceeds.Proceeds memory p = faults.proceedsOf(_faults[i]);
            taken += p.taken;
            waiting += p.taken - p.distributed;
            // Provers and victims together: 70 % and a fifth of the rest.
            assertTrue((uint256(p.compensated) + p.bounty) * 100 <= uint256(p.distributed) * 76);
        }
        uint256 credits = faults.credit(PAYER) + faults.credit(INSURANCE) + faults.credit(HUNTER) + faults.credit(NODE);
        uint256 burned = _supply - token.totalSupply();
        // What was slashed is somewhere, to the base unit.
        assertEq(taken, credits + _ends.withdrawn + burned + faults.pendingBurn() + waiting);
        assertEq(token.balanceOf(address(faults)), credits + faults.pendingBurn() + waiting);
        // One fault, one punishment; and nobody's bond but the committer's.
        assertEq(bondOf(COMMITTER) + _slashed, MIN_BOND + _added + bondedAnew);
        assertEq(bondOf(NODE), MIN_BOND);
    }

    function totals() external view returns (uint256 taken, uint256 compensated) {
        for (uint256 i = 0; i < _faults.length; i++) {
            taken += faults.proceedsOf(_faults[i]).taken;
            compensated += faults.proceedsOf(_faults[i]).compensated;
        }
    }

    // ---------------------------------------------------------------- helpers

    function _account(uint256 dice) private pure returns (address) {
        return [HUNTER, NODE, PAYER, INSURANCE][dice % 4];
    }

    function _forget(uint256 index) private {
        _open[index] = _open[_open.length - 1];
        _open.pop();
    }

    /// @dev Some of those on duty call the lie valid; with two thirds it may become final.
    function _attest(bytes32 batchId, uint256 dice) private {
        uint256[] memory some = new uint256[](_keys.length);
        uint256 count = 0;
        for (uint256 i = 0; i < _keys.length; i++) {
            if (staking.isActive(vm.addr(_keys[i])) && (dice >> i) % 4 != 0) some[count++] = _keys[i];
        }
        assembly ("memory-safe") {
            mstore(some, count)
        }
        if (count == 0) return;
        attestWith(batchId, VALID, ascending(some));
        if (stateOf(batchId) != BatchBook.State.Attested || dice % 2 == 0) return;
        vm.warp(vm.getBlockTimestamp() + WINDOW);
        settlement.finalise(batchId);
    }
}

/// @title Proceeds of faults are conserved, and one fault is punished once, whatever anybody does in whatever order
contract FaultConservationTest is WalkTest {
    FaultWalk private walk;

    function setUp() public {
        walk = new FaultWalk();
        walk.deploy();
    }

    function walked() internal view override returns (IWalk) {
        return IWalk(address(walk));
    }

    /// forge-config: default.invariant.depth = 48
    /// forge-config: default.invariant.fail-on-revert = true
    function invariant_whatIsSlashedIsConserved() public view {
        walk.check();
    }

    /// @dev A walk that reaches nothing would keep every promise.
    function test_aWalkReachesEveryEnd() public {
        walkOn(300);
        FaultWalk.Ends memory ends = walk.ends();
        (uint256 taken, uint256 compensated) = walk.totals();
        assertTrue(taken > 0);
        assertTrue(compensated > 0);
        assertTrue(ends.proven > 2);
        assertTrue(ends.refunded > 0);
        assertTrue(ends.distributed > 1);
        assertTrue(ends.withdrawn > 0);
        assertTrue(ends.latePunished > 0);
    }
}
