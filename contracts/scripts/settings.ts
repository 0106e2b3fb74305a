/** Settings of solc, the same for deployment (compile.ts) and for the Solidity tests (hardhat.config.ts). */
export const solcVersion = '0.8.37'

export const solcSettings = {
  optimizer: { enabled: true, runs: 200 },
  viaIR: false,
  evmVersion: 'osaka',
  // No metadata hash: the bytecode then depends on the code alone, not on comments or file names.
  metadata: { bytecodeHash: 'none' },
}
