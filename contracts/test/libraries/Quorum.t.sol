// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {CorrelatedFault} from "../../src/libraries/CorrelatedFault.sol";
import {Quorum} from "../../src/libraries/Quorum.sol";
import {TestBase} from "../TestBase.sol";

/// @title Shares of the stake that decide: two thirds of it say a batch is valid, a third that lied loses all
contract QuorumTest is TestBase {
    uint256 private constant WAD = 1e18;

    function testFuzz_twoThirdsDecideExactly(uint128 third) public pure {
        uint256 part = 1 + uint256(third);
        assertTrue(Quorum.reached(2 * part, 3 * part));
        assertTrue(!Quorum.reached(2 * part - 1, 3 * part));
        // Of a total that three does not divide, the next whole unit.
        assertTrue(!Quorum.reached(2 * part, 3 * part + 1));
        assertTrue(Quorum.reached(2 * part + 1, 3 * part + 1));
    }

    function test_ofNoStakeThereIsNoQuorum() public pure {
        assertTrue(!Quorum.reached(0, 0));
        assertTrue(Quorum.reached(1, 1));
        assertTrue(!Quorum.reached(0, 1));
    }

    function test_aFaultCostsNineTimesTheSquareOfTheGuiltyShare() public pure {
        assertEq(CorrelatedFault.fraction(10, 100, 0), 0.09e18);
        assertEq(CorrelatedFault.fraction(20, 100, 0), 0.36e18);
        assertEq(CorrelatedFault.fraction(100, 300, 0), WAD);
        assertEq(CorrelatedFault.fraction(300, 300, 0), WAD);
    }

    function test_aFaultCostsAtLeastWhatItsClassCostsAndAtMostAll() public pure {
        assertEq(CorrelatedFault.fraction(10, 100, 0.5e18), 0.5e18);
        assertEq(CorrelatedFault.fraction(10, 100, WAD), WAD);
        assertEq(CorrelatedFault.fraction(10, 100, 2 * WAD), WAD);
        assertEq(CorrelatedFault.fraction(0, 0, 0.5e18), 0.5e18);
        assertEq(CorrelatedFault.fraction(0, 0, 2 * WAD), WAD);
    }
}
