// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IVotesSource} from "../src/interfaces/IVotesSource.sol";
import {Params} from "../src/libraries/Params.sol";
import {StakeState} from "../src/staking/StakeState.sol";
import {StakeVotes} from "../src/staking/StakeVotes.sol";
import {StakingFixture} from "./StakingFixture.sol";

contract StakeVotesTest is StakingFixture {
    address private constant LATE = address(0xB9);

    function setUp() public {
        setUpStaking();
    }

    function test_theClockIsTheTokens() public view {
        assertEq(staking.clock(), token.clock());
        assertEq(keccak256(bytes(staking.CLOCK_MODE())), keccak256(bytes(token.CLOCK_MODE())));
        IVotesSource(address(staking)).getPastTotalStake(block.number - 1);
    }

    function test_votesAreTheStakeOfAllValidatorsAtTheBlock() public {
        uint256 start = block.number;
        registerValidator(W, 500e18);
        delegateTo(V, ALICE, 100e18);
        vm.roll(start + 1);
        delegateTo(W, ALICE, 50e18);
        vm.roll(start + 2);
        undelegate(V, ALICE, 30e18);
        vm.roll(start + 3);
        assertEq(staking.getPastStakeVotes(ALICE, start - 1), 0);
        assertEq(staking.getPastStakeVotes(ALICE, start), 100e18);
        assertEq(staking.getPastStakeVotes(ALICE, start + 1), 150e18);
        assertEq(staking.getPastStakeVotes(ALICE, start + 2), 120e18);
        assertEq(staking.getPastStakeVotes(V, start + 2), 1000e18);
        assertEq(staking.getPastTotalStake(start + 1), 1650e18);
        assertEq(staking.getPastTotalStake(start + 2), 1620e18);
    }

    function test_votesInOneBlockAreNotThereYet() public {
        delegateTo(V, ALICE, 100e18);
        vm.expectRevert(abi.encodeWithSelector(StakeState.FutureBlock.selector, block.number));
        staking.getPastStakeVotes(ALICE, block.number);
        vm.expectRevert(abi.encodeWithSelector(StakeState.FutureBlock.selector, block.number));
        staking.getPastTotalStake(block.number);
    }

    function test_aSlashTakesVotesOfAllItsHoldersAtOnceAndOfThePastNone() public {
        delegateTo(V, ALICE, 3000e18);
        delegateTo(V, BOB, 1000e18);
        nextEpoch();
        slash(V, epoch() - 1, ALL / 5);
        vm.roll(block.number + 1);
        uint256 past = block.number - 1;
        assertNear(staking.getPastStakeVotes(ALICE, past), staking.stakeOfHolder(V, ALICE), 4);
        assertNear(staking.getPastStakeVotes(BOB, past), staking.stakeOfHolder(V, BOB), 4);
        assertEq(staking.getPastStakeVotes(V, past), staking.stakeOfHolder(V, V));
        assertEq(staking.getPastTotalStake(past), 4000e18);
        assertEq(staking.getPastStakeVotes(ALICE, past - 1), 3000e18);
        assertEq(staking.getPastTotalStake(past - 1), 5000e18);
    }

    function test_afterASlashWhoCameLateVotesWithAllItHasFromItsNextCallOn() public {
        delegateTo(V, ALICE, 1000e18);
        uint64 captured = epoch();
        nextEpoch();
        delegateTo(V, LATE, 1000e18);
        slash(V, captured, ALL / 2);
        vm.roll(block.number + 1);
        assertTrue(staking.getPastStakeVotes(LATE, block.number - 1) < 1000e18);
        delegateTo(V, LATE, 1);
        vm.roll(block.number + 1);
        assertNear(staking.getPastStakeVotes(LATE, block.number - 1), 1000e18, 1);
    }

    function test_votesOfTheDeadDoNotComeBackWithNewStake() public {
        delegateTo(V, ALICE, 1000e18);
        slash(V, epoch(), ALL);
        nextEpoch();
        delegateTo(V, BOB, 1000e18);
        vm.roll(block.number + 1);
        assertEq(staking.getPastStakeVotes(ALICE, block.number - 1), 0);
        assertEq(staking.getPastStakeVotes(V, block.number - 1), 0);
        assertEq(staking.getPastStakeVotes(BOB, block.number - 1), 1000e18);
        assertEq(staking.getPastTotalStake(block.number - 1), 1000e18);
    }

    function testFuzz_theSumOfVotesIsNeverMoreThanTheTotal(uint96[3] memory amounts, uint64[4] memory fractions)
        public
    {
        address[3] memory holders = [ALICE, BOB, CAROL];
        for (uint256 i = 0; i < 4; i++) {
            address holder = holders[i % 3];
            if (i < 3 || staking.stakeOf(V) > 0) delegateTo(V, holder, 1 + uint256(amounts[i % 3]) % 1e24);
            nextEpoch();
            slash(V, epoch() - 1, 1 + uint256(fractions[i]) % ALL);
            vm.roll(block.number + 1);
            uint256 past = block.number - 1;
            uint256 sum = staking.getPastStakeVotes(V, past);
            for (uint256 j = 0; j < 3; j++) {
                uint256 votes = staking.getPastStakeVotes(holders[j], past);
                assertTrue(votes <= staking.stakeOfHolder(V, holders[j]) + 3);
                sum += votes;
            }
            assertTrue(sum <= staking.getPastTotalStake(past) + 3);
        }
    }

    function test_oneHolderBacksABoundedNumberOfValidators() public {
        for (uint256 i = 0; i < 64; i++) {
            address validator = address(uint160(0xE000 + i));
            registerValidator(validator, MIN_BOND);
            delegateTo(validator, ALICE, 1e18);
        }
        fund(ALICE, 1e18);
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(StakeVotes.TooManyValidators.selector, ALICE));
        staking.delegate(V, 1e18, 0);
        vm.roll(block.number + 1);
        assertEq(staking.getPastStakeVotes(ALICE, block.number - 1), 64e18);
    }

    /// @dev Below a billionth a unit is worth too little to count in; down to it votes follow the stake.
    function test_votesFollowTheStakeDownToABillionth() public {
        params.set(Params.MIN_SELF_BOND, 1);
        registerValidator(W, 1);
        delegateTo(W, ALICE, 1e18);
        // The own bond pays its unit first; of 10^18 then 10^9 are left.
        slash(W, epoch(), ALL - 1e9);
        assertEq(staking.stakeOfHolder(W, ALICE), 1e9);
        vm.roll(block.number + 1);
        assertEq(staking.getPastStakeVotes(ALICE, block.number - 1), 1e9);
    }
}
