// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {GenesisAllocator} from "./GenesisAllocator.sol";
import {IVotesSource} from "./interfaces/IVotesSource.sol";

/// @title How much OPG circulates, for whoever quotes it
/// @notice circulating = total supply − unvested − listed reserves. All by what was recorded: a gift to a wallet or a
/// reserve changes nothing. Holds no funds.
contract SupplyView {
    // ---------------------------------------------------------------- types, errors, events

    /// @dev OPG base units. The last five are parts of `circulating`, shown apart.
    struct Supply {
        uint256 total;
        uint256 unvested;
        uint256 reserves;
        uint256 circulating;
        /// Vested, and not yet taken out of the wallets.
        uint256 unreleased;
        /// Stake behind validators.
        uint256 staked;
        /// Held by NodeBond, and by the escrow for calls under way and refunds; balances, for information only.
        uint256 bonded;
        uint256 escrowed;
        /// Held by SpendingGrants: deposits for calls to come, and what calls have earned and nobody passed on yet.
        uint256 prepaid;
    }

    error NotGovernor(address caller);
    error TooManyReserves();
    error AlreadyUnvested(address wallet);

    event ReserveListed(address indexed account, uint256 amount);

    // ---------------------------------------------------------------- storage

    uint256 public constant MAX_RESERVES = 16;
    address public immutable governor;
    IERC20 public immutable token;
    GenesisAllocator public immutable allocator;
    IVotesSource public immutable stakes;
    address public immutable bonds;
    address public immutable escrow;
    address public immutable grants;
    address[] private _reserves;
    /// @notice Most that an account counts as reserve; what it spent counts no more, what it is given counts never.
    mapping(address account => uint256) public reserveOf;

    constructor(
        address governor_,
        IERC20 token_,
        GenesisAllocator genesisAllocator_,
        IVotesSource stakes_,
        address bonds_,
        address escrow_,
        address grants_
    ) {
        governor = governor_;
        token = token_;
        allocator = genesisAllocator_;
        stakes = stakes_;
        bonds = bonds_;
        escrow = escrow_;
        grants = grants_;
    }

    // ---------------------------------------------------------------- views

    function circulating() public view returns (uint256) {
        return token.totalSupply() - allocator.unvestedAt(uint64(block.timestamp)) - reserved();
    }

    /// @notice What lies in listed reserves, OPG base units.
    function reserved() public view returns (uint256 sum) {
        for (uint256 i; i < _reserves.length; ++i) {
            uint256 balance = token.balanceOf(_reserves[i]);
            uint256 recorded = reserveOf[_reserves[i]];
            sum += balance < recorded ? balance : recorded;
        }
    }

    function reserves() external view returns (address[] memory) {
        return _reserves;
    }

    function supply() external view returns (Supply memory s) {
        s.total = token.totalSupply();
        s.unvested = allocator.unvestedAt(uint64(block.timestamp));
        s.reserves = reserved();
        s.circulating = circulating();
        for (uint256 i; i < allocator.BUCKETS(); ++i) {
            s.unreleased += allocator.unreleasedAt(i, uint64(block.timestamp));
        }
        s.staked = stakes.getPastTotalStake(block.number - 1);
        s.bonded = token.balanceOf(bonds);
        s.escrowed = token.balanceOf(escrow);
        s.prepaid = token.balanceOf(grants);
    }

    // ---------------------------------------------------------------- writes

    /// @notice Lists an account as reserve for at most `amount`; zero takes it off.
    function listReserve(address account, uint256 amount) external {
        if (msg.sender != governor) revert NotGovernor(msg.sender);
        // Otherwise what vests there would be subtracted twice.
        for (uint256 i; i < allocator.BUCKETS(); ++i) {
            if (account == address(allocator.bucket(i).wallet)) revert AlreadyUnvested(account);
        }
        if (reserveOf[account] == 0 && amount != 0) {
            if (_reserves.length == MAX_RESERVES) revert TooManyReserves();
            _reserves.push(account);
        }
        if (amount == 0) _unlist(account);
        reserveOf[account] = amount;
        emit ReserveListed(account, amount);
    }

    function _unlist(address account) private {
        for (uint256 i; i < _reserves.length; ++i) {
            if (_reserves[i] != account) continue;
            _reserves[i] = _reserves[_reserves.length - 1];
            _reserves.pop();
            return;
        }
    }
}
