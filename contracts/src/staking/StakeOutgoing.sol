// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ParamStore} from "../ParamStore.sol";
import {StakeExits} from "./StakeExits.sol";
import {StakeFaults} from "./StakeFaults.sol";
import {StakeState} from "./StakeState.sol";

/// @title The half of ValidatorStaking's code through which stake leaves
/// @notice Lies at an address of its own only because one contract may not be longer than 24,576 bytes (EIP-170). It acts
/// on ValidatorStaking's storage, by delegatecall from there; by itself it holds nothing and can move nothing.
contract StakeOutgoing is StakeExits, StakeFaults {
    constructor(IERC20 token_, ParamStore params_) StakeState(token_, params_) {}
}
