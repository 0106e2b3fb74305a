// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Group, MerkleSumLib, SumNode} from "./libraries/MerkleSumLib.sol";
import {Params} from "./libraries/Params.sol";
import {Quorum} from "./libraries/Quorum.sol";
import {ParamStore} from "./ParamStore.sol";
import {ValidatorStaking} from "./ValidatorStaking.sol";

/// @title Batches of receipts: committed by gateways, attested by staked validators, final after a window
/// @notice Anyone may commit. A batch is money only once ≥ 2/3 of the stake that stood at its commit called it valid
/// and the challenge window has passed. State machine: docs/spec.md §9.
contract Settlement {
    // ------------------------------------------------------------------ types

    enum State {
        None,
        Committed,
        Attested,
        Final,
        Void,
        Expired
    }

    struct Batch {
        address committer;
        uint64 height;
        State state;
        bytes32 root;
        bytes32 dataHash;
        /// Prices of its receipts, OPG base units.
        uint128 sum;
        /// What its receipts put at risk: Σ max(price, valueAtRisk), OPG base units.
        uint128 exposure;
        uint16 count;
        uint48 committedBlock;
        uint48 committedAt;
        uint48 quorumAt;
        uint48 finalisedAt;
    }

    /// @dev OPG's whole supply is below 2^90 base units.
    struct Votes {
        uint128 valid;
        uint128 invalid;
    }

    // ------------------------------------------------------------------ constants

    uint8 public constant VERDICT_VALID = 1;
    uint8 public constant VERDICT_INVALID = 2;
    uint64 public constant MAX_COUNT = 4096;
    bytes32 private constant BATCH_TAG = keccak256("assay/batch/v1");
    bytes32 private constant ATTESTATION_TYPEHASH =
        keccak256("Attestation(bytes32 batchId,bytes32 root,uint64 registryBlock,bool dataAvailable,uint8 verdict)");
    bytes32 private constant DOMAIN_TYPEHASH = keccak256(
        "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)"
    );

    // ------------------------------------------------------------------ storage

    ValidatorStaking public immutable staking;
    ParamStore public immutable params;
    /// @notice Salt of the EIP-712 domain; fresh at every deployment, so that a wiped devnet cannot replay signatures.
    bytes32 public immutable deploymentId;
    address private immutable deployer;
    /// @notice Only contract that may void a batch on a proven fault; set once.
    address public faultManager;

    mapping(bytes32 batchId => Batch) private _batches;
    mapping(bytes32 batchId => Votes) private _votes;
    /// @notice Highest height that a committer has used.
    mapping(address committer => uint64) public lastHeight;
    mapping(bytes32 batchId => mapping(address validator => bool)) public hasAttested;

    // ------------------------------------------------------------------ events, errors

    event BatchCommitted(
        bytes32 indexed batchId,
        address indexed committer,
        uint64 height,
        bytes32 root,
        bytes32 dataHash,
        Group[] groups
    );
    event BatchAttested(bytes32 indexed batchId, address indexed validator, uint8 verdict, uint256 stake);
    event QuorumReached(bytes32 indexed batchId, uint8 verdict);
    event BatchFinalised(bytes32 indexed batchId);
    event BatchVoided(bytes32 indexed batchId, bytes32 faultId);
    event BatchExpired(bytes32 indexed batchId);
    event FaultManagerSet(address faultManager);

    error HeightTaken(uint64 height, uint64 lastHeight);
    error BadCount(uint64 count);
    error NoData();
    error UnknownBatch(bytes32 batchId);
    error WrongState(bytes32 batchId, State state);
    error WrongRegistryBlock(uint64 given, uint64 committedBlock);
    error BadVerdict(uint8 verdict);
    error SignersNotAscending(address previous, address signer);
    error AlreadyAttested(bytes32 batchId, address validator);
    error NotAValidator(address signer);
    error WindowOpen(uint64 until);
    error NotFaultManager(address caller);
    error AlreadyWired();

    constructor(ValidatorStaking staking_, ParamStore params_, bytes32 deploymentId_) {
        staking = staking_;
        params = params_;
        deploymentId = deploymentId_;
        deployer = msg.sender;
    }

    /// @notice One-shot: names the contract that judges faults.
    function setFaultManager(address faultManager_) external {
        if (msg.sender != deployer || faultManager != address(0)) revert AlreadyWired();
        faultManager = faultManager_;
        emit FaultManagerSet(faultManager_);
    }

    // ------------------------------------------------------------------ views

    /// @notice A committed batch; `state` None where the id is unknown.
    function batch(bytes32 batchId) external view returns (Batch memory) {
        return _batches[batchId];
    }

    /// @notice Stake that has called the batch valid and invalid, OPG base units.
    function attestedStake(bytes32 batchId) external view returns (uint256 valid, uint256 invalid) {
        return (_votes[batchId].valid, _votes[batchId].invalid);
    }

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

    // ------------------------------------------------------------------ writes

    /// @notice Puts a batch on chain in the caller's name. Heights strictly increase, so there are never two roots at
    /// one height.
    /// @param dataHash of the batch file (docs/spec.md §6).
    /// @param groups rows of each node; root, sum, exposure and count follow from them, so none can be misstated here.
    function commit(uint64 height, bytes32 dataHash, Group[] calldata groups) external returns (bytes32 batchId) {
        if (height <= lastHeight[msg.sender]) revert HeightTaken(height, lastHeight[msg.sender]);
        if (dataHash == bytes32(0)) revert NoData();
        SumNode memory top = MerkleSumLib.root(groups);
        if (top.count > MAX_COUNT) revert BadCount(top.count);
        lastHeight[msg.sender] = height;
        batchId = batchIdOf(msg.sender, height, top.hash, dataHash);
        _batches[batchId] = Batch({
            committer: msg.sender,
            height: height,
            state: State.Committed,
            root: top.hash,
            dataHash: dataHash,
            sum: top.sum,
            exposure: top.exposure,
            count: uint16(top.count),
            committedBlock: uint48(block.number),
            committedAt: uint48(block.timestamp),
            quorumAt: 0,
            finalisedAt: 0
        });
        emit BatchCommitted(batchId, msg.sender, height, top.hash, dataHash, groups);
    }

    /// @notice Counts validators' signatures, each weighted by the stake that stood just before the commit.
    /// @dev Anyone may deliver signatures; signers must ascend, which also excludes a signer given twice.
    function attest(
        bytes32 batchId,
        uint64 registryBlock,
        bool dataAvailable,
        uint8 verdict,
        bytes[] calldata signatures
    ) external {
        Batch storage b = _known(batchId);
        if (b.state != State.Committed && b.state != State.Attested) revert WrongState(batchId, b.state);
        if (registryBlock != b.committedBlock) revert WrongRegistryBlock(registryBlock, b.committedBlock);
        if (verdict != VERDICT_VALID && verdict != VERDICT_INVALID) revert BadVerdict(verdict);
        bytes32 digest = digestOf(
            keccak256(abi.encode(ATTESTATION_TYPEHASH, batchId, b.root, registryBlock, dataAvailable, verdict))
        );
        uint256 snapshot = b.committedBlock - 1;
        uint256 added = _countSigners(batchId, digest, snapshot, verdict, signatures);
        uint256 total = staking.totalStakeAt(snapshot);
        Votes storage votes = _votes[batchId];
        if (verdict == VERDICT_VALID) {
            votes.valid += uint128(added);
            if (b.state == State.Committed && Quorum.reached(votes.valid, total)) {
                b.state = State.Attested;
                b.quorumAt = uint48(block.timestamp);
                emit QuorumReached(batchId, verdict);
            }
        } else {
            votes.invalid += uint128(added);
            if (Quorum.reached(votes.invalid, total)) {
                b.state = State.Void;
                emit QuorumReached(batchId, verdict);
                emit BatchVoided(batchId, bytes32(0));
            }
        }
    }

    /// @notice Makes an attested batch final once its challenge window has passed. Anyone may call.
    function finalise(bytes32 batchId) external {
        Batch storage b = _known(batchId);
        if (b.state != State.Attested) revert WrongState(batchId, b.state);
        uint64 until = uint64(b.quorumAt) + uint64(params.get(Params.CHALLENGE_WINDOW));
        if (block.timestamp < until) revert WindowOpen(until);
        b.state = State.Final;
        b.finalisedAt = uint48(block.timestamp);
        emit BatchFinalised(batchId);
    }

    /// @notice Ends a batch that found no quorum in time; its receipts may be batched again. Anyone may call.
    function expire(bytes32 batchId) external {
        Batch storage b = _known(batchId);
        if (b.state != State.Committed) revert WrongState(batchId, b.state);
        uint64 until = uint64(b.committedAt) + uint64(params.get(Params.ATTEST_TIMEOUT));
        if (block.timestamp < until) revert WindowOpen(until);
        b.state = State.Expired;
        emit BatchExpired(batchId);
    }

    /// @notice Voids a batch on a proven fault. A final batch stays final.
    function voidBatch(bytes32 batchId, bytes32 faultId) external {
        if (msg.sender != faultManager) revert NotFaultManager(msg.sender);
        Batch storage b = _known(batchId);
        if (b.state != State.Committed && b.state != State.Attested) revert WrongState(batchId, b.state);
        b.state = State.Void;
        emit BatchVoided(batchId, faultId);
    }

    // ------------------------------------------------------------------ internal

    /// @return added stake behind the signatures, each signer counted once per batch.
    function _countSigners(
        bytes32 batchId,
        bytes32 digest,
        uint256 snapshot,
        uint8 verdict,
        bytes[] calldata signatures
    ) private returns (uint256 added) {
        address previous = address(0);
        for (uint256 i = 0; i < signatures.length; i++) {
            address signer = ECDSA.recover(digest, signatures[i]);
            if (signer <= previous) revert SignersNotAscending(previous, signer);
            previous = signer;
            if (hasAttested[batchId][signer]) revert AlreadyAttested(batchId, signer);
            uint256 stake = staking.isActive(signer) ? staking.stakeAt(signer, snapshot) : 0;
            if (stake == 0) revert NotAValidator(signer);
            hasAttested[batchId][signer] = true;
            added += stake;
            emit BatchAttested(batchId, signer, verdict, stake);
        }
    }

    function _known(bytes32 batchId) private view returns (Batch storage b) {
        b = _batches[batchId];
        if (b.state == State.None) revert UnknownBatch(batchId);
    }
}
