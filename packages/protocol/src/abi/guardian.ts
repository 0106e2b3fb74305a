/** ABI of Guardian.sol. Written by contracts/scripts/compile.ts; never edit it by hand. */
export const guardianAbi = [
  { inputs: [{ internalType: 'address', name: 'governor_', type: 'address' }, { internalType: 'address', name: 'firstHolder', type: 'address' }, { internalType: 'uint64', name: 'guardianTerm', type: 'uint64' }], stateMutability: 'nonpayable', type: 'constructor' },
  { inputs: [{ internalType: 'address', name: 'caller', type: 'address' }], name: 'NotGovernor', type: 'error' },
  { inputs: [{ internalType: 'address', name: 'caller', type: 'address' }], name: 'NotHolderOrGovernor', type: 'error' },
  { inputs: [], name: 'ZeroAddress', type: 'error' },
  { anonymous: false, inputs: [{ indexed: true, internalType: 'address', name: 'holder', type: 'address' }, { indexed: false, internalType: 'uint64', name: 'expiresAt', type: 'uint64' }], name: 'GuardianAppointed', type: 'event' },
  { anonymous: false, inputs: [{ indexed: true, internalType: 'address', name: 'holder', type: 'address' }], name: 'GuardianDismissed', type: 'event' },
  { inputs: [{ internalType: 'address', name: 'to', type: 'address' }], name: 'appoint', outputs: [], stateMutability: 'nonpayable', type: 'function' },
  { inputs: [], name: 'dismiss', outputs: [], stateMutability: 'nonpayable', type: 'function' },
  { inputs: [], name: 'expiresAt', outputs: [{ internalType: 'uint64', name: '', type: 'uint64' }], stateMutability: 'view', type: 'function' },
  { inputs: [], name: 'governor', outputs: [{ internalType: 'address', name: '', type: 'address' }], stateMutability: 'view', type: 'function' },
  { inputs: [], name: 'holder', outputs: [{ internalType: 'address', name: '', type: 'address' }], stateMutability: 'view', type: 'function' },
  { inputs: [{ internalType: 'address', name: 'account', type: 'address' }], name: 'isGuardian', outputs: [{ internalType: 'bool', name: '', type: 'bool' }], stateMutability: 'view', type: 'function' },
  { inputs: [], name: 'term', outputs: [{ internalType: 'uint64', name: '', type: 'uint64' }], stateMutability: 'view', type: 'function' },
] as const
