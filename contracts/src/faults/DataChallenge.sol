// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {FaultManager} from "../FaultManager.sol";
import {DataLib, DataSibling} from "../libraries/DataLib.sol";
import {Entry, InclusionLib, Path, Spot} from "../libraries/InclusionLib.sol";
import {Params} from "../libraries/Params.sol";
import {TapeLib} from "../libraries/TapeLib.sol";
import {WordRun} from "../libraries/WordTree.sol";
import {ModelRegistry} from "../ModelRegistry.sol";
import {OPG} from "../OPG.sol";
import {ParamStore} from "../ParamStore.sol";
import {PauseClock} from "../PauseClock.sol";
import {BatchBook} from "../settlement/BatchBook.sol";
import {Settlement} from "../Settlement.sol";
import {Batches} from "./Batches.sol";
import {Finding, IFaultAdapter} from "./IFaultAdapter.sol";
import {ShownTapes} from "./ShownTapes.sol";

/// @title Class 4: a part of a batch that nobody can show
/// @notice Whoever cannot fetch a chunk of the batch file, finds no receipt behind what the root claims, or no tape behind a
/// tape's root, demands it here, with a bond. Anyone who holds it answers, and earns half the bond; the rest is burned. Unanswered
/// in DATA_RESPONSE, the batch is void, its committer and those who called it valid pay, and the bond goes back.
/// @dev A receipt is demanded by its place under the root, and shown in the row of its own payer, node, model and grant.
/// So a claim without receipts behind it cannot become final while one honest party looks, whatever file was published.
contract DataChallenge is IFaultAdapter, ShownTapes {
    using SafeERC20 for IERC20;
    using Batches for Settlement;

    // ------------------------------------------------------------------ types, constants

    enum State {
        None,
        Open,
        Answered,
        Unanswered
    }

    /// @notice What is demanded: a chunk of the file, the receipt at a place under the root, or the tape beside it.
    enum Part {
        Chunk,
        Receipt,
        Tape
    }

    struct Challenge {
        address challenger;
        State state;
        Part part;
        uint64 openedAt;
        uint64 index;
        /// OPG base units.
        uint128 bond;
        bytes32 batchId;
    }

    /// @notice Chunks of the largest batch file, 8 MiB.
    uint64 public constant MAX_CHUNKS = 1024;
    /// @dev The bond grows with the stake that the challenge holds in, by a thousandth of it.
    uint256 private constant STAKE_PER_BOND = 1000;

    // ------------------------------------------------------------------ storage

    OPG public immutable token;
    ParamStore public immutable params;
    PauseClock public immutable clock;
    Settlement public immutable settlement;
    FaultManager public immutable faultManager;
    mapping(bytes32 challengeId => Challenge) private _challenges;
    /// @notice What an account may withdraw, OPG base units.
    mapping(address account => uint256) public credit;

    // ------------------------------------------------------------------ events, errors

    event PartDemanded(
        bytes32 indexed challengeId,
        bytes32 indexed batchId,
        address indexed challenger,
        Part part,
        uint64 index,
        uint256 bond
    );
    event ChunkShown(bytes32 indexed challengeId, bytes32 indexed batchId, address indexed by, bytes chunk);
    event ChunkAbsent(bytes32 indexed challengeId, bytes32 indexed batchId, address indexed by, uint64 length);
    event ReceiptShown(
        bytes32 indexed challengeId, bytes32 indexed batchId, address indexed by, Entry entry, bytes signature
    );
    event PartWithheld(bytes32 indexed challengeId, bytes32 indexed batchId);
    event CreditWithdrawn(address indexed account, uint256 amount);

    error NotChallengeable(bytes32 batchId, BatchBook.State state);
    error WindowClosed(bytes32 batchId, uint64 since);
    error NoFile(bytes32 batchId);
    error NoSuchPart(Part part, uint64 index);
    error AlreadyDemanded(bytes32 challengeId);
    error NotOpen(bytes32 challengeId, State state);
    error TooLate(bytes32 challengeId, uint64 deadline);
    error TooEarly(bytes32 challengeId, uint64 deadline);
    error WrongAnswer(bytes32 challengeId);
    error NoCredit(address account);

    constructor(
        OPG token_,
        ParamStore params_,
        PauseClock pauseClock_,
        Settlement settlement_,
        FaultManager faultManager_,
        ModelRegistry models_
    ) ShownTapes(models_) {
        token = token_;
        params = params_;
        clock = pauseClock_;
        settlement = settlement_;
        faultManager = faultManager_;
    }

    // ------------------------------------------------------------------ views

    function challengeIdOf(bytes32 batchId, Part part, uint64 index) public pure returns (bytes32) {
        return keccak256(abi.encode(batchId, part, index));
    }

    function challenge(bytes32 challengeId) external view returns (Challenge memory) {
        return _challenges[challengeId];
    }

    /// @notice What a challenge of this batch takes now, OPG base units.
    function bondFor(bytes32 batchId) public view returns (uint256) {
        (uint256 held,) = settlement.attestedStake(batchId);
        return params.get(Params.CHALLENGE_BOND) + held / STAKE_PER_BOND;
    }

    /// @notice Until when a demanded part may be shown, Unix seconds, as far as known now.
    function deadlineOf(bytes32 challengeId) public view returns (uint64) {
        uint64 openedAt = _challenges[challengeId].openedAt;
        return clock.extended(openedAt, openedAt + uint64(params.getAt(Params.DATA_RESPONSE, openedAt)));
    }

    // ------------------------------------------------------------------ writes

    /// @notice Demands a part of a batch that is not final. Each part once: what was shown is on chain.
    /// @param index of the chunk, or of the receipt from the left of the batch tree, also where its tape is demanded
    function demand(bytes32 batchId, Part part, uint64 index) external returns (bytes32 challengeId) {
        BatchBook.Batch memory b = settlement.known(batchId);
        _requireChallengeable(batchId, b);
        if (index >= (part == Part.Chunk ? MAX_CHUNKS : b.count)) revert NoSuchPart(part, index);
        challengeId = challengeIdOf(batchId, part, index);
        if (_challenges[challengeId].state != State.None) revert AlreadyDemanded(challengeId);
        uint256 bond = bondFor(batchId);
        // Safe cast: the transfer fails for more than the supply, below 2^90.
        _challenges[challengeId] =
            Challenge(msg.sender, State.Open, part, uint64(block.timestamp), index, uint128(bond), batchId);
        emit PartDemanded(challengeId, batchId, msg.sender, part, index, bond);
        faultManager.openChallenge(batchId, challengeId);
        IERC20(token).safeTransferFrom(msg.sender, address(this), bond);
    }

    /// @notice Shows the demanded chunk.
    /// @param length of the whole file, bytes
    function show(bytes32 challengeId, uint64 length, bytes calldata chunk, DataSibling[] calldata siblings) external {
        Challenge storage c = _answerable(challengeId, Part.Chunk);
        bytes32 dataHash = DataLib.dataHash(length, c.index, chunk, siblings);
        bool whole = chunk.length == DataLib.chunkLength(length, c.index) && chunk.length != 0;
        if (!whole || !_isDataOf(c.batchId, dataHash)) revert WrongAnswer(challengeId);
        emit ChunkShown(challengeId, c.batchId, msg.sender, chunk);
        _answered(challengeId, c);
    }

    /// @notice Shows that the file ends before the demanded chunk.
    /// @param chunkRoot top of the tree of its chunks
    function showEnd(bytes32 challengeId, uint64 length, bytes32 chunkRoot) external {
        Challenge storage c = _answerable(challengeId, Part.Chunk);
        bool ends = c.index >= DataLib.chunkCount(length);
        if (!ends || !_isDataOf(c.batchId, DataLib.hashOf(length, chunkRoot))) revert WrongAnswer(challengeId);
        emit ChunkAbsent(challengeId, c.batchId, msg.sender, length);
        _answered(challengeId, c);
    }

    /// @notice Shows the demanded receipt where it stands, in the row of its own payer, node, model, price and grant. Where its
    /// tape is demanded, that it has none: it is of another mode, or nothing was inferred.
    function showReceipt(bytes32 challengeId, Entry calldata entry, bytes calldata signature, Path calldata path)
        external
    {
        bool proven = entry.receipt.mode == TapeLib.MODE_ZK && entry.receipt.evidenceHash != 0;
        Part part = _challenges[challengeId].part;
        Challenge storage c = _answerable(challengeId, part == Part.Tape && !proven ? part : Part.Receipt);
        if (keccak256(signature) != entry.signatureHash || !_standsThere(c, entry, path)) {
            revert WrongAnswer(challengeId);
        }
        emit ReceiptShown(challengeId, c.batchId, msg.sender, entry, signature);
        _answered(challengeId, c);
    }

    /// @notice Begins to show the demanded tape: where its root stands, and how many words are under it.
    function showTapeRoot(bytes32 challengeId, StatedTape calldata tape) external {
        Challenge storage c = _answerable(challengeId, Part.Tape);
        if (!_standsThere(c, tape.entry, tape.path)) revert WrongAnswer(challengeId);
        _showRoot(settlement, challengeId, c.batchId, tape);
    }

    /// @notice Shows words of the demanded tape. Whoever shows the last that are missing has answered.
    /// @param part which PART_WORDS of them; all, where there are fewer
    function showTape(bytes32 challengeId, uint256 part, WordRun calldata run) external {
        Challenge storage c = _answerable(challengeId, Part.Tape);
        if (_showPart(challengeId, c.batchId, part, run)) _answered(challengeId, c);
    }

    /// @notice Ends a challenge that nobody met in time. Anyone may call.
    function conclude(bytes32 challengeId) external {
        Challenge storage c = _open(challengeId);
        uint64 deadline = deadlineOf(challengeId);
        if (block.timestamp < deadline) revert TooEarly(challengeId, deadline);
        c.state = State.Unanswered;
        credit[c.challenger] += c.bond;
        emit PartWithheld(challengeId, c.batchId);
        faultManager.closeChallenge(c.batchId, challengeId);
        uint8 class = faultManager.DATA();
        if (faultManager.fault(faultManager.faultIdOf(class, c.batchId)).provenAt == 0) {
            faultManager.prove(class, abi.encode(challengeId), bytes32(0));
        }
    }

    function withdraw() external returns (uint256 amount) {
        amount = credit[msg.sender];
        if (amount == 0) revert NoCredit(msg.sender);
        credit[msg.sender] = 0;
        emit CreditWithdrawn(msg.sender, amount);
        IERC20(token).safeTransfer(msg.sender, amount);
    }

    // ------------------------------------------------------------------ judging

    /// @param proof abi.encode(bytes32 challengeId) of a challenge that nobody met
    function judge(bytes calldata proof) external view returns (Finding memory f) {
        bytes32 challengeId = abi.decode(proof, (bytes32));
        Challenge memory c = _challenges[challengeId];
        if (c.state != State.Unanswered) revert NotOpen(challengeId, c.state);
        BatchBook.Batch memory b = settlement.batch(c.batchId);
        f.faultKey = c.batchId;
        f.batchId = c.batchId;
        f.voids = true;
        f.attesters = true;
        f.committer = b.committer;
        f.offenceAt = b.committedAt;
        f.bountyTo = c.challenger;
    }

    // ------------------------------------------------------------------ internal

    /// @dev Until the challenge window ends: then no challenge can put finality off any more.
    function _requireChallengeable(bytes32 batchId, BatchBook.Batch memory b) private view {
        if (!Batches.open(b)) revert NotChallengeable(batchId, b.state);
        if (b.forced) revert NoFile(batchId);
        if (b.quorumAt == 0) return;
        uint64 until = clock.extended(
            b.quorumAt, b.quorumAt + uint64(params.getAt(Params.CHALLENGE_WINDOW, b.quorumAt))
        );
        if (block.timestamp >= until) revert WindowClosed(batchId, until);
    }

    /// @dev The chain keeps no data hash: the batch's id commits to it.
    function _isDataOf(bytes32 batchId, bytes32 dataHash) private view returns (bool) {
        BatchBook.Batch memory b = settlement.batch(batchId);
        return settlement.batchIdOf(b.committer, b.height, b.root, dataHash) == batchId;
    }

    /// @dev In the row of its own payer, node, model, price and grant, with as many receipts before it as was asked for.
    function _standsThere(Challenge storage c, Entry calldata entry, Path calldata path) private view returns (bool) {
        Spot memory spot = InclusionLib.spotOf(entry, path);
        return spot.position == c.index && spot.root == settlement.batch(c.batchId).root;
    }

    function _open(bytes32 challengeId) private view returns (Challenge storage c) {
        c = _challenges[challengeId];
        if (c.state != State.Open) revert NotOpen(challengeId, c.state);
    }

    function _answerable(bytes32 challengeId, Part part) private view returns (Challenge storage c) {
        c = _open(challengeId);
        if (c.part != part) revert WrongAnswer(challengeId);
        uint64 deadline = deadlineOf(challengeId);
        if (block.timestamp >= deadline) revert TooLate(challengeId, deadline);
    }

    function _answered(bytes32 challengeId, Challenge storage c) private {
        c.state = State.Answered;
        uint256 reward = c.bond / 2;
        credit[msg.sender] += reward;
        faultManager.closeChallenge(c.batchId, challengeId);
        token.burn(c.bond - reward);
    }
}
