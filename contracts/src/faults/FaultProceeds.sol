// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Params} from "../libraries/Params.sol";
import {OPG} from "../OPG.sol";
import {ParamStore} from "../ParamStore.sol";

/// @title Where slashed tokens go: to who lost by the fault, then bounty, then insurance; the rest is burned
/// @notice Every amount is a credit that its owner withdraws. What victims and prover get together is at most 76% of
/// what was slashed, so proving one's own fault always loses, whoever plays the victim.
abstract contract FaultProceeds {
    using SafeERC20 for IERC20;

    // ------------------------------------------------------------------ types

    struct Proceeds {
        address prover;
        /// Until then other victims may claim and an earlier announcement may take the bounty, Unix seconds.
        uint64 closesAt;
        uint64 offenceAt;
        /// OPG base units, all of them.
        uint128 taken;
        uint128 distributed;
        uint128 bounty;
        uint128 owed;
        uint128 compensated;
    }

    struct Claim {
        address payer;
        uint128 owed;
    }

    // ------------------------------------------------------------------ constants, storage

    uint256 internal constant BPS = 10_000;
    /// @notice Most of the proceeds that victims get.
    uint256 public constant MAX_COMPENSATION_BPS = 7_000;
    /// @notice Victims of one fault that can be compensated, the largest first; bounds the work of `distribute`.
    uint256 public constant MAX_CLAIMS = 32;

    OPG public immutable token;
    ParamStore public immutable params;
    /// @notice Credited with the insurance's part: the treasury.
    address public immutable insurance;

    mapping(bytes32 faultId => Proceeds) private _proceeds;
    mapping(bytes32 faultId => Claim[]) private _claims;
    /// @notice What an account may withdraw, OPG base units.
    mapping(address account => uint256) public credit;
    /// @notice To be burned as soon as the tokens are here, OPG base units.
    uint256 public pendingBurn;

    // ------------------------------------------------------------------ events, errors

    event ClaimNoted(bytes32 indexed faultId, bytes32 indexed requestId, address indexed payer, uint256 owed);
    event Compensated(bytes32 indexed faultId, address indexed payer, uint256 amount);
    event ProceedsDistributed(
        bytes32 indexed faultId,
        address indexed prover,
        uint256 compensation,
        uint256 bounty,
        uint256 insured,
        uint256 burned
    );
    event CreditWithdrawn(address indexed account, uint256 amount);

    error ClaimsOpen(uint64 until);
    error TooManyClaims(bytes32 faultId);
    error NothingToDistribute(bytes32 faultId);
    error NoCredit(address account);
    error ZeroAddress();

    constructor(OPG token_, ParamStore params_, address insurance_) {
        if (insurance_ == address(0)) revert ZeroAddress();
        token = token_;
        params = params_;
        insurance = insurance_;
    }

    // ------------------------------------------------------------------ views

    function proceedsOf(bytes32 faultId) external view returns (Proceeds memory) {
        return _proceeds[faultId];
    }

    /// @notice Victims of a fault and what they are owed still, OPG base units.
    function claimsOf(bytes32 faultId) external view returns (Claim[] memory) {
        return _claims[faultId];
    }

    // ------------------------------------------------------------------ writes

    /// @notice Shares out what a fault has brought since the last time. Anyone may call, once claims are closed.
    function distribute(bytes32 faultId) external {
        Proceeds storage p = _proceeds[faultId];
        if (block.timestamp < p.closesAt) revert ClaimsOpen(p.closesAt);
        uint256 fresh = p.taken - p.distributed;
        if (fresh == 0) revert NothingToDistribute(faultId);
        p.distributed = p.taken;
        uint256 compensation = _compensate(faultId, p, fresh * MAX_COMPENSATION_BPS / BPS);
        uint256 rest = fresh - compensation;
        uint256 bounty = Math.min(
            rest * params.getAt(Params.BOUNTY_BPS, p.offenceAt) / BPS,
            Math.saturatingSub(params.getAt(Params.BOUNTY_CAP, p.offenceAt), p.bounty)
        );
        uint256 insured = rest * params.getAt(Params.INSURANCE_BPS, p.offenceAt) / BPS;
        uint256 burned = rest - bounty - insured;
        // Safe cast: part of `taken`.
        p.bounty += uint128(bounty);
        credit[p.prover] += bounty;
        credit[insurance] += insured;
        pendingBurn += burned;
        emit ProceedsDistributed(faultId, p.prover, compensation, bounty, insured, burned);
        if (token.balanceOf(address(this)) >= pendingBurn) burn();
    }

    /// @notice Pays the caller its credit.
    function withdraw() external returns (uint256 amount) {
        amount = credit[msg.sender];
        if (amount == 0) revert NoCredit(msg.sender);
        credit[msg.sender] = 0;
        emit CreditWithdrawn(msg.sender, amount);
        IERC20(token).safeTransfer(msg.sender, amount);
    }

    /// @notice Burns what is to be burned. Anyone may call; needed only where a slash's transfer came late.
    function burn() public {
        uint256 amount = pendingBurn;
        pendingBurn = 0;
        token.burn(amount);
    }

    // ------------------------------------------------------------------ internal

    function _openProceeds(bytes32 faultId, address prover, uint64 offenceAt) internal {
        Proceeds storage p = _proceeds[faultId];
        p.prover = prover;
        p.offenceAt = offenceAt;
        p.closesAt = uint64(block.timestamp + params.getAt(Params.GRACE, offenceAt));
    }

    function _setProver(bytes32 faultId, address prover) internal {
        _proceeds[faultId].prover = prover;
    }

    function _claimsClosed(bytes32 faultId) internal view returns (bool) {
        return block.timestamp >= _proceeds[faultId].closesAt;
    }

    /// @dev Safe cast: nobody is slashed more than the supply, below 2^90.
    function _addProceeds(bytes32 faultId, uint256 taken) internal {
        _proceeds[faultId].taken += uint128(taken);
    }

    /// @dev Where the list is full the smallest makes room for a larger one: dust cannot crowd out who lost most.
    function _noteClaim(bytes32 faultId, bytes32 requestId, address payer, uint128 owed) internal {
        Claim[] storage claims = _claims[faultId];
        Proceeds storage p = _proceeds[faultId];
        if (claims.length < MAX_CLAIMS) {
            claims.push(Claim(payer, owed));
        } else {
            uint256 smallest = 0;
            for (uint256 i = 1; i < MAX_CLAIMS; i++) if (claims[i].owed < claims[smallest].owed) smallest = i;
            uint128 dropped = claims[smallest].owed;
            if (dropped >= owed) revert TooManyClaims(faultId);
            claims[smallest] = Claim(payer, owed);
            p.owed -= dropped;
        }
        p.owed += owed;
        emit ClaimNoted(faultId, requestId, payer, owed);
    }

    /// @dev All that is owed, or `most` shared in proportion, rounded down; what rounding leaves is not given.
    function _compensate(bytes32 faultId, Proceeds storage p, uint256 most) private returns (uint256 given) {
        uint256 open = p.owed - p.compensated;
        if (open == 0) return 0;
        uint256 share = Math.min(open, most);
        Claim[] storage claims = _claims[faultId];
        for (uint256 i = 0; i < claims.length; i++) {
            Claim storage c = claims[i];
            uint256 amount = Math.mulDiv(c.owed, share, open);
            // Safe cast: at most what is owed.
            c.owed -= uint128(amount);
            given += amount;
            credit[c.payer] += amount;
            emit Compensated(faultId, c.payer, amount);
        }
        p.compensated += uint128(given);
    }
}
