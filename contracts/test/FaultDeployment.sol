// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {CanaryRegistry} from "../src/faults/CanaryRegistry.sol";
import {DataChallenge} from "../src/faults/DataChallenge.sol";
import {EquivocationFault} from "../src/faults/EquivocationFault.sol";
import {IFaultAdapter} from "../src/faults/IFaultAdapter.sol";
import {RowFault} from "../src/faults/RowFault.sol";
import {SumFault} from "../src/faults/SumFault.sol";
import {TeeFault} from "../src/faults/TeeFault.sol";
import {FaultManager} from "../src/FaultManager.sol";
import {Guardian} from "../src/Guardian.sol";
import {InferenceEscrow} from "../src/InferenceEscrow.sol";
import {Params} from "../src/libraries/Params.sol";
import {ModelRegistry} from "../src/ModelRegistry.sol";
import {NodeBond} from "../src/NodeBond.sol";
import {OPG} from "../src/OPG.sol";
import {ParamStore} from "../src/ParamStore.sol";
import {PauseClock} from "../src/PauseClock.sol";
import {RevenueSplitter} from "../src/RevenueSplitter.sol";
import {Settlement} from "../src/Settlement.sol";
import {SpendingGrants} from "../src/SpendingGrants.sol";
import {TeeApprovals} from "../src/tee/TeeApprovals.sol";
import {ValidatorStaking} from "../src/ValidatorStaking.sol";
import {EscrowDouble} from "./FaultDoubles.sol";
import {SettlementFixture} from "./SettlementFixture.sol";

/// @title A deployment that judges faults: a bonded committer, a bonded node with an enclave key, three validators
abstract contract FaultDeployment is SettlementFixture {
    uint256 internal constant GRACE = 5;
    uint256 internal constant DATA_RESPONSE = 20;
    uint256 internal constant CHALLENGE_BOND = 10e18;
    uint256 internal constant CANARY_DEPOSIT = 10e18;
    uint256 internal constant CANARY_REWARD = 6e18;
    uint256 internal constant ENCLAVE = 0xE1;
    uint256 internal constant ROGUE = 0xE2;
    bytes32 internal constant HARDWARE = keccak256("nitro-sim");
    bytes32 internal constant ROOT = keccak256("root");
    bytes32 internal constant CODE = keccak256("code");
    bytes32 internal constant MODEL = keccak256("model");
    bytes32 internal constant GRANT = keccak256("grant");
    bytes32 internal constant SALT = keccak256("salt");
    address internal constant COMMITTER = address(0xC0117);
    address internal constant NODE = address(0x40DE);
    address internal constant PAYER = address(0xFA7);
    address internal constant HUNTER = address(0x4017);
    address internal constant INSURANCE = address(0x1115);

    FaultManager internal faults;
    TeeFault internal teeFault;
    EquivocationFault internal equivocation;
    DataChallenge internal dataChallenge;
    SumFault internal sumFault;
    RowFault internal rowFault;
    CanaryRegistry internal canaries;
    EscrowDouble internal payments;
    SpendingGrants internal grants;
    ModelRegistry internal models;
    PauseClock internal clock;

    function deployFaults() internal {
        vm.warp(START);
        vm.roll(100);
        token = new OPG(address(this));
        params = deployFaultParams();
        guardian = new Guardian(address(this), GUARDIAN, 365 days);
        clock = new PauseClock(guardian, 60, 120);
        bonds = new NodeBond(token, params);
        staking = new ValidatorStaking(token, params);
        settlement = new Settlement(staking, bonds, params, clock, DEPLOYMENT);
        bonds.setSettlement(address(settlement));
        staking.setSettlement(address(settlement));
        models = new ModelRegistry(params);
        payments = new EscrowDouble();
        // What is settled is not passed on here.
        grants = new SpendingGrants(token, settlement, models, RevenueSplitter(address(0)), params);
        TeeApprovals.Approval[] memory approvals = new TeeApprovals.Approval[](1);
        approvals[0] = TeeApprovals.Approval(HARDWARE, ROOT, CODE, 1);
        tee = deployTee(approvals);
        _deployJudges();
        models.publish(MODEL, "http://model.test", CODE, 100, 2, 3);
        enrolThree();
        registerNode(NODE);
        registerNode(COMMITTER);
        // The neighbour in every batch, and whoever commits in its own name.
        registerNode(address(type(uint160).max));
        registerNode(address(0xBAD));
        vm.roll(101);
        _admit(ENCLAVE);
        vm.warp(START + 100);
    }

    function _deployJudges() private {
        faults = new FaultManager(
            token,
            params,
            settlement,
            staking,
            bonds,
            InferenceEscrow(address(payments)),
            grants,
            INSURANCE,
            address(this)
        );
        settlement.setFaultManager(address(faults));
        staking.setFaultManager(address(faults));
        bonds.setFaultManager(address(faults));
        teeFault = new TeeFault(settlement, tee, params);
        equivocation = new EquivocationFault(settlement, tee, staking);
        dataChallenge = new DataChallenge(token, params, clock, settlement, faults, models);
        sumFault = new SumFault(settlement);
        rowFault = new RowFault(settlement, InferenceEscrow(address(payments)), models, tee);
        canaries =
            new CanaryRegistry(token, params, settlement, staking, InferenceEscrow(address(payments)), faults);
        uint8[] memory classes = new uint8[](6);
        (classes[0], classes[1], classes[2], classes[3], classes[4], classes[5]) = (1, 3, 4, 6, 7, 8);
        IFaultAdapter[] memory adapters = new IFaultAdapter[](6);
        (adapters[0], adapters[1], adapters[2], adapters[3], adapters[4], adapters[5]) =
            (teeFault, equivocation, dataChallenge, sumFault, rowFault, canaries);
        uint64[] memory gas = new uint64[](6);
        for (uint256 i = 0; i < 6; i++) gas[i] = 1_000_000;
        faults.wire(classes, adapters, gas);
    }

    function deployFaultParams() internal returns (ParamStore) {
        number(Params.UNBONDING, ATTEST_TIMEOUT + UNBONDING);
        number(Params.CHALLENGE_WINDOW, WINDOW);
        number(Params.ADJUDICATION, 20);
        number(Params.GRACE, GRACE);
        number(Params.ATTEST_TIMEOUT, ATTEST_TIMEOUT);
        number(Params.REFUND_TIMEOUT, REFUND_TIMEOUT);
        number(Params.DATA_RESPONSE, DATA_RESPONSE);
        number(Params.MIN_SELF_BOND, MIN_BOND);
        number(Params.MIN_NODE_BOND, MIN_BOND);
        number(Params.COVERAGE_KAPPA_BPS, 6667);
        number(Params.PRICE_RISE_DELAY, 1 days);
        number(Params.PHI_TEE_BPS, 5000);
        number(Params.PHI_ZK_BPS, 5000);
        number(Params.PHI_EQUIVOCATION_BPS, 10_000);
        number(Params.PHI_DATA_BPS, 500);
        number(Params.PHI_REPLAY_BPS, 500);
        number(Params.PHI_SUM_BPS, 5000);
        number(Params.PHI_ROW_BPS, 5000);
        number(Params.CHALLENGE_BOND, CHALLENGE_BOND);
        number(Params.BOUNTY_BPS, 2000);
        number(Params.BOUNTY_CAP, 30e18);
        number(Params.INSURANCE_BPS, 3000);
        number(Params.SELF_FIRST_BPS, 2000);
        number(Params.COMMISSION_CAP_BPS, 2000);
        number(Params.COMMISSION_STEP_BPS, 100);
        number(Params.COMMISSION_DELAY, 60);
        number(Params.PHI_CANARY_BPS, 100);
        number(Params.CANARY_DEPOSIT, CANARY_DEPOSIT);
        number(Params.CANARY_REWARD, CANARY_REWARD);
        number(Params.VOID_FEE_BPS, VOID_FEE_BPS);
        return newParams(address(this));
    }

    function _admit(uint256 key) internal {
        _admit(key, CODE, 1);
    }

    function _admit(uint256 key, bytes32 measurement, uint8 engineClasses) internal {
        vm.prank(NODE);
        bytes32 id =
            tee.proposeKey(vm.addr(key), HARDWARE, ROOT, measurement, engineClasses, CODE, "http://evidence.test");
        bytes32 vote = keccak256(abi.encode(keccak256("KeyVote(bytes32 registrationId,bool valid)"), id, true));
        vm.roll(block.number + 1);
        for (uint256 i = 0; i < 2; i++) tee.voteKey(id, true, signDigest(validatorKeys[i], settlement.digestOf(vote)));
    }
}
