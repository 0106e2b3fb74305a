// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title A token that refuses every transfer to one address, with a revert or with `false`.
contract StubbornToken is ERC20 {
    address public refused;
    bool public silently;

    constructor() ERC20("Stubborn", "STB") {
        _mint(msg.sender, 1e27);
    }

    function refuse(address to, bool silently_) external {
        (refused, silently) = (to, silently_);
    }

    function transfer(address to, uint256 amount) public override returns (bool) {
        if (to == refused) {
            if (silently) return false;
            revert("refused");
        }
        return super.transfer(to, amount);
    }
}
