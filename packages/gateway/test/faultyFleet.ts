/** Gateways over one database that fails where the test says so, and the clients of such gateways. */
import { mock } from 'node:test'
import { openDatabase } from '@assay/store'
import { decodePaymentRequiredHeader } from '@x402/core/http'
import { generatePaymentId } from '@x402/extensions/payment-identifier'
import type { Hex } from 'viem'
import { temporaryFolder } from '../../../test/temporaryFolder.ts'
import { createFakeChain } from './fakeChain.ts'
import { createFaultyDatabase, type FaultyDatabase } from './faultyDatabase.ts'
import { BODY, STREAM_BODY } from './fixtures.ts'
import { grantOn } from './grantOn.ts'
import { type Harness, startHarness } from './harness.ts'
import { type Script, startStubNode } from './stubNode.ts'

/** What an answer costs that is not cut off, OPG base units. */
export const PRICE = 5n
/** That go by at once. Two such silences are the death of a gateway, one is not. */
const SECONDS = 8

/** A call, and who makes it. */
export type Scenario = {
  script: Script
  /** Of the nodes that are asked first. */
  first?: Script[]
  /** What pays: a payment of its own, or the grant of a key. */
  by: 'exact' | 'upto' | 'key'
  isNamed?: boolean
  /** Whether the client goes after the first bytes. */
  leaves?: boolean
}
export type Row = { id: Hex; state: string; price: string | null; owed: string | null }
export type Client = {
  scenario: Scenario
  /** What the database says of its requests. */
  rows(): Promise<Row[]>
  pay(at: Harness): Promise<Record<string, string>>
}
/** One gateway, what it has of the database, and what it does now and then. */
export type Process = Harness & { faults: FaultyDatabase; looks: (() => void)[] }
export type Fleet = Awaited<ReturnType<typeof startFleet>>

export const bodyOf = ({ script }: Scenario) => (script.kind === 'stream' ? STREAM_BODY : BODY)

export async function startFleet() {
  const database = await openDatabase({ directory: temporaryFolder('faults') })
  const chain = createFakeChain()
  // It stands still, so that the gateways do not look for demands of data in each block.
  chain.head = async () => ({ number: 1n, timestamp: BigInt(Math.floor(Date.now() / 1000)) })
  const nodes = [await startStubNode(), await startStubNode(`0x${'0e'.repeat(20)}`)] as const
  const processes = new Set<Process>()
  const stopped: Promise<void>[] = []
  let clockAhead = 0
  const { now } = performance
  mock.method(performance, 'now', () => now.call(performance) + clockAhead)

  /** A gateway that does by itself nothing but answer: the rest when `pass` says so, and its batcher when the test does. */
  async function start(): Promise<Process> {
    const faults = createFaultyDatabase(database)
    const looks: Process['looks'] = []
    const { setInterval } = globalThis
    const intervals = mock.method(globalThis, 'setInterval', (look: () => void, everyMs: number) => {
      if (everyMs >= 1000) looks.push(look)
      return setInterval(() => {}, 2 ** 30).unref()
    })
    const harness = await startHarness({
      ...{ database: faults.database, chain: faults.mortal(chain), node: nodes[0], others: [nodes[1]] },
      batch: { maxDelayMs: Number.MAX_SAFE_INTEGER },
      limits: { recoverMs: 1000, drainMs: 0 },
    })
    intervals.mock.restore()
    const started = { ...harness, chain, faults, looks }
    processes.add(started)
    return started
  }
  function stop(process: Process): void {
    processes.delete(process)
    process.faults.bury()
    stopped.push(process.close())
  }
  /** Nothing of it ever fails. */
  const steady = await start()

  /** Some seconds go by, and whoever lives looks around. */
  async function pass(): Promise<void> {
    clockAhead += SECONDS * 1000
    const ago = `- interval '${SECONDS} seconds'`
    await database.query(
      `with g as (update gateways set seen_at = seen_at ${ago}), l as (update leases set until = until ${ago}),
         q as (update requests set created_at = created_at ${ago} where state = 'forwarded'),
         p as (update payments set next_attempt_at = next_attempt_at ${ago} where next_attempt_at > now())
       update kept_answers set created_at = created_at ${ago} where body is null`,
    )
    for (const { faults, looks } of processes) if (!faults.death.aborted) for (const look of looks) look()
  }

  const rowsOf = (column: 'payer' | 'grant_id', id: string) =>
    database.query<Row>(
      `select request_id as id, q.state, r.price::text as price, p.amount::text as owed
       from requests q left join receipts r using (request_id) left join payments p using (request_id)
       where q.${column} = $1`,
      [id],
    )
  /**
   * A client that has money for one call at a time.
   * @param calls that a key's deposit pays for, each after the other
   * @param usedAt where a call under the key was set aside before: there a node may begin before the next one is
   */
  async function openClient(scenario: Scenario, calls = 2n, usedAt?: Process): Promise<Client> {
    const { by, isNamed, script, first = [] } = scenario
    const isUsed = by === 'key' && usedAt !== undefined
    let asked = isUsed ? -1 : 0
    const get = () => first[asked++] ?? script
    for (const node of nodes) Object.defineProperty(node, 'script', { configurable: true, get })
    const body = bodyOf(scenario)
    const unpaid = await steady.post(body)
    const [offer] = decodePaymentRequiredHeader(unpaid.headers.get('PAYMENT-REQUIRED') ?? '').accepts
    const money = BigInt(offer?.amount ?? 0)
    const name = isNamed ? generatePaymentId() : undefined
    if (by !== 'key') {
      const payer = steady.payer(by, money)
      const rows = () => rowsOf('payer', payer.address.toLowerCase())
      return { scenario, rows, pay: (at) => at.payFor(body, payer, name) }
    }
    // What was spent is no more in a deposit.
    const { id, key } = await grantOn(steady, {}, money + (isUsed ? calls : calls - 1n) * PRICE)
    const authorization = `Bearer ${key}`
    if (isUsed) await (await usedAt.post(body, { authorization })).text()
    const before = new Set((await rowsOf('grant_id', id)).map((row) => row.id))
    const headers = { authorization, ...(name && { 'idempotency-key': name }) }
    return {
      scenario,
      rows: async () => (await rowsOf('grant_id', id)).filter((row) => !before.has(row.id)),
      pay: async () => headers,
    }
  }
  async function close(): Promise<void> {
    for (const process of processes) stop(process)
    await Promise.all(stopped)
    for (const node of nodes) await node.close()
    await database.close()
    mock.restoreAll()
  }
  return { database, chain, steady, start, stop, pass, openClient, close }
}
