// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {OPG} from "../src/OPG.sol";
import {ValidatorStaking} from "../src/ValidatorStaking.sol";
import {StakeCoverage} from "../src/staking/StakeCoverage.sol";
import {StakeState} from "../src/staking/StakeState.sol";
import {TestBase} from "./TestBase.sol";

/// @title Random users of staking, and a naive book of what each of them should have
/// @notice The book knows no shares, pools or buckets: it is a list of amounts, each with the epochs in which it stood,
/// and a slash goes through all of them. Whatever the contract does must come out the same, to a few base units.
/// @dev No call may revert: whoever acts looks first whether it may.
contract StakingHandler is TestBase {
    struct Entry {
        address holder;
        address validator;
        bool self;
        /// Where it is going; zero if nowhere.
        address target;
        uint256 from;
        uint256 to;
        uint256 release;
        uint256 tokens;
    }

    uint256 public constant EPOCH = 3;
    uint256 public constant UNBONDING = 30;
    uint256 public constant LIABILITY = 15;
    uint256 public constant KAPPA = 6667;
    uint256 private constant FOREVER = type(uint256).max;
    uint256 private constant WAD = 1e18;

    OPG private token;
    ValidatorStaking private staking;
    address private settlement;
    address private bank;
    address[3] public validators;
    address[4] public holders;
    Entry[] public entries;

    uint256 public moneyIn;
    uint256 public moneyOut;
    uint256 public rewardsIn;
    uint256 public rewardsOut;
    uint256 public freezes;
    mapping(address validator => uint256) public frozen;
    mapping(address validator => uint256) public open;
    mapping(address validator => uint128[]) private _reserved;
    /// @notice By the book, what stood in an epoch and was slashed while it was the present one.
    mapping(address validator => mapping(uint256 epoch => uint256)) public slashedWithin;
    uint256 public slashes;

    constructor(OPG token_, ValidatorStaking staking_, address settlement_, address[3] memory validators_) {
        (token, staking, settlement, bank) = (token_, staking_, settlement_, msg.sender);
        validators = validators_;
        for (uint256 i = 0; i < 4; i++) holders[i] = address(uint160(0xB000 + i));
        for (uint256 i = 0; i < 3; i++) {
            uint256 self = staking_.stakeOf(validators_[i]);
            entries.push(Entry(validators_[i], validators_[i], true, address(0), 0, FOREVER, FOREVER, self));
            moneyIn += self;
        }
    }

    // ---------------------------------------------------------------- actions

    function delegate(uint256 who, uint256 seat, uint96 amount) public {
        (address holder, address validator) = (holders[who % 4], validators[seat % 3]);
        if (!accepts(validator) || wipedNow(validator)) return;
        uint256 tokens = 1 + uint256(amount) % 1e24;
        pay(holder, tokens);
        vm.prank(holder);
        staking.delegate(validator, tokens, 0);
        entries.push(Entry(holder, validator, false, address(0), epoch(), FOREVER, FOREVER, tokens));
    }

    function addSelfBond(uint256 seat, uint96 amount) public {
        address validator = validators[seat % 3];
        if (frozen[validator] > 0 || staking.validator(validator).status == StakeState.Status.Tombstoned) return;
        uint256 tokens = 1 + uint256(amount) % 1e22;
        pay(validator, tokens);
        vm.prank(validator);
        staking.addSelfBond(tokens);
        entries.push(Entry(validator, validator, true, address(0), 0, FOREVER, FOREVER, tokens));
    }

    function undelegate(uint256 who, uint256 seat, uint256 part) public {
        address validator = validators[seat % 3];
        address holder = who % 5 == 4 ? validator : holders[who % 5];
        uint256 shares = sharesOf(holder, validator, part);
        if (shares == 0) return;
        uint256 before = leaving(validator, holder);
        vm.prank(holder);
        staking.undelegate(validator, shares);
        uint256 amount = leaving(validator, holder) - before;
        move(holder, validator, amount, address(0), (epoch() + 1) * EPOCH + UNBONDING);
    }

    function redelegate(uint256 who, uint256 seat, uint256 part) public {
        (address holder, address validator) = (holders[who % 4], validators[seat % 3]);
        address to = validators[(seat % 3 + 1 + part % 2) % 3];
        uint256 shares = sharesOf(holder, validator, part);
        if (shares == 0) return;
        uint256 before = leaving(validator, holder);
        vm.prank(holder);
        staking.redelegate(validator, to, shares);
        uint256 amount = leaving(validator, holder) - before;
        move(holder, validator, amount, to, (epoch() + 1) * EPOCH + LIABILITY);
    }

    function bond(uint256 who, uint256 seat) public {
        (address holder, address validator) = (holders[who % 4], validators[seat % 3]);
        uint256 due = 0;
        ValidatorStaking.ExitView[] memory exits = staking.exitsOf(validator, holder);
        for (uint256 i = 0; i < exits.length; i++) {
            if (exits[i].target == address(0) || exits[i].releaseAt > block.timestamp) continue;
            if (accepts(exits[i].target) && wipedNow(exits[i].target)) return;
            if (accepts(exits[i].target)) due++;
        }
        if (due == 0) return;
        staking.bond(validator, holder);
        for (uint256 i = 0; i < entries.length; i++) {
            Entry storage e = entries[i];
            if (e.holder != holder || e.validator != validator || e.target == address(0)) continue;
            if (e.release > block.timestamp || !accepts(e.target)) continue;
            (e.validator, e.target, e.from, e.to, e.release) = (e.target, address(0), epoch(), FOREVER, FOREVER);
        }
    }

    function withdraw(uint256 who, uint256 seat) public {
        address validator = validators[seat % 3];
        address holder = who % 5 == 4 ? validator : holders[who % 5];
        bool due = false;
        ValidatorStaking.ExitView[] memory exits = staking.exitsOf(validator, holder);
        for (uint256 i = 0; i < exits.length; i++) {
            uint256 plain = (uint256(exits[i].toEpoch) + 1) * EPOCH + UNBONDING;
            due = due || (plain <= block.timestamp && exits[i].releaseAt <= block.timestamp);
        }
        if (!due) return;
        uint256 had = token.balanceOf(holder);
        vm.prank(holder);
        staking.withdraw(validator);
        moneyOut += token.balanceOf(holder) - had;
        for (uint256 i = 0; i < entries.length; i++) {
            Entry storage e = entries[i];
            if (e.holder != holder || e.validator != validator || e.to == FOREVER) continue;
            // Nothing that stood in an epoch is out while a fault of that epoch can be proven.
            if ((e.to + 1) * EPOCH + UNBONDING <= block.timestamp) e.tokens = 0;
        }
        // Wiped pools leave later than the book thinks; what they hold is dust.
    }

    function claim(uint256 who, uint256 seat) public {
        address validator = validators[seat % 3];
        address holder = who % 5 == 4 ? validator : holders[who % 5];
        uint256 owed = staking.rewardOf(validator, holder);
        if (owed == 0) return;
        vm.prank(holder);
        assertEq(staking.claim(validator), owed);
        moneyOut += owed;
        rewardsOut += owed;
    }

    function reward(uint96 amount) public {
        uint256 tokens = uint256(amount) % 1e22;
        pay(address(this), tokens);
        try staking.notifyReward(tokens) {
            rewardsIn += tokens;
        } catch {
            // Nobody earns in this epoch.
            moneyIn -= tokens;
        }
    }

    function queueCommission(uint256 seat, uint16 bps) public {
        vm.prank(validators[seat % 3]);
        try staking.queueCommission(uint256(bps) % 2001) {} catch {}
    }

    function skip(uint8 secs) public {
        vm.warp(block.timestamp + uint256(secs) % 20);
        vm.roll(block.number + 1 + uint256(secs) % 5);
    }

    function sync(uint256 seat) public {
        staking.sync(validators[seat % 3]);
    }

    // ---------------------------------------------------------------- faults

    /// @dev At most three challenges at a time; each ends in a slash or in nothing.
    function challenge(uint256 seat) public {
        if (freezes == 3) return;
        address validator = validators[seat % 3];
        vm.prank(bank);
        staking.freeze(list(validator));
        frozen[validator]++;
        freezes++;
    }

    function dismiss(uint256 seat) public {
        address validator = validators[seat % 3];
        if (frozen[validator] == 0) return;
        vm.prank(bank);
        staking.unfreeze(list(validator));
        frozen[validator]--;
        freezes--;
    }

    function slash(uint256 seat, uint8 back, uint64 part) public {
        address validator = validators[seat % 3];
        // An epoch whose faults can still be proven.
        uint256 captured = epoch() - uint256(back) % (LIABILITY / EPOCH + 1);
        uint256 fraction = part % 4 == 0 ? WAD : 1 + uint256(part) % WAD;
        uint256 exposure = staking.exposureAt(validator, captured);
        uint256 before = staking.slashedFor(validator, captured);
        uint256 had = token.balanceOf(bank);
        vm.prank(bank);
        uint256 taken = staking.slash(validator, uint64(captured), fraction, bytes32(slashes));
        assertEq(token.balanceOf(bank) - had, taken);
        moneyOut += taken;
        slashes++;
        uint256 owed = (exposure * fraction + WAD - 1) / WAD;
        assertTrue(taken <= owed && before + taken <= exposure);
        assertEq(staking.slashedFor(validator, captured), before + taken);
        assertEq(staking.exposureAt(validator, captured), exposure);
        uint256 stood = share(validator, captured, taken);
        // It may take less than it is owed only where there is no more.
        assertTrue(taken + 100 >= owed || before + taken == exposure || taken + 100 >= stood);
    }

    function jail(uint256 seat) public {
        vm.prank(bank);
        staking.jail(validators[seat % 3]);
    }

    function unjail(uint256 seat) public {
        address validator = validators[seat % 3];
        ValidatorStaking.ValidatorView memory v = staking.validator(validator);
        if (v.status != StakeState.Status.Jailed || v.jailedUntil > block.timestamp) return;
        vm.prank(validator);
        staking.unjail();
    }

    // ---------------------------------------------------------------- coverage

    function reserve(uint256 seat, uint96 amount) public {
        address validator = validators[seat % 3];
        uint128 exposure = 1 + uint128(amount) % 1e24;
        uint256 left = staking.coverageLeft(validator);
        vm.prank(settlement);
        (StakeCoverage.Voice[] memory voices,) = staking.reserve(one(validator), uint96(exposure), block.number);
        assertTrue(voices[0].bears == (exposure <= left));
        if (!voices[0].bears) return;
        open[validator] += exposure;
        _reserved[validator].push(exposure);
        uint256 stake = staking.isActive(validator) ? staking.stakeOf(validator) : 0;
        assertTrue(open[validator] * 10_000 <= stake * KAPPA);
    }

    function release(uint256 seat) public {
        address validator = validators[seat % 3];
        uint128[] storage reserved = _reserved[validator];
        if (reserved.length == 0) return;
        uint128 exposure = reserved[reserved.length - 1];
        reserved.pop();
        uint256[] memory index = new uint256[](1);
        index[0] = staking.indexOf(validator);
        vm.prank(settlement);
        staking.release(index, uint96(exposure));
        open[validator] -= exposure;
    }

    // ---------------------------------------------------------------- the book

    function count() external view returns (uint256) {
        return entries.length;
    }

    function booked(address holder, address validator) external view returns (uint256 tokens) {
        for (uint256 i = 0; i < entries.length; i++) {
            if (entries[i].holder == holder && entries[i].validator == validator) tokens += entries[i].tokens;
        }
    }

    /// @notice By the book, all that stands in the present epoch.
    function standing(address validator) external view returns (uint256 tokens) {
        for (uint256 i = 0; i < entries.length; i++) {
            Entry storage e = entries[i];
            if (e.validator == validator && e.from <= epoch() && epoch() <= e.to) tokens += e.tokens;
        }
    }

    function epoch() public view returns (uint256) {
        return block.timestamp / EPOCH;
    }

    function worth(address validator, address holder) public view returns (uint256) {
        return staking.stakeOfHolder(validator, holder) + leaving(validator, holder);
    }

    function leaving(address validator, address holder) public view returns (uint256 amount) {
        ValidatorStaking.ExitView[] memory exits = staking.exitsOf(validator, holder);
        for (uint256 i = 0; i < exits.length; i++) amount += exits[i].amount;
    }

    /// @dev Oldest first, as the contract says.
    function move(address holder, address validator, uint256 amount, address target, uint256 free) private {
        for (uint256 left = amount; left > 0;) {
            uint256 oldest = entries.length;
            for (uint256 i = 0; i < entries.length; i++) {
                Entry storage c = entries[i];
                if (c.holder != holder || c.validator != validator || c.to != FOREVER || c.tokens == 0) continue;
                if (oldest == entries.length || c.from < entries[oldest].from) oldest = i;
            }
            if (oldest == entries.length) {
                // Base units that rounding left over: the invariants allow a few.
                assertTrue(left < 100);
                return;
            }
            Entry memory e = entries[oldest];
            uint256 part = left < e.tokens ? left : e.tokens;
            entries[oldest].tokens -= part;
            entries.push(Entry(holder, validator, e.self, target, e.from, epoch(), free, part));
            left -= part;
        }
    }

    /// @dev A fifth from the own bond first, the rest over all that stood.
    /// @return total what stood and is not free.
    function share(address validator, uint256 captured, uint256 taken) private returns (uint256 total) {
        uint256 self = 0;
        for (uint256 i = 0; i < entries.length; i++) {
            if (!answers(entries[i], validator, captured)) continue;
            total += entries[i].tokens;
            if (entries[i].self) self += entries[i].tokens;
        }
        if (total == 0) return 0;
        uint256 first = taken / 5 < self ? taken / 5 : self;
        for (uint256 i = 0; i < entries.length; i++) {
            Entry storage e = entries[i];
            if (!answers(e, validator, captured)) continue;
            uint256 own = e.self && self > 0 ? first * e.tokens / self : 0;
            uint256 rest = total == first ? 0 : (taken - first) * (e.tokens - own) / (total - first);
            uint256 loss = own + rest < e.tokens ? own + rest : e.tokens;
            e.tokens -= loss;
            if (e.from <= epoch() && epoch() <= e.to) slashedWithin[validator][epoch()] += loss;
        }
    }

    function answers(Entry storage e, address validator, uint256 captured) private view returns (bool) {
        return e.validator == validator && e.from <= captured && captured <= e.to && block.timestamp < e.release;
    }

    // ---------------------------------------------------------------- helpers

    function accepts(address validator) private view returns (bool) {
        return frozen[validator] == 0 && staking.validator(validator).status == StakeState.Status.Active;
    }

    /// @dev Deposits of an epoch in which all of it was slashed wait for the next.
    function wipedNow(address validator) private view returns (bool) {
        return slashedWithin[validator][epoch()] > 0;
    }

    function sharesOf(address holder, address validator, uint256 part) private view returns (uint256) {
        uint256 shares = staking.sharesOf(validator, holder);
        return part % 3 == 0 ? shares : shares / 2;
    }

    function pay(address who, uint256 amount) private {
        vm.prank(bank);
        token.transfer(who, amount);
        vm.prank(who);
        token.approve(address(staking), amount);
        moneyIn += amount;
    }

    function one(address validator) private pure returns (address[] memory all) {
        all = new address[](1);
        all[0] = validator;
    }
}
