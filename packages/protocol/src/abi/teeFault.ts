/** ABI of TeeFault.sol. Written by contracts/scripts/compile.ts; never edit it by hand. */
export const teeFaultAbi = [
  { inputs: [{ internalType: 'contract Settlement', name: 'settlement_', type: 'address' }, { internalType: 'contract TeeRegistry', name: 'teeRegistry_', type: 'address' }, { internalType: 'contract ParamStore', name: 'params_', type: 'address' }], stateMutability: 'nonpayable', type: 'constructor' },
  { inputs: [{ internalType: 'bytes32', name: 'batchId', type: 'bytes32' }], name: 'NotInBatch', type: 'error' },
  { inputs: [{ internalType: 'bytes32', name: 'committed', type: 'bytes32' }, { internalType: 'bytes32', name: 'given', type: 'bytes32' }], name: 'OtherSignature', type: 'error' },
  { inputs: [{ internalType: 'uint256', name: 'depth', type: 'uint256' }], name: 'ProofTooDeep', type: 'error' },
  { inputs: [], name: 'ProofTooShort', type: 'error' },
  { inputs: [{ internalType: 'bytes32', name: 'requestId', type: 'bytes32' }], name: 'ReceiptHolds', type: 'error' },
  { inputs: [{ internalType: 'bytes32', name: 'batchId', type: 'bytes32' }], name: 'UnknownBatch', type: 'error' },
  { inputs: [], name: 'MAX_AGE', outputs: [{ internalType: 'uint64', name: '', type: 'uint64' }], stateMutability: 'view', type: 'function' },
  { inputs: [], name: 'SKEW', outputs: [{ internalType: 'uint64', name: '', type: 'uint64' }], stateMutability: 'view', type: 'function' },
  { inputs: [{ internalType: 'bytes', name: 'proof', type: 'bytes' }], name: 'judge', outputs: [{ components: [{ internalType: 'bytes32', name: 'faultKey', type: 'bytes32' }, { internalType: 'bytes32', name: 'batchId', type: 'bytes32' }, { internalType: 'bool', name: 'voids', type: 'bool' }, { internalType: 'bool', name: 'attesters', type: 'bool' }, { internalType: 'address', name: 'committer', type: 'address' }, { internalType: 'address', name: 'validator', type: 'address' }, { internalType: 'address', name: 'node', type: 'address' }, { internalType: 'bytes32', name: 'requestId', type: 'bytes32' }, { internalType: 'address', name: 'payer', type: 'address' }, { internalType: 'uint128', name: 'loss', type: 'uint128' }, { internalType: 'bytes32', name: 'grantId', type: 'bytes32' }, { internalType: 'uint64', name: 'row', type: 'uint64' }, { internalType: 'uint64', name: 'position', type: 'uint64' }, { internalType: 'uint64', name: 'offenceAt', type: 'uint64' }, { internalType: 'address', name: 'bountyTo', type: 'address' }], internalType: 'struct Finding', name: 'f', type: 'tuple' }], stateMutability: 'view', type: 'function' },
  { inputs: [], name: 'params', outputs: [{ internalType: 'contract ParamStore', name: '', type: 'address' }], stateMutability: 'view', type: 'function' },
  { inputs: [], name: 'settlement', outputs: [{ internalType: 'contract Settlement', name: '', type: 'address' }], stateMutability: 'view', type: 'function' },
  { inputs: [], name: 'teeRegistry', outputs: [{ internalType: 'contract TeeRegistry', name: '', type: 'address' }], stateMutability: 'view', type: 'function' },
] as const
