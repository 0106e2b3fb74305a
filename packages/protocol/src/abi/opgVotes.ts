/** ABI of OpgVotes.sol. Written by contracts/scripts/compile.ts; never edit it by hand. */
export const opgVotesAbi = [
  { inputs: [{ internalType: 'contract IERC5805', name: 'token_', type: 'address' }, { internalType: 'contract IVotesSource', name: 'stakes_', type: 'address' }], stateMutability: 'nonpayable', type: 'constructor' },
  { inputs: [], name: 'CLOCK_MODE', outputs: [{ internalType: 'string', name: '', type: 'string' }], stateMutability: 'view', type: 'function' },
  { inputs: [], name: 'clock', outputs: [{ internalType: 'uint48', name: '', type: 'uint48' }], stateMutability: 'view', type: 'function' },
  { inputs: [{ internalType: 'uint256', name: 'timepoint', type: 'uint256' }], name: 'getPastTotalSupply', outputs: [{ internalType: 'uint256', name: '', type: 'uint256' }], stateMutability: 'view', type: 'function' },
  { inputs: [{ internalType: 'address', name: 'account', type: 'address' }, { internalType: 'uint256', name: 'timepoint', type: 'uint256' }], name: 'getPastVotes', outputs: [{ internalType: 'uint256', name: '', type: 'uint256' }], stateMutability: 'view', type: 'function' },
  { inputs: [], name: 'stakes', outputs: [{ internalType: 'contract IVotesSource', name: '', type: 'address' }], stateMutability: 'view', type: 'function' },
  { inputs: [], name: 'token', outputs: [{ internalType: 'contract IERC5805', name: '', type: 'address' }], stateMutability: 'view', type: 'function' },
] as const
