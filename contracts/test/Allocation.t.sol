// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {GenesisAllocator} from "../src/GenesisAllocator.sol";
import {OPG} from "../src/OPG.sol";
import {SupplyView} from "../src/SupplyView.sol";
import {VestingBucket} from "../src/VestingBucket.sol";
import {StakeLedger} from "./StakeLedger.sol";
import {TestBase} from "./TestBase.sol";

/// @notice Economics, "Test first" 15: vesting equals the intended curve at the cliff second, and everywhere else.
contract AllocationTest is TestBase {
    uint256 private constant M = 1_000_000e18;
    /// @dev 2026-04-21, and a twelfth of 365.25 days.
    uint64 private constant TGE = 1_776_729_600;
    uint64 private constant MONTH = 2_629_800;

    /// @dev The public table, written out again: millions, months.
    uint256[7] private totals = [uint256(400), 150, 150, 100, 100, 60, 40];
    uint256[7] private atTge = [uint256(40), 50, 0, 0, 0, 60, 40];
    uint256[7] private lockMonths = [uint256(0), 0, 12, 12, 0, 0, 0];
    uint256[7] private linearMonths = [uint256(60), 48, 36, 36, 96, 0, 0];

    OPG private token;
    GenesisAllocator private allocator;
    StakeLedger private stakes;
    SupplyView private view_;

    function setUp() public {
        vm.warp(TGE);
        allocator = new GenesisAllocator(beneficiaries(), TGE, MONTH);
        token = new OPG(address(allocator));
        allocator.initialise(address(token));
        allocator.distribute();
        stakes = new StakeLedger();
        view_ = new SupplyView(address(this), token, allocator, stakes, address(0xB0), address(0xE5), address(0x64A7));
    }

    // ---------------------------------------------------------------- the table

    function test_theTableIsThePublicOne() public view {
        uint256 sum;
        uint256 float;
        for (uint256 i = 0; i < 7; i++) {
            GenesisAllocator.Bucket memory b = allocator.bucket(i);
            assertEq(b.beneficiary, beneficiary(i));
            assertEq(b.total, totals[i] * M);
            assertEq(b.atTge, atTge[i] * M);
            assertEq(token.balanceOf(b.beneficiary), b.atTge);
            if (linearMonths[i] == 0) {
                assertEq(address(b.wallet), address(0));
                assertEq(b.total, b.atTge);
            } else {
                assertEq(token.balanceOf(address(b.wallet)), b.total - b.atTge);
                assertEq(b.wallet.owner(), b.beneficiary);
                assertEq(b.wallet.start(), TGE + lockMonths[i] * MONTH);
                assertEq(b.wallet.duration(), linearMonths[i] * MONTH);
            }
            sum += b.total;
            float += b.atTge;
        }
        assertEq(sum, 1000 * M);
        assertEq(sum, token.totalSupply());
        assertEq(float, 190 * M);
        assertEq(token.balanceOf(address(allocator)), 0);
    }

    // ---------------------------------------------------------------- 15: the curve

    function test15_vestingEqualsTheCurveAtTheCliffSecond() public {
        uint64 cliff = TGE + 12 * MONTH;
        for (uint256 i = 2; i <= 3; i++) {
            uint256 perSecond = totals[i] * M / (36 * MONTH);
            vm.warp(cliff - 1);
            assertEq(releasable(i), 0);
            // Not a unit of the twelve months before: a wallet with a "cliff" would pay a third here.
            vm.warp(cliff);
            assertEq(releasable(i), 0);
            vm.warp(cliff + 1);
            assertEq(releasable(i), perSecond);
            assertTrue(perSecond < 2e18);
        }
    }

    function test15_vestingEqualsTheCurveAtEveryMonth() public view {
        for (uint256 m = 0; m <= 120; m++) {
            uint64 time = uint64(TGE + m * MONTH);
            uint256 unvested;
            for (uint256 i = 0; i < 7; i++) {
                uint256 vested = curve(i, m);
                assertEq(allocator.vestedAt(i, time), vested);
                VestingBucket wallet = allocator.bucket(i).wallet;
                if (address(wallet) != address(0)) assertEq(wallet.vestedAmount(address(token), time), vested);
                unvested += (totals[i] - atTge[i]) * M - vested;
            }
            assertEq(allocator.unvestedAt(time), unvested);
        }
        // What the public text says of it: about 9.1 million a month before the lock ends and 16.1 after.
        assertEq((unlockedInMonth(6) + 5e22) / 1e23, 91);
        assertEq((unlockedInMonth(24) + 5e22) / 1e23, 161);
    }

    function testFuzz_walletAndRecordAgreeAtEverySecond(uint64 time) public view {
        time = uint64(TGE + uint256(time) % (130 * uint256(MONTH)));
        for (uint256 i = 0; i < 5; i++) {
            assertEq(allocator.bucket(i).wallet.vestedAmount(address(token), time), allocator.vestedAt(i, time));
        }
    }

    function test_everythingIsPaidInTheEndAndNoneBefore() public {
        for (uint256 m = 0; m <= 100; m += 7) {
            vm.warp(TGE + m * MONTH);
            for (uint256 i = 0; i < 5; i++) allocator.bucket(i).wallet.release(address(token));
            for (uint256 i = 0; i < 7; i++) {
                assertEq(token.balanceOf(beneficiary(i)), atTge[i] * M + curve(i, m));
            }
        }
        vm.warp(TGE + 96 * MONTH);
        for (uint256 i = 0; i < 5; i++) allocator.bucket(i).wallet.release(address(token));
        for (uint256 i = 0; i < 7; i++) assertEq(token.balanceOf(beneficiary(i)), totals[i] * M);
    }

    /// @dev Bucket by bucket, half of it taken, then all; those without a wallet owe nothing.
    function test_unreleasedIsWhatVestedAndNobodyTook() public {
        uint64 half = TGE + 24 * MONTH;
        vm.warp(half);
        uint256 sum;
        for (uint256 i = 0; i < 7; i++) {
            assertEq(allocator.unreleasedAt(i, half), curve(i, 24));
            sum += curve(i, 24);
        }
        vm.roll(100);
        assertEq(view_.supply().unreleased, sum);
        allocator.bucket(0).wallet.release(address(token));
        assertEq(allocator.unreleasedAt(0, half), 0);
        assertEq(view_.supply().unreleased, sum - curve(0, 24));
        assertEq(allocator.unreleasedAt(0, TGE + 36 * MONTH), curve(0, 36) - curve(0, 24));
    }

    // ---------------------------------------------------------------- wallets

    function test_walletsCannotChangeHandsNorVote() public {
        VestingBucket wallet = allocator.bucket(2).wallet;
        vm.prank(beneficiary(2));
        vm.expectRevert(VestingBucket.NotTransferable.selector);
        wallet.transferOwnership(address(0xBAD));
        vm.prank(beneficiary(2));
        vm.expectRevert(VestingBucket.NotTransferable.selector);
        wallet.renounceOwnership();
        // Anybody may release, and only to the beneficiary.
        vm.warp(TGE + 13 * MONTH);
        vm.prank(address(0xBAD));
        wallet.release(address(token));
        assertEq(token.balanceOf(address(0xBAD)), 0);
        assertEq(token.balanceOf(beneficiary(2)), 150 * M / 36);
        assertEq(token.getVotes(address(wallet)), 0);
        vm.prank(beneficiary(2));
        token.delegate(beneficiary(2));
        assertEq(token.getVotes(beneficiary(2)), 150 * M / 36);
    }

    // ---------------------------------------------------------------- distribution

    function test_everyBucketIsPaidOnce() public {
        vm.expectRevert(GenesisAllocator.AlreadyDistributed.selector);
        allocator.distribute();
        vm.expectRevert(GenesisAllocator.AlreadyInitialised.selector);
        allocator.initialise(address(token));
        GenesisAllocator next = new GenesisAllocator(beneficiaries(), TGE + 1, MONTH);
        vm.expectRevert(GenesisAllocator.NotInitialised.selector);
        next.distribute();
        OPG other = new OPG(address(next));
        vm.prank(address(0xBAD));
        vm.expectEmit(address(next));
        emit GenesisAllocator.Initialised(address(other));
        next.initialise(address(other));
        vm.expectRevert(abi.encodeWithSelector(GenesisAllocator.BeforeTge.selector, TGE + 1));
        next.distribute();
        vm.warp(TGE + 1);
        vm.prank(address(0xBAD));
        vm.expectEmit(address(next));
        emit GenesisAllocator.Allocated(0, beneficiary(0), "Ecosystem", 40 * M);
        vm.expectEmit(address(next));
        emit GenesisAllocator.Allocated(0, address(next.bucket(0).wallet), "Ecosystem", 360 * M);
        next.distribute();
        assertEq(other.balanceOf(beneficiary(5)), 60 * M);
    }

    function test_theWholeSupplyMustBeHere() public {
        GenesisAllocator next = new GenesisAllocator(beneficiaries(), TGE, MONTH);
        OPG elsewhere = new OPG(address(this));
        vm.expectRevert(abi.encodeWithSelector(GenesisAllocator.WrongBalance.selector, 0, 1000 * M));
        next.initialise(address(elsewhere));
        elsewhere.transfer(address(next), 999 * M);
        elsewhere.burn(1);
        vm.expectRevert(abi.encodeWithSelector(GenesisAllocator.WrongSupply.selector, 1000 * M - 1, 1000 * M));
        next.initialise(address(elsewhere));
    }

    function test_badBeneficiariesAndSchedulesAreRefused() public {
        address[7] memory list = beneficiaries();
        list[4] = address(0);
        vm.expectRevert(abi.encodeWithSelector(GenesisAllocator.BadBeneficiary.selector, 4));
        new GenesisAllocator(list, TGE, MONTH);
        // Nor the allocator itself: the next one has the same address, once this one is undone.
        uint256 before = vm.snapshotState();
        list[4] = address(new GenesisAllocator(beneficiaries(), TGE, MONTH));
        vm.revertToState(before);
        vm.expectRevert(abi.encodeWithSelector(GenesisAllocator.BadBeneficiary.selector, 4));
        new GenesisAllocator(list, TGE, MONTH);
        vm.expectRevert(abi.encodeWithSelector(GenesisAllocator.BadSchedule.selector, 0, MONTH));
        new GenesisAllocator(beneficiaries(), 0, MONTH);
        vm.expectRevert(abi.encodeWithSelector(GenesisAllocator.BadSchedule.selector, TGE, 0));
        new GenesisAllocator(beneficiaries(), TGE, 0);
    }

    // ---------------------------------------------------------------- supply

    function test_circulatingIsTheFloatAtTheTge() public {
        vm.roll(100);
        SupplyView.Supply memory s = view_.supply();
        assertEq(s.total, 1000 * M);
        assertEq(s.unvested, 810 * M);
        assertEq(s.circulating, 190 * M);
        vm.warp(TGE + 12 * MONTH);
        // 12/60 of 360, 12/48 of 100, 12/96 of 100.
        assertEq(view_.circulating(), 190 * M + 72 * M + 25 * M + 12 * M + M / 2);
        vm.warp(TGE + 96 * MONTH);
        assertEq(view_.circulating(), 1000 * M);
    }

    function testFuzz_aGiftChangesNothing(uint96 gift, uint8 index, uint32 later) public {
        vm.roll(100);
        address giver = beneficiary(5);
        vm.warp(TGE + uint256(later));
        uint256 amount = uint256(gift) % (60 * M);
        uint256 before = view_.circulating();
        uint256 unreleased = view_.supply().unreleased;
        view_.listReserve(address(0x4E5), 1 * M);
        address to = address(allocator.bucket(index % 5).wallet);
        vm.prank(giver);
        token.transfer(to, amount / 2);
        assertEq(view_.circulating(), before);
        assertEq(view_.supply().unreleased, unreleased);
        // A release of gifts counts as one of the table's: unreleased shows less, circulating the same.
        VestingBucket(payable(to)).release(address(token));
        assertEq(view_.circulating(), before);
        assertTrue(view_.supply().unreleased <= unreleased);
    }

    function test_reservesCountWhatWasRecordedOrLess() public {
        address reserve = beneficiary(1);
        vm.expectEmit(address(view_));
        emit SupplyView.ReserveListed(reserve, 30 * M);
        view_.listReserve(reserve, 30 * M);
        assertEq(view_.circulating(), 160 * M);
        vm.prank(beneficiary(5));
        token.transfer(reserve, 10 * M);
        assertEq(view_.circulating(), 160 * M);
        vm.prank(reserve);
        token.transfer(address(1), 40 * M);
        assertEq(view_.reserved(), 20 * M);
        view_.listReserve(reserve, 0);
        assertEq(view_.circulating(), 190 * M);
        assertEq(view_.reserves().length, 0);
        vm.prank(address(0xBAD));
        vm.expectRevert(abi.encodeWithSelector(SupplyView.NotGovernor.selector, address(0xBAD)));
        view_.listReserve(reserve, 1);
        address wallet = address(allocator.bucket(0).wallet);
        vm.expectRevert(abi.encodeWithSelector(SupplyView.AlreadyUnvested.selector, wallet));
        view_.listReserve(wallet, 1);
        for (uint160 i = 1; i <= 16; i++) view_.listReserve(address(i), 1);
        view_.listReserve(address(16), 2);
        vm.expectRevert(SupplyView.TooManyReserves.selector);
        view_.listReserve(address(17), 1);
        view_.listReserve(address(3), 0);
        view_.listReserve(address(17), 1);
        assertEq(view_.reserves().length, 16);
        // Who is on no list leaves a full one as it is.
        view_.listReserve(address(18), 0);
        assertEq(view_.reserves().length, 16);
    }

    /// @dev Taking one off must not let another's tokens circulate.
    function test_takingAReserveOffLeavesTheOthers() public {
        for (uint256 i = 0; i < 3; i++) view_.listReserve(beneficiary(i == 2 ? 5 : i), (i + 1) * M);
        view_.listReserve(beneficiary(1), 0);
        address[] memory left = view_.reserves();
        assertEq(left.length, 2);
        assertEq(left[0], beneficiary(0));
        assertEq(left[1], beneficiary(5));
        view_.listReserve(address(0xBAD), 0);
        assertEq(view_.reserves().length, 2);
        vm.roll(100);
        SupplyView.Supply memory s = view_.supply();
        assertEq(s.reserves, 4 * M);
        assertEq(s.circulating, 186 * M);
    }

    function test_stakedBondedEscrowedAndPrepaidAreShownApart() public {
        vm.roll(100);
        stakes.set(beneficiary(6), 5 * M);
        vm.roll(101);
        // Of this block nobody can know the end.
        stakes.set(beneficiary(6), 6 * M);
        vm.prank(beneficiary(6));
        token.transfer(address(0xB0), 3);
        vm.prank(beneficiary(6));
        token.transfer(address(0xE5), 4);
        vm.prank(beneficiary(6));
        token.transfer(address(0x64A7), 5);
        SupplyView.Supply memory s = view_.supply();
        assertEq(s.staked, 5 * M);
        assertEq(s.bonded, 3);
        assertEq(s.escrowed, 4);
        assertEq(s.prepaid, 5);
        assertEq(s.circulating, 190 * M);
        // Burning is the only way supply falls, and circulation falls with it.
        vm.prank(beneficiary(6));
        token.burn(1 * M);
        assertEq(view_.circulating(), 189 * M);
    }

    // ---------------------------------------------------------------- helpers

    function beneficiary(uint256 index) private pure returns (address) {
        return address(uint160(0xBE00 + index));
    }

    function beneficiaries() private pure returns (address[7] memory list) {
        for (uint256 i = 0; i < 7; i++) list[i] = beneficiary(i);
    }

    function releasable(uint256 index) private view returns (uint256) {
        return allocator.bucket(index).wallet.releasable(address(token));
    }

    /// @dev Vested of the linear part after so many whole months.
    function curve(uint256 index, uint256 months) private view returns (uint256) {
        uint256 linear = (totals[index] - atTge[index]) * M;
        if (linear == 0 || months < lockMonths[index]) return 0;
        uint256 passed = months - lockMonths[index];
        return passed >= linearMonths[index] ? linear : linear * passed / linearMonths[index];
    }

    function unlockedInMonth(uint256 m) private view returns (uint256) {
        return allocator.unvestedAt(uint64(TGE + m * MONTH)) - allocator.unvestedAt(uint64(TGE + (m + 1) * MONTH));
    }
}
