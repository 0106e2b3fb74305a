// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {GrantLib, SpendingGrant} from "./libraries/GrantLib.sol";
import {InclusionLib} from "./libraries/InclusionLib.sol";
import {RowKey, Sibling, SumNode} from "./libraries/MerkleSumLib.sol";
import {Params} from "./libraries/Params.sol";
import {ModelRegistry} from "./ModelRegistry.sol";
import {ParamStore} from "./ParamStore.sol";
import {RevenueSplitter} from "./RevenueSplitter.sol";
import {Settlement} from "./Settlement.sol";

/// @title Prepaid calls: a deposit, and the payer's word on who may spend it how
/// @notice A client that can only send an API key pays by a grant that it signed once. Each final batch settles all its
/// calls with one write, by the settlement row that commits to their sum. What a gateway can spend is never more than the
/// grant says and the deposit holds, and every debit is an event.
/// @dev Whether each call kept to the grant (price, models, nodes, hours, expiry, one counter one call) is judged by the
/// validators before a batch is final, and by a fault proof after it.
contract SpendingGrants is ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    // ------------------------------------------------------------------ types

    /// @dev One slot: settling a row writes it once. OPG's supply is below 2^96.
    struct Account {
        uint96 funded;
        uint96 spent;
        /// Since when no new call is paid, Unix seconds; 0 while the grant stands.
        uint56 revokedAt;
        bool opened;
    }

    /// @notice A row of a final batch, and its way to the root.
    struct RowItem {
        RowKey key;
        SumNode top;
        Sibling[] rowSiblings;
        Sibling[] groupSiblings;
    }

    // ------------------------------------------------------------------ storage

    IERC20 public immutable token;
    Settlement public immutable settlement;
    ModelRegistry public immutable models;
    RevenueSplitter public immutable splitter;
    ParamStore public immutable params;
    mapping(bytes32 grantId => Account) private _accounts;
    /// @notice Whose batches pay under a grant: those of no other, and nothing that was forced in.
    mapping(bytes32 grantId => address) public gatewayOf;
    /// @notice Who signed a grant: to whom goes what is owed for calls that should not have been paid.
    mapping(bytes32 grantId => address) public payerOf;
    /// @dev Rows paid out of a batch: bit i is the row whose first receipt is the batch's i-th.
    mapping(bytes32 batchId => mapping(uint256 word => uint256)) private _settledRows;
    /// @dev Of them, those whose deposit did not hold the whole row.
    mapping(bytes32 batchId => mapping(uint256 word => uint256)) private _shortRows;
    /// @notice What final calls have earned and nobody has passed on yet, OPG base units: settling adds to one slot, and
    /// the token moves once for any number of batches.
    mapping(bytes32 modelId => mapping(address node => uint256)) public takings;

    // ------------------------------------------------------------------ events, errors

    event GrantOpened(bytes32 indexed grantId, address indexed payer, address indexed gateway, SpendingGrant grant);
    event GrantFunded(bytes32 indexed grantId, address indexed from, uint256 amount);
    event GrantRevoked(bytes32 indexed grantId, uint64 revokedAt);
    event GrantWithdrawn(bytes32 indexed grantId, address indexed payer, uint256 amount);
    event RowSettled(
        bytes32 indexed batchId, bytes32 indexed grantId, bytes32 modelId, address node, uint256 price, uint256 unpaid
    );

    event TakingsPassedOn(bytes32 indexed modelId, address indexed node, uint256 amount);

    error BadSignature(bytes32 grantId);
    error AlreadyOpened(bytes32 grantId);
    error NotOpened(bytes32 grantId);
    error Expired(uint64 expiry);
    error OverMaximum(uint256 funded, uint256 maxTotal);
    error NotThePayer(address caller, address payer);
    error AlreadyRevoked(bytes32 grantId);
    error WithdrawalNotDue(bytes32 grantId, uint64 dueAt);
    error NothingLeft(bytes32 grantId);
    error NotAGrantRow(uint256 index);
    error NotTheGateway(bytes32 grantId, address committer);
    error NotInBatch(bytes32 grantId, bytes32 batchId);
    error NothingTaken(bytes32 modelId, address node);

    constructor(
        IERC20 token_,
        Settlement settlement_,
        ModelRegistry models_,
        RevenueSplitter splitter_,
        ParamStore params_
    ) {
        token = token_;
        settlement = settlement_;
        models = models_;
        splitter = splitter_;
        params = params_;
    }

    // ------------------------------------------------------------------ views

    /// @notice Id of a grant: the EIP-712 digest that the payer signs, so it is bound to this deployment.
    function grantIdOf(SpendingGrant memory grant) public view returns (bytes32) {
        return settlement.digestOf(GrantLib.structHash(grant));
    }

    /// @return funded what was paid in and not taken back, OPG base units
    /// @return spent of it, on final calls
    /// @return revokedAt Unix seconds, 0 while the grant stands
    /// @return opened whether the payer's signature was seen
    function account(bytes32 grantId)
        external
        view
        returns (uint96 funded, uint96 spent, uint64 revokedAt, bool opened)
    {
        Account storage a = _accounts[grantId];
        return (a.funded, a.spent, a.revokedAt, a.opened);
    }

    /// @param row receipts before it in its batch
    /// @return whether it was paid in full
    function paidInFull(bytes32 batchId, uint64 row) external view returns (bool) {
        (uint256 word, uint256 bit) = (row >> 8, 1 << (row & 255));
        return _settledRows[batchId][word] & ~_shortRows[batchId][word] & bit != 0;
    }

    // ------------------------------------------------------------------ paying in and out

    /// @notice Shows the payer's signature once and pays `amount` in, from the caller. The payer itself needs none.
    function open(SpendingGrant calldata grant, bytes calldata signature, uint96 amount)
        external
        nonReentrant
        returns (bytes32 grantId)
    {
        grantId = grantIdOf(grant);
        Account storage a = _accounts[grantId];
        if (a.opened) revert AlreadyOpened(grantId);
        if (grant.expiry <= block.timestamp) revert Expired(grant.expiry);
        if (msg.sender != grant.payer && !SignatureChecker.isValidSignatureNow(grant.payer, grantId, signature)) {
            revert BadSignature(grantId);
        }
        a.opened = true;
        (gatewayOf[grantId], payerOf[grantId]) = (grant.gateway, grant.payer);
        emit GrantOpened(grantId, grant.payer, grant.gateway, grant);
        if (amount > 0) _fund(grantId, grant, amount);
    }

    /// @notice Pays more in, from the caller, up to the grant's maximum.
    function fund(SpendingGrant calldata grant, uint96 amount) external nonReentrant {
        bytes32 grantId = grantIdOf(grant);
        Account storage a = _accounts[grantId];
        if (!a.opened) revert NotOpened(grantId);
        if (a.revokedAt != 0) revert AlreadyRevoked(grantId);
        _fund(grantId, grant, amount);
    }

    /// @notice Ends a grant: calls that are asked for from now on are not paid. By its payer.
    function revoke(SpendingGrant calldata grant) external {
        bytes32 grantId = grantIdOf(grant);
        if (msg.sender != grant.payer) revert NotThePayer(msg.sender, grant.payer);
        Account storage a = _accounts[grantId];
        if (a.revokedAt != 0) revert AlreadyRevoked(grantId);
        // Also before it was opened: then it never will be worth anything.
        a.opened = true;
        a.revokedAt = uint56(block.timestamp);
        emit GrantRevoked(grantId, uint64(block.timestamp));
    }

    /// @notice Pays the payer what is left, once no call from before the end of the grant can still be settled: then
    /// DEPOSIT_WITHDRAWAL has passed since its revocation or expiry. Anyone may call.
    function withdraw(SpendingGrant calldata grant) external nonReentrant returns (uint256 amount) {
        bytes32 grantId = grantIdOf(grant);
        Account storage a = _accounts[grantId];
        uint64 endedAt = a.revokedAt != 0 && a.revokedAt < grant.expiry ? a.revokedAt : grant.expiry;
        uint64 dueAt = endedAt + uint64(params.getAt(Params.DEPOSIT_WITHDRAWAL, endedAt));
        if (block.timestamp < dueAt) revert WithdrawalNotDue(grantId, dueAt);
        amount = a.funded - a.spent;
        if (amount == 0) revert NothingLeft(grantId);
        a.funded = a.spent;
        emit GrantWithdrawn(grantId, grant.payer, amount);
        token.safeTransfer(grant.payer, amount);
    }

    // ------------------------------------------------------------------ settling

    /// @notice Pays out rows of a final batch; makes the batch final if it is due. Anyone may call, in any portions.
    /// @dev One gateway's batches alone pay under a grant, in the order of their heights, so that a call can be paid twice
    /// only by that gateway itself, provably. A row that was paid is skipped. Where a deposit does not hold the whole row, what it holds is paid, and the
    /// gateway, which let more be spent, bears the rest.
    function settle(bytes32 batchId, RowItem[] calldata rows) external nonReentrant {
        (bytes32 root, address committer) = settlement.finalRoot(batchId);
        for (uint256 i = 0; i < rows.length; i++) {
            if (rows[i].key.grantId == bytes32(0)) revert NotAGrantRow(i);
            if (gatewayOf[rows[i].key.grantId] != committer) revert NotTheGateway(rows[i].key.grantId, committer);
            _settleRow(batchId, root, rows[i]);
        }
    }

    /// @notice Sends what a model has earned at a node to the splitter, which credits each party's part. Anyone may call.
    function passOn(bytes32 modelId, address node) external nonReentrant returns (uint256 amount) {
        amount = takings[modelId][node];
        if (amount == 0) revert NothingTaken(modelId, node);
        takings[modelId][node] = 0;
        emit TakingsPassedOn(modelId, node, amount);
        token.safeTransfer(address(splitter), amount);
        splitter.credit(modelId, models.publisherOf(modelId), node, amount);
    }

    // ------------------------------------------------------------------ internal

    function _fund(bytes32 grantId, SpendingGrant calldata grant, uint96 amount) private {
        Account storage a = _accounts[grantId];
        uint256 funded = uint256(a.funded) + amount;
        if (funded > grant.maxTotal || funded > type(uint96).max) revert OverMaximum(funded, grant.maxTotal);
        a.funded = uint96(funded);
        emit GrantFunded(grantId, msg.sender, amount);
        token.safeTransferFrom(msg.sender, address(this), amount);
    }

    function _settleRow(bytes32 batchId, bytes32 root, RowItem calldata item) private {
        RowKey calldata key = item.key;
        (SumNode memory top, uint64 place) =
            InclusionLib.rootOfRow(key, item.top, item.rowSiblings, item.groupSiblings);
        if (top.hash != root) revert NotInBatch(key.grantId, batchId);
        mapping(uint256 word => uint256) storage settled = _settledRows[batchId];
        (uint256 word, uint256 bit) = (settled[place >> 8], 1 << (place & 255));
        if (word & bit != 0) return;
        settled[place >> 8] = word | bit;
        uint256 owed = item.top.sum;
        uint256 price = _spend(_accounts[key.grantId], owed);
        if (price < owed) _shortRows[batchId][place >> 8] |= bit;
        takings[key.modelId][key.node] += price;
        emit RowSettled(batchId, key.grantId, key.modelId, key.node, price, owed - price);
    }

    /// @return price what the deposit holds of what is owed
    function _spend(Account storage a, uint256 owed) private returns (uint256 price) {
        uint256 spent = a.spent;
        uint256 left = a.funded - spent;
        price = owed < left ? owed : left;
        // Safe cast: at most `funded`.
        a.spent = uint96(spent + price);
    }
}
