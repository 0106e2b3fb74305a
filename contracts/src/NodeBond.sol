// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Params} from "./libraries/Params.sol";
import {ParamStore} from "./ParamStore.sol";

/// @title What a node operator stands to lose
/// @notice A bond on its way out stays slashable until it is paid out.
contract NodeBond {
    using SafeERC20 for IERC20;

    struct Bond {
        uint256 bonded;
        uint256 unbonding;
        uint64 unbondAt;
        bool registered;
        string url;
    }

    uint256 private constant MAX_URL = 256;

    IERC20 public immutable token;
    ParamStore public immutable params;
    address private immutable deployer;
    /// @notice Only contract that may slash; set once.
    address public faultManager;
    mapping(address operator => Bond) private _bonds;

    event NodeRegistered(address indexed node, string url, uint256 amount);
    event NodeUrlSet(address indexed node, string url);
    event BondAdded(address indexed node, uint256 amount);
    event UnbondBegun(address indexed node, uint256 amount, uint64 unbondAt);
    event BondWithdrawn(address indexed node, uint256 amount);
    event NodeSlashed(address indexed node, uint256 amount, bytes32 faultId);

    error AlreadyWired();
    error AlreadyRegistered(address node);
    error NotRegistered(address node);
    error BondTooSmall(uint256 amount, uint256 min);
    error NotEnoughBond(uint256 bonded, uint256 asked);
    error UrlTooLong(uint256 length);
    error StillUnbonding(uint64 unbondAt);
    error NothingUnbonding(address node);
    error NotFaultManager(address caller);

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

    function node(address operator)
        external
        view
        returns (uint256 bonded, uint256 unbonding, uint64 unbondAt, string memory url, bool registered)
    {
        Bond storage b = _bonds[operator];
        return (b.bonded, b.unbonding, b.unbondAt, b.url, b.registered);
    }

    function isBonded(address operator) external view returns (bool) {
        Bond storage b = _bonds[operator];
        return b.registered && b.bonded >= params.get(Params.MIN_NODE_BOND);
    }

    function register(string calldata url, uint256 amount) external {
        Bond storage b = _bonds[msg.sender];
        if (b.registered) revert AlreadyRegistered(msg.sender);
        uint256 min = params.get(Params.MIN_NODE_BOND);
        if (amount < min) revert BondTooSmall(amount, min);
        b.registered = true;
        b.bonded = amount;
        _setUrl(b, url);
        emit NodeRegistered(msg.sender, url, amount);
        token.safeTransferFrom(msg.sender, address(this), amount);
    }

    function setUrl(string calldata url) external {
        _setUrl(_registered(), url);
        emit NodeUrlSet(msg.sender, url);
    }

    function add(uint256 amount) external {
        _registered().bonded += amount;
        emit BondAdded(msg.sender, amount);
        token.safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @notice Starts an exit. What is already on its way out waits with it, from now.
    function beginUnbond(uint256 amount) external {
        Bond storage b = _registered();
        if (amount == 0 || amount > b.bonded) revert NotEnoughBond(b.bonded, amount);
        b.bonded -= amount;
        b.unbonding += amount;
        b.unbondAt = uint64(block.timestamp + params.get(Params.UNBONDING));
        emit UnbondBegun(msg.sender, amount, b.unbondAt);
    }

    function withdraw() external returns (uint256 amount) {
        Bond storage b = _registered();
        amount = b.unbonding;
        if (amount == 0) revert NothingUnbonding(msg.sender);
        if (block.timestamp < b.unbondAt) revert StillUnbonding(b.unbondAt);
        b.unbonding = 0;
        emit BondWithdrawn(msg.sender, amount);
        token.safeTransfer(msg.sender, amount);
    }

    /// @notice Takes up to `amount`, from the bond first, then from what is leaving.
    function slash(address operator, uint256 amount, bytes32 faultId) external returns (uint256 taken) {
        if (msg.sender != faultManager) revert NotFaultManager(msg.sender);
        Bond storage b = _bonds[operator];
        uint256 fromBonded = amount < b.bonded ? amount : b.bonded;
        uint256 rest = amount - fromBonded;
        uint256 fromUnbonding = rest < b.unbonding ? rest : b.unbonding;
        b.bonded -= fromBonded;
        b.unbonding -= fromUnbonding;
        taken = fromBonded + fromUnbonding;
        emit NodeSlashed(operator, taken, faultId);
        token.safeTransfer(msg.sender, taken);
    }

    function _registered() private view returns (Bond storage b) {
        b = _bonds[msg.sender];
        if (!b.registered) revert NotRegistered(msg.sender);
    }

    function _setUrl(Bond storage b, string calldata url) private {
        if (bytes(url).length > MAX_URL) revert UrlTooLong(bytes(url).length);
        b.url = url;
    }
}
