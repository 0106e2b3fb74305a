/**
 * One statement of the database fails, whichever it is and in each way that one can: it is refused, it is executed and its
 * answer lost, or its gateway dies over it and another takes over. Clients are served all the same, and pay once.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, test } from 'node:test'
import { buildBatch } from '@assay/protocol'
import { type Database, frozenBatch } from '@assay/store'
import type { Hex } from 'viem'
import { until } from '../../../test/until.ts'
import { createFreezer } from '../src/batcher/freeze.ts'
import { CHAIN_PAYMENT } from '../src/chain/gatewayChain.ts'
import type { Context } from '../src/context.ts'
import { createMetrics } from '../src/metrics.ts'
import type { Failure } from './faultyDatabase.ts'
import { bodyOf, type Client, PRICE, type Process, type Scenario, startFleet } from './faultyFleet.ts'
import { COMMITTER, DEPLOYMENT } from './fixtures.ts'
import type { Script } from './stubNode.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const WHOLE: Script = { kind: 'whole', body: bytes('{"n":1}'), price: PRICE }
const STREAM: Script = { kind: 'stream', chunks: [bytes('data: 1\n\n'), bytes('data: 2\n\n')], price: PRICE }
const BUSY: Script = { ...WHOLE, status: 503, withoutReceipt: true }
const BROKEN: Script = { ...WHOLE, dieBeforeHead: true }

const SCENARIOS: Record<string, Scenario> = {
  'a whole answer': { script: WHOLE, by: 'exact' },
  'a stream': { script: STREAM, by: 'upto' },
  'a call under a key': { script: WHOLE, by: 'key' },
  'a named call': { script: WHOLE, by: 'exact', isNamed: true },
  'a named stream under a key': { script: STREAM, by: 'key', isNamed: true },
  'a call whose first node breaks off': { script: WHOLE, first: [BROKEN], by: 'key' },
  'a call that both nodes decline': { script: WHOLE, first: [BUSY, BUSY], by: 'exact' },
  'a call over which both nodes break': { script: WHOLE, first: [BROKEN, BROKEN], by: 'exact' },
  'a stream that is left': { script: { ...STREAM, pause: new Promise(() => {}) }, by: 'exact', leaves: true },
}

// Not in a hook: where a pattern selects none of these tests, Node runs `after` while `before` has not ended.
const fleet = await startFleet()
after(() => fleet.close())

type Heard = {
  status: number
  isWhole: boolean
  requestId: string
  text: string
  code: string
  mayRetry: boolean
}
/** @returns undefined where the connection broke */
async function send(
  at: Process,
  scenario: Scenario,
  headers: Record<string, string>,
): Promise<Heard | 'left' | undefined> {
  const leaving = new AbortController()
  try {
    const signal = AbortSignal.any([leaving.signal, at.faults.death])
    const response = await at.post(bodyOf(scenario), headers, { signal })
    const { status } = response
    if (scenario.leaves && status === 200) {
      await response.body?.getReader().read()
      leaving.abort()
      return 'left'
    }
    const text = await response.text()
    return {
      ...{ status, text },
      isWhole: status === 200 && (response.headers.has('x-assay-receipt') || text.endsWith('[DONE]\n\n')),
      requestId: response.headers.get('x-assay-request-id') ?? '',
      code: /"code":"(\w+)"/.exec(text)?.[1] ?? '',
      mayRetry: response.headers.has('retry-after'),
    }
  } catch {
    return undefined
  }
}

type Served = Heard | 'left' | 'paid, and not heard'
/**
 * What an honest client does until it is served: the same again where it was told so or heard nothing, else a new payment.
 * @param promised is told which requests are not to be charged
 */
async function beServed(client: Client, victim: Process, promised = new Set<string>()): Promise<Served> {
  let payment: Record<string, string> | undefined
  let isFree = false
  for (let tries = 0; tries < 20; tries++) {
    const at = victim.faults.death.aborted ? fleet.steady : victim
    payment ??= await client.pay(at)
    const heard = await send(at, client.scenario, payment)
    if (heard === 'left') return heard
    if (heard?.isWhole) {
      const row = (await client.rows()).find(({ id }) => id === heard.requestId)
      assert.ok(row?.price != null, 'the receipt of an answer that was delivered is not durable')
      return heard
    }
    if (heard !== undefined) {
      const { status, code, text, requestId, mayRetry } = heard
      assert.ok(!isFree || code !== 'payment_used', `the payment was to be free: ${text}`)
      if (text.includes('has already paid') || code === 'answer_not_kept') return 'paid, and not heard'
      if (text.includes('Nothing is charged')) promised.add(requestId)
      isFree = status === 503 && mayRetry
      if (!mayRetry) payment = undefined
    }
    await fleet.pass()
  }
  return assert.fail('the client was never served')
}

async function callOnce(client: Client, victim: Process, failure: Failure): Promise<void> {
  const promised = new Set<string>()
  const served = await beServed(client, victim, promised)
  const rows = await until(async () => {
    const found = await client.rows()
    if (found.every(({ state }) => state !== 'forwarded')) return found
    return void (await fleet.pass())
  })
  for (const { id, state, price, owed } of rows) {
    assert.equal(state === 'finished', price !== null, `${id} is ${state} with a receipt of ${price}`)
    assert.equal(owed, price, `${id} owes ${owed} for ${price}`)
    assert.ok(price === null || !promised.has(id), `${id} was not to be charged`)
  }
  const charged = rows.filter(({ price }) => price !== null).map(({ id }): string => id)
  const { leaves, isNamed, by } = client.scenario
  const isDead = victim.faults.death.aborted
  // A key's call says nothing by which the next could be known for the same.
  const mayBeTwo = by === 'key' && !isNamed && failure === 'death behind it'
  assert.ok(charged.length <= (mayBeTwo ? 2 : 1), `${charged.length} requests were charged`)
  assert.ok(charged.length > 0 || (leaves && isDead), 'what was served is not charged')
  if (typeof served === 'string') return assert.ok(leaves || (isDead && !isNamed), served)
  assert.ok(charged.includes(served.requestId), 'another request is charged than was served')
  if (!isNamed) return
  const again = await beServed(client, victim)
  // Not to be able to keep an answer costs the replay and nothing else.
  if (typeof again !== 'string') assert.equal(again.text, served.text)
  assert.equal((await client.rows()).length, rows.length, 'what was sent again was done again')
}

/** Plays with one statement after another failing, until it is through before any has. */
async function failEach(
  failure: Failure,
  play: (victim: Process, arm: () => void) => Promise<void>,
): Promise<void> {
  let victim = await fleet.start()
  for (let at = 1; ; at++) {
    const { faults, logs } = victim
    try {
      await play(victim, () => faults.arm(failure, at))
    } catch (cause) {
      const which = `statement ${at}, ${failure}: ${faults.struck()}`
      throw new Error(`${which}\n${cause}\n${logs.slice(-12).join('\n')}`, { cause })
    }
    const isThrough = faults.struck() === undefined
    if (isThrough || faults.death.aborted) fleet.stop(victim)
    if (isThrough) return
    if (faults.death.aborted) victim = await fleet.start()
  }
}

for (const [name, scenario] of Object.entries(SCENARIOS)) {
  for (const failure of ['refused', 'answer lost', 'death behind it'] as const) {
    test(`${name}: ${failure}`, () =>
      failEach(failure, async (victim, arm) => {
        const client = await fleet.openClient(scenario, 2n, victim)
        arm()
        await callOnce(client, victim, failure)
      }))
  }
}

/** Turns what waits in the outbox into a batch, without the thread that each gateway would have to start for it. */
function freezer(database: Database): () => Promise<void> {
  const parts = { database, chain: fleet.chain, committer: COMMITTER, deployment: DEPLOYMENT }
  const context = { ...parts, metrics: createMetrics(), log: () => {} } as unknown as Context
  const build = async (of: Parameters<typeof buildBatch>[0]) => frozenBatch(await buildBatch(of))
  return createFreezer(context, { maxReceipts: 256, maxDelayMs: 0 }, { build })
}

/** @param look of somebody, at what is to be done */
async function untilPaidOut(look: () => Promise<void>): Promise<void> {
  for (let looks = 0; looks < 20; looks++) {
    const open = await fleet.database.query(
      `select 1 from receipts join payments p using (request_id) left join batches b using (batch_id)
       where p.state <> 'settled' or b.settled is not true`,
    )
    if (open.length === 0) return
    await look()
  }
  assert.fail('what is charged is never paid out')
}
async function work({ gateway: { batcher } }: Process): Promise<void> {
  await batcher.tick()
  await batcher.idle()
}

/** What the chain took is what the database says that it is owed, once each. */
async function assertTaken(): Promise<void> {
  const { database, chain } = fleet
  const { collected, payments, accounts } = chain.state
  assert.equal(new Set(collected).size, collected.length, 'a payment was collected twice')
  const owed = await database.query<{ id: Hex }>(
    'select request_id as id from payments join requests using (request_id) where grant_id is null',
  )
  for (const { id } of owed) assert.equal(payments.get(id)?.state, CHAIN_PAYMENT.paid, id)
  assert.equal(payments.size, owed.length)
  const grants = await database.query<{ id: Hex; spent: string }>(
    'select grant_id as id, spent::text as spent from grants',
  )
  for (const { id, spent } of grants) assert.equal(accounts.get(id)?.spent, BigInt(spent), id)
}

/** What calls before cost is paid out. */
async function payOut(): Promise<void> {
  await freezer(fleet.database)()
  await untilPaidOut(() => work(fleet.steady))
}

test('what all of these calls cost is paid out, and nothing else', async () => {
  await payOut()
  await assertTaken()
})

for (const failure of ['refused', 'answer lost', 'death before it'] as const) {
  test(`batch, commit, collection and payment: ${failure}`, async () => {
    const { database, steady, pass, openClient } = fleet
    // What is not batched yet would go with the receipts that are deleted below.
    await payOut()
    const clients = [
      await openClient({ script: WHOLE, by: 'exact' }),
      await openClient({ script: WHOLE, by: 'key' }, 100n),
    ]
    await failEach(failure, async (victim, arm) => {
      const { death, struck, database: faulty } = victim.faults
      const died = once(death, 'abort').then(() => {})
      // The newest batches, which a gateway looks at again when it starts, and duties that another has.
      await database.query('with r as (delete from receipts), b as (delete from batches) delete from leases')
      for (const client of clients) await beServed(client, victim)
      arm()
      await Promise.race([died, freezer(faulty)().catch(() => {})])
      await freezer(database)()
      await untilPaidOut(async () => {
        // So long a payment stays with a gateway that took it and died.
        for (let left = struck() === undefined ? 0 : death.aborted ? 4 : 1; left > 0; left--) await pass()
        await (death.aborted ? work(steady) : Promise.race([died, work(victim)]))
      })
    })
    await assertTaken()
  })
}
