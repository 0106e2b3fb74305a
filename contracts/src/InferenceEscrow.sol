// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {GatewayTill} from "./GatewayTill.sol";
import {IPermit2} from "./interfaces/IPermit2.sol";
import {IX402UptoProxy} from "./interfaces/IX402UptoProxy.sol";
import {Entry, InclusionLib, Path} from "./libraries/InclusionLib.sol";
import {SumNode} from "./libraries/MerkleSumLib.sol";
import {Params} from "./libraries/Params.sol";
import {Receipt, ReceiptLib, RequestAuth} from "./libraries/ReceiptLib.sol";
import {ModelRegistry} from "./ModelRegistry.sol";
import {OPG} from "./OPG.sol";
import {ParamStore} from "./ParamStore.sol";
import {PauseClock} from "./PauseClock.sol";
import {RevenueSplitter} from "./RevenueSplitter.sol";
import {BatchBook} from "./settlement/BatchBook.sol";
import {Settlement} from "./Settlement.sol";

/// @title Holds each call's payment until its answer is final
/// @notice Locked → Paid when the receipt's batch is final, or → Refunded when no final batch came in time. A request
/// id is derived from the payment itself, so one authorisation pays for one request; it is paid or refunded exactly once.
contract InferenceEscrow is ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    // ------------------------------------------------------------------ types

    enum PaymentState {
        None,
        Locked,
        Paid,
        Refunded
    }

    /// @dev OPG's whole supply is below 2^96, so an amount shares a slot with an address.
    struct Payment {
        address payer;
        /// Locked; once Paid, what was paid out.
        uint96 amount;
        address gateway;
        uint64 lockedAt;
        PaymentState state;
    }

    /// @notice x402 `exact`: an EIP-3009 authorisation towards the gateway's till.
    struct ExactPayment {
        address payer;
        address gateway;
        uint256 value;
        uint256 validAfter;
        uint256 validBefore;
        bytes32 nonce;
        bytes signature;
    }

    /// @notice x402 `upto`: a Permit2 permit whose witness names the gateway's till twice.
    struct UptoPayment {
        address payer;
        /// What the answer cost, at most what is permitted.
        uint256 amount;
        IPermit2.PermitTransferFrom permit;
        IX402UptoProxy.Witness witness;
        bytes signature;
    }

    /// @notice A receipt that paid for itself, and its way to the root of a final batch.
    struct SettleItem {
        bytes32 batchId;
        Entry entry;
        Path path;
    }

    // ------------------------------------------------------------------ constants

    uint8 public constant SCHEME_EXACT = 1;
    uint8 public constant SCHEME_UPTO = 2;
    bytes32 private constant REQUEST_ID_TAG = keccak256("assay/request-id/v1");
    uint256 private constant MAX_URL = 256;

    // ------------------------------------------------------------------ storage

    OPG public immutable token;
    Settlement public immutable settlement;
    ModelRegistry public immutable models;
    RevenueSplitter public immutable splitter;
    ParamStore public immutable params;
    PauseClock public immutable pauseClock;
    IX402UptoProxy public immutable uptoProxy;
    address private immutable deployer;
    /// @notice Only contract that may refund a payment for a proven fault; set once.
    address public faultManager;

    mapping(address gateway => GatewayTill) public tillOf;
    mapping(address till => address) public gatewayOf;
    mapping(address gateway => string) public tillUrl;
    mapping(bytes32 requestId => Payment) private _payments;
    /// @notice Struct hash of the request that a payer signed, if someone has shown it.
    mapping(bytes32 requestId => mapping(address payer => bytes32)) public requestAuthOf;
    mapping(bytes32 requestId => mapping(address payer => RequestAuth)) private _auths;
    /// @notice Withdrawable refunds and unused parts of `exact` payments, OPG base units.
    mapping(address payer => uint256) public credit;

    // ------------------------------------------------------------------ events, errors

    event TillOpened(address indexed gateway, address till, string url);
    event TillUrlSet(address indexed gateway, string url);
    event PaymentLocked(bytes32 indexed requestId, address indexed payer, address indexed gateway, uint256 amount);
    event PaymentRejected(bytes32 indexed requestId, bytes reason);
    event PaymentSettled(bytes32 indexed requestId, bytes32 indexed batchId, uint256 price, uint256 refund);
    event SettlementSkipped(bytes32 indexed requestId, bytes32 indexed batchId, bytes4 reason);
    event PaymentRefunded(bytes32 indexed requestId, address indexed payer, uint256 amount);
    event RequestAuthPosted(bytes32 indexed requestId, address indexed payer);
    event CreditWithdrawn(address indexed payer, uint256 amount);

    error AlreadyWired();
    error NotFaultManager(address caller);
    error TillExists(address till);
    error NoTill(address gateway);
    error UrlTooLong(uint256 length);
    error NotTheGateway(address caller, address gateway);
    error BatchNotFinal(bytes32 batchId);
    error NotInBatch(bytes32 requestId, bytes32 batchId);
    error BadRequestAuth(bytes32 requestId);
    error NotLocked(bytes32 requestId);
    error RefundNotDue(bytes32 requestId, uint64 dueAt);
    error NoCredit(address payer);
    // Reasons of PaymentRejected and SettlementSkipped.
    error AuthorisationNotForTill();
    error AmountTooLarge();
    error AlreadyHandled();
    error PaidByGrant();
    error ForeignPayment();
    error CommitterTooEarly();
    error DisagreesWithRequestAuth();

    constructor(
        OPG token_,
        Settlement settlement_,
        ModelRegistry models_,
        RevenueSplitter splitter_,
        ParamStore params_,
        PauseClock pauseClock_,
        IX402UptoProxy uptoProxy_
    ) {
        token = token_;
        settlement = settlement_;
        models = models_;
        splitter = splitter_;
        params = params_;
        pauseClock = pauseClock_;
        uptoProxy = uptoProxy_;
        deployer = msg.sender;
    }

    /// @notice One-shot: names the contract that judges faults.
    function setFaultManager(address faultManager_) external {
        if (msg.sender != deployer || faultManager != address(0)) revert AlreadyWired();
        faultManager = faultManager_;
    }

    // ------------------------------------------------------------------ views

    /// @notice docs/spec.md §3.
    function requestIdOf(address payer, uint8 scheme, bytes32 paymentNonce) public view returns (bytes32) {
        return keccak256(abi.encode(REQUEST_ID_TAG, block.chainid, address(this), payer, scheme, paymentNonce));
    }

    /// @return payer who paid
    /// @return gateway whose till it was paid into
    /// @return amount locked; once Paid, what was paid out
    /// @return paid what was paid out, 0 before
    /// @return lockedAt Unix seconds
    /// @return state PaymentState
    function payment(bytes32 requestId)
        external
        view
        returns (address payer, address gateway, uint128 amount, uint128 paid, uint64 lockedAt, uint8 state)
    {
        Payment storage p = _payments[requestId];
        return (
            p.payer, p.gateway, p.amount, p.state == PaymentState.Paid ? p.amount : 0, p.lockedAt, uint8(p.state)
        );
    }

    // ------------------------------------------------------------------ tills

    /// @notice Opens the caller's till and says where its gateway is reached.
    function openTill(string calldata url) external returns (GatewayTill till) {
        if (address(tillOf[msg.sender]) != address(0)) revert TillExists(address(tillOf[msg.sender]));
        till = new GatewayTill(msg.sender, token, uptoProxy);
        tillOf[msg.sender] = till;
        gatewayOf[address(till)] = msg.sender;
        _setUrl(url);
        emit TillOpened(msg.sender, address(till), url);
    }

    function setTillUrl(string calldata url) external {
        if (address(tillOf[msg.sender]) == address(0)) revert NoTill(msg.sender);
        _setUrl(url);
        emit TillUrlSet(msg.sender, url);
    }

    // ------------------------------------------------------------------ collecting

    /// @notice Locks `exact` payments. Anyone may call: the payer's signature names amount and till.
    /// @dev One bad payment does not stop the others. A transfer that somebody pushed through directly is credited all
    /// the same, because OPG remembers what each nonce moved; a cancelled nonce never is.
    function collectExact(ExactPayment[] calldata items) external nonReentrant {
        for (uint256 i = 0; i < items.length; i++) {
            ExactPayment calldata item = items[i];
            bytes32 requestId = requestIdOf(item.payer, SCHEME_EXACT, item.nonce);
            if (_payments[requestId].state != PaymentState.None) continue;
            GatewayTill till = tillOf[item.gateway];
            if (address(till) == address(0) || item.value > type(uint96).max) {
                emit PaymentRejected(requestId, abi.encodePacked(AuthorisationNotForTill.selector));
                continue;
            }
            if (token.consumedAuthorization(item.payer, item.nonce) == bytes32(0)) {
                try token.transferWithAuthorization(
                    item.payer,
                    address(till),
                    item.value,
                    item.validAfter,
                    item.validBefore,
                    item.nonce,
                    item.signature
                ) {} catch (bytes memory reason) {
                    emit PaymentRejected(requestId, reason);
                    continue;
                }
            }
            bytes32 expected = keccak256(abi.encode(address(till), item.value));
            if (token.consumedAuthorization(item.payer, item.nonce) != expected) {
                emit PaymentRejected(requestId, abi.encodePacked(AuthorisationNotForTill.selector));
                continue;
            }
            _lock(requestId, item.payer, item.gateway, item.value);
            till.sweep(item.value);
        }
    }

    /// @notice Locks `upto` payments at what the answers cost. Only the gateway that the witness names may call.
    function collectUpto(UptoPayment[] calldata items) external nonReentrant {
        GatewayTill till = tillOf[msg.sender];
        if (address(till) == address(0)) revert NoTill(msg.sender);
        for (uint256 i = 0; i < items.length; i++) {
            UptoPayment calldata item = items[i];
            if (item.witness.to != address(till)) revert NotTheGateway(msg.sender, gatewayOf[item.witness.to]);
            bytes32 requestId = requestIdOf(item.payer, SCHEME_UPTO, bytes32(item.permit.nonce));
            if (_payments[requestId].state != PaymentState.None) continue;
            if (item.permit.permitted.token != address(token) || item.amount > type(uint96).max) {
                emit PaymentRejected(requestId, abi.encodePacked(AmountTooLarge.selector));
                continue;
            }
            try till.collectUpto(item.permit, item.amount, item.payer, item.witness, item.signature) returns (
                uint256 received
            ) {
                _lock(requestId, item.payer, msg.sender, received);
            } catch (bytes memory reason) {
                emit PaymentRejected(requestId, reason);
            }
        }
    }

    // ------------------------------------------------------------------ settling

    /// @notice Pays out receipts of final batches. Anyone may call, in any portions.
    /// @dev A receipt that cannot be paid (already paid, paid into another till, batched by a stranger too early, not
    /// what the payer signed for) is skipped with its reason; a wrong proof reverts.
    function settle(SettleItem[] calldata items) external nonReentrant {
        bytes32 batchId;
        BatchBook.Batch memory batch;
        uint256 total = 0;
        for (uint256 i = 0; i < items.length; i++) {
            SettleItem calldata item = items[i];
            if (item.batchId != batchId) {
                batchId = item.batchId;
                batch = settlement.batch(batchId);
                if (batch.state != BatchBook.State.Final) revert BatchNotFinal(batchId);
            }
            SumNode memory top = InclusionLib.rootOf(item.entry, item.path);
            Receipt memory receipt = item.entry.receipt;
            if (top.hash != batch.root) revert NotInBatch(receipt.requestId, batchId);
            bytes4 obstacle = _obstacle(item.entry, batch);
            if (obstacle != bytes4(0)) {
                emit SettlementSkipped(receipt.requestId, batchId, obstacle);
                continue;
            }
            total += _pay(receipt, batchId);
        }
        if (total > 0) IERC20(token).safeTransfer(address(splitter), total);
    }

    /// @notice Records the request that a payer signed; from then on only a receipt that agrees is paid. Anyone may
    /// deliver it, since the signature speaks for itself.
    function postRequestAuth(RequestAuth calldata auth, address payer, bytes calldata signature) external {
        bytes32 structHash = ReceiptLib.structHash(auth);
        if (!SignatureChecker.isValidSignatureNow(payer, settlement.digestOf(structHash), signature)) {
            revert BadRequestAuth(auth.requestId);
        }
        // The first stands: a payer that signs twice for one request cannot use the second to escape the first.
        if (requestAuthOf[auth.requestId][payer] != bytes32(0)) revert BadRequestAuth(auth.requestId);
        requestAuthOf[auth.requestId][payer] = structHash;
        _auths[auth.requestId][payer] = auth;
        emit RequestAuthPosted(auth.requestId, payer);
    }

    /// @notice Returns payments whose receipts found no final batch in time. Anyone may call.
    /// @dev A pause moves the time by its own length. ParamStore keeps REFUND_TIMEOUT at ATTEST_TIMEOUT + CHALLENGE_WINDOW + ADJUDICATION or more. What is
    /// committed that long before the refund is due is final or expired by then; whoever wants it paid calls `settle`.
    function refundTimeout(bytes32[] calldata requestIds) external nonReentrant {
        for (uint256 i = 0; i < requestIds.length; i++) {
            Payment storage p = _payments[requestIds[i]];
            if (p.state != PaymentState.Locked) revert NotLocked(requestIds[i]);
            uint64 timeout = uint64(params.getAt(Params.REFUND_TIMEOUT, p.lockedAt));
            uint64 dueAt = pauseClock.extended(p.lockedAt, p.lockedAt + timeout);
            if (block.timestamp < dueAt) revert RefundNotDue(requestIds[i], dueAt);
            _refund(requestIds[i], p);
        }
    }

    /// @notice Returns a payment whose receipt was proven bad. By the fault manager, for it has seen the proof.
    function refundProven(bytes32 requestId) external {
        if (msg.sender != faultManager) revert NotFaultManager(msg.sender);
        Payment storage p = _payments[requestId];
        if (p.state != PaymentState.Locked) revert NotLocked(requestId);
        _refund(requestId, p);
    }

    /// @notice Pays the caller its refunds and unused parts.
    function withdrawCredit() external nonReentrant returns (uint256 amount) {
        amount = credit[msg.sender];
        if (amount == 0) revert NoCredit(msg.sender);
        credit[msg.sender] = 0;
        emit CreditWithdrawn(msg.sender, amount);
        IERC20(token).safeTransfer(msg.sender, amount);
    }

    // ------------------------------------------------------------------ internal

    function _refund(bytes32 requestId, Payment storage p) private {
        p.state = PaymentState.Refunded;
        credit[p.payer] += p.amount;
        emit PaymentRefunded(requestId, p.payer, p.amount);
    }

    function _setUrl(string calldata url) private {
        if (bytes(url).length > MAX_URL) revert UrlTooLong(bytes(url).length);
        tillUrl[msg.sender] = url;
    }

    function _lock(bytes32 requestId, address payer, address gateway, uint256 amount) private {
        // Safe cast: both callers bound the amount by 2^96, and the token's supply is below it.
        _payments[requestId] = Payment(payer, uint96(amount), gateway, uint64(block.timestamp), PaymentState.Locked);
        emit PaymentLocked(requestId, payer, gateway, amount);
    }

    /// @dev Why this receipt earns nothing, or zero.
    function _obstacle(Entry memory entry, BatchBook.Batch memory batch) private view returns (bytes4) {
        Receipt memory receipt = entry.receipt;
        // Rows under a grant are settled whole, elsewhere.
        if (entry.grantId != bytes32(0)) return PaidByGrant.selector;
        Payment storage p = _payments[receipt.requestId];
        if (p.state != PaymentState.Locked) return AlreadyHandled.selector;
        if (p.payer != receipt.payer || p.gateway != receipt.committer) return ForeignPayment.selector;
        // Until includeBy only the named committer may batch a receipt; then anyone may force it in.
        if (batch.committer != receipt.committer && batch.committedAt <= receipt.includeBy) {
            return CommitterTooEarly.selector;
        }
        if (requestAuthOf[receipt.requestId][p.payer] != bytes32(0)) {
            RequestAuth storage auth = _auths[receipt.requestId][p.payer];
            if (
                auth.requestHash != receipt.requestHash || auth.modelId != receipt.modelId
                    || auth.maxPrice < receipt.price || auth.committer != receipt.committer
                    || auth.deadline < receipt.issuedAt
            ) return DisagreesWithRequestAuth.selector;
        }
        return bytes4(0);
    }

    /// @return price that the caller moves to the splitter
    function _pay(Receipt memory receipt, bytes32 batchId) private returns (uint256 price) {
        Payment storage p = _payments[receipt.requestId];
        price = receipt.price < p.amount ? receipt.price : p.amount;
        uint256 refund = p.amount - price;
        p.state = PaymentState.Paid;
        // Safe cast: price ≤ p.amount.
        p.amount = uint96(price);
        if (refund > 0) credit[p.payer] += refund;
        emit PaymentSettled(receipt.requestId, batchId, price, refund);
        if (price == 0) return 0;
        splitter.credit(receipt.modelId, models.publisherOf(receipt.modelId), receipt.node, price);
    }
}
