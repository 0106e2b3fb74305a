/** Runs the Solidity tests with the solc of this checkout; deployment uses scripts/compile.ts and the same settings. */
import { createRequire } from 'node:module'
import { defineConfig } from 'hardhat/config'
import { solcSettings, solcVersion } from './scripts/settings.ts'

export default defineConfig({
  solidity: {
    version: solcVersion,
    // A path keeps Hardhat from downloading a compiler.
    path: createRequire(import.meta.url).resolve('solc/soljson.js'),
    settings: solcSettings,
  },
  paths: {
    sources: './src',
    tests: { solidity: './test' },
    // Apart from artifacts/ of scripts/compile.ts, whose files have another shape.
    artifacts: './cache/artifacts',
    cache: './cache',
  },
  test: {
    solidity: {
      // ASSAY_FUZZ_SEED, 0x and hexadecimal, repeats a run.
      fuzz: { runs: 64, ...(process.env.ASSAY_FUZZ_SEED && { seed: process.env.ASSAY_FUZZ_SEED }) },
      // A slice in every run; ASSAY_INVARIANT_RUNS=1000 is the campaign that economics asks for (npm run test:deep).
      invariant: { runs: Number(process.env.ASSAY_INVARIANT_RUNS ?? 16), depth: 32, failOnRevert: true },
    },
  },
})
