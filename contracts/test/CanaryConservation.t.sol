// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {CanaryRegistry} from "../src/faults/CanaryRegistry.sol";
import {FaultProceeds} from "../src/faults/FaultProceeds.sol";
import {ICanaries} from "../src/faults/ICanaries.sol";
import {Place} from "../src/faults/Places.sol";
import {TeeFault} from "../src/faults/TeeFault.sol";
import {Entry} from "../src/libraries/InclusionLib.sol";
import {Receipt} from "../src/libraries/ReceiptLib.sol";
import {SumNode} from "../src/libraries/MerkleSumLib.sol";
import {BatchBook} from "../src/settlement/BatchBook.sol";
import {FaultFixture} from "./FaultFixture.sol";
import {MerkleSumBuilder} from "./MerkleSumBuilder.sol";
import {IWalk, WalkTest} from "./WalkTest.sol";

/// @title Everything that a sower of canaries, its hunters, voices and spoilers can do, one public function a move
/// @notice What each move may do is reckoned before it is tried. Stands in this file because the fuzzer calls only contracts
/// of test files.
contract CanaryWalk is FaultFixture {
    uint8 private constant TEE = 1;
    uint8 private constant CANARY = 8;
    uint256 private constant MAX_SOWN = 64;
    address private constant SPOILER = address(0x3A7C4);

    struct Sown {
        bytes32 batchId;
        bytes32 requestId;
        bytes proof;
        bytes place;
        /// Of what its voices share, OPG base units.
        uint256 voicesPaid;
    }

    struct Ends {
        uint256 flagged;
        uint256 revealed;
        uint256 plain;
        uint256 spoiled;
        uint256 closed;
        uint256 voices;
        uint256 finals;
        uint256 takenBack;
        uint256 withdrawn;
    }

    Sown[] private _sown;
    uint256[] private _keys;
    uint256 private _nonce;
    /// @dev What proofs took of the committer's bond, OPG base units.
    uint256 private _slashed;
    Ends private _ends;

    function deploy() external {
        deployFaults();
        for (uint256 i = 0; i < 3; i++) _keys.push(validatorKeys[i]);
        fund(COMMITTER, 10_000e18);
        vm.prank(COMMITTER);
        token.approve(address(canaries), type(uint256).max);
    }

    function moves() external pure returns (bytes4[] memory m) {
        m = new bytes4[](13);
        (m[0], m[1], m[2], m[3], m[4]) = (
            this.sowOne.selector,
            this.proveOne.selector,
            this.revealOne.selector,
            this.spoilOne.selector,
            this.closeOne.selector
        );
        (m[5], m[6], m[7], m[8]) =
            (this.rewardOne.selector, this.takeCredit.selector, this.takeSeedBack.selector, this.punishAll.selector);
        (m[9], m[10], m[11], m[12]) =
            (this.finaliseOne.selector, this.pass.selector, this.sowOne.selector, this.revealOne.selector);
    }

    function ends() external view returns (Ends memory) {
        return _ends;
    }

    // ---------------------------------------------------------------- moves

    function sowOne(uint256 dice, uint256) external {
        (bytes32 seed,,,) = canaries.seedOf(COMMITTER);
        if (seed != bytes32(0) || _sown.length == MAX_SOWN || !_covers(NODE) || !_covers(COMMITTER)) return;
        Entry[] memory entries = new Entry[](2);
        Receipt memory r = honest(500 + _nonce++);
        bytes memory signature = sign(r, ROGUE);
        (entries[0], entries[1]) = (entryOf(r, signature), honestEntry(5000 + _nonce));
        SumNode memory row = rowOf(keyOf(entries[0]), MerkleSumBuilder.top(leavesOf(entries)));
        SumNode memory top = MerkleSumBuilder.top(rowsAround(row));
        bytes32 root = MerkleSumBuilder.top(MerkleSumBuilder.nodesOf(groupsWith(NODE, top))).hash;
        bytes32 batchId = settlement.batchIdOf(COMMITTER, height + 1, root, keccak256("data"));
        bytes32 commitment = canaries.commitmentOf(COMMITTER, batchId, SALT);
        vm.prank(COMMITTER);
        canaries.sow(commitment);
        vm.warp(vm.getBlockTimestamp() + 1);
        assertEq(commitEntries(entries), batchId);
        Sown storage s = _sown.push();
        (s.batchId, s.requestId) = (batchId, r.requestId);
        s.proof = abi.encode(TeeFault.Proof(batchId, entries[0], signature, pathOf(entries, 0)));
        s.place = abi.encode(Place(batchId, entries[0], keyOf(entries[0]), NODE, pathOf(entries, 0)));
        _attest(batchId, dice);
    }

    /// @dev Flags what is held, and is a fault where it is a plain one that nobody has proven.
    function proveOne(uint256 dice, uint256) external {
        if (_sown.length == 0) return;
        Sown storage s = _pick(dice);
        (ICanaries.Stance stance, address flagger) = canaries.stanceOf(s.batchId);
        bytes32 faultId = faults.faultIdOf(TEE, s.batchId);
        bool expected = stance == ICanaries.Stance.Held
            ? flagger == address(0)
            : stance == ICanaries.Stance.Plain && faults.fault(faultId).provenAt == 0;
        (uint64 announced,) = faults.announcements(faults.commitmentOf(HUNTER, TEE, keccak256(s.proof), SALT));
        if (announced == 0) announce(HUNTER, TEE, s.proof);
        uint256 before = bondOf(COMMITTER);
        vm.prank(HUNTER);
        try faults.prove(TEE, s.proof, SALT) {
            assertTrue(expected);
            _slashed += before - bondOf(COMMITTER);
            if (stance == ICanaries.Stance.Held) _ends.flagged++;
            else _ends.plain++;
            // Nobody pays for what may be a canary.
            if (stance == ICanaries.Stance.Held) assertEq(before, bondOf(COMMITTER));
        } catch {
            assertTrue(!expected);
        }
    }

    function revealOne(uint256 dice, uint256) external {
        if (_sown.length == 0) return;
        // Mostly the one that can be shown.
        Sown storage s = dice % 4 == 0 ? _pick(dice >> 8) : _sown[_sown.length - 1];
        (bytes32 seed,,,) = canaries.seedOf(COMMITTER);
        (ICanaries.Stance stance,) = canaries.stanceOf(s.batchId);
        bool own = seed == canaries.commitmentOf(COMMITTER, s.batchId, SALT);
        try canaries.reveal(s.batchId, SALT, TEE, s.proof) {
            assertTrue(own && stance == ICanaries.Stance.Held);
            _ends.revealed++;
        } catch {
            assertTrue(!own || stance != ICanaries.Stance.Held);
        }
    }

    function spoilOne(uint256 dice, uint256) external {
        if (_sown.length == 0) return;
        Sown storage s = _pick(dice);
        bool real = (dice >> 16) % 3 == 0;
        if (real) payments.set(s.requestId, PAYER, COMMITTER, 180, 1);
        (address payer,,,,,) = payments.payment(s.requestId);
        CanaryRegistry.Canary memory c = canaries.canary(s.batchId);
        bool expected = payer != address(0) && c.state == CanaryRegistry.State.Revealed
            && vm.getBlockTimestamp() < c.revealedAt + GRACE;
        vm.prank(SPOILER);
        try canaries.spoil(abi.decode(s.place, (Place))) {
            assertTrue(expected);
            _ends.spoiled++;
        } catch {
            assertTrue(!expected);
        }
    }

    function closeOne(uint256 dice, uint256) external {
        if (_sown.length == 0) return;
        Sown storage s = _pick(dice);
        CanaryRegistry.Canary memory c = canaries.canary(s.batchId);
        bool expected =
            c.state == CanaryRegistry.State.Revealed && vm.getBlockTimestamp() >= c.revealedAt + GRACE;
        try canaries.close(s.batchId) {
            assertTrue(expected);
            _ends.closed++;
        } catch {
            assertTrue(!expected);
        }
    }

    function rewardOne(uint256 dice, uint256 other) external {
        if (_sown.length == 0) return;
        Sown storage s = _pick(dice);
        address validator = vm.addr(_keys[other % _keys.length]);
        bool expected = canaries.canary(s.batchId).state != CanaryRegistry.State.None
            && settlement.voiceOf(s.batchId, validator) == INVALID && !canaries.rewarded(s.batchId, validator);
        try canaries.rewardVoice(s.batchId, validator) returns (uint256 amount) {
            assertTrue(expected);
            s.voicesPaid += amount;
            if (amount > 0) _ends.voices++;
        } catch {
            assertTrue(!expected);
        }
    }

    function takeCredit(uint256 dice, uint256) external {
        address who = _account(dice);
        if (canaries.credit(who) == 0) return;
        vm.prank(who);
        canaries.withdraw();
        _ends.withdrawn++;
    }

    function takeSeedBack(uint256 dice, uint256) external {
        (bytes32 seed,,,) = canaries.seedOf(COMMITTER);
        if (seed == bytes32(0) || dice % 4 != 0) return;
        vm.prank(COMMITTER);
        canaries.withdrawSeed();
        _ends.takenBack++;
    }

    /// @dev Who was tombstoned does not come back; others take their place.
    function punishAll(uint256 dice, uint256) external {
        if (_sown.length == 0) return;
        bytes32 batchId = _pick(dice).batchId;
        for (uint8 class = TEE; class <= CANARY; class += CANARY - TEE) {
            bytes32 faultId = faults.faultIdOf(class, batchId);
            if (faults.fault(faultId).provenAt == 0) continue;
            faults.punish(faultId, 0, 64);
            FaultProceeds.Proceeds memory p = faults.proceedsOf(faultId);
            if (vm.getBlockTimestamp() >= p.closesAt && p.taken > p.distributed) faults.distribute(faultId);
        }
        for (uint256 i = 0; i < 3; i++) {
            if (staking.isActive(vm.addr(_keys[i]))) continue;
            _keys[i] = 0x5000 + _nonce++;
            registerValidator(vm.addr(_keys[i]), MIN_BOND);
            vm.roll(vm.getBlockNumber() + 1);
        }
    }

    function finaliseOne(uint256 dice, uint256) external {
        if (_sown.length == 0) return;
        bytes32 batchId = _pick(dice).batchId;
        BatchBook.Batch memory b = settlement.batch(batchId);
        if (b.state != BatchBook.State.Attested || vm.getBlockTimestamp() < b.quorumAt + WINDOW) return;
        settlement.finalise(batchId);
        _ends.finals++;
    }

    function pass(uint256 dice, uint256) external {
        vm.warp(vm.getBlockTimestamp() + 1 + dice % WINDOW);
        vm.roll(vm.getBlockNumber() + 1);
    }

    // ---------------------------------------------------------------- books

    function check() external view {
        (,, uint256 deposit, uint256 reward) = canaries.seedOf(COMMITTER);
        uint256 owed = deposit + reward + canaries.credit(COMMITTER) + canaries.credit(HUNTER)
            + canaries.credit(SPOILER);
        for (uint256 i = 0; i < _nonce; i++) owed += canaries.credit(vm.addr(0x5000 + i));
        for (uint256 i = 0; i < 3; i++) owed += canaries.credit(validatorAt(i));
        uint256 fees = 0;
        for (uint256 i = 0; i < _sown.length; i++) {
            Sown storage s = _sown[i];
            CanaryRegistry.Canary memory c = canaries.canary(s.batchId);
            bool shown = c.state != CanaryRegistry.State.None;
            if (c.state == CanaryRegistry.State.Revealed) owed += c.deposit;
            if (shown) owed += c.voicesReward - s.voicesPaid;
            fees += settlement.voidFeeOf(s.batchId);
            // Shown in time it is exempt, and its attesters lose a hundredth; else it is a lie like any other.
            bool exempt = shown && c.state != CanaryRegistry.State.Spoiled;
            if (exempt) assertEq(faults.fault(faults.faultIdOf(TEE, s.batchId)).provenAt, 0);
            uint256 fraction = faults.fault(faults.faultIdOf(CANARY, s.batchId)).fraction;
            assertEq(fraction, shown ? 0.01e18 : 0);
            if (shown) assertTrue(stateOf(s.batchId) == BatchBook.State.Void);
        }
        // What was sown is somewhere, to the base unit.
        assertEq(token.balanceOf(address(canaries)), owed);
        // A canary costs its sower no more of its bond than the vote on it, and the node that it names nothing.
        assertEq(bondOf(COMMITTER) + _slashed + fees, MIN_BOND + bondedAnew);
        assertEq(bondOf(NODE), MIN_BOND);
    }

    // ---------------------------------------------------------------- helpers

    function _pick(uint256 dice) private view returns (Sown storage) {
        // The latest are those that something can still happen to.
        uint256 back = dice % (_sown.length < 3 ? _sown.length : 3);
        return _sown[_sown.length - 1 - back];
    }

    function _account(uint256 dice) private view returns (address) {
        address[4] memory some = [COMMITTER, HUNTER, SPOILER, vm.addr(_keys[(dice >> 8) % _keys.length])];
        return some[dice % 4];
    }

    function _covers(address operator) private view returns (bool) {
        return !bonds.isBonded(operator) || bonds.openExposureOf(operator) + 3e18 <= bonds.coverageOf(operator);
    }

    /// @dev Some look and some do not; others say nothing.
    function _attest(bytes32 batchId, uint256 dice) private {
        for (uint8 verdict = INVALID; verdict >= VALID; verdict--) {
            uint256[] memory some = new uint256[](3);
            uint256 count = 0;
            for (uint256 i = 0; i < 3; i++) {
                bool speaks = (dice >> (8 * i)) % 3 == verdict && staking.isActive(vm.addr(_keys[i]));
                if (speaks) some[count++] = _keys[i];
            }
            assembly ("memory-safe") {
                mstore(some, count)
            }
            if (count > 0 && stateOf(batchId) != BatchBook.State.Void) attestWith(batchId, verdict, ascending(some));
        }
    }
}

/// @title What is sown is conserved, and a canary excuses what it says and nothing else, whatever anybody does in whatever order
contract CanaryConservationTest is WalkTest {
    CanaryWalk private walk;

    function setUp() public {
        walk = new CanaryWalk();
        walk.deploy();
    }

    function walked() internal view override returns (IWalk) {
        return IWalk(address(walk));
    }

    /// forge-config: default.invariant.depth = 48
    /// forge-config: default.invariant.fail-on-revert = true
    function invariant_whatIsSownIsConservedAndExcusesNothingElse() public view {
        walk.check();
    }

    /// @dev A walk that reaches nothing would keep every promise.
    function test_aWalkReachesEveryEnd() public {
        walkOn(400);
        CanaryWalk.Ends memory ends = walk.ends();
        assertTrue(ends.flagged > 0);
        assertTrue(ends.revealed > 2);
        assertTrue(ends.plain > 0);
        assertTrue(ends.spoiled > 0);
        assertTrue(ends.closed > 0);
        assertTrue(ends.voices > 0);
        assertTrue(ends.finals > 0);
        assertTrue(ends.takenBack > 0);
        assertTrue(ends.withdrawn > 0);
    }
}
