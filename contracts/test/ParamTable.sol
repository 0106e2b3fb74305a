// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ParamStore} from "../src/ParamStore.sol";

/// @title The numbers of a ParamStore, each beside its name
abstract contract ParamTable {
    bytes32[] private _names;
    uint256[] private _starts;
    uint256[] private _lows;
    uint256[] private _highs;

    function number(bytes32 name, uint256 start, uint256 low, uint256 high) internal {
        _names.push(name);
        _starts.push(start);
        _lows.push(low);
        _highs.push(high);
    }

    /// @dev In bounds that no test comes near.
    function number(bytes32 name, uint256 start) internal {
        number(name, start, 1, 1e25);
    }

    /// @dev A store of all numbers named since the last one.
    function newParams(address governor) internal returns (ParamStore store) {
        (bytes32[] memory names, uint256[] memory starts) = (_names, _starts);
        (uint256[] memory lows, uint256[] memory highs) = (_lows, _highs);
        (_names, _starts) = (new bytes32[](0), new uint256[](0));
        (_lows, _highs) = (new uint256[](0), new uint256[](0));
        return new ParamStore(governor, names, starts, lows, highs);
    }
}
