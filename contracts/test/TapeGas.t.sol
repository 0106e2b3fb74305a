// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {GasMeter} from "./GasMeter.sol";
import {TapeFixture} from "./TapeFixture.sol";

/// @title What it takes to show a tape that is demanded, of words without a zero byte
contract TapeGasTest is TapeFixture, GasMeter {
    uint256 private constant VALIDATORS = 80;
    uint256 private constant ANSWER_CAP = 2_000_000;

    function setUp() public {
        deployFaults();
        enrol(VALIDATORS - 3, MIN_BOND);
        publishCircuit(ZK_MODEL, 1024);
        commitStating(zkReceipt(), tapeRoot());
        attestAll(batchId, VALIDATORS);
    }

    /// forge-config: default.isolate = true
    function test_gas_tape() public {
        token.transfer(HUNTER, 1000e18);
        vm.startPrank(HUNTER);
        token.approve(address(dataChallenge), type(uint256).max);
        bytes32 id = dataChallenge.demand(batchId, TAPE, POSITION);
        bytes memory call = abi.encodeCall(dataChallenge.showTapeRoot, (id, stated(zkReceipt(), tapeRoot())));
        spendBelow(ANSWER_CAP, "4 data, show where the root of a tape stands", address(dataChallenge), call);
        call = abi.encodeCall(dataChallenge.showTape, (id, 0, partOf(0, 512)));
        spendBelow(ANSWER_CAP, "4 data, show 512 words of a tape", address(dataChallenge), call);
        call = abi.encodeCall(dataChallenge.showTape, (id, 1, partOf(1, 512)));
        spendBelow(ANSWER_CAP, "4 data, show the last words of a tape of 80 attesters", address(dataChallenge), call);
        vm.stopPrank();
    }
}
