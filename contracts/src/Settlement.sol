// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Entry, InclusionLib} from "./libraries/InclusionLib.sol";
import {Group, MerkleSumLib, SumNode} from "./libraries/MerkleSumLib.sol";
import {Params} from "./libraries/Params.sol";
import {Receipt, ReceiptLib} from "./libraries/ReceiptLib.sol";
import {NodeBond} from "./NodeBond.sol";
import {ParamStore} from "./ParamStore.sol";
import {PauseClock} from "./PauseClock.sol";
import {BatchBook} from "./settlement/BatchBook.sol";
import {ValidatorStaking} from "./ValidatorStaking.sol";

/// @title Batches of receipts: committed by gateways, attested by staked validators, final after a window
/// @notice Whoever is bonded may commit. A batch is money only once ≥ 2/3 of the stake that stood at its commit called it
/// valid and the challenge window has passed without an open challenge. What its receipts put at risk is reserved
/// meanwhile: on the bonds of its committer and of every node in it, and on the stake of every validator who calls it
/// valid. State machine: docs/spec.md §9.
contract Settlement is BatchBook {
    // ------------------------------------------------------------------ constants

    uint64 public constant MAX_COUNT = 4096;
    /// @notice Signatures that one call delivers.
    uint256 public constant MAX_SIGNATURES = 64;
    uint256 private constant BPS = 10_000;
    bytes32 private constant BATCH_TAG = keccak256("assay/batch/v1");
    bytes32 private constant ATTESTATION_TYPEHASH =
        keccak256("Attestation(bytes32 batchId,bytes32 root,uint64 registryBlock,bool dataAvailable,uint8 verdict)");
    bytes32 private constant DOMAIN_TYPEHASH = keccak256(
        "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)"
    );

    // ------------------------------------------------------------------ storage

    ParamStore public immutable params;
    PauseClock public immutable pauseClock;
    /// @notice Salt of the EIP-712 domain; fresh at every deployment, so that a wiped devnet cannot replay signatures.
    bytes32 public immutable deploymentId;
    address private immutable deployer;
    /// @notice Only contract that may void a batch on a proven fault, or hold it open; set once.
    address public faultManager;

    /// @notice What a batch's committer paid because validators found it void, OPG base units.
    mapping(bytes32 batchId => uint256) public voidFeeOf;
    /// @notice Highest height that a committer has used.
    mapping(address committer => uint64) public lastHeight;

    // ------------------------------------------------------------------ events, errors

    event BatchCommitted(
        bytes32 indexed batchId,
        address indexed committer,
        uint64 height,
        bytes32 root,
        bytes32 dataHash,
        Group[] groups
    );
    event ReceiptForced(bytes32 indexed batchId, bytes32 indexed requestId, Entry entry, bytes signature);
    event QuorumReached(bytes32 indexed batchId, uint8 verdict);
    event BatchFinalised(bytes32 indexed batchId);
    event BatchVoided(bytes32 indexed batchId, bytes32 faultId);
    event BatchExpired(bytes32 indexed batchId);
    event ChallengeOpened(bytes32 indexed batchId, uint8 open);
    event ChallengeClosed(bytes32 indexed batchId, uint8 open);
    event FaultManagerSet(address faultManager);

    error HeightTaken(uint64 height, uint64 lastHeight);
    error HeightTooHigh(uint64 height);
    error BadCount(uint64 count);
    error NoData();
    error NotBonded(address committer);
    error CommitsPaused();
    error PaidByGrant(bytes32 grantId);
    error NotDueYet(uint64 includeBy);
    error WrongSigner(address key, address signer);
    error UnknownBatch(bytes32 batchId);
    error WrongState(bytes32 batchId, State state);
    error WrongRegistryBlock(uint64 given, uint64 committedBlock);
    error BadVerdict(uint8 verdict);
    error TooManySignatures(uint256 count);
    error SignersNotAscending(address previous, address signer);
    error WindowOpen(uint64 until);
    error ChallengeOpen(bytes32 batchId, uint8 open);
    error NoChallenge(bytes32 batchId);
    error NotFaultManager(address caller);
    error AlreadyWired();

    constructor(
        ValidatorStaking staking_,
        NodeBond bonds_,
        ParamStore params_,
        PauseClock pauseClock_,
        bytes32 deploymentId_
    ) BatchBook(staking_, bonds_) {
        params = params_;
        pauseClock = pauseClock_;
        deploymentId = deploymentId_;
        deployer = msg.sender;
    }

    /// @notice One-shot: names the contract that judges faults.
    function setFaultManager(address faultManager_) external {
        if (msg.sender != deployer || faultManager != address(0)) revert AlreadyWired();
        faultManager = faultManager_;
        emit FaultManagerSet(faultManager_);
    }

    modifier onlyFaultManager() {
        if (msg.sender != faultManager) revert NotFaultManager(msg.sender);
        _;
    }

    // ------------------------------------------------------------------ views

    /// @notice docs/spec.md §6.
    function batchIdOf(address committer, uint64 height, bytes32 root, bytes32 dataHash) public pure returns (bytes32) {
        return keccak256(abi.encode(BATCH_TAG, committer, height, root, dataHash));
    }

    function DOMAIN_SEPARATOR() public view returns (bytes32) {
        return keccak256(
            abi.encode(
                DOMAIN_TYPEHASH, keccak256("Assay"), keccak256("1"), block.chainid, address(this), deploymentId
            )
        );
    }

    /// @notice EIP-712 digest of a struct hash under this deployment's domain.
    function digestOf(bytes32 structHash) public view returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", DOMAIN_SEPARATOR(), structHash));
    }

    // ------------------------------------------------------------------ committing

    /// @notice Puts a batch on chain in the caller's name. Heights strictly increase, so there are never two roots at
    /// one height.
    /// @param dataHash of the batch file (docs/spec.md §6).
    /// @param groups rows of each node; root, sum, exposure and count follow from them, so none can be misstated here.
    function commit(uint64 height, bytes32 dataHash, Group[] calldata groups) external returns (bytes32 batchId) {
        if (pauseClock.paused()) revert CommitsPaused();
        if (!bonds.isBonded(msg.sender)) revert NotBonded(msg.sender);
        if (dataHash == bytes32(0)) revert NoData();
        SumNode memory top = MerkleSumLib.root(groups);
        if (top.count > MAX_COUNT) revert BadCount(top.count);
        NodeBond.Cover[] memory covers = new NodeBond.Cover[](groups.length + 1);
        covers[0] = NodeBond.Cover(msg.sender, top.exposure);
        for (uint256 i = 0; i < groups.length; i++) {
            covers[i + 1] = NodeBond.Cover(groups[i].node, groups[i].exposure);
        }
        batchId = _open(height, dataHash, top, covers, false);
        emit BatchCommitted(batchId, msg.sender, height, top.hash, dataHash, groups);
    }

    /// @notice Forces one receipt in that its committer left out until `includeBy`: a batch of its own, in the caller's
    /// name. Anyone may call, without a bond and during a pause: the enclave's signature is checked here, and the data is
    /// in the event, so there is nothing that the caller could get wrong at others' cost.
    /// @dev Not so a call under a grant: its payer signed for no call but for what one gateway asks for, and nothing in the
    /// receipt is that gateway's word. Any node could make calls up and be paid for them; and what was forced in first and
    /// batched late would be paid twice.
    function force(uint64 height, Entry calldata entry, bytes calldata signature) external returns (bytes32 batchId) {
        Receipt calldata receipt = entry.receipt;
        if (entry.grantId != bytes32(0)) revert PaidByGrant(entry.grantId);
        if (block.timestamp <= receipt.includeBy) revert NotDueYet(receipt.includeBy);
        address signer = ECDSA.recover(digestOf(ReceiptLib.structHash(receipt)), signature);
        if (signer != receipt.key || keccak256(signature) != entry.signatureHash) revert WrongSigner(receipt.key, signer);
        SumNode memory top = InclusionLib.rootOfSingle(entry);
        NodeBond.Cover[] memory covers = new NodeBond.Cover[](1);
        covers[0] = NodeBond.Cover(receipt.node, top.exposure);
        batchId = _open(height, bytes32(0), top, covers, true);
        _forcedBy[batchId] = msg.sender;
        emit ReceiptForced(batchId, receipt.requestId, entry, signature);
    }

    // ------------------------------------------------------------------ attesting

    /// @notice Counts validators' signatures, each weighted by the stake that stood just before the commit.
    /// @dev Anyone may deliver signatures; signers must ascend, which also excludes a signer given twice. One who calls
    /// the batch valid and cannot bear its exposure now is left out, and may come again.
    function attest(
        bytes32 batchId,
        uint64 registryBlock,
        bool dataAvailable,
        uint8 verdict,
        bytes[] calldata signatures
    ) external {
        Record storage b = _known(batchId);
        State state = b.state;
        if (state != State.Committed && state != State.Attested) revert WrongState(batchId, state);
        uint32 committedBlock = b.committedBlock;
        if (registryBlock != committedBlock) revert WrongRegistryBlock(registryBlock, committedBlock);
        if (verdict != VERDICT_VALID && verdict != VERDICT_INVALID) revert BadVerdict(verdict);
        // Who calls a batch valid has checked every byte of it.
        if (verdict == VERDICT_VALID && !dataAvailable) revert BadVerdict(verdict);
        bytes32 digest = digestOf(
            keccak256(abi.encode(ATTESTATION_TYPEHASH, batchId, b.root, registryBlock, dataAvailable, verdict))
        );
        bool valid = verdict == VERDICT_VALID;
        if (!_count(batchId, _signersOf(digest, signatures), valid)) return;
        if (valid && state == State.Committed) {
            b.state = State.Attested;
            b.movedAt = uint32(block.timestamp);
            emit QuorumReached(batchId, verdict);
        }
        if (!valid) {
            emit QuorumReached(batchId, verdict);
            _end(batchId, State.Void);
            _chargeForVoid(batchId, b);
            emit BatchVoided(batchId, bytes32(0));
        }
    }

    // ------------------------------------------------------------------ ending

    /// @notice Makes an attested batch final once its challenge window has passed. Anyone may call.
    function finalise(bytes32 batchId) public {
        Record storage b = _known(batchId);
        if (b.state != State.Attested) revert WrongState(batchId, b.state);
        if (b.challenges != 0) revert ChallengeOpen(batchId, b.challenges);
        _requireOver(b.movedAt, Params.CHALLENGE_WINDOW);
        b.movedAt = uint32(block.timestamp);
        _end(batchId, State.Final);
        emit BatchFinalised(batchId);
    }

    /// @notice What a final batch is paid out by; makes the batch final first if it is due. Anyone may call.
    /// @return root of its receipts
    /// @return committer who answers for it; zero for a receipt that was forced in
    function finalRoot(bytes32 batchId) external returns (bytes32 root, address committer) {
        Record storage b = _known(batchId);
        if (b.state != State.Final) finalise(batchId);
        uint256 number = b.committer;
        return (b.root, number == 0 ? address(0) : bonds.operatorAt(number));
    }

    /// @notice Ends a batch that found no quorum in time; its receipts may be batched again. Anyone may call.
    function expire(bytes32 batchId) external {
        Record storage b = _known(batchId);
        if (b.state != State.Committed) revert WrongState(batchId, b.state);
        _requireOver(b.committedAt, Params.ATTEST_TIMEOUT);
        _end(batchId, State.Expired);
        emit BatchExpired(batchId);
    }

    /// @notice Voids a batch on a proven fault. A final batch stays final.
    function voidBatch(bytes32 batchId, bytes32 faultId) external onlyFaultManager {
        Record storage b = _known(batchId);
        if (b.state != State.Committed && b.state != State.Attested) revert WrongState(batchId, b.state);
        _end(batchId, State.Void);
        emit BatchVoided(batchId, faultId);
    }

    /// @notice Holds a batch open while a challenge that needs an answer runs.
    function openChallenge(bytes32 batchId) external onlyFaultManager {
        Record storage b = _known(batchId);
        if (b.state != State.Committed && b.state != State.Attested) revert WrongState(batchId, b.state);
        b.challenges += 1;
        emit ChallengeOpened(batchId, b.challenges);
    }

    function closeChallenge(bytes32 batchId) external onlyFaultManager {
        Record storage b = _known(batchId);
        if (b.challenges == 0) revert NoChallenge(batchId);
        b.challenges -= 1;
        emit ChallengeClosed(batchId, b.challenges);
    }

    // ------------------------------------------------------------------ internal

    /// @param covers what is asked of its committer's bond, unless it is forced, and of its nodes'
    function _open(
        uint64 height,
        bytes32 dataHash,
        SumNode memory top,
        NodeBond.Cover[] memory covers,
        bool forced
    ) private returns (bytes32 batchId) {
        if (height <= lastHeight[msg.sender]) revert HeightTaken(height, lastHeight[msg.sender]);
        if (height > type(uint32).max) revert HeightTooHigh(height);
        lastHeight[msg.sender] = height;
        batchId = batchIdOf(msg.sender, height, top.hash, dataHash);
        Record storage b = _batches[batchId];
        // Safe casts: the bonds cover the exposure, the callers bound the count.
        _writeShares(batchId, b, bonds.reserve(covers), forced);
        (b.height, b.committedAt, b.committedBlock) =
            (uint32(height), uint32(block.timestamp), uint32(block.number));
        (b.root, b.state) = (top.hash, State.Committed);
        (b.count, b.exposure) = (uint16(top.count), uint96(top.exposure));
    }

    /// @dev Whatever was reserved for the batch is given back, once: a batch ends once.
    function _end(bytes32 batchId, State state) private {
        Record storage b = _batches[batchId];
        b.state = state;
        uint256[] memory attesters = _attesters(batchId);
        if (attesters.length > 0) staking.release(attesters, b.exposure);
        bonds.release(_readShares(batchId, b));
    }

    /// @dev A batch holds the coverage of every node that it names until it ends. Who names others for nothing pays for that
    /// by what it held, whether or not anybody goes on to prove what was wrong; who named itself alone held nobody else's.
    function _chargeForVoid(bytes32 batchId, Record storage b) private {
        uint256 committer = b.committer;
        if (committer == 0 || (b.nodes == 1 && b.node == committer)) return;
        uint256 fee = b.exposure * params.getAt(Params.VOID_FEE_BPS, b.committedAt) / BPS;
        if (fee > 0) voidFeeOf[batchId] = bonds.charge(committer, fee);
    }

    /// @dev A window is as long as it was when it opened, whatever is voted since; a pause moves its end by its own length.
    function _requireOver(uint64 from, bytes32 window) private view {
        uint64 until = pauseClock.extended(from, from + uint64(params.getAt(window, from)));
        if (block.timestamp < until) revert WindowOpen(until);
    }

    function _signersOf(bytes32 digest, bytes[] calldata signatures) private pure returns (address[] memory signers) {
        if (signatures.length > MAX_SIGNATURES) revert TooManySignatures(signatures.length);
        signers = new address[](signatures.length);
        address previous = address(0);
        for (uint256 i = 0; i < signatures.length; i++) {
            address signer = ECDSA.recoverCalldata(digest, signatures[i]);
            if (signer <= previous) revert SignersNotAscending(previous, signer);
            previous = signers[i] = signer;
        }
    }

    function _known(bytes32 batchId) private view returns (Record storage b) {
        b = _batches[batchId];
        if (b.state == State.None) revert UnknownBatch(batchId);
    }
}
