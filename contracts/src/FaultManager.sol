// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Batches} from "./faults/Batches.sol";
import {FaultProceeds} from "./faults/FaultProceeds.sol";
import {ICanaries} from "./faults/ICanaries.sol";
import {Finding, IFaultAdapter} from "./faults/IFaultAdapter.sol";
import {InferenceEscrow} from "./InferenceEscrow.sol";
import {CorrelatedFault} from "./libraries/CorrelatedFault.sol";
import {Params} from "./libraries/Params.sol";
import {NodeBond} from "./NodeBond.sol";
import {OPG} from "./OPG.sol";
import {ParamStore} from "./ParamStore.sol";
import {BatchBook} from "./settlement/BatchBook.sol";
import {Settlement} from "./Settlement.sol";
import {SpendingGrants} from "./SpendingGrants.sol";
import {ValidatorStaking} from "./ValidatorStaking.sol";

/// @title Punishes what is proven: void batch, refund, slash, bounty
/// @notice One adapter per class of faults judges the proof; what it finds is carried out here, once. Proofs are
/// announced as a hash and shown a block later, so a copied proof earns nothing: the earliest announcement counts.
/// @dev A batch may have more guilty attesters than one transaction can slash: `prove` records the fault and slashes
/// the committer or the node, `punish` the attesters, in any portions; `multicall` does both at once. Nothing here
/// waits for a transfer to succeed.
contract FaultManager is FaultProceeds, Multicall {
    using Batches for Settlement;

    // ------------------------------------------------------------------ types

    struct Adapter {
        IFaultAdapter judge;
        /// What judging gets, no more and no less.
        uint64 gas;
    }

    struct Announcement {
        uint64 blockNumber;
        uint64 time;
    }

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

    uint8 public constant TEE = 1;
    uint8 public constant ZK = 2;
    uint8 public constant EQUIVOCATION = 3;
    uint8 public constant DATA = 4;
    uint8 public constant REPLAY = 5;
    uint8 public constant SUM = 6;
    uint8 public constant ROW = 7;
    uint8 public constant CANARY = 8;
    /// @notice Seconds for which an announcement counts.
    uint256 public constant ANNOUNCEMENT_LIFE = 1 days;
    uint256 private constant MIN_ADAPTER_GAS = 100_000;
    uint256 private constant MAX_ADAPTER_GAS = 12_000_000;
    bytes32 private constant FAULT_TAG = keccak256("assay/fault/v1");
    uint256 private constant WAD = 1e18;

    // ------------------------------------------------------------------ storage

    Settlement public immutable settlement;
    ValidatorStaking public immutable staking;
    NodeBond public immutable bonds;
    InferenceEscrow public immutable escrow;
    SpendingGrants public immutable grants;
    /// @notice Adds the adapters that a deployment began without: the timelock.
    address public immutable governor;
    address private immutable deployer;
    bool private _wired;

    mapping(uint8 class => Adapter) public adapterOf;
    mapping(bytes32 commitment => Announcement) public announcements;
    mapping(bytes32 faultId => Fault) private _faults;
    mapping(bytes32 faultId => mapping(address validator => bool)) public punished;
    /// @notice What was made good, or has a claim: a request; the place of a call under a grant (`placeIdOf`), for what it
    /// says of its request is nobody's word; a batch, for the fee that its committer paid.
    mapping(bytes32 id => bool) public answered;
    /// @notice What was claimed for calls under a grant, OPG base units: never more than the grant has paid.
    mapping(bytes32 grantId => uint256) public claimedUnder;
    /// @dev How many validators an open challenge holds: the first so many that called its batch valid, for voices are only
    /// ever added.
    mapping(bytes32 challengeId => uint256) private _held;
    /// @notice When validators were first held for a challenge of batches of an epoch, Unix seconds.
    mapping(uint256 captureEpoch => uint64) public heldSince;

    // ------------------------------------------------------------------ events, errors

    event AdapterAdded(uint8 indexed class, address adapter, uint64 gas);
    event Announced(bytes32 indexed commitment, address indexed sender);
    event FaultProven(
        bytes32 indexed faultId, bytes32 indexed batchId, address indexed prover, uint8 class, Finding finding
    );
    event FaultHeld(bytes32 indexed faultId, bytes32 indexed batchId, address indexed flagger, uint8 class);
    event ProverReplaced(bytes32 indexed faultId, address indexed prover);
    event OperatorPunished(bytes32 indexed faultId, address indexed operator, uint256 taken);
    event ValidatorPunished(bytes32 indexed faultId, address indexed validator, uint256 fraction, uint256 taken);
    event PayerRefunded(bytes32 indexed faultId, bytes32 indexed requestId, address indexed payer);

    error AlreadyWired();
    error NotGovernor(address caller);
    error NotAChallenge(address caller);
    error AdapterTaken(uint8 class);
    error BadAdapter(uint8 class, address adapter, uint256 gas);
    error NoAdapter(uint8 class);
    error NotEnoughGas(uint256 given, uint256 needed);
    error AlreadyAnnounced(bytes32 commitment);
    error NotAnnounced(bytes32 commitment);
    error AnnouncedJustNow(bytes32 commitment);
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
    ) FaultProceeds(token_, params_, insurance_) {
        settlement = settlement_;
        staking = staking_;
        bonds = bonds_;
        escrow = escrow_;
        grants = grants_;
        governor = governor_;
        deployer = msg.sender;
    }

    // ------------------------------------------------------------------ adapters

    /// @notice One-shot: the adapters that the deployment begins with.
    function wire(uint8[] calldata classes, IFaultAdapter[] calldata adapters, uint64[] calldata gas) external {
        if (msg.sender != deployer || _wired) revert AlreadyWired();
        _wired = true;
        for (uint256 i = 0; i < classes.length; i++) _add(classes[i], adapters[i], gas[i]);
    }

    /// @notice Adds the adapter of a class that has none. None is ever replaced.
    function addAdapter(uint8 class, IFaultAdapter adapter, uint64 gas) external {
        if (msg.sender != governor) revert NotGovernor(msg.sender);
        _add(class, adapter, gas);
    }

    function _add(uint8 class, IFaultAdapter adapter, uint64 gas) private {
        bool sound = address(adapter).code.length != 0 && gas >= MIN_ADAPTER_GAS && gas <= MAX_ADAPTER_GAS;
        if (class < TEE || class > CANARY || !sound) revert BadAdapter(class, address(adapter), gas);
        if (address(adapterOf[class].judge) != address(0)) revert AdapterTaken(class);
        adapterOf[class] = Adapter(adapter, gas);
        emit AdapterAdded(class, address(adapter), gas);
    }

    // ------------------------------------------------------------------ views

    function faultIdOf(uint8 class, bytes32 faultKey) public pure returns (bytes32) {
        return keccak256(abi.encode(FAULT_TAG, class, faultKey));
    }

    function commitmentOf(address prover, uint8 class, bytes32 proofHash, bytes32 salt) public pure returns (bytes32) {
        return keccak256(abi.encode(prover, class, proofHash, salt));
    }

    /// @notice Names the call, or the node of a row's tree, before which so many receipts of a batch stand.
    function placeIdOf(bytes32 batchId, uint64 position) public pure returns (bytes32) {
        return keccak256(abi.encode(batchId, position));
    }

    /// @notice A proven fault; `provenAt` is zero where there is none.
    function fault(bytes32 faultId) external view returns (Fault memory) {
        return _faults[faultId];
    }

    // ------------------------------------------------------------------ proving

    /// @notice Says, without saying what, that the caller holds a proof.
    /// @param commitment `commitmentOf(caller, class, keccak256(proof), salt)`
    function announce(bytes32 commitment) external {
        if (announcements[commitment].blockNumber != 0) revert AlreadyAnnounced(commitment);
        announcements[commitment] = Announcement(uint64(block.number), uint64(block.timestamp));
        emit Announced(commitment, msg.sender);
    }

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
        if (_faults[faultId].provenAt == 0) revert UnknownFault(faultId);
        if (!_makeWhole(faultId, f)) revert NothingToClaim(f.requestId);
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

    // ------------------------------------------------------------------ judging

    /// @dev With less than the floor the adapter would run out of gas on a proof that holds. It reverts then, as it
    /// does for a proof that does not hold; neither leaves a trace.
    function _judge(uint8 class, bytes calldata proof) private view returns (Finding memory f) {
        Adapter memory adapter = adapterOf[class];
        if (address(adapter.judge) == address(0)) revert NoAdapter(class);
        // EIP-150 passes on 63/64 of what is left.
        uint256 needed = uint256(adapter.gas) * 64 / 63 + 50_000;
        if (gasleft() < needed) revert NotEnoughGas(gasleft(), needed);
        f = adapter.judge.judge{gas: adapter.gas}(proof);
    }

    /// @return blockNumber of the caller's announcement of this proof
    function _announced(uint8 class, bytes calldata proof, bytes32 salt) private returns (uint64 blockNumber) {
        bytes32 commitment = commitmentOf(msg.sender, class, keccak256(proof), salt);
        Announcement memory a = announcements[commitment];
        if (a.blockNumber == 0 || block.timestamp > a.time + ANNOUNCEMENT_LIFE) revert NotAnnounced(commitment);
        if (block.number <= a.blockNumber) revert AnnouncedJustNow(commitment);
        delete announcements[commitment];
        return a.blockNumber;
    }

    function _phiOf(uint8 class) private pure returns (bytes32) {
        if (class == TEE) return Params.PHI_TEE_BPS;
        if (class == ZK) return Params.PHI_ZK_BPS;
        if (class == EQUIVOCATION) return Params.PHI_EQUIVOCATION_BPS;
        if (class == DATA) return Params.PHI_DATA_BPS;
        if (class == REPLAY) return Params.PHI_REPLAY_BPS;
        if (class == SUM) return Params.PHI_SUM_BPS;
        if (class == CANARY) return Params.PHI_CANARY_BPS;
        return Params.PHI_ROW_BPS;
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

    function _isSafety(uint8 class) private pure returns (bool) {
        return class != DATA && class != REPLAY && class != CANARY;
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
        _makeWhole(faultId, f);
        if (f.committer != address(0)) _punishOperator(faultId, f.committer, fraction);
        if (f.node != address(0) && f.node != f.committer) _punishOperator(faultId, f.node, fraction);
        if (f.validator != address(0)) {
            _punishValidator(faultId, _faults[faultId].class, f.validator, f.offenceAt, stakeFraction);
        }
    }

    /// @return whether anybody gained anything by it
    function _makeWhole(bytes32 faultId, Finding memory f) private returns (bool) {
        if (f.batchId == bytes32(0)) return false;
        bool gained = _oweFee(faultId, f);
        bool paid = f.grantId == bytes32(0) ? _makePayerWhole(faultId, f) : _oweUnderGrant(faultId, f);
        return gained || paid;
    }

    /// @dev A vote does not say whose doing it was that a batch is void; a proof does. What the vote took from a committer
    /// that could not know comes out of what the guilty node lost, so together the two never pay less than the fee. Not for a
    /// batch that was committed once everybody could know.
    function _oweFee(bytes32 faultId, Finding memory f) private returns (bool) {
        if (f.node == address(0) || f.committer != address(0) || answered[f.batchId]) return false;
        uint256 fee = settlement.voidFeeOf(f.batchId);
        if (fee == 0 || _claimsClosed(faultId)) return false;
        BatchBook.Batch memory b = settlement.batch(f.batchId);
        if (b.committer == f.node || b.committedAt > _faults[faultId].provenAt) return false;
        answered[f.batchId] = true;
        // Safe cast: part of an exposure, which has this width.
        _noteClaim(faultId, f.batchId, b.committer, uint128(fee));
        return true;
    }

    /// @dev Only for a row that was paid, and paid in full: what was not paid is not lost.
    function _oweUnderGrant(bytes32 faultId, Finding memory f) private returns (bool) {
        bytes32 place = placeIdOf(f.batchId, f.position);
        if (answered[place] || !grants.paidInFull(f.batchId, f.row) || _claimsClosed(faultId)) return false;
        (, uint96 spent,,) = grants.account(f.grantId);
        uint256 owed = Math.min(f.loss, spent - claimedUnder[f.grantId]);
        if (owed == 0) return false;
        answered[place] = true;
        claimedUnder[f.grantId] += owed;
        // Safe cast: at most the loss.
        _noteClaim(faultId, f.requestId, grants.payerOf(f.grantId), uint128(owed));
        return true;
    }

    /// @dev Refunds what is locked, notes what was paid out. Only where the batch is the one of the gateway that was
    /// paid: nobody else's lies cost the honest their pay.
    function _makePayerWhole(bytes32 faultId, Finding memory f) private returns (bool) {
        if (f.requestId == bytes32(0) || answered[f.requestId]) return false;
        (address payer, address gateway,, uint128 paid,, uint8 state) = escrow.payment(f.requestId);
        if (payer != f.payer || gateway != settlement.batch(f.batchId).committer) return false;
        if (state == uint8(InferenceEscrow.PaymentState.Locked)) {
            answered[f.requestId] = true;
            emit PayerRefunded(faultId, f.requestId, payer);
            escrow.refundProven(f.requestId);
            return true;
        }
        uint128 owed = f.loss < paid ? f.loss : paid;
        if (state != uint8(InferenceEscrow.PaymentState.Paid) || owed == 0 || _claimsClosed(faultId)) return false;
        answered[f.requestId] = true;
        _noteClaim(faultId, f.requestId, payer, owed);
        return true;
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
