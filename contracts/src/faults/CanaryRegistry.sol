// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {FaultManager} from "../FaultManager.sol";
import {InferenceEscrow} from "../InferenceEscrow.sol";
import {InclusionLib} from "../libraries/InclusionLib.sol";
import {RowKey, Sibling, SumNode} from "../libraries/MerkleSumLib.sol";
import {Params} from "../libraries/Params.sol";
import {OPG} from "../OPG.sol";
import {ParamStore} from "../ParamStore.sol";
import {BatchBook} from "../settlement/BatchBook.sol";
import {Settlement} from "../Settlement.sol";
import {ValidatorStaking} from "../ValidatorStaking.sol";
import {Batches} from "./Batches.sol";
import {ICanaries} from "./ICanaries.sol";
import {Finding, IFaultAdapter} from "./IFaultAdapter.sol";
import {Place, Places} from "./Places.sol";

/// @title Class 8: a batch that is false on purpose, and those who called it valid without looking
/// @notice Against the verifier's dilemma: where nobody lies, looking never pays. A committer sows a canary: it commits to
/// the batch here before the batch, and shows afterwards which one it was and that it is false. Who called it valid loses
/// a little; who said that it is not, by voice or by proof, shares a reward that the sower paid in.
/// @dev What keeps it from being an excuse: it is shown before it could be paid out, and is void then; a canary that holds
/// one real payment or one row under a grant is none (`spoil`); one that is not shown in time is a plain fault. What keeps
/// it from being a business: the reward is the sower's own money, and of the penalties nothing goes to anybody it could be.
contract CanaryRegistry is IFaultAdapter, ICanaries {
    using SafeERC20 for IERC20;
    using Batches for Settlement;

    // ------------------------------------------------------------------ types, constants

    enum State {
        None,
        Revealed,
        /// It held a real payer's money.
        Spoiled,
        /// Its deposit went back.
        Closed
    }

    /// @dev What a committer has sown and not shown yet; one at a time.
    struct Seed {
        bytes32 commitment;
        uint64 sownAt;
        /// OPG base units, both.
        uint96 deposit;
        uint96 reward;
    }

    struct Canary {
        State state;
        uint64 revealedAt;
        address sower;
        uint96 deposit;
        /// For those who called it invalid, by their stake, OPG base units.
        uint96 voicesReward;
        /// Who proved it false while it was held, and in which block that was announced.
        address flagger;
        uint64 announcedBlock;
    }

    bytes32 private constant TAG = keccak256("assay/canary/v1");

    // ------------------------------------------------------------------ storage

    OPG public immutable token;
    ParamStore public immutable params;
    Settlement public immutable settlement;
    ValidatorStaking public immutable staking;
    InferenceEscrow public immutable escrow;
    FaultManager public immutable faultManager;
    mapping(address sower => Seed) public seedOf;
    mapping(bytes32 batchId => Canary) private _canaries;
    mapping(bytes32 batchId => mapping(address validator => bool)) public rewarded;
    /// @notice What an account may withdraw, OPG base units.
    mapping(address account => uint256) public credit;

    // ------------------------------------------------------------------ events, errors

    event CanarySown(address indexed sower, bytes32 commitment, uint256 deposit, uint256 reward);
    event SeedWithdrawn(address indexed sower, bytes32 commitment);
    event CanaryFlagged(bytes32 indexed batchId, address indexed flagger);
    event CanaryRevealed(bytes32 indexed batchId, address indexed sower, uint256 flaggerReward, uint256 voicesReward);
    event CanarySpoiled(bytes32 indexed batchId, address indexed by);
    event CanaryClosed(bytes32 indexed batchId);
    event VoiceRewarded(bytes32 indexed batchId, address indexed validator, uint256 amount);
    event CreditWithdrawn(address indexed account, uint256 amount);

    error AlreadySown(bytes32 commitment);
    error NothingSown(address sower);
    error NoCommitment();
    error NotFaultManager(address caller);
    error NotThisBatch(bytes32 batchId);
    error AlreadyFlagged(bytes32 batchId);
    error NotHeld(bytes32 batchId);
    error NotFalse(bytes32 batchId);
    error NotRevealed(bytes32 batchId, State state);
    error NobodysMoney(bytes32 batchId);
    error TooLate(uint64 until);
    error TooEarly(uint64 until);
    error NothingEarned(bytes32 batchId, address validator);
    error NoCredit(address account);

    constructor(
        OPG token_,
        ParamStore params_,
        Settlement settlement_,
        ValidatorStaking staking_,
        InferenceEscrow escrow_,
        FaultManager faultManager_
    ) {
        token = token_;
        params = params_;
        settlement = settlement_;
        staking = staking_;
        escrow = escrow_;
        faultManager = faultManager_;
    }

    // ------------------------------------------------------------------ views

    /// @notice What is sown: nobody can tell the batch from it before the salt is shown.
    /// @param salt 32 random bytes
    function commitmentOf(address sower, bytes32 batchId, bytes32 salt) public pure returns (bytes32) {
        return keccak256(abi.encode(TAG, sower, batchId, salt));
    }

    function canary(bytes32 batchId) external view returns (Canary memory) {
        return _canaries[batchId];
    }

    /// @notice Until when a batch of who has sown can turn out to be the canary, if it is not final before, Unix seconds.
    function revealBy(bytes32 batchId) external view returns (uint64) {
        return _revealBy(settlement.known(batchId));
    }

    function stanceOf(bytes32 batchId) public view returns (Stance stance, address flagger) {
        Canary storage c = _canaries[batchId];
        flagger = c.flagger;
        if (c.state == State.Revealed || c.state == State.Closed) return (Stance.Exempt, flagger);
        if (c.state == State.None && _mayBeRevealed(settlement.batch(batchId))) stance = Stance.Held;
    }

    // ------------------------------------------------------------------ sowing

    /// @notice Commits to a batch that the caller is going to commit, with a deposit and the reward for who notices.
    /// @dev The names of those who have something sown are public, the batch is not: whoever has something sown at all
    /// times gives nothing away.
    function sow(bytes32 commitment) external {
        Seed storage seed = seedOf[msg.sender];
        if (commitment == bytes32(0)) revert NoCommitment();
        if (seed.commitment != bytes32(0)) revert AlreadySown(seed.commitment);
        uint256 deposit = params.get(Params.CANARY_DEPOSIT);
        uint256 reward = params.get(Params.CANARY_REWARD);
        // Safe casts: the transfer fails for more than the supply, below 2^90.
        seedOf[msg.sender] = Seed(commitment, uint64(block.timestamp), uint96(deposit), uint96(reward));
        emit CanarySown(msg.sender, commitment, deposit, reward);
        IERC20(token).safeTransferFrom(msg.sender, address(this), deposit + reward);
    }

    /// @notice Takes back what the caller has sown. A false batch that it has committed is a plain fault from then on.
    function withdrawSeed() external {
        Seed memory seed = seedOf[msg.sender];
        if (seed.commitment == bytes32(0)) revert NothingSown(msg.sender);
        delete seedOf[msg.sender];
        emit SeedWithdrawn(msg.sender, seed.commitment);
        IERC20(token).safeTransfer(msg.sender, uint256(seed.deposit) + seed.reward);
    }

    function flag(bytes32 batchId, address flagger, uint64 announcedBlock) external {
        if (msg.sender != address(faultManager)) revert NotFaultManager(msg.sender);
        Canary storage c = _canaries[batchId];
        if (c.flagger != address(0) && announcedBlock >= c.announcedBlock) revert AlreadyFlagged(batchId);
        (c.flagger, c.announcedBlock) = (flagger, announcedBlock);
        emit CanaryFlagged(batchId, flagger);
    }

    // ------------------------------------------------------------------ showing

    /// @notice Shows that a batch is the canary that its committer has sown, and that it is false; voids it. Anyone who
    /// knows the salt may call.
    /// @param class TEE, SUM or ROW, and the proof that its adapter accepts; both are ignored where somebody has proven it
    /// false already
    function reveal(bytes32 batchId, bytes32 salt, uint8 class, bytes calldata proof) external {
        BatchBook.Batch memory b = settlement.known(batchId);
        Seed memory seed = seedOf[b.committer];
        if (commitmentOf(b.committer, batchId, salt) != seed.commitment) revert NotThisBatch(batchId);
        (Stance stance, address flagger) = stanceOf(batchId);
        if (stance != Stance.Held) revert NotHeld(batchId);
        if (flagger == address(0)) _requireFalse(batchId, b.committer, class, proof);
        delete seedOf[b.committer];
        (uint256 forFlagger, uint256 forVoices) = _shareReward(batchId, seed.reward, flagger);
        credit[flagger] += forFlagger;
        Canary storage c = _canaries[batchId];
        (c.state, c.revealedAt, c.sower, c.deposit) =
            (State.Revealed, uint64(block.timestamp), b.committer, seed.deposit);
        // Safe cast: part of the reward.
        c.voicesReward = uint96(forVoices);
        emit CanaryRevealed(batchId, b.committer, forFlagger, forVoices);
        faultManager.prove(faultManager.CANARY(), abi.encode(batchId), bytes32(0));
        // Whoever sows where nobody can notice pays for it all the same.
        if (forFlagger + forVoices == 0) token.burn(seed.reward);
    }

    /// @notice Shows that a canary holds a receipt that was really paid for: it is a plain fault then.
    function spoil(Place calldata place) external {
        _requireSpoilable(place.batchId);
        Places.find(settlement, place);
        (address payer,,,,,) = escrow.payment(place.entry.receipt.requestId);
        if (payer == address(0)) revert NobodysMoney(place.batchId);
        _spoil(place.batchId);
    }

    /// @notice The same for a row under a grant, whether or not there are receipts behind it.
    function spoilRow(
        bytes32 batchId,
        RowKey calldata key,
        SumNode calldata top,
        Sibling[] calldata rowSiblings,
        Sibling[] calldata groupSiblings
    ) external {
        _requireSpoilable(batchId);
        if (key.grantId == bytes32(0)) revert NobodysMoney(batchId);
        (SumNode memory root,) = InclusionLib.rootOfRow(key, top, rowSiblings, groupSiblings);
        if (root.hash != settlement.batch(batchId).root) revert Batches.NotInBatch(batchId);
        _spoil(batchId);
    }

    /// @notice Gives the deposit of a canary back that nobody has spoilt in GRACE. Anyone may call.
    function close(bytes32 batchId) external {
        Canary storage c = _requireRevealed(batchId);
        uint64 until = _spoilableUntil(batchId, c);
        if (block.timestamp < until) revert TooEarly(until);
        c.state = State.Closed;
        credit[c.sower] += c.deposit;
        emit CanaryClosed(batchId);
    }

    // ------------------------------------------------------------------ rewards

    /// @notice Credits a validator that called the canary invalid with its part of the reward. Anyone may call.
    function rewardVoice(bytes32 batchId, address validator) external returns (uint256 amount) {
        Canary storage c = _canaries[batchId];
        bool saidNo = c.state != State.None
            && settlement.voiceOf(batchId, validator) == settlement.VERDICT_INVALID();
        if (!saidNo || rewarded[batchId][validator]) revert NothingEarned(batchId, validator);
        rewarded[batchId][validator] = true;
        (, uint256 invalidStake) = settlement.attestedStake(batchId);
        uint256 stake = staking.stakeAt(validator, settlement.batch(batchId).committedBlock - 1);
        amount = Math.mulDiv(c.voicesReward, stake, invalidStake);
        credit[validator] += amount;
        emit VoiceRewarded(batchId, validator, amount);
    }

    function withdraw() external returns (uint256 amount) {
        amount = credit[msg.sender];
        if (amount == 0) revert NoCredit(msg.sender);
        credit[msg.sender] = 0;
        emit CreditWithdrawn(msg.sender, amount);
        IERC20(token).safeTransfer(msg.sender, amount);
    }

    // ------------------------------------------------------------------ judging

    /// @param proof abi.encode(bytes32 batchId) of a canary that was shown and not spoilt
    function judge(bytes calldata proof) external view returns (Finding memory f) {
        bytes32 batchId = abi.decode(proof, (bytes32));
        _requireRevealed(batchId);
        f.faultKey = batchId;
        f.batchId = batchId;
        f.voids = true;
        f.attesters = true;
        f.offenceAt = settlement.batch(batchId).committedAt;
        // The sower earns nothing by it, under whatever name.
        f.bountyTo = faultManager.insurance();
    }

    // ------------------------------------------------------------------ internal

    /// @dev Sown before, not final, and in time.
    function _mayBeRevealed(BatchBook.Batch memory b) private view returns (bool) {
        if (b.state == BatchBook.State.None || b.state == BatchBook.State.Final || b.forced) return false;
        Seed storage seed = seedOf[b.committer];
        return seed.commitment != bytes32(0) && seed.sownAt < b.committedAt && block.timestamp < _revealBy(b);
    }

    function _revealBy(BatchBook.Batch memory b) private view returns (uint64) {
        uint256 window = params.getAt(Params.CHALLENGE_WINDOW, b.committedAt);
        return uint64(b.committedAt + window + params.getAt(Params.ADJUDICATION, b.committedAt));
    }

    /// @dev Only what every validator could see in the file counts: no outage, and nobody's second signature.
    function _requireFalse(bytes32 batchId, address committer, uint8 class, bytes calldata proof) private view {
        bool seen = class == faultManager.TEE() || class == faultManager.SUM() || class == faultManager.ROW();
        if (!seen) revert NotFalse(batchId);
        (IFaultAdapter adapter,) = faultManager.adapterOf(class);
        Finding memory f = adapter.judge(proof);
        if (f.batchId != batchId || f.committer != committer) revert NotFalse(batchId);
    }

    /// @dev A prover and the voices share it in halves; where there is one of the two it gets all.
    function _shareReward(bytes32 batchId, uint256 whole, address flagger)
        private
        view
        returns (uint256 forFlagger, uint256 forVoices)
    {
        (, uint256 invalidStake) = settlement.attestedStake(batchId);
        if (flagger != address(0)) forFlagger = invalidStake == 0 ? whole : whole / 2;
        if (invalidStake != 0) forVoices = whole - forFlagger;
    }

    function _requireRevealed(bytes32 batchId) private view returns (Canary storage c) {
        c = _canaries[batchId];
        if (c.state != State.Revealed) revert NotRevealed(batchId, c.state);
    }

    function _spoilableUntil(bytes32 batchId, Canary storage c) private view returns (uint64) {
        return uint64(c.revealedAt + params.getAt(Params.GRACE, settlement.batch(batchId).committedAt));
    }

    function _requireSpoilable(bytes32 batchId) private view {
        uint64 until = _spoilableUntil(batchId, _requireRevealed(batchId));
        if (block.timestamp >= until) revert TooLate(until);
    }

    function _spoil(bytes32 batchId) private {
        Canary storage c = _canaries[batchId];
        c.state = State.Spoiled;
        uint256 half = c.deposit / 2;
        credit[msg.sender] += half;
        emit CanarySpoiled(batchId, msg.sender);
        token.burn(c.deposit - half);
    }
}
