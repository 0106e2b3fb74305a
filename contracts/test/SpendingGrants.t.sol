// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {SpendingGrant} from "../src/libraries/GrantLib.sol";
import {SpendingGrants} from "../src/SpendingGrants.sol";
import {GrantFixture} from "./GrantFixture.sol";

/// @title Prepaid calls: who may open, fund and take back
contract SpendingGrantsTest is GrantFixture {
    function setUp() public {
        deployGrants();
    }

    // ---------------------------------------------------------------- opening and funding

    function test_thePayersSignatureOpensForAnybodyWhoPaysIn() public {
        SpendingGrant memory grant = grantOf(1);
        bytes32 id = grants.grantIdOf(grant);
        fundStranger(DEPOSIT);
        bytes memory signature = signDigest(PAYER_KEY, id);
        vm.prank(STRANGER);
        vm.expectEmit(address(grants));
        emit SpendingGrants.GrantOpened(id, payer, G, grant);
        vm.expectEmit(address(grants));
        emit SpendingGrants.GrantFunded(id, STRANGER, DEPOSIT);
        grants.open(grant, signature, DEPOSIT);
        assertEq(grants.gatewayOf(id), G);
        (uint96 funded, uint96 spent, uint64 revokedAt, bool opened) = grants.account(id);
        assertEq(funded, DEPOSIT);
        assertEq(uint256(spent) + revokedAt, 0);
        assertTrue(opened);
        assertEq(token.balanceOf(address(grants)), DEPOSIT);
    }

    function test_nobodyOpensInAnothersName() public {
        SpendingGrant memory grant = grantOf(1);
        bytes32 id = grants.grantIdOf(grant);
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(SpendingGrants.BadSignature.selector, id));
        grants.open(grant, signDigest(0xBAD5, id), 0);
    }

    function test_theIdIsTheDigestOfThePage() public view {
        SpendingGrant memory grant = grantOf(7);
        bytes32 typeHash = keccak256(
            "SpendingGrant(address payer,address gateway,uint128 maxTotal,uint128 maxPerCall,uint128 ratePerHour,bytes32[] models,address[] nodes,uint64 expiry,uint256 nonce)"
        );
        bytes memory fields = abi.encode(
            typeHash, payer, G, grant.maxTotal, grant.maxPerCall, grant.ratePerHour
        );
        bytes32 models_ = keccak256(abi.encode(grant.models[0], grant.models[1]));
        bytes32 nodes_ = keccak256(abi.encode(grant.nodes[0]));
        bytes32 structHash =
            keccak256(bytes.concat(fields, abi.encode(models_, nodes_, grant.expiry, grant.nonce)));
        assertEq(grants.grantIdOf(grant), typedDigest(domainOf(address(settlement), DEPLOYMENT), structHash));
    }

    function test_openedOnceAndNotAfterItsEnd() public {
        SpendingGrant memory grant = openAs(1, DEPOSIT);
        vm.prank(payer);
        vm.expectRevert(abi.encodeWithSelector(SpendingGrants.AlreadyOpened.selector, grants.grantIdOf(grant)));
        grants.open(grant, "", 0);
        SpendingGrant memory late = grantOf(2);
        late.expiry = uint64(vm.getBlockTimestamp());
        vm.prank(payer);
        vm.expectRevert(abi.encodeWithSelector(SpendingGrants.Expired.selector, late.expiry));
        grants.open(late, "", 0);
    }

    function testFuzz_neverMoreThanTheGrantsMaximumIsHeld(uint96 first, uint96 second) public {
        first = first % 600e18;
        second = second % 600e18;
        SpendingGrant memory grant = grantOf(1);
        vm.startPrank(payer);
        if (first > grant.maxTotal) {
            vm.expectRevert(abi.encodeWithSelector(SpendingGrants.OverMaximum.selector, first, grant.maxTotal));
            grants.open(grant, "", first);
            return;
        }
        grants.open(grant, "", first);
        uint256 sum = uint256(first) + second;
        if (sum > grant.maxTotal) {
            vm.expectRevert(abi.encodeWithSelector(SpendingGrants.OverMaximum.selector, sum, grant.maxTotal));
            sum = first;
        }
        grants.fund(grant, second);
        vm.stopPrank();
        assertEq(token.balanceOf(address(grants)), sum);
    }

    function test_aDepositFillsItsMaximumToTheUnit() public {
        SpendingGrant memory grant = openAs(1, 500e18);
        vm.prank(payer);
        vm.expectRevert(abi.encodeWithSelector(SpendingGrants.OverMaximum.selector, 500e18 + 1, 500e18));
        grants.fund(grant, 1);
        (uint96 funded,,,) = grants.account(grants.grantIdOf(grant));
        assertEq(funded, 500e18);
    }

    /// @dev However much a payer allows: an account counts to 2^96, and never past it to nothing.
    function test_aDepositIsBoundedByWhatAnAccountCounts() public {
        SpendingGrant memory grant = grantOf(1);
        (grant.maxTotal, grant.models) = (type(uint128).max, new bytes32[](0));
        uint96 most = type(uint96).max;
        vm.startPrank(payer);
        grants.open(grant, "", 1);
        vm.expectRevert(abi.encodeWithSelector(SpendingGrants.OverMaximum.selector, uint256(1) << 96, grant.maxTotal));
        grants.fund(grant, most);
        uint256 balance = token.balanceOf(payer);
        vm.expectRevert(
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientBalance.selector, payer, balance, most - 1)
        );
        grants.fund(grant, most - 1);
        vm.stopPrank();
    }

    function test_whatWasNeverOpenedTakesNoMoney() public {
        SpendingGrant memory grant = grantOf(1);
        vm.prank(payer);
        vm.expectRevert(abi.encodeWithSelector(SpendingGrants.NotOpened.selector, grants.grantIdOf(grant)));
        grants.fund(grant, 1);
    }

    function test_openingWithoutMoneyMovesNone() public {
        vm.recordLogs();
        openAs(1, 0);
        assertEq(vm.getRecordedLogs().length, 1);
    }

    // ---------------------------------------------------------------- taking back

    function test_whatIsLeftGoesBackAfterTheDelayAndToThePayerAlone() public {
        SpendingGrant memory grant = openAs(1, DEPOSIT);
        bytes32 id = grants.grantIdOf(grant);
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(SpendingGrants.NotThePayer.selector, STRANGER, payer));
        grants.revoke(grant);
        vm.prank(payer);
        vm.expectEmit(address(grants));
        emit SpendingGrants.GrantRevoked(id, uint64(vm.getBlockTimestamp()));
        grants.revoke(grant);
        vm.prank(payer);
        vm.expectRevert(abi.encodeWithSelector(SpendingGrants.AlreadyRevoked.selector, id));
        grants.revoke(grant);
        uint64 dueAt = uint64(vm.getBlockTimestamp() + DEPOSIT_WITHDRAWAL);
        // Calls from before the revocation are paid still.
        (bytes32 batchId, SpendingGrants.RowItem[] memory rows) = finalRows(id, 30e18, 4);
        grants.settle(batchId, rows);
        vm.expectRevert(abi.encodeWithSelector(SpendingGrants.WithdrawalNotDue.selector, id, dueAt));
        grants.withdraw(grant);
        vm.warp(dueAt);
        uint256 before = token.balanceOf(payer);
        vm.prank(STRANGER);
        vm.expectEmit(address(grants));
        emit SpendingGrants.GrantWithdrawn(id, payer, 70e18);
        assertEq(grants.withdraw(grant), 70e18);
        assertEq(token.balanceOf(payer) - before, 70e18);
        vm.expectRevert(abi.encodeWithSelector(SpendingGrants.NothingLeft.selector, id));
        grants.withdraw(grant);
        vm.prank(payer);
        vm.expectRevert(abi.encodeWithSelector(SpendingGrants.AlreadyRevoked.selector, id));
        grants.fund(grant, 1);
    }

    function test_aGrantRevokedBeforeItWasOpenedNeverOpens() public {
        SpendingGrant memory grant = grantOf(1);
        bytes32 id = grants.grantIdOf(grant);
        vm.prank(payer);
        grants.revoke(grant);
        vm.expectRevert(abi.encodeWithSelector(SpendingGrants.AlreadyOpened.selector, id));
        grants.open(grant, signDigest(PAYER_KEY, id), 0);
    }

    function test_aGrantThatExpiredIsPaidBackFromItsExpiryOnWhateverIsRevokedThen() public {
        SpendingGrant memory grant = openAs(1, 1);
        bytes32 id = grants.grantIdOf(grant);
        uint64 dueAt = grant.expiry + uint64(DEPOSIT_WITHDRAWAL);
        vm.warp(grant.expiry + 1);
        vm.prank(payer);
        grants.revoke(grant);
        vm.warp(dueAt - 1);
        vm.expectRevert(abi.encodeWithSelector(SpendingGrants.WithdrawalNotDue.selector, id, dueAt));
        grants.withdraw(grant);
        vm.warp(dueAt);
        assertEq(grants.withdraw(grant), 1);
    }

    /// @dev Else a payer could take back what calls under way will be paid by.
    function test_aGrantThatNobodyRevokedHoldsItsDepositUntilItsExpiryAndTheDelay() public {
        SpendingGrant memory grant = openAs(1, DEPOSIT);
        uint64 dueAt = grant.expiry + uint64(DEPOSIT_WITHDRAWAL);
        bytes memory reason =
            abi.encodeWithSelector(SpendingGrants.WithdrawalNotDue.selector, grants.grantIdOf(grant), dueAt);
        vm.expectRevert(reason);
        grants.withdraw(grant);
        vm.warp(dueAt - 1);
        vm.expectRevert(reason);
        grants.withdraw(grant);
        vm.warp(dueAt);
        assertEq(grants.withdraw(grant), DEPOSIT);
    }

    // ---------------------------------------------------------------- helpers

    function fundStranger(uint256 amount) private {
        token.transfer(STRANGER, amount);
        vm.prank(STRANGER);
        token.approve(address(grants), amount);
    }
}
