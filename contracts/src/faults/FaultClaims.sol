// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {InferenceEscrow} from "../InferenceEscrow.sol";
import {BatchBook} from "../settlement/BatchBook.sol";
import {Settlement} from "../Settlement.sol";
import {SpendingGrants} from "../SpendingGrants.sol";
import {FaultProceeds} from "./FaultProceeds.sol";
import {Finding} from "./IFaultAdapter.sol";

/// @title Who lost by a proven fault, and how much of it is made good
/// @notice What is still locked goes back to its payer; what was paid out already is claimed of the proceeds.
abstract contract FaultClaims is FaultProceeds {
    // ------------------------------------------------------------------ storage

    Settlement public immutable settlement;
    InferenceEscrow public immutable escrow;
    SpendingGrants public immutable grants;

    /// @notice What was made good, or has a claim: a request; the place of a call under a grant (`placeIdOf`), for what it
    /// says of its request is nobody's word; a batch, for the fee that its committer paid.
    mapping(bytes32 id => bool) public answered;
    /// @notice What was claimed for calls under a grant, OPG base units: never more than the grant has paid.
    mapping(bytes32 grantId => uint256) public claimedUnder;

    // ------------------------------------------------------------------ events

    event PayerRefunded(bytes32 indexed faultId, bytes32 indexed requestId, address indexed payer);

    constructor(Settlement settlement_, InferenceEscrow escrow_, SpendingGrants grants_) {
        settlement = settlement_;
        escrow = escrow_;
        grants = grants_;
    }

    // ------------------------------------------------------------------ views

    /// @notice Names the call, or the node of a row's tree, before which so many receipts of a batch stand.
    function placeIdOf(bytes32 batchId, uint64 position) public pure returns (bytes32) {
        return keccak256(abi.encode(batchId, position));
    }

    // ------------------------------------------------------------------ internal

    /// @param provenAt when the fault was proven, Unix seconds
    /// @return whether anybody gained anything by it
    function _makeWhole(bytes32 faultId, Finding memory f, uint64 provenAt) internal returns (bool) {
        if (f.batchId == bytes32(0)) return false;
        bool gained = _oweFee(faultId, f, provenAt);
        bool paid = f.grantId == bytes32(0) ? _makePayerWhole(faultId, f) : _oweUnderGrant(faultId, f);
        return gained || paid;
    }

    /// @dev A vote does not say whose doing it was that a batch is void; a proof does. What the vote took from a committer
    /// that could not know comes out of what the guilty node lost, so together the two never pay less than the fee. Not for a
    /// batch that was committed once everybody could know.
    function _oweFee(bytes32 faultId, Finding memory f, uint64 provenAt) private returns (bool) {
        if (f.node == address(0) || f.committer != address(0) || answered[f.batchId]) return false;
        uint256 fee = settlement.voidFeeOf(f.batchId);
        if (fee == 0 || _claimsClosed(faultId)) return false;
        BatchBook.Batch memory b = settlement.batch(f.batchId);
        if (b.committer == f.node || b.committedAt > provenAt) return false;
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
}
