import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AssayError } from '@assay/protocol'
import { claimRequests, type Database, openDatabase, receiptStatus } from '@assay/store'
import { checkPayment } from '@assay/verify'
import { temporaryFolder } from '../../../test/temporaryFolder.ts'
import { until } from '../../../test/until.ts'
import type { Limits } from '../src/limits.ts'
import { encodeCollect } from '../src/payment/collectArgument.ts'
import { errorOf } from './answers.ts'
import { BODY, COMMITTER, CONTRACTS, MODEL, TILL } from './fixtures.ts'
import { grantOn } from './grantOn.ts'
import { type Harness, startHarness } from './harness.ts'

/** Leaves the database as a gateway does that dies right after it forwarded this request. */
async function claimAsIfCrashed(harness: Harness, directory: string, reachesNode: boolean) {
  const headers = await harness.payFor(BODY)
  const header = Object.values(headers)[0] ?? ''
  const payment = await checkPayment({
    header,
    chainId: 31337,
    token: CONTRACTS.OPG,
    escrow: CONTRACTS.InferenceEscrow,
    till: TILL,
    committer: COMMITTER,
    minAmount: 0n,
    now: BigInt(Math.floor(Date.now() / 1000)),
  })
  assert.ok(payment.ok)
  if (reachesNode) {
    const sent = { 'content-type': 'application/json', ...headers }
    await fetch(`${harness.node.url}/v1/chat/completions`, { method: 'POST', body: BODY, headers: sent })
  }
  const { requestHash } = harness.node.receipts.get(payment.requestId)?.receipt ?? {
    requestHash: `0x${'00'.repeat(32)}` as const,
  }
  const database = await openDatabase({ directory: `${directory}/db` })
  const request = {
    requestId: payment.requestId,
    payer: payment.payer,
    scheme: payment.schemeId,
    authorised: payment.amount,
    expiresAt: payment.expiresAt,
    collect: encodeCollect(payment),
    modelId: MODEL.modelId,
    nodeUrl: harness.node.url,
    requestHash,
    instance: 'the dead one',
  }
  assert.deepEqual(await claimRequests(database, [request]), [true])
  await database.close()
  return { requestId: payment.requestId, headers }
}

test('requests that a crash cut off end uncharged, also where the node had signed, and cannot be sent again', async () => {
  const first = await startHarness()
  const directory = temporaryFolder('gateway')
  first.node.script = { kind: 'whole', body: new TextEncoder().encode('{}') }
  const signed = await claimAsIfCrashed(first, directory, true)
  const unsigned = await claimAsIfCrashed(first, directory, false)
  const second = await startHarness({ directory, chain: first.chain, node: first.node })
  try {
    for (const { requestId } of [signed, unsigned]) {
      const status = await fetch(`${second.gateway.url}/v1/receipts/${requestId}`)
      const { state, payment, receipt } = (await status.json()) as Record<string, unknown>
      assert.deepEqual({ state, payment, receipt }, { state: 'failed', payment: null, receipt: null })
    }
    // An answer bought now goes all the way to the money, and they do not come along.
    const bought = await second.post(BODY, await second.payFor(BODY))
    const requestId = bought.headers.get('x-assay-request-id') ?? ''
    await until(async () => {
      const status = await fetch(`${second.gateway.url}/v1/receipts/${requestId}`)
      return ((await status.json()) as { payment?: { state: string } }).payment?.state === 'settled'
    })
    assert.deepEqual(second.chain.state.collected, [requestId])
    const again = await second.post(BODY, signed.headers)
    assert.equal(again.status, 409)
    assert.equal((await errorOf(again)).code, 'payment_used')
  } finally {
    await second.close()
    await first.close()
  }
})

/**
 * Buys an answer whose receipt the database is to store, and does not say that it has; the answer must be withheld.
 * @param stores what comes of the statement; `write` does it
 * @param judge what else must be
 */
async function buyUnstored(
  stores: (write: () => Promise<never[]>) => Promise<never[]>,
  limits: Partial<Limits>,
  judge: (bought: {
    real: Database
    harness: Harness
    response: Response
    message: string
    requestId: string
  }) => Promise<void>,
): Promise<void> {
  const real = await openDatabase({ directory: temporaryFolder('gateway') })
  let faulty = false
  const query: Database['query'] = (sql, parameters) => {
    const write = () => real.query<never>(sql, parameters)
    return faulty && sql.includes('insert into receipts') ? stores(write) : write()
  }
  const harness = await startHarness({ database: { ...real, query }, limits })
  try {
    harness.node.script = { kind: 'whole', body: new TextEncoder().encode('{"secret":1}') }
    const headers = await harness.payFor(BODY)
    faulty = true
    const response = await harness.post(BODY, headers)
    assert.equal(response.status, 502)
    const { code, message } = await errorOf(response)
    assert.equal(code, 'receipt_not_durable')
    const requestId = response.headers.get('x-assay-request-id') ?? ''
    await judge({ real, harness, response, message, requestId })
  } finally {
    await harness.close()
  }
}

test('an answer whose receipt cannot be stored is withheld', () =>
  buyUnstored(
    async () => {
      throw new Error('disk full')
    },
    {},
    async ({ real, requestId }) => {
      assert.equal((await receiptStatus(real, requestId))?.requestState, 'failed')
    },
  ))

const away = () => new AssayError('The database does not answer.', { code: 'unreachable' })

/** What is set aside under a grant, OPG base units. */
async function reservedOf(harness: Harness, id: string): Promise<string> {
  const response = await fetch(`${harness.gateway.url}/v1/grants/${id}`)
  return ((await response.json()) as { reserved: string }).reserved
}

/** A gateway whose next statement that says so goes wrong, and a key with a grant of its own. */
async function startFaulty(fails: (real: Database, arm: () => boolean) => Database) {
  const real = await openDatabase({ directory: temporaryFolder('gateway') })
  let armed = false
  const disarm = (): boolean => {
    const was = armed
    armed = false
    return was
  }
  const harness = await startHarness({ database: fails(real, disarm), limits: { recoverMs: 1000 } })
  harness.node.script = { kind: 'whole', body: new TextEncoder().encode('{}') }
  const { id, key } = await grantOn(harness)
  return {
    harness,
    reserved: () => reservedOf(harness, id),
    call: (headers: Record<string, string> = {}) =>
      harness.post(BODY, { authorization: `Bearer ${key}`, ...headers }),
    arm: () => {
      armed = true
    },
  }
}

test('a call whose name cannot be written down has nothing set aside for it', async () => {
  const { harness, arm, call, reserved } = await startFaulty((real, disarm) => ({
    ...real,
    query: async (sql, parameters) => {
      if (sql.startsWith('update kept_answers set request_id') && disarm()) throw away()
      return real.query(sql, parameters)
    },
  }))
  try {
    arm()
    const named = { 'idempotency-key': 'order-1234567890' }
    const refused = await call(named)
    assert.deepEqual([refused.status, (await errorOf(refused)).code], [503, 'store_unavailable'])
    assert.equal(await reserved(), '0')
    assert.equal(harness.node.requests.length, 0)
    assert.equal((await call(named)).status, 200)
  } finally {
    await harness.close()
  }
})

test('a reservation whose acknowledgement was lost is found, and what it set aside is free again', async () => {
  let lost = '0'
  const { harness, arm, call, reserved } = await startFaulty((real, disarm) => ({
    ...real,
    async query(sql, parameters) {
      const result = await real.query(sql, parameters)
      if (!sql.includes('insert into requests') || !disarm()) return result as never
      // Looked at here: soon after the answer it may have been found already.
      lost = await reserved()
      throw away()
    },
  }))
  try {
    arm()
    const refused = await call()
    assert.deepEqual([refused.status, (await errorOf(refused)).code], [503, 'store_unavailable'])
    assert.notEqual(lost, '0')
    await until(async () => (await reserved()) === '0')
    assert.equal(harness.node.requests.length, 0)
    // The place is never given out again.
    assert.equal((await call()).status, 200)
    assert.equal((await call()).status, 200)
  } finally {
    await harness.close()
  }
})

test('an answer whose receipt may be stored, though the database did not say so, is withheld, and nothing is said of its price', () =>
  buyUnstored(
    async (write) => {
      await write()
      throw away()
    },
    { persistMs: 300 },
    async ({ harness, response, message, requestId }) => {
      assert.ok(message.includes(`GET /v1/receipts/${requestId}`), message)
      assert.doesNotMatch(message, /Nothing is charged/)
      // Both vendors' clients try a 502 again by themselves, which would be charged beside it.
      assert.equal(response.headers.get('x-should-retry'), 'false')
      // The page tells what became of it: it was stored, hence it counts.
      const status = await fetch(`${harness.gateway.url}/v1/receipts/${requestId}`)
      assert.notEqual(((await status.json()) as { receipt: unknown }).receipt, null)
    },
  ))

test('an ending that the database refuses each time does not hold up those behind it', async () => {
  const real = await openDatabase({ directory: temporaryFolder('gateway') })
  const poisoned = new Set<string>()
  let down = true
  const harness = await startHarness({
    database: {
      ...real,
      async query(sql, parameters = []) {
        const id = String(parameters[0])
        if (/^update requests set state = '(failed|released)'/.test(sql) && id.startsWith('0x')) {
          if (poisoned.size === 0) poisoned.add(id)
          if (poisoned.has(id)) throw new Error('invalid input syntax')
          if (down) throw away()
        }
        return real.query(sql, parameters)
      },
    },
  })
  try {
    harness.node.script = { kind: 'whole', status: 503, withoutReceipt: true, body: new Uint8Array() }
    const refuse = async () =>
      (await harness.post(BODY, await harness.payFor(BODY))).headers.get('x-assay-request-id') ?? ''
    const [first, second] = [await refuse(), await refuse()]
    const stateOf = async (requestId: string) => (await receiptStatus(real, requestId))?.requestState
    assert.deepEqual([await stateOf(first), await stateOf(second)], ['forwarded', 'forwarded'])
    down = false
    await until(async () => (await stateOf(second)) === 'released')
    assert.equal(await stateOf(first), 'forwarded')
  } finally {
    await harness.close()
  }
})
