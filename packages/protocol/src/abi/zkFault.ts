/** ABI of ZkFault.sol. Written by contracts/scripts/compile.ts; never edit it by hand. */
export const zkFaultAbi = [
  { inputs: [{ internalType: 'contract Settlement', name: 'settlement_', type: 'address' }], stateMutability: 'nonpayable', type: 'constructor' },
  { inputs: [{ internalType: 'bytes32', name: 'batchId', type: 'bytes32' }], name: 'NotInBatch', type: 'error' },
  { inputs: [{ internalType: 'bytes32', name: 'batchId', type: 'bytes32' }], name: 'NotTheFile', type: 'error' },
  { inputs: [{ internalType: 'bytes32', name: 'requestId', type: 'bytes32' }], name: 'NotTheStatement', type: 'error' },
  { inputs: [{ internalType: 'uint256', name: 'position', type: 'uint256' }], name: 'NotThere', type: 'error' },
  { inputs: [{ internalType: 'bytes32', name: 'requestId', type: 'bytes32' }], name: 'ProofHolds', type: 'error' },
  { inputs: [{ internalType: 'uint256', name: 'depth', type: 'uint256' }], name: 'ProofTooDeep', type: 'error' },
  { inputs: [{ internalType: 'uint256', name: 'depth', type: 'uint256' }], name: 'ProofTooDeep', type: 'error' },
  { inputs: [], name: 'ProofTooShort', type: 'error' },
  { inputs: [{ internalType: 'uint256', name: 'layers', type: 'uint256' }], name: 'TooDeep', type: 'error' },
  { inputs: [{ internalType: 'bytes32', name: 'batchId', type: 'bytes32' }], name: 'UnknownBatch', type: 'error' },
  { inputs: [], name: 'MAX_LAYERS', outputs: [{ internalType: 'uint256', name: '', type: 'uint256' }], stateMutability: 'view', type: 'function' },
  { inputs: [{ internalType: 'bytes', name: 'proof', type: 'bytes' }], name: 'judge', outputs: [{ components: [{ internalType: 'bytes32', name: 'faultKey', type: 'bytes32' }, { internalType: 'bytes32', name: 'batchId', type: 'bytes32' }, { internalType: 'bool', name: 'voids', type: 'bool' }, { internalType: 'bool', name: 'attesters', type: 'bool' }, { internalType: 'address', name: 'committer', type: 'address' }, { internalType: 'address', name: 'validator', type: 'address' }, { internalType: 'address', name: 'node', type: 'address' }, { internalType: 'bytes32', name: 'requestId', type: 'bytes32' }, { internalType: 'address', name: 'payer', type: 'address' }, { internalType: 'uint128', name: 'loss', type: 'uint128' }, { internalType: 'bytes32', name: 'grantId', type: 'bytes32' }, { internalType: 'uint64', name: 'row', type: 'uint64' }, { internalType: 'uint64', name: 'position', type: 'uint64' }, { internalType: 'uint64', name: 'offenceAt', type: 'uint64' }, { internalType: 'address', name: 'bountyTo', type: 'address' }], internalType: 'struct Finding', name: 'f', type: 'tuple' }], stateMutability: 'view', type: 'function' },
  { inputs: [{ internalType: 'bytes32', name: 'modelRoot', type: 'bytes32' }, { internalType: 'bytes32', name: 'inputHash', type: 'bytes32' }, { internalType: 'bytes32', name: 'outputHash', type: 'bytes32' }, { internalType: 'string', name: 'text', type: 'string' }, { internalType: 'uint256', name: 'layers', type: 'uint256' }], name: 'replay', outputs: [{ internalType: 'enum ZkFractions.Flaw', name: 'flaw', type: 'uint8' }, { internalType: 'uint256', name: 'layer', type: 'uint256' }], stateMutability: 'pure', type: 'function' },
  { inputs: [], name: 'settlement', outputs: [{ internalType: 'contract Settlement', name: '', type: 'address' }], stateMutability: 'view', type: 'function' },
] as const
