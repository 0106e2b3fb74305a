/** ABI of ParamStore.sol. Written by contracts/scripts/compile.ts; never edit it by hand. */
export const paramStoreAbi = [
  { inputs: [{ internalType: 'address', name: 'governor_', type: 'address' }, { internalType: 'bytes32[]', name: 'keys_', type: 'bytes32[]' }, { internalType: 'uint256[]', name: 'values', type: 'uint256[]' }, { internalType: 'uint256[]', name: 'mins', type: 'uint256[]' }, { internalType: 'uint256[]', name: 'maxs', type: 'uint256[]' }], stateMutability: 'nonpayable', type: 'constructor' },
  { inputs: [{ internalType: 'bytes32', name: 'key', type: 'bytes32' }], name: 'DuplicateParam', type: 'error' },
  { inputs: [], name: 'LengthMismatch', type: 'error' },
  { inputs: [{ internalType: 'address', name: 'caller', type: 'address' }], name: 'NotGovernor', type: 'error' },
  { inputs: [{ internalType: 'bytes32', name: 'key', type: 'bytes32' }, { internalType: 'uint256', name: 'value', type: 'uint256' }, { internalType: 'uint256', name: 'min', type: 'uint256' }, { internalType: 'uint256', name: 'max', type: 'uint256' }], name: 'OutOfBounds', type: 'error' },
  { inputs: [{ internalType: 'uint256', name: 'unbonding', type: 'uint256' }, { internalType: 'uint256', name: 'window', type: 'uint256' }], name: 'UnbondingShorterThanWindow', type: 'error' },
  { inputs: [{ internalType: 'bytes32', name: 'key', type: 'bytes32' }], name: 'UnknownParam', type: 'error' },
  { inputs: [], name: 'ZeroAddress', type: 'error' },
  { anonymous: false, inputs: [{ indexed: true, internalType: 'address', name: 'from', type: 'address' }, { indexed: true, internalType: 'address', name: 'to', type: 'address' }], name: 'GovernorChanged', type: 'event' },
  { anonymous: false, inputs: [{ indexed: true, internalType: 'bytes32', name: 'key', type: 'bytes32' }, { indexed: false, internalType: 'uint256', name: 'value', type: 'uint256' }], name: 'ParamSet', type: 'event' },
  { inputs: [{ internalType: 'bytes32', name: 'key', type: 'bytes32' }], name: 'bounds', outputs: [{ internalType: 'uint256', name: 'min', type: 'uint256' }, { internalType: 'uint256', name: 'max', type: 'uint256' }], stateMutability: 'view', type: 'function' },
  { inputs: [{ internalType: 'bytes32', name: 'key', type: 'bytes32' }], name: 'get', outputs: [{ internalType: 'uint256', name: '', type: 'uint256' }], stateMutability: 'view', type: 'function' },
  { inputs: [], name: 'governor', outputs: [{ internalType: 'address', name: '', type: 'address' }], stateMutability: 'view', type: 'function' },
  { inputs: [], name: 'keys', outputs: [{ internalType: 'bytes32[]', name: '', type: 'bytes32[]' }], stateMutability: 'view', type: 'function' },
  { inputs: [{ internalType: 'bytes32', name: 'key', type: 'bytes32' }, { internalType: 'uint256', name: 'value', type: 'uint256' }], name: 'set', outputs: [], stateMutability: 'nonpayable', type: 'function' },
  { inputs: [{ internalType: 'address', name: 'to', type: 'address' }], name: 'setGovernor', outputs: [], stateMutability: 'nonpayable', type: 'function' },
] as const
