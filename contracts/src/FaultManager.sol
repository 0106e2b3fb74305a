// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {Announcements} from "./faults/Announcements.sol";
import {Batches} from "./faults/Batches.sol";
import {FaultAdapters} from "./faults/FaultAdapters.sol";
import {FaultClaims} from "./faults/FaultClaims.sol";
import {FaultProceeds} from "./faults/FaultProceeds.sol";
import {ICanaries} from "./faults/ICanaries.sol";
import {Finding} from "./faults/IFaultAdapter.sol";
import {InferenceEscrow} from "./InferenceEscrow.sol";
import {CorrelatedFault} from "./libraries/CorrelatedFault.sol";
import {Params} from "./libraries/Params.sol";
import {NodeBond} from "./NodeBond.sol";
import {OPG} from "./OPG.sol";
import {ParamStore} from "./ParamStore.sol";
import {Settlement} from "./Settlement.sol";
import {SpendingGrants} from "./SpendingGrants.sol";
import {ValidatorStaking} from "./ValidatorStaking.sol";

/// @title Punishes what is proven: void batch, refund, slash, bounty
/// @notice One adapter per class of faults judges the proof; what it finds is carried out here, once. Proofs are
/// announced as a hash and shown a block later, so a copied proof earns nothing: the earliest announcement counts.
/// @dev A batch may have more guilty attesters than one transaction can slash: `prove` records the fault and slashes
/// the committer or the node, `punish` the attesters, in any portions; `multicall` does both at once. Nothing here
/// waits for a transfer to succeed.
contract FaultManager is FaultAdapters, Announcements, FaultClaims, Multicall {
    // ------------------------------------------------------------------ types

    struct Fault {
        uint8 class;
        /// Everyone who called the batch valid is guilty.
        bool attesters;
        uint64 provenAt;
        uint64 announcedBlock;
        uint64 offenceAt;
        bytes32 batchId;
        /// Part of the attesters' stake that it costs, 10^18 = all.
        uint256 fraction;
    }

    // ------------------------------------------------------------------ constants

    bytes32 private constant FAULT_TAG = keccak256("assay/fault/v1");
    uint256 private constant WAD = 1e18;

    // ------------------------------------------------------------------ storage

    ValidatorStaking public immutable staking;
    NodeBond public immutable bonds;

    mapping(bytes32 faultId => Fault) private _faults;
    mapping(bytes32 faultId => mapping(address validator => bool)) public punished;
    /// @dev How many validators an open challenge holds: the first so many that called its batch valid, for voices are only
    /// ever added.
    mapping(bytes32 challengeId => uint256) private _held;
    /// @notice When validators were first held for a challenge of batches of an epoch, Unix seconds.
    mapping(uint256 captureEpoch => uint64) public heldSince;

    // ------------------------------------------------------------------ events, errors

    event FaultProven(
        bytes32 indexed faultId, bytes32 indexed batchId, address indexed prover, uint8 class, Finding finding
    );
    event FaultHeld(bytes32 indexed faultId, bytes32 indexed batchId, address indexed flagger, uint8 class);
    event ProverReplaced(bytes32 indexed faultId, address indexed prover);
    event OperatorPunished(bytes32 indexed faultId, address indexed operator, uint256 taken);
    event ValidatorPunished(bytes32 indexed faultId, address indexed validator, uint256 fraction, uint256 taken);

    error NotAChallenge(address caller);
    error AlreadyProven(bytes32 faultId);
    error ExemptAsCanary(bytes32 batchId);
    error UnknownFault(bytes32 faultId);
    error NothingToClaim(bytes32 requestId);

    constructor(
        OPG token_,
        ParamStore params_,
        Settlement settlement_,
        ValidatorStaking staking_,
        NodeBond bonds_,
        InferenceEscrow escrow_,
        SpendingGrants grants_,
        address insurance_,
        address governor_
    )
        FaultAdapters(governor_)
        FaultProceeds(token_, params_, insurance_)
        FaultClaims(settlement_, escrow_, grants_)
    {
        staking = staking_;
        bonds = bonds_;
    }

    // ------------------------------------------------------------------ views

    function faultIdOf(uint8 class, bytes32 faultKey) public pure returns (bytes32) {
        return keccak256(abi.encode(FAULT_TAG, class, faultKey));
    }

    /// @notice A proven fault; `provenAt` is zero where there is none.
    function fault(bytes32 faultId) external view returns (Fault memory) {
        return _faults[faultId];
    }

    // ------------------------------------------------------------------ proving

    /// @notice Shows a proof announced in an earlier block. What it finds is recorded and carried out.
    /// @dev Shown a second time, by someone who announced it earlier, it only moves the bounty to them. Against a batch
    /// that may turn out to be a canary it only voids the batch, and keeps the bounty for the caller: shown again once the
    /// canary was not revealed in time, by anyone, it takes its full effect.
    function prove(uint8 class, bytes calldata proof, bytes32 salt) external returns (bytes32 faultId) {
        Finding memory f = _judge(class, proof);
        faultId = faultIdOf(class, f.faultKey);
        if (_isHeld(class, f)) return _hold(faultId, class, f, proof, salt);
        (address prover, uint64 announcedBlock) =
            f.bountyTo == address(0) ? (msg.sender, _announced(class, proof, salt)) : (f.bountyTo, 0);
        Fault storage known = _faults[faultId];
        if (known.provenAt != 0) {
            if (announcedBlock >= known.announcedBlock || _claimsClosed(faultId)) revert AlreadyProven(faultId);
            known.announcedBlock = announcedBlock;
            _setProver(faultId, prover);
            emit ProverReplaced(faultId, prover);
            return faultId;
        }
        uint256 fraction = params.getAt(_phiOf(class), f.offenceAt) * WAD / BPS;
        uint256 stakeFraction = _stakeFraction(class, f, fraction);
        _faults[faultId] = Fault(
            class, f.attesters, uint64(block.timestamp), announcedBlock, f.offenceAt, f.batchId, stakeFraction
        );
        _openProceeds(faultId, prover, f.offenceAt);
        emit FaultProven(faultId, f.batchId, prover, class, f);
        _carryOut(faultId, f, fraction, stakeFraction);
    }

    /// @notice Another who lost by a fault that is proven: refunds it, or notes what it is owed. Anyone may call.
    function claim(uint8 class, bytes calldata proof) external {
        Finding memory f = _judge(class, proof);
        bytes32 faultId = faultIdOf(class, f.faultKey);
        uint64 provenAt = _faults[faultId].provenAt;
        if (provenAt == 0) revert UnknownFault(faultId);
        if (!_makeWhole(faultId, f, provenAt)) revert NothingToClaim(f.requestId);
    }

    /// @notice Slashes attesters `from` to `to` (exclusive) of a fault's batch, each once. Anyone may call.
    function punish(bytes32 faultId, uint256 from, uint256 to) external {
        Fault memory fault_ = _faults[faultId];
        if (!fault_.attesters) revert UnknownFault(faultId);
        address[] memory guilty = settlement.attestersOf(fault_.batchId);
        for (uint256 i = from; i < to && i < guilty.length; i++) {
            if (!punished[faultId][guilty[i]]) {
                _punishValidator(faultId, fault_.class, guilty[i], fault_.offenceAt, fault_.fraction);
            }
        }
    }

    // ------------------------------------------------------------------ challenges

    /// @notice For the adapters whose proof is a challenge that nobody met: holds the batch back from finality, and
    /// fresh deposits back from those who called it valid.
    /// @dev Deposits are held back only by challenges that end within ADJUDICATION of the first one of that capture
    /// epoch: serial challenges cannot keep a validator closed. The batch is held back all the same.
    function openChallenge(bytes32 batchId, bytes32 challengeId) external {
        _requireChallenge();
        settlement.openChallenge(batchId);
        uint256 epoch = staking.epochAt(settlement.batch(batchId).committedAt);
        if (heldSince[epoch] == 0) heldSince[epoch] = uint64(block.timestamp);
        uint256 until = heldSince[epoch] + params.getAt(Params.ADJUDICATION, heldSince[epoch]);
        if (block.timestamp + params.get(Params.DATA_RESPONSE) > until) return;
        address[] memory held = settlement.attestersOf(batchId);
        _held[challengeId] = held.length;
        staking.freeze(held);
    }

    function closeChallenge(bytes32 batchId, bytes32 challengeId) external {
        _requireChallenge();
        settlement.closeChallenge(batchId);
        uint256 count = _held[challengeId];
        if (count == 0) return;
        delete _held[challengeId];
        address[] memory held = settlement.attestersOf(batchId);
        // They are as many as they were, or more.
        assembly ("memory-safe") {
            mstore(held, count)
        }
        staking.unfreeze(held);
    }

    function _requireChallenge() private view {
        if (msg.sender != address(adapterOf[DATA].judge) && msg.sender != address(adapterOf[REPLAY].judge)) {
            revert NotAChallenge(msg.sender);
        }
    }

    // ------------------------------------------------------------------ canaries

    /// @dev Only what a false batch costs its committer and those who called it valid can turn out to be a canary's; data
    /// must be shown whatever it says. Who proved it false while it was held keeps the bounty.
    function _isHeld(uint8 class, Finding memory f) private view returns (bool) {
        address canaries = address(adapterOf[CANARY].judge);
        if (canaries == address(0) || !f.attesters || !_isSafety(class)) return false;
        (ICanaries.Stance stance, address flagger) = ICanaries(canaries).stanceOf(f.batchId);
        if (stance == ICanaries.Stance.Exempt) revert ExemptAsCanary(f.batchId);
        f.bountyTo = flagger;
        return stance == ICanaries.Stance.Held;
    }

    function _hold(bytes32 faultId, uint8 class, Finding memory f, bytes calldata proof, bytes32 salt)
        private
        returns (bytes32)
    {
        uint64 announcedBlock = _announced(class, proof, salt);
        emit FaultHeld(faultId, f.batchId, msg.sender, class);
        ICanaries(address(adapterOf[CANARY].judge)).flag(f.batchId, msg.sender, announcedBlock);
        if (Batches.open(settlement.batch(f.batchId))) settlement.voidBatch(f.batchId, faultId);
        return faultId;
    }

    // ------------------------------------------------------------------ carrying out

    function _carryOut(bytes32 faultId, Finding memory f, uint256 fraction, uint256 stakeFraction) private {
        if (f.voids && Batches.open(settlement.batch(f.batchId))) settlement.voidBatch(f.batchId, faultId);
        _makeWhole(faultId, f, uint64(block.timestamp));
        if (f.committer != address(0)) _punishOperator(faultId, f.committer, fraction);
        if (f.node != address(0) && f.node != f.committer) _punishOperator(faultId, f.node, fraction);
        if (f.validator != address(0)) {
            _punishValidator(faultId, _faults[faultId].class, f.validator, f.offenceAt, stakeFraction);
        }
    }

    /// @dev φ, or more where many lied together; never so for what may be an outage, a tolerance or a test.
    function _stakeFraction(uint8 class, Finding memory f, uint256 fraction) private view returns (uint256) {
        bool stakes = f.attesters || f.validator != address(0);
        if (!_isSafety(class) || !stakes || f.batchId == bytes32(0)) return fraction;
        uint256 snapshot = settlement.batch(f.batchId).committedBlock - 1;
        uint256 guilty = f.validator == address(0) ? 0 : staking.stakeAt(f.validator, snapshot);
        if (f.attesters) (guilty,) = settlement.attestedStake(f.batchId);
        return CorrelatedFault.fraction(guilty, staking.totalStakeAt(snapshot), fraction);
    }

    function _punishOperator(bytes32 faultId, address operator, uint256 fraction) private {
        uint256 taken = bonds.slashFraction(operator, fraction, faultId);
        _addProceeds(faultId, taken);
        emit OperatorPunished(faultId, operator, taken);
    }

    function _punishValidator(bytes32 faultId, uint8 class, address validator, uint64 offenceAt, uint256 fraction)
        private
    {
        punished[faultId][validator] = true;
        // Safe cast: epochs are counted from 1970 in seconds or more.
        uint64 epoch = uint64(staking.epochAt(offenceAt));
        uint256 taken = staking.slash(validator, epoch, fraction, faultId);
        _addProceeds(faultId, taken);
        emit ValidatorPunished(faultId, validator, fraction, taken);
        if (_isSafety(class)) staking.tombstone(validator);
        else if (class != CANARY) staking.jail(validator);
    }
}
