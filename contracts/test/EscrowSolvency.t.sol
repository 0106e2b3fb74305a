// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {InferenceEscrow} from "../src/InferenceEscrow.sol";
import {Group} from "../src/libraries/MerkleSumLib.sol";
import {Receipt} from "../src/libraries/ReceiptLib.sol";
import {BatchBook} from "../src/settlement/BatchBook.sol";
import {EscrowFixture} from "./EscrowFixture.sol";
import {IWalk, WalkTest} from "./WalkTest.sol";
import {Vm} from "./Vm.sol";

/// @title Everything that payer, gateway, validators and strangers can do, one public function a move
/// @notice Keeps books of its own, from the events alone, and `check` holds every balance against them. Nonces and
/// amounts are few, so that the moves meet the same request again and again. A move takes two random words; it reverts
/// only where a promise is broken. Stands in this file because the fuzzer calls only contracts of test files.
contract EscrowWalk is EscrowFixture {
    uint256 private constant NONCES = 6;
    uint256 private constant FUNDS = 1_000_000e18;
    uint256 private constant MAX_OPEN = 8;

    /// @dev What the events told of one request. Amounts are OPG base units.
    struct Book {
        uint256 locks;
        uint256 settles;
        uint256 refunds;
        uint256 locked;
        uint256 price;
        uint256 back;
    }

    struct Ends {
        uint256 paid;
        uint256 free;
        uint256 refunded;
        uint256 rejected;
        uint256 skipped;
    }

    bytes32[] private _requests;
    mapping(bytes32 requestId => Book) private _books;
    /// @dev Batches whose items are still tried, encoded: the compiler copies no nested arrays into storage.
    bytes[] private _batches;
    uint256 private _oldest;
    mapping(address account => uint256) private _donated;
    mapping(address account => uint256) private _share;
    mapping(address account => uint256) private _taken;
    Ends private _ends;

    /// @dev Enters into the books what a move's events say.
    modifier booked() {
        vm.recordLogs();
        _;
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; i++) {
            if (logs[i].emitter == address(escrow)) _enter(logs[i]);
        }
    }

    function deploy() external {
        deployEscrow();
        validUntil = type(uint64).max;
        for (uint256 i = 0; i < 2 * NONCES; i++) {
            _requests.push(escrow.requestIdOf(payer, uint8(1 + i / NONCES), bytes32(i % NONCES)));
        }
    }

    function moves() external pure returns (bytes4[] memory list) {
        list = new bytes4[](13);
        list[0] = this.payExact.selector;
        list[1] = this.pushThrough.selector;
        list[2] = this.payUpto.selector;
        list[3] = this.withdrawPermission.selector;
        list[4] = this.commitOne.selector;
        list[5] = this.commitMany.selector;
        list[6] = this.judge.selector;
        list[7] = this.settle.selector;
        list[8] = this.refund.selector;
        list[9] = this.wait.selector;
        list[10] = this.withdraw.selector;
        list[11] = this.earn.selector;
        list[12] = this.donate.selector;
    }

    // ---------------------------------------------------------------- moves

    function payExact(uint256 a, uint256 b) external booked {
        collect(exactOf(_amount(b), bytes32(a % NONCES)));
    }

    /// @dev Somebody sends the payer's authorisation past escrow.
    function pushThrough(uint256 a, uint256 b) external booked {
        InferenceEscrow.ExactPayment memory item = exactOf(_amount(b), bytes32(a % NONCES));
        if (token.consumedAuthorization(payer, item.nonce) != 0 || item.value > token.balanceOf(payer)) return;
        token.transferWithAuthorization(
            payer, address(till), item.value, item.validAfter, item.validBefore, item.nonce, item.signature
        );
    }

    function payUpto(uint256 a, uint256 b) external booked {
        collectUpto(G, uptoOf(till, _amount(a >> 8), _amount(b), a % NONCES));
    }

    function withdrawPermission(uint256 a, uint256 b) external booked {
        bytes32 nonce = bytes32(a % NONCES);
        // Seldom, or soon nothing could be paid any more.
        if (b % 4 != 0) return;
        if (b % 8 == 0) {
            vm.prank(payer);
            PERMIT2.invalidateUnorderedNonces(0, 1 << uint256(nonce));
        } else if (token.consumedAuthorization(payer, nonce) == 0) {
            bytes32 typeHash = keccak256("CancelAuthorization(address authorizer,bytes32 nonce)");
            bytes32 digest = typedDigest(token.DOMAIN_SEPARATOR(), keccak256(abi.encode(typeHash, payer, nonce)));
            token.cancelAuthorization(payer, nonce, signDigest(PAYER_KEY, digest));
        }
    }

    function commitOne(uint256 a, uint256 b) external booked {
        _commit(a, oneRow(receiptOf(_request(a), uint128(_amount(b)))));
    }

    /// @dev Two rows; the same request may stand in both.
    function commitMany(uint256 a, uint256 b) external booked {
        Receipt[][] memory rows = new Receipt[][](2);
        for (uint256 i = 0; i < 2; i++) {
            rows[i] = new Receipt[](2);
            for (uint256 j = 0; j < 2; j++) {
                uint256 dice = uint256(keccak256(abi.encode(a, b, i, j)));
                rows[i][j] = receiptOf(_request(dice), uint128(_amount(dice >> 16)));
                rows[i][j].priceVersion = uint64(i + 1);
            }
        }
        _commit(a, rows);
    }

    function judge(uint256 a, uint256 b) external booked {
        if (_batches.length == 0) return;
        bytes32 id = _items(a)[0].batchId;
        if (stateOf(id) != BatchBook.State.Committed) return;
        if (b % 4 == 0) settlement.voidBatch(id, FAULT);
        else finaliseBatch(id);
    }

    /// @dev One item of a batch, or all of it.
    function settle(uint256 a, uint256 b) external booked {
        if (_batches.length == 0) return;
        InferenceEscrow.SettleItem[] memory items = _items(a);
        if (b % 2 == 0) {
            InferenceEscrow.SettleItem[] memory one = new InferenceEscrow.SettleItem[](1);
            one[0] = items[(b >> 8) % items.length];
            items = one;
        }
        bool isFinal = stateOf(items[0].batchId) == BatchBook.State.Final;
        try escrow.settle(items) {
            assertTrue(isFinal);
        } catch {
            assertTrue(!isFinal);
        }
    }

    function refund(uint256 a, uint256) external booked {
        bytes32 id = _request(a);
        (,,,, uint64 lockedAt, uint8 state) = escrow.payment(id);
        bool due = state == uint8(InferenceEscrow.PaymentState.Locked)
            && vm.getBlockTimestamp() >= lockedAt + REFUND_TIMEOUT;
        try escrow.refundTimeout(ids(id)) {
            assertTrue(due);
        } catch {
            assertTrue(!due);
        }
    }

    function wait(uint256 a, uint256) external {
        vm.warp(vm.getBlockTimestamp() + a % (REFUND_TIMEOUT / 2));
    }

    function withdraw(uint256, uint256) external booked {
        if (escrow.credit(payer) == 0) return;
        vm.prank(payer);
        _taken[payer] += escrow.withdrawCredit();
    }

    function earn(uint256 a, uint256) external booked {
        if (a % 4 == 0) {
            uint256 pending = splitter.validatorsPending();
            if (pending == 0) return;
            splitter.payValidators();
            _taken[address(staking)] += pending;
            return;
        }
        address holder = [PUBLISHER, NODE, TREASURY][a % 4 - 1];
        if (splitter.balanceOf(holder) == 0) return;
        vm.prank(holder);
        _taken[holder] += splitter.withdraw();
    }

    /// @dev Tokens that came without a call belong to nobody, and must not be counted as anybody's.
    function donate(uint256 a, uint256 b) external booked {
        address to = [address(escrow), address(till), address(splitter)][a % 3];
        uint256 amount = b % 1e18;
        token.transfer(to, amount);
        _donated[to] += amount;
    }

    // ---------------------------------------------------------------- the promises

    function check() external view {
        uint256 locked;
        uint256 open;
        uint256 paid;
        uint256 back;
        for (uint256 i = 0; i < _requests.length; i++) {
            Book storage book = _books[_requests[i]];
            bool over = book.settles + book.refunds > 0;
            assertTrue(book.locks <= 1);
            assertTrue(book.settles + book.refunds <= book.locks);
            if (over) assertEq(book.price + book.back, book.locked);
            else assertEq(book.price + book.back, 0);
            _checkState(_requests[i], book);
            locked += book.locked;
            if (!over) open += book.locked;
            paid += book.price;
            back += book.back;
        }
        assertEq(escrow.credit(payer), back - _taken[payer]);
        assertEq(token.balanceOf(address(escrow)), open + escrow.credit(payer) + _donated[address(escrow)]);
        // What was pushed into the till and not collected yet is still the payer's business.
        uint256 pushed = token.balanceOf(address(till)) - _donated[address(till)];
        assertEq(token.balanceOf(payer) + pushed + locked, FUNDS + _taken[payer]);
        _checkSplit(paid);
    }

    function ends() external view returns (Ends memory) {
        return _ends;
    }

    // ---------------------------------------------------------------- private

    function _checkState(bytes32 requestId, Book storage book) private view {
        InferenceEscrow.PaymentState expected = book.locks == 0
            ? InferenceEscrow.PaymentState.None
            : book.settles == 1
                ? InferenceEscrow.PaymentState.Paid
                : book.refunds == 1
                    ? InferenceEscrow.PaymentState.Refunded
                    : InferenceEscrow.PaymentState.Locked;
        assertPayment(requestId, expected, book.settles == 1 ? book.price : book.locked);
    }

    function _checkSplit(uint256 paid) private view {
        address[3] memory holders = [PUBLISHER, NODE, TREASURY];
        uint256 taken = _taken[address(staking)];
        uint256 shares = _share[address(staking)];
        assertEq(splitter.validatorsPending(), shares - taken);
        for (uint256 i = 0; i < 3; i++) {
            assertEq(splitter.balanceOf(holders[i]), _share[holders[i]] - _taken[holders[i]]);
            shares += _share[holders[i]];
            taken += _taken[holders[i]];
        }
        assertEq(shares, paid);
        assertEq(token.balanceOf(address(splitter)), paid - taken + _donated[address(splitter)]);
    }

    function _enter(Vm.Log memory log) private {
        bytes32 kind = log.topics[0];
        if (kind == InferenceEscrow.PaymentRejected.selector) _ends.rejected++;
        if (kind == InferenceEscrow.SettlementSkipped.selector) _ends.skipped++;
        Book storage book = _books[kind == InferenceEscrow.CreditWithdrawn.selector ? bytes32(0) : log.topics[1]];
        if (kind == InferenceEscrow.PaymentLocked.selector) {
            book.locks++;
            book.locked += abi.decode(log.data, (uint256));
        }
        if (kind == InferenceEscrow.PaymentSettled.selector) {
            (uint256 price, uint256 back) = abi.decode(log.data, (uint256, uint256));
            book.settles++;
            book.price += price;
            book.back += back;
            _splitAsPromised(price);
            if (price == 0) _ends.free++;
            else _ends.paid++;
        }
        if (kind == InferenceEscrow.PaymentRefunded.selector) {
            book.refunds++;
            book.back += abi.decode(log.data, (uint256));
            _ends.refunded++;
        }
    }

    /// @dev 70/15/10/5, and what does not divide goes to the publisher.
    function _splitAsPromised(uint256 price) private {
        uint256 node = price * 15 / 100;
        uint256 validators = price * 10 / 100;
        uint256 treasury = price * 5 / 100;
        _share[NODE] += node;
        _share[address(staking)] += validators;
        _share[TREASURY] += treasury;
        _share[PUBLISHER] += price - node - validators - treasury;
    }

    function _commit(uint256 dice, Receipt[][] memory rows) private {
        (Group[] memory groups, InferenceEscrow.SettleItem[] memory items) = treeOf(rows);
        address committer = dice % 5 == 0 ? STRANGER : G;
        if (!_covers(committer, groups[0].exposure) || !_covers(NODE, groups[0].exposure)) return;
        commitTree(committer, groups, items);
        if (_batches.length < MAX_OPEN) _batches.push(abi.encode(items));
        else _batches[_oldest++ % MAX_OPEN] = abi.encode(items);
    }

    function _covers(address operator, uint256 exposure) private view returns (bool) {
        return bonds.openExposureOf(operator) + exposure <= bonds.coverageOf(operator);
    }

    function _items(uint256 dice) private view returns (InferenceEscrow.SettleItem[] memory) {
        return abi.decode(_batches[dice % _batches.length], (InferenceEscrow.SettleItem[]));
    }

    function _request(uint256 dice) private view returns (bytes32) {
        return _requests[(dice >> 8) % _requests.length];
    }

    /// @dev Nothing, what does not divide, a round sum, what nobody has.
    function _amount(uint256 dice) private pure returns (uint256) {
        return [uint256(0), 1, 19, 333, 1e18 + 7, 2e18, 2_000_000e18][(dice >> 8) % 7];
    }
}

/// @title Whatever anybody does in whatever order, escrow owes what it holds, and each request ends once
contract EscrowSolvencyTest is WalkTest {
    EscrowWalk private walk;

    function setUp() public {
        walk = new EscrowWalk();
        walk.deploy();
    }

    function walked() internal view override returns (IWalk) {
        return IWalk(address(walk));
    }

    /// forge-config: default.invariant.depth = 64
    /// forge-config: default.invariant.fail-on-revert = true
    function invariant_everythingOwedIsHeldAndEveryRequestEndsOnce() public view {
        walk.check();
    }

    /// @dev A walk that reaches nothing would keep every promise.
    function test_aWalkReachesEveryEnd() public {
        walkOn(400);
        EscrowWalk.Ends memory ends = walk.ends();
        assertTrue(ends.paid > 0);
        assertTrue(ends.free > 0);
        assertTrue(ends.refunded > 0);
        assertTrue(ends.rejected > 0);
        assertTrue(ends.skipped > 0);
    }
}
