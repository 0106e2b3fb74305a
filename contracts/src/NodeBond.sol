// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Arrays} from "@openzeppelin/contracts/utils/Arrays.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Params} from "./libraries/Params.sol";
import {OPG} from "./OPG.sol";
import {ParamStore} from "./ParamStore.sol";
import {SlashProceeds} from "./staking/SlashProceeds.sol";

/// @title What the operator of a node or a gateway stands to lose
/// @notice A bond has one owner, so all of it answers for all that the owner did: what is bonded and what is on its way
/// out alike, until it is paid out. An exit's time is fixed when it begins.
contract NodeBond is SlashProceeds {
    using SafeERC20 for IERC20;
    using Arrays for address[];

    // ------------------------------------------------------------------ types

    struct Exit {
        uint128 amount;
        uint64 releaseAt;
    }

    /// @dev What a batch asks of a bond lies in one slot. OPG's supply is below 2^90 base units.
    struct Bond {
        uint96 bonded;
        /// Σ exposure of open batches, OPG base units.
        uint96 open;
        /// In the order of registration, from 1; 0 = never registered.
        uint32 number;
        string url;
        Exit[] exits;
    }

    /// @notice What a batch asks of an operator's bond, OPG base units.
    struct Cover {
        address operator;
        uint128 exposure;
    }

    /// @notice What it holds of it, in half a slot: the operator by its number.
    struct Share {
        uint32 operator;
        uint96 exposure;
    }

    // ------------------------------------------------------------------ constants, storage

    uint256 private constant MAX_URL = 256;
    uint256 private constant WAD = 1e18;
    uint256 private constant BPS = 10_000;
    /// @notice Exits of one operator that may be under way.
    uint256 public constant MAX_EXITS = 32;

    IERC20 public immutable token;
    ParamStore public immutable params;
    address private immutable deployer;
    /// @notice Only contract that may slash; set once.
    address public faultManager;
    /// @notice Only contract that may reserve coverage; set once.
    address public settlement;
    mapping(address operator => Bond) private _bonds;
    address[] private _operators;

    // ------------------------------------------------------------------ events, errors

    event NodeRegistered(address indexed node, string url, uint256 amount);
    event NodeUrlSet(address indexed node, string url);
    event BondAdded(address indexed node, uint256 amount);
    event UnbondBegun(address indexed node, uint256 amount, uint64 unbondAt);
    event BondWithdrawn(address indexed node, uint256 amount);
    event VoidCharged(address indexed committer, uint256 amount);
    event NodeSlashed(address indexed node, uint256 amount, bytes32 indexed faultId);

    error AlreadyWired();
    error AlreadyRegistered(address node);
    error NotRegistered(address node);
    error BondTooSmall(uint256 amount, uint256 min);
    error NotEnoughBond(uint256 bonded, uint256 asked);
    error CoverageExceeded(address operator, uint256 open, uint256 added, uint256 covered);
    error UrlTooLong(uint256 length);
    error TooManyExits();
    error StillUnbonding(uint64 unbondAt);
    error NothingUnbonding(address node);
    error NotFaultManager(address caller);
    error NotSettlement(address caller);
    error BadFraction(uint256 fraction);

    constructor(IERC20 token_, ParamStore params_) {
        token = token_;
        params = params_;
        deployer = msg.sender;
    }

    /// @notice One-shot: names the contract that judges faults. Slashed bonds go to it.
    function setFaultManager(address faultManager_) external {
        if (msg.sender != deployer || faultManager != address(0)) revert AlreadyWired();
        faultManager = faultManager_;
    }

    /// @notice One-shot: names the contract whose batches reserve coverage.
    function setSettlement(address settlement_) external {
        if (msg.sender != deployer || settlement != address(0)) revert AlreadyWired();
        settlement = settlement_;
    }

    modifier onlySettlement() {
        if (msg.sender != settlement) revert NotSettlement(msg.sender);
        _;
    }

    // ------------------------------------------------------------------ views

    /// @return bonded OPG base units.
    /// @return unbonding OPG base units on their way out, slashable still.
    /// @return unbondAt when the next exit is free, Unix seconds; 0 without one.
    /// @return url where it listens.
    /// @return registered whether it ever was.
    function node(address operator)
        external
        view
        returns (uint256 bonded, uint256 unbonding, uint64 unbondAt, string memory url, bool registered)
    {
        Bond storage b = _bonds[operator];
        return (b.bonded, _unbonding(b), _nextRelease(b), b.url, b.number != 0);
    }

    /// @notice Whose number this is, in the order of registration from 1.
    function operatorAt(uint256 number) external view returns (address) {
        return _operators[number - 1];
    }

    function exitsOf(address operator) external view returns (Exit[] memory) {
        return _bonds[operator].exits;
    }

    function isBonded(address operator) external view returns (bool) {
        Bond storage b = _bonds[operator];
        return b.number != 0 && b.bonded >= params.get(Params.MIN_NODE_BOND);
    }

    /// @notice All that a slash could take, OPG base units.
    function slashableOf(address operator) external view returns (uint256) {
        Bond storage b = _bonds[operator];
        return b.bonded + _unbonding(b);
    }

    /// @notice What an operator's bond can cover in all, OPG base units: κ times what is bonded.
    function coverageOf(address operator) public view returns (uint256) {
        return _bonds[operator].bonded * params.get(Params.COVERAGE_KAPPA_BPS) / BPS;
    }

    /// @notice Exposure of an operator's open batches, OPG base units.
    function openExposureOf(address operator) external view returns (uint256) {
        return _bonds[operator].open;
    }

    // ------------------------------------------------------------------ writes

    function register(string calldata url, uint256 amount) external {
        Bond storage b = _bonds[msg.sender];
        if (b.number != 0) revert AlreadyRegistered(msg.sender);
        uint256 min = params.get(Params.MIN_NODE_BOND);
        if (amount < min) revert BondTooSmall(amount, min);
        _operators.push(msg.sender);
        b.number = SafeCast.toUint32(_operators.length);
        _setUrl(b, url);
        emit NodeRegistered(msg.sender, url, amount);
        _bond(b, amount);
    }

    function setUrl(string calldata url) external {
        _setUrl(_registered(), url);
        emit NodeUrlSet(msg.sender, url);
    }

    function add(uint256 amount) external {
        Bond storage b = _registered();
        emit BondAdded(msg.sender, amount);
        _bond(b, amount);
    }

    /// @notice Starts an exit. It no longer covers new batches, and answers for the open ones until it is paid out.
    function beginUnbond(uint256 amount) external {
        Bond storage b = _registered();
        if (amount == 0 || amount > b.bonded) revert NotEnoughBond(b.bonded, amount);
        if (b.exits.length >= MAX_EXITS) revert TooManyExits();
        // Safe casts: not more than `bonded`.
        b.bonded -= uint96(amount);
        uint64 releaseAt = uint64(block.timestamp + params.get(Params.UNBONDING));
        b.exits.push(Exit(uint128(amount), releaseAt));
        emit UnbondBegun(msg.sender, amount, releaseAt);
    }

    /// @notice Pays out every exit that is due.
    function withdraw() external returns (uint256 amount) {
        Exit[] storage exits = _registered().exits;
        if (exits.length == 0) revert NothingUnbonding(msg.sender);
        bool due = false;
        for (uint256 i = exits.length; i > 0; i--) {
            Exit memory exit = exits[i - 1];
            if (exit.releaseAt > block.timestamp) continue;
            due = true;
            amount += exit.amount;
            exits[i - 1] = exits[exits.length - 1];
            exits.pop();
        }
        if (!due) revert StillUnbonding(_nextRelease(_bonds[msg.sender]));
        emit BondWithdrawn(msg.sender, amount);
        token.safeTransfer(msg.sender, amount);
    }

    // ------------------------------------------------------------------ coverage

    /// @notice Reserves coverage: Σ open exposure of an operator never exceeds κ times its bond.
    function reserve(Cover[] calldata covers) external onlySettlement returns (Share[] memory shares) {
        uint256 kappa = params.get(Params.COVERAGE_KAPPA_BPS);
        shares = new Share[](covers.length);
        for (uint256 i = 0; i < covers.length; i++) {
            (address operator, uint256 exposure) = (covers[i].operator, covers[i].exposure);
            Bond storage b = _bonds[operator];
            (uint256 open, uint256 covered) = (b.open, b.bonded * kappa / BPS);
            if (open + exposure > covered) revert CoverageExceeded(operator, open, exposure, covered);
            if (b.number == 0) revert NotRegistered(operator);
            // Safe casts: at most the bond, κ at most 1.
            b.open = uint96(open + exposure);
            shares[i] = Share(b.number, uint96(exposure));
        }
    }

    /// @notice Gives back what `reserve` took.
    function release(Share[] calldata shares) external onlySettlement {
        for (uint256 i = 0; i < shares.length; i++) {
            // Unchecked: the number came from here.
            Bond storage b = _bonds[_operators.unsafeAccess(shares[i].operator - 1).value];
            (uint96 open, uint96 exposure) = (b.open, shares[i].exposure);
            b.open = open > exposure ? open - exposure : 0;
        }
    }

    /// @notice Burns up to `amount` of the bond of who committed what was found void.
    function charge(uint256 number, uint256 amount) external onlySettlement returns (uint256 taken) {
        address operator = _operators[number - 1];
        taken = _take(_bonds[operator], amount);
        emit VoidCharged(operator, taken);
        OPG(address(token)).burn(taken);
    }

    // ------------------------------------------------------------------ slashing

    /// @notice Takes up to `amount`, from the bond first, then from what is leaving.
    function slash(address operator, uint256 amount, bytes32 faultId) external returns (uint256 taken) {
        return _slash(operator, amount, faultId);
    }

    /// @notice Takes `fraction` (10^18 = all), rounded up, of the bond and of what is leaving.
    function slashFraction(address operator, uint256 fraction, bytes32 faultId) external returns (uint256 taken) {
        if (fraction == 0 || fraction > WAD) revert BadFraction(fraction);
        Bond storage b = _bonds[operator];
        uint256 amount = Math.mulDiv(b.bonded + _unbonding(b), fraction, WAD, Math.Rounding.Ceil);
        return _slash(operator, amount, faultId);
    }

    /// @notice Sends the fault manager what an earlier transfer could not. Anyone may call.
    function sendProceeds() external {
        uint256 amount = unsentProceeds;
        unsentProceeds = 0;
        _sendProceeds(token, faultManager, amount);
    }

    // ------------------------------------------------------------------ internal

    function _bond(Bond storage b, uint256 amount) private {
        b.bonded += SafeCast.toUint96(amount);
        token.safeTransferFrom(msg.sender, address(this), amount);
    }

    function _slash(address operator, uint256 amount, bytes32 faultId) private returns (uint256 taken) {
        if (msg.sender != faultManager) revert NotFaultManager(msg.sender);
        taken = _take(_bonds[operator], amount);
        emit NodeSlashed(operator, taken, faultId);
        _sendProceeds(token, faultManager, taken);
    }

    /// @dev From the bond first, then from what is leaving.
    function _take(Bond storage b, uint256 amount) private returns (uint256 taken) {
        taken = Math.min(amount, b.bonded);
        // Safe casts: never more than what is there.
        b.bonded -= uint96(taken);
        for (uint256 i = 0; i < b.exits.length && taken < amount; i++) {
            uint256 part = Math.min(amount - taken, b.exits[i].amount);
            b.exits[i].amount -= uint128(part);
            taken += part;
        }
    }

    function _unbonding(Bond storage b) private view returns (uint256 amount) {
        for (uint256 i = 0; i < b.exits.length; i++) amount += b.exits[i].amount;
    }

    function _nextRelease(Bond storage b) private view returns (uint64 next) {
        for (uint256 i = 0; i < b.exits.length; i++) {
            uint64 releaseAt = b.exits[i].releaseAt;
            if (next == 0 || releaseAt < next) next = releaseAt;
        }
    }

    function _registered() private view returns (Bond storage b) {
        b = _bonds[msg.sender];
        if (b.number == 0) revert NotRegistered(msg.sender);
    }

    function _setUrl(Bond storage b, string calldata url) private {
        if (bytes(url).length > MAX_URL) revert UrlTooLong(bytes(url).length);
        b.url = url;
    }
}
