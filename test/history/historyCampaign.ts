/**
 * Three gateways and four nodes on one PostgreSQL, under pauses, kill -9, cut wires, database restarts, reorganisations
 * and duplicate requests; then everything is let settle and held against what the clients saw.
 *   npm run test:history                                       20,000 calls
 *   node test/history/historyCampaign.ts --calls 2000 --seed 7
 * Behind the nodes stands a deterministic server instead of a model, and the checker itself signs as the three
 * validators: neither is what is on trial. Prints what it counted; where a promise was broken it prints the history of
 * that request with the faults around it, and exits 1.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { batchesInState, type Database, openDatabase } from '@assay/store'
import type { Hex } from 'viem'
import { createRandom } from '../attempts/random.ts'
import { attestBatch } from '../attestBatch.ts'
import { moneyOf } from '../e2e/money.ts'
import { drain, judge, type Verdict } from '../e2e/promises.ts'
import { injectFaults } from './faults.ts'
import { createHistory } from './history.ts'
import { startLoad } from './load.ts'
import { startWorld, type World } from './world.ts'

const ATTEST_EVERY_MS = 300
const DRAIN_TIMEOUT_MS = 600_000
/** Broken promises whose history is printed. */
const MAX_TOLD = 5

export type HistoryResult = Omit<Verdict, 'broken'> & {
  seed: number
  calls: number
  duplicates: number
  attempted: number
  delivered: number
  batches: number
  faults: string
  events: number
  seconds: number
  broken: string[]
  /** What led to the first of them. */
  told: string
}

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

export async function runHistory(
  calls: number,
  seed: number,
  progress: (calls: number) => void = () => {},
): Promise<HistoryResult> {
  const world = await startWorld()
  try {
    return await historyOn(world, calls, seed, progress)
  } finally {
    await world.close()
  }
}

async function historyOn(
  world: World,
  calls: number,
  seed: number,
  progress: (calls: number) => void,
): Promise<HistoryResult> {
  const { network } = world
  const { demo } = network.accounts
  if (demo === undefined) throw new Error('a development network has a demo account')
  const began = Date.now()
  const history = createHistory()
  const before = await moneyOf(network, demo.address)
  let calm = false
  let over = false
  const attesting = startAttesting(world, () => over)
  const load = startLoad(world, createRandom(seed), history)
  const faults = injectFaults(world, createRandom(seed + 1), history, () => calm)
  try {
    while (load.calls() < calls) {
      await delay(500)
      progress(load.calls())
    }
    calm = true
    const counts = await faults
    await load.stop()
    await world.allHealthy()
    history.note('everything is whole again')
    const statuses = await drain(
      world.networkOf(world.gateways[0] as (typeof world.gateways)[0]),
      load.attempted,
      DRAIN_TIMEOUT_MS,
    )
    const recovered = new Set<string>()
    for (const { log } of world.gateways) {
      for (const line of log) {
        if (line.includes('"receipt_recovered"'))
          recovered.add((JSON.parse(line) as { requestId: Hex }).requestId)
      }
    }
    const delivered = new Map(
      [...load.delivered].map(([id, receipts]) => [id, receipts[0] as (typeof receipts)[0]]),
    )
    const { broken, ...verdict } = await judge({
      network,
      payer: demo.address,
      before,
      attempted: load.attempted,
      delivered,
      statuses,
      recovered: (requestId) => recovered.has(requestId),
    })
    for (const requestId of load.withoutReceipt) {
      broken.push({ requestId: requestId as Hex, what: `${requestId} was answered without a receipt` })
    }
    for (const [requestId, receipts] of load.delivered) {
      if (new Set(receipts.map(({ seq, key }) => `${key} ${seq}`)).size > 1) {
        broken.push({ requestId, what: `${requestId} was served twice, under two receipts` })
      }
    }
    const database = await openDatabase({ directory: '', databaseUrl: world.databaseUrl })
    const batches = (await batchesInState(database, 'final')).length
    await database.close()
    return {
      seed,
      calls: load.calls(),
      duplicates: load.duplicates,
      attempted: load.attempted.size,
      delivered: delivered.size,
      ...verdict,
      batches,
      faults: [...counts].map(([fault, count]) => `${fault} ${count}`).join(', '),
      events: history.size(),
      seconds: Math.round((Date.now() - began) / 1000),
      broken: broken.map(({ what }) => what),
      told: broken
        .slice(0, MAX_TOLD)
        .map(({ requestId, what }) => `${what}\n${requestId === undefined ? '' : history.of(requestId)}`)
        .join('\n\n'),
    }
  } finally {
    calm = true
    over = true
    await faults.catch(() => undefined)
    await load.stop()
    await attesting
  }
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { calls: { type: 'string', default: '20000' }, seed: { type: 'string', default: '1' } },
  })
  // So that no server is left behind where it is interrupted.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
  let told = 0
  const {
    broken,
    told: story,
    ...counts
  } = await runHistory(Number(values.calls), Number(values.seed), (calls) => {
    if (calls < told + 1000) return
    told = calls - (calls % 1000)
    console.log(`${told} calls`)
  })
  for (const [name, value] of Object.entries(counts)) console.log(`${name}: ${value}`)
  for (const line of broken) console.log(`broken: ${line}`)
  if (story !== '') console.log(`\n${story}\n`)
  console.log(broken.length === 0 ? 'every promise held' : `${broken.length} promises broken`)
  process.exitCode = broken.length === 0 ? 0 : 1
}
