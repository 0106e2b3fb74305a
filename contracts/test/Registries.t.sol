// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ModelRegistry} from "../src/ModelRegistry.sol";
import {ParamStore} from "../src/ParamStore.sol";
import {Params} from "../src/libraries/Params.sol";
import {Fixture} from "./Fixture.sol";

contract ModelRegistryTest is Fixture {
    bytes32 private constant MODEL = keccak256("model");
    bytes32 private constant WEIGHTS = keccak256("weights");
    ModelRegistry private models;

    function setUp() public {
        deployAll();
        models = new ModelRegistry(params);
        models.publish(MODEL, "https://models.test/1", WEIGHTS, 10, 20, 30);
    }

    function test_aRiseWaitsAndACutDoesNot() public {
        models.setPrice(MODEL, 10, 20, 31);
        assertEq(models.currentPriceVersion(MODEL), 1);
        vm.warp(START + 1 days - 1);
        assertEq(models.currentPriceVersion(MODEL), 1);
        vm.warp(START + 1 days);
        assertEq(models.currentPriceVersion(MODEL), 2);
        models.setPrice(MODEL, 9, 20, 31);
        assertEq(models.currentPriceVersion(MODEL), 3);
        assertEq(models.priceVersionAt(MODEL, uint64(START)), 1);
        (uint128 perCall,, uint128 output,) = models.priceRow(MODEL, 1);
        assertEq(perCall, 10);
        assertEq(output, 30);
    }

    function testFuzz_noComponentRisesAtOnce(uint128 perCall, uint128 input, uint128 output) public {
        models.setPrice(MODEL, perCall, input, output);
        bool rise = perCall > 10 || input > 20 || output > 30;
        assertEq(models.currentPriceVersion(MODEL), rise ? 1 : 2);
        (,,, uint64 validFrom) = models.priceRow(MODEL, 2);
        assertEq(validFrom, rise ? START + 1 days : START);
    }

    function test_eachComponentAloneMakesARise() public {
        models.setPrice(MODEL, 11, 20, 30);
        models.setPrice(MODEL, 10, 21, 30);
        models.setPrice(MODEL, 10, 20, 31);
        assertEq(models.currentPriceVersion(MODEL), 1);
        for (uint64 version = 2; version <= 4; version++) {
            (,,, uint64 validFrom) = models.priceRow(MODEL, version);
            assertEq(validFrom, START + 1 days);
        }
    }

    function test_whatAnIndexerReadsOfAModel() public {
        bytes32 id = keccak256("second");
        vm.expectEmit(address(models));
        emit ModelRegistry.ModelPublished(id, address(this), WEIGHTS, "x");
        vm.expectEmit(address(models));
        emit ModelRegistry.PriceSet(id, 1, 1, 2, 3, uint64(START));
        models.publish(id, "x", WEIGHTS, 1, 2, 3);
        vm.expectEmit(address(models));
        emit ModelRegistry.PriceSet(id, 2, 1, 2, 2, uint64(START));
        models.setPrice(id, 1, 2, 2);
        vm.expectEmit(address(models));
        emit ModelRegistry.ModelWithdrawn(id, uint64(START));
        models.withdraw(id);
        (address publisher, uint64 publishedAt, uint64 withdrawnAt, uint64 latest, string memory uri, bytes32 weights) =
            models.model(id);
        assertEq(publisher, address(this));
        assertEq(publishedAt, START);
        assertEq(withdrawnAt, START);
        assertEq(latest, 2);
        assertEq(keccak256(bytes(uri)), keccak256("x"));
        assertEq(weights, WEIGHTS);
    }

    function test_aManifestHasAnAddressOfBoundedLengthAndHashes() public {
        bytes32 id = keccak256("second");
        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.BadManifestURI.selector, 0));
        models.publish(id, "", WEIGHTS, 1, 1, 1);
        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.BadManifestURI.selector, 513));
        models.publish(id, string(new bytes(513)), WEIGHTS, 1, 1, 1);
        vm.expectRevert(ModelRegistry.ZeroId.selector);
        models.publish(0, "x", WEIGHTS, 1, 1, 1);
        vm.expectRevert(ModelRegistry.ZeroId.selector);
        models.publish(id, "x", 0, 1, 1, 1);
        models.publish(id, string(new bytes(512)), WEIGHTS, 1, 1, 1);
    }

    function test_aCutSupersedesAnAnnouncedRise() public {
        models.setPrice(MODEL, 100, 20, 30);
        models.setPrice(MODEL, 5, 20, 30);
        vm.warp(START + 2 days);
        assertEq(models.currentPriceVersion(MODEL), 3);
    }

    function test_announcedRisesAreBounded() public {
        for (uint128 i = 1; i <= 8; i++) models.setPrice(MODEL, 10 + i, 20, 30);
        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.TooManyPendingPrices.selector, MODEL));
        models.setPrice(MODEL, 99, 20, 30);
    }

    function test_aModelIsItsPublishers() public {
        assertEq(models.publisherOf(MODEL), address(this));
        vm.prank(address(0xBAD));
        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.NotPublisher.selector, MODEL, address(0xBAD)));
        models.setPrice(MODEL, 1, 1, 1);
        vm.prank(address(0xBAD));
        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.AlreadyPublished.selector, MODEL));
        models.publish(MODEL, "x", WEIGHTS, 1, 1, 1);
        vm.prank(address(0xBAD));
        models.publish(keccak256("copy"), "x", WEIGHTS, 1, 1, 1);
        assertEq(models.firstPublisherOf(WEIGHTS), address(this));
        models.withdraw(MODEL);
        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.AlreadyWithdrawn.selector, MODEL));
        models.setPrice(MODEL, 1, 1, 1);
    }
}

contract ParamStoreTest is Fixture {
    function setUp() public {
        deployAll();
    }

    function testFuzz_valuesStayInTheirBounds(uint256 value) public {
        (uint256 min, uint256 max) = params.bounds(Params.COVERAGE_KAPPA_BPS);
        bool inside = value >= min && value <= max;
        if (!inside) {
            vm.expectRevert(
                abi.encodeWithSelector(ParamStore.OutOfBounds.selector, Params.COVERAGE_KAPPA_BPS, value, min, max)
            );
        }
        params.set(Params.COVERAGE_KAPPA_BPS, value);
        assertEq(params.get(Params.COVERAGE_KAPPA_BPS), inside ? value : 6667);
    }

    function test_boundsHoldAtTheirEdges() public {
        params.set(Params.COVERAGE_KAPPA_BPS, 10_000);
        params.set(Params.COVERAGE_KAPPA_BPS, 6667);
        vm.expectRevert(
            abi.encodeWithSelector(ParamStore.OutOfBounds.selector, Params.COVERAGE_KAPPA_BPS, 6666, 6667, 10_000)
        );
        params.set(Params.COVERAGE_KAPPA_BPS, 6666);
    }

    function test_stakeOutlastsAttestationWindowAdjudicationAndGrace() public {
        // With attestation 1, adjudication 5 and grace 5, of 30.
        params.set(Params.CHALLENGE_WINDOW, 19);
        vm.expectRevert(abi.encodeWithSelector(ParamStore.UnbondingTooShort.selector, UNBONDING, 31));
        params.set(Params.CHALLENGE_WINDOW, 20);
        vm.expectRevert(abi.encodeWithSelector(ParamStore.UnbondingTooShort.selector, UNBONDING, 31));
        params.set(Params.ATTEST_TIMEOUT, 2);
        vm.expectRevert(abi.encodeWithSelector(ParamStore.UnbondingTooShort.selector, UNBONDING, 31));
        params.set(Params.ADJUDICATION, 6);
        vm.expectRevert(abi.encodeWithSelector(ParamStore.UnbondingTooShort.selector, UNBONDING, 31));
        params.set(Params.GRACE, 6);
        vm.expectRevert(abi.encodeWithSelector(ParamStore.UnbondingTooShort.selector, 29, 30));
        params.set(Params.UNBONDING, 29);
        params.set(Params.UNBONDING, 31);
        params.set(Params.GRACE, 6);
    }

    /// @dev A pause stretches what stake answers for, but not the way out of that stake.
    function test_stakeOutlastsThePauseThatStretchesItsWindows() public {
        bytes32[] memory names = new bytes32[](4);
        uint256[] memory values = new uint256[](4);
        uint256[] memory highs = new uint256[](4);
        (names[0], names[1], names[2], names[3]) =
            (Params.UNBONDING, Params.CHALLENGE_WINDOW, Params.GRACE, Params.LONGEST_PAUSE);
        (values[0], values[1], values[2], values[3]) = (30, 10, 10, 10);
        for (uint256 i = 0; i < 4; i++) highs[i] = 100;
        ParamStore store = new ParamStore(address(this), names, values, new uint256[](4), highs);
        vm.expectRevert(abi.encodeWithSelector(ParamStore.UnbondingTooShort.selector, 30, 31));
        store.set(Params.GRACE, 11);
        store.set(Params.UNBONDING, 31);
        store.set(Params.GRACE, 11);
    }

    /// @dev What happened under the longer windows can be proven for as long as they were, so stake stays for it.
    function test_aCutOfTheWindowsDoesNotLetStakeLeaveBeforeWhatCameFirst() public {
        assertEq(params.liability(), 16);
        params.set(Params.CHALLENGE_WINDOW, 19);
        assertEq(params.liability(), 30);
        vm.warp(START + 1000);
        params.set(Params.CHALLENGE_WINDOW, 5);
        assertEq(params.liability(), 30);
        vm.expectRevert(abi.encodeWithSelector(ParamStore.UnbondingTooShort.selector, 29, 30));
        params.set(Params.UNBONDING, 29);
        // Other votes neither end nor prolong it.
        vm.warp(START + 1020);
        params.set(Params.COVERAGE_KAPPA_BPS, 7000);
        vm.warp(START + 1030);
        assertEq(params.liability(), 30);
        vm.warp(START + 1031);
        assertEq(params.liability(), 16);
        params.set(Params.UNBONDING, 16);
    }

    /// @dev Against the plain rule, for every second at which something began and every later one at which stake left.
    function testFuzz_stakeOutlastsWhateverBeganBeforeItLeft(uint8[12] memory votes, uint8[12] memory gaps) public {
        uint256[] memory liabilities = new uint256[](13);
        uint256[] memory changes = new uint256[](13);
        (liabilities[0], changes[0]) = (16, START);
        uint256 time = START;
        for (uint256 i = 0; i < 12; i++) {
            time += gaps[i] % 16;
            vm.warp(time);
            bytes32[4] memory keys =
                [Params.CHALLENGE_WINDOW, Params.ADJUDICATION, Params.GRACE, Params.UNBONDING];
            try params.set(keys[votes[i] % 4], 1 + votes[i] / 4) {} catch {}
            liabilities[i + 1] = params.get(Params.CHALLENGE_WINDOW) + params.get(Params.ADJUDICATION)
                + params.get(Params.GRACE) + params.get(Params.ATTEST_TIMEOUT);
            changes[i + 1] = time;
            // Stake that leaves now is free at time + U. What began in any second before ends by its own liability;
            // the latest such second of each value is the one at which the next value came.
            uint256 free = time + params.get(Params.UNBONDING);
            for (uint256 j = 0; j <= i; j++) assertTrue(changes[j + 1] + liabilities[j] <= free);
            assertTrue(time + liabilities[i + 1] <= free);
            assertTrue(params.liability() <= params.get(Params.UNBONDING));
        }
    }

    function test_noRefundComesBeforeTheLongestWayToFinality() public {
        // Attestation 1 + window 5 + adjudication 5.
        params.set(Params.REFUND_TIMEOUT, 11);
        vm.expectRevert(abi.encodeWithSelector(ParamStore.RefundBeforeFinality.selector, 10, 11));
        params.set(Params.REFUND_TIMEOUT, 10);
        vm.expectRevert(abi.encodeWithSelector(ParamStore.RefundBeforeFinality.selector, 11, 12));
        params.set(Params.ATTEST_TIMEOUT, 2);
    }

    function test_onlyTheGovernorSetsAndTheRoleNeverMoves() public {
        vm.prank(address(0xBAD));
        vm.expectRevert(abi.encodeWithSelector(ParamStore.NotGovernor.selector, address(0xBAD)));
        params.set(Params.COVERAGE_KAPPA_BPS, 7000);
        assertEq(params.governor(), address(this));
        (bool handedOn,) = address(params).call(abi.encodeWithSignature("setGovernor(address)", address(0xBAD)));
        assertTrue(!handedOn);
    }

    /// @dev What began before a vote is judged by what stood then, also if both lie in one block.
    function test_aVoteDoesNotReachBackToWhatBeganBefore() public {
        params.set(Params.COVERAGE_KAPPA_BPS, 7000);
        assertEq(params.get(Params.COVERAGE_KAPPA_BPS), 7000);
        assertEq(params.getAt(Params.COVERAGE_KAPPA_BPS, START), 6667);
        assertEq(params.getAt(Params.COVERAGE_KAPPA_BPS, START + 1), 7000);
        vm.warp(START + 100);
        params.set(Params.COVERAGE_KAPPA_BPS, 8000);
        vm.warp(START + 200);
        assertEq(params.getAt(Params.COVERAGE_KAPPA_BPS, 0), 6667);
        assertEq(params.getAt(Params.COVERAGE_KAPPA_BPS, START + 100), 7000);
        assertEq(params.getAt(Params.COVERAGE_KAPPA_BPS, START + 101), 8000);
        assertEq(params.getAt(Params.COVERAGE_KAPPA_BPS, type(uint256).max), 8000);
        vm.expectRevert(abi.encodeWithSelector(ParamStore.UnknownParam.selector, bytes32("NOTHING")));
        params.getAt("NOTHING", START);
    }

    function test_aVotedNumberIsAnEvent() public {
        vm.expectEmit(address(params));
        emit ParamStore.ParamSet(Params.COVERAGE_KAPPA_BPS, 7000);
        params.set(Params.COVERAGE_KAPPA_BPS, 7000);
    }


    function test_twoVotesOfOneBlockLeaveTheLast() public {
        vm.warp(START + 10);
        params.set(Params.COVERAGE_KAPPA_BPS, 7000);
        params.set(Params.COVERAGE_KAPPA_BPS, 9000);
        assertEq(params.getAt(Params.COVERAGE_KAPPA_BPS, START + 10), 6667);
        assertEq(params.getAt(Params.COVERAGE_KAPPA_BPS, START + 11), 9000);
    }

    function test_badTablesAreRefusedAtDeployment() public {
        bytes32[] memory names = new bytes32[](2);
        uint256[] memory numbers = new uint256[](2);
        vm.expectRevert(abi.encodeWithSelector(ParamStore.DuplicateParam.selector, bytes32(0)));
        new ParamStore(address(this), names, numbers, numbers, numbers);
        vm.expectRevert(ParamStore.ZeroAddress.selector);
        new ParamStore(address(0), names, numbers, numbers, numbers);
        names[1] = "X";
        vm.expectRevert(ParamStore.LengthMismatch.selector);
        new ParamStore(address(this), names, numbers, numbers, new uint256[](1));
        vm.expectRevert(ParamStore.LengthMismatch.selector);
        new ParamStore(address(this), names, numbers, new uint256[](3), numbers);
        vm.expectRevert(ParamStore.LengthMismatch.selector);
        new ParamStore(address(this), names, new uint256[](3), numbers, numbers);
        uint256[] memory highs = new uint256[](2);
        highs[1] = 1 << 128;
        vm.expectRevert();
        new ParamStore(address(this), names, numbers, numbers, highs);
        uint256[] memory lows = new uint256[](2);
        lows[1] = 1;
        vm.expectRevert(abi.encodeWithSelector(ParamStore.OutOfBounds.selector, bytes32("X"), 1, 1, 0));
        new ParamStore(address(this), names, numbers, lows, numbers);
    }

    function test_anUnknownNameIsNeverZero() public {
        vm.expectRevert(abi.encodeWithSelector(ParamStore.UnknownParam.selector, bytes32("NOTHING")));
        params.get("NOTHING");
    }
}
