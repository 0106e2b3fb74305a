/**
 * Runs suites of the woven program with one mutant switched on, in a process of its own: what hangs in the EVM can only
 * be ended with its process. Takes `Job` messages, answers each with an `Answer`, or with `endless`.
 */
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  CollectStackTraces,
  EdrContext,
  IncludeTraces,
  L1_CHAIN_TYPE,
  l1GenesisState,
  l1HardforkFromString,
  l1SolidityTestRunnerFactory,
  type SuiteResult,
} from '@nomicfoundation/edr'
import { solcVersion } from '../settings.ts'
import type { Schemata } from './schemata.ts'
import { switchOf } from './weave.ts'

export interface Job {
  /** Number of the mutant; 0 is the program as it is. */
  mutant: number
  /** Names of test contracts. */
  suites: string[]
  /** Names of the tests, without parameters; all of the suites where there are none. */
  tests?: string[]
  fuzzRuns: number
  invariantRuns: number
}

export interface Answer {
  /** Tests that failed, `Suite.test`. */
  failed: string[]
  passed: number
  /** Suite → milliseconds. */
  times: Record<string, number>
}

/** Twice what the longest test of ours uses; a mutant that never ends is stopped by it within seconds. */
const GAS_LIMIT = 1_000_000_000n

/** Microseconds of processor that no job of ours needs, however long it waits on a busy machine. */
const ENDLESS = 120_000_000
/** Bytes of memory that no job of ours needs; a mutant that records without end would take all of the machine's. */
const MOST_MEMORY = 4 * 1024 ** 3

const { schemata } = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as { schemata: Schemata }
const artifacts = schemata.artifacts.map(({ source, name, abi, bytecode, deployedBytecode, suite }) => ({
  id: { name, source, solcVersion },
  contract: {
    abi,
    bytecode: `0x${bytecode}`,
    linkReferences: {},
    deployedBytecode: `0x${deployedBytecode}`,
    deployedLinkReferences: {},
  },
  suite,
}))
const helpers = artifacts.filter(({ suite }) => !suite)
const hardfork = 'osaka'
const context = new EdrContext()
await context.registerSolidityTestRunnerFactory(L1_CHAIN_TYPE, l1SolidityTestRunnerFactory())

async function run({ mutant, suites, tests, fuzzRuns, invariantRuns }: Job): Promise<Answer> {
  const chosen = artifacts.filter(({ id, suite }) => suite && suites.includes(id.name))
  const coinbase = Buffer.alloc(20)
  coinbase.writeUInt32BE(switchOf(mutant), 16)
  const answer: Answer = { failed: [], passed: 0, times: {} }
  const config = {
    ...(tests && { testPattern: `^(${tests.join('|')})\\(` }),
    projectRoot: resolve(dirname(fileURLToPath(import.meta.url)), '../..'),
    hardfork,
    blockCoinbase: coinbase,
    blockTimestamp: 1n,
    gasLimit: GAS_LIMIT,
    disableBlockGasLimit: true,
    disableTransactionGasCap: true,
    localPredeploys: l1GenesisState(l1HardforkFromString(hardfork)),
    includeTraces: IncludeTraces.None,
    collectStackTraces: CollectStackTraces.OnFailure,
    fuzz: { runs: fuzzRuns, seed: '0x61737361' },
    invariant: { runs: invariantRuns, depth: 32, failOnRevert: true, shrinkRunLimit: 0 },
  }
  // The last suite may be reported after the run itself has ended.
  let left = chosen.length
  await new Promise<void>((done, fail) => {
    const onSuite = ({ id, testResults, durationNs }: SuiteResult): void => {
      answer.times[id.name] = Number(durationNs / 1_000_000n)
      for (const { name, status } of testResults) {
        if (status === 'Failure') answer.failed.push(`${id.name}.${name}`)
        else answer.passed++
      }
      if (--left === 0) done()
    }
    const ids = chosen.map(({ id }) => id)
    // Only the fuzzer of invariants looks other contracts up; handing all over takes longer than a suite.
    const others = chosen.some(({ contract }) => contract.abi.includes('"invariant_')) ? helpers : []
    context.runSolidityTests(L1_CHAIN_TYPE, [...chosen, ...others], ids, config, {}, onSuite).catch(fail)
  })
  return answer
}

process.on('message', (job: Job) => {
  const before = process.cpuUsage()
  const watch = setInterval(() => {
    const { user, system } = process.cpuUsage(before)
    if (user + system > ENDLESS || process.memoryUsage.rss() > MOST_MEMORY) process.send?.('endless')
  }, 250)
  run(job).then(
    (answer) => {
      clearInterval(watch)
      process.send?.(answer)
    },
    (error: unknown) => {
      console.error(error)
      process.exit(1)
    },
  )
})
process.send?.('ready')
