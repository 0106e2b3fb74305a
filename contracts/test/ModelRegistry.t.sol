// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ModelRegistry} from "../src/ModelRegistry.sol";
import {Fixture} from "./Fixture.sol";

/// @title Whose a model is, what it costs, and from when a higher price counts
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

    function test_everyModelIsListedOnceInTheOrderOfItsPublication() public {
        bytes32 second = keccak256("second");
        models.publish(second, "x", WEIGHTS, 1, 2, 3);
        models.setPrice(MODEL, 1, 1, 1);
        assertEq(models.modelCount(), 2);
        assertEq(models.modelAt(0), MODEL);
        assertEq(models.modelAt(1), second);
    }

    function test_beforeItsPublicationAModelHadNoPrice() public view {
        assertEq(models.priceVersionAt(MODEL, uint64(START - 1)), 0);
        assertEq(models.priceVersionAt(keccak256("nobody's"), uint64(START)), 0);
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
