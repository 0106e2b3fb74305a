/**
 * Three gateways and four nodes on one PostgreSQL, under pauses, kill -9, cut wires, database restarts, reorganisations
 * and duplicate requests; then everything is let settle and held against what the clients saw.
 *   npm run test:history                                       20,000 calls
 *   node test/history/historyCampaign.ts --calls 2000 --seed 7
 *   node test/history/historyCampaign.ts --minutes 10          fewer, where the time is over first
 * Behind the nodes stands a deterministic server instead of a model, and the checker itself signs as the three
 * validators: neither is what is on trial. Prints what it counted; where a promise was broken it prints the history of
 * that request with the faults around it, and exits 1.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { Network } from '@assay/protocol'
import { type GrantCallRecord, grantAccount, readGrantCalls } from '@assay/sdk'
import { batchesInState, type Database, openDatabase } from '@assay/store'
import type { Hex } from 'viem'
import { createRandom } from '../attempts/random.ts'
import { attestBatch } from '../attestBatch.ts'
import { type Money, moneyOf, spendingSince, together } from '../e2e/money.ts'
import { drain, judge, type Verdict } from '../e2e/promises.ts'
import { until } from '../until.ts'
import { CAMPAIGN_PACE, type Fault, injectFaults, type Pace } from './faults.ts'
import { createHistory } from './history.ts'
import { judgeDeposit } from './judgeDeposit.ts'
import { startKeyLoad } from './keyLoad.ts'
import { startLoad } from './load.ts'
import type { Server } from './server.ts'
import { startWorld, type World } from './world.ts'

const ATTEST_EVERY_MS = 300
const DRAIN_TIMEOUT_MS = 600_000
/** Broken promises whose history is printed. */
const MAX_TOLD = 5

export type HistoryResult = Omit<Verdict, 'broken'> & {
  seed: number
  /** Paid calls that went out, and how many of them were sent a second time. */
  calls: number
  duplicates: number
  /** Of the calls: those with an API key, and how many of these its deposit paid for. */
  keyCalls: number
  debits: number
  delivered: number
  batches: number
  /** From the first call to the last. */
  callsPerSecond: number
  seconds: number
  outcomes: ReadonlyMap<string, number>
  faults: ReadonlyMap<Fault, number>
  broken: string[]
  /** What led to the first of them. */
  told: string
}

export type HistoryOptions = {
  calls: number
  /** After which no new call is made, whatever their number and whatever fault has not happened. */
  minutes?: number | undefined
  seed: number
  pace?: Pace | undefined
  progress?: ((calls: number) => void) | undefined
}

/** Waits until every call under a grant is over and paid. @throws Error that tells the history of one that is not */
async function drainGrant(
  network: Network,
  grantId: Hex,
  patience: number,
  tell: (requestId: Hex) => string,
): Promise<GrantCallRecord[]> {
  const isOpen = ({ state, amount, settled }: GrantCallRecord) =>
    state === 'forwarded' || (amount > 0n && !settled)
  let records: GrantCallRecord[] = []
  await until(
    async () => {
      records = await readGrantCalls(network, grantId)
      return !records.some(isOpen)
    },
    () => {
      const open = records.find(isOpen)
      return `every debit to be paid; one is ${JSON.stringify(open, jsonOf)}\n${open && tell(open.requestId)}`
    },
    patience,
  )
  return records
}

const jsonOf = (_name: string, value: unknown) => (typeof value === 'bigint' ? value.toString() : value)

/** What a server has printed of a request. */
const toldBy = (requestId: Hex) => (server: Server) =>
  server.linesAbout(requestId).map((line) => `${server.name}: ${line}`)

/** Finds every committed batch valid, as the three validators, until it is stopped. */
function startAttesting(world: World, stopped: () => boolean): Promise<void> {
  const at = { directory: '', databaseUrl: world.databaseUrl }
  return (async () => {
    let database: Database | undefined
    while (!stopped()) {
      await delay(ATTEST_EVERY_MS)
      try {
        database ??= await openDatabase(at)
        for (const batchId of await batchesInState(database, 'committed')) {
          await attestBatch(world.network, batchId)
        }
      } catch {
        // The database is being restarted, or the chain has just lost the batch.
      }
    }
    await database?.close()
  })()
}

/** Runs until so many calls went out and every fault has happened, or the time is over; then everything is let settle, and judged. */
export async function runHistory(options: HistoryOptions): Promise<HistoryResult> {
  const world = await startWorld()
  try {
    return await historyOn(world, options)
  } finally {
    await world.close()
  }
}

async function historyOn(
  world: World,
  {
    calls: wanted,
    minutes = Number.POSITIVE_INFINITY,
    seed,
    pace = CAMPAIGN_PACE,
    progress = () => {},
  }: HistoryOptions,
): Promise<HistoryResult> {
  const { network } = world
  const began = Date.now()
  const history = createHistory()
  const before = await Promise.all(world.payers.map(({ address }) => moneyOf(network, address)))
  let over = false
  const attesting = startAttesting(world, () => over)
  const load = startLoad(world, createRandom(seed), history)
  const keyLoad = startKeyLoad(world, createRandom(seed + 2), history)
  const calls = () => load.calls() + keyLoad.calls()
  const faults = injectFaults(world, createRandom(seed + 1), history, pace)
  try {
    const end = began + minutes * 60_000
    while (!(faults.isComplete() && calls() >= wanted) && Date.now() < end) {
      await delay(200)
      progress(calls())
    }
    await faults.stop()
    await Promise.all([load.stop(), keyLoad.stop()])
    const called = Date.now()
    await world.allHealthy()
    history.note('everything is whole again')
    const [gateway] = world.gateways as [Server]
    const home = world.networkOf(gateway)
    const statuses = await drain(home, load.attempted, DRAIN_TIMEOUT_MS)
    const tell = (requestId: Hex) =>
      [history.of(requestId), ...[...world.gateways, ...world.nodes].flatMap(toldBy(requestId))].join('\n')
    const records = await drainGrant(home, world.key.grantId, DRAIN_TIMEOUT_MS, tell)
    const recovered = (requestId: Hex) => world.recovered.has(requestId)
    const spendings = world.payers.map(({ address }, at) =>
      spendingSince(network, address, before[at] as Money),
    )
    const { broken, ...verdict } = judge({
      spending: together(await Promise.all(spendings)),
      attempted: load.attempted,
      delivered: load.delivered,
      withoutReceipt: load.withoutReceipt,
      statuses,
      recovered,
    })
    const deposit = judgeDeposit({
      answered: keyLoad.answered,
      withoutReceipt: keyLoad.withoutReceipt,
      calls: keyLoad.calls(),
      records,
      spent: (await grantAccount(network, world.key.grantId)).spent,
      recovered,
    })
    broken.push(...deposit.broken)
    for (const { failures } of [...world.gateways, ...world.nodes]) {
      for (const what of failures) broken.push({ what })
    }
    const database = await openDatabase({ directory: '', databaseUrl: world.databaseUrl })
    const batches = (await batchesInState(database, 'final')).length
    await database.close()
    return {
      seed,
      calls: calls(),
      duplicates: load.duplicates(),
      keyCalls: keyLoad.calls(),
      debits: deposit.debits,
      delivered: load.delivered.size,
      ...verdict,
      batches,
      callsPerSecond: Math.round((calls() * 10_000) / (called - began)) / 10,
      seconds: Math.round((Date.now() - began) / 1000),
      outcomes: new Map([...load.outcomes, ...keyLoad.outcomes]),
      faults: faults.counts,
      broken: broken.map(({ what }) => what),
      told: broken
        .slice(0, MAX_TOLD)
        .map(({ requestId, what }) => `${what}\n${requestId === undefined ? '' : tell(requestId)}`)
        .join('\n\n'),
    }
  } finally {
    over = true
    await faults.stop().catch(() => undefined)
    await Promise.all([load.stop(), keyLoad.stop()])
    await attesting
  }
}

/** What was counted, a line each. */
export function linesOf({ broken, told, outcomes, faults, ...counts }: HistoryResult): string[] {
  const count = ([name, value]: [string, number | bigint]) => `${name}: ${value}`
  const byNumber = (counted: ReadonlyMap<string, number>) =>
    [...counted].sort((a, b) => b[1] - a[1]).map((entry) => `  ${count(entry)}`)
  return [
    ...Object.entries(counts).map(count),
    'what came of the calls:',
    ...byNumber(outcomes),
    'faults:',
    ...byNumber(faults),
  ]
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      calls: { type: 'string', default: '20000' },
      minutes: { type: 'string', default: 'Infinity' },
      seed: { type: 'string', default: '1' },
    },
  })
  // So that no server is left behind where it is interrupted.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
  let told = 0
  const result = await runHistory({
    calls: Number(values.calls),
    minutes: Number(values.minutes),
    seed: Number(values.seed),
    progress(calls) {
      if (calls < told + 1000) return
      told = calls - (calls % 1000)
      console.log(`${told} calls`)
    },
  })
  for (const line of linesOf(result)) console.log(line)
  for (const line of result.broken) console.log(`broken: ${line}`)
  if (result.told !== '') console.log(`\n${result.told}\n`)
  console.log(result.broken.length === 0 ? 'every promise held' : `${result.broken.length} promises broken`)
  process.exitCode = result.broken.length === 0 ? 0 : 1
}
