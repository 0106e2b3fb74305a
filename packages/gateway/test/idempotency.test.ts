/** The same request under the same name is paid once, and answered again from what was kept. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { AssayError, type Receipt, STATUS } from '@assay/protocol'
import { type Database, openDatabase, pruneAnswers } from '@assay/store'
import { generatePaymentId } from '@x402/extensions/payment-identifier'
import { temporaryFolder } from '../../../test/temporaryFolder.ts'
import { until } from '../../../test/until.ts'
import { errorOf, type ReceiptAnswer } from './answers.ts'
import { BODY, STREAM_BODY } from './fixtures.ts'
import { type Harness, startHarness } from './harness.ts'

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)

let harness: Harness
let database: Database
const directory = temporaryFolder('gateway')
before(async () => {
  database = await openDatabase({ directory: `${directory}/db` })
  harness = await startHarness({ database, limits: { keepAnswerBytes: 4000 } })
})
after(() => harness.close())

/** A page in a browser may read this header of an answer. */
function assertExposed(response: Response, header: string): void {
  const exposed = response.headers.get('access-control-expose-headers') ?? ''
  assert.ok(exposed.split(', ').includes(header), exposed)
}

test('a stock client names its request: sent again, by the same payment or a new one, it gets the same bytes and pays once', async () => {
  for (const [body, script] of [
    [BODY, { kind: 'whole', body: encode('{"n":1}') }],
    [STREAM_BODY, { kind: 'stream', chunks: [encode('data: 1\n\n')] }],
  ] as const) {
    harness.node.script = { ...script } as Harness['node']['script']
    const payer = harness.payer()
    const name = generatePaymentId()
    const headers = await harness.payFor(body, payer, name)
    const first = await harness.post(body, headers)
    const said = await first.text()
    assert.equal(first.status, 200, said)
    assert.equal(first.headers.get('x-assay-replayed'), null)
    const asked = harness.node.requests.length
    for (const again of [headers, await harness.payFor(body, payer, name)]) {
      const second = await harness.post(body, again)
      assert.equal(second.status, 200)
      assert.equal(await second.text(), said)
      for (const header of ['x-assay-request-id', 'x-assay-receipt', 'content-type', 'x-assay-route']) {
        assert.equal(second.headers.get(header), first.headers.get(header), header)
      }
      assert.equal(second.headers.get('x-assay-replayed'), 'true')
      assertExposed(second, 'x-assay-replayed')
    }
    assert.equal(harness.node.requests.length, asked)
  }
})

test('a name that came with a payment which another request has used is free for a payment that is good', async () => {
  harness.node.script = { kind: 'whole', body: encode('{"n":1}') }
  const payer = harness.payer()
  const payment = await harness.payFor(BODY, payer)
  assert.equal((await harness.post(BODY, payment)).status, 200)
  const other = JSON.stringify({ ...JSON.parse(BODY), max_tokens: 4 })
  const name = { 'idempotency-key': generatePaymentId() }
  for (let time = 0; time < 2; time++) {
    const refused = await harness.post(other, { ...payment, ...name })
    assert.deepEqual([refused.status, (await errorOf(refused)).code], [409, 'payment_used'])
  }
  assert.equal((await harness.post(other, { ...(await harness.payFor(other, payer)), ...name })).status, 200)
})

test('another body under the name is a conflict that is not to be retried; another payer has names of his own', async () => {
  harness.node.script = { kind: 'whole', body: encode('{"n":2}') }
  const payer = harness.payer()
  const name = generatePaymentId()
  assert.equal((await harness.post(BODY, await harness.payFor(BODY, payer, name))).status, 200)
  const other = `${BODY} `
  const refused = await harness.post(other, await harness.payFor(other, payer, name))
  assert.equal(refused.status, 409)
  assert.equal(refused.headers.get('x-should-retry'), 'false')
  assertExposed(refused, 'x-should-retry')
  assert.equal((await errorOf(refused)).code, 'idempotency_key_reused')
  const stranger = await harness.post(BODY, await harness.payFor(BODY, harness.payer(), name))
  assert.equal(stranger.status, 200)
  assert.equal(stranger.headers.get('x-assay-replayed'), null)
})

test('while the first is being answered the second waits its turn, and gets the answer after it', async () => {
  let resume = (): void => {}
  const pause = new Promise<void>((resolve) => {
    resume = resolve
  })
  harness.node.script = { kind: 'stream', chunks: [encode('data: 1\n\n')], pause }
  const payer = harness.payer()
  const name = generatePaymentId()
  const running = await harness.post(STREAM_BODY, await harness.payFor(STREAM_BODY, payer, name))
  const early = await harness.post(STREAM_BODY, await harness.payFor(STREAM_BODY, payer, name))
  assert.equal(early.status, 409)
  assert.equal(early.headers.get('x-should-retry'), 'true')
  assert.equal((await errorOf(early)).code, 'request_in_progress')
  resume()
  const said = await running.text()
  const late = await harness.post(STREAM_BODY, await harness.payFor(STREAM_BODY, payer, name))
  assert.equal(await late.text(), said)
})

test('what failed or was refused leaves its name free', async () => {
  const payer = harness.payer('upto', 1n)
  const name = generatePaymentId()
  assert.equal((await harness.post(BODY, await harness.payFor(BODY, payer, name))).status, 402)
  harness.chain.balances.set(payer.address.toLowerCase(), 10n ** 24n)
  harness.node.script = { kind: 'whole', body: encode('{}'), withoutReceipt: true }
  await until(async () => (await harness.post(BODY, await harness.payFor(BODY, payer, name))).status === 502)
  harness.node.script = { kind: 'whole', body: encode('{"n":3}') }
  const served = await harness.post(BODY, await harness.payFor(BODY, payer, name))
  assert.equal(await served.text(), '{"n":3}')
})

test('what was refused while the database was away does not stand in its own way, but another has to wait', async () => {
  const lost = await openDatabase({ directory: temporaryFolder('away') })
  let away = /^$/
  const query: Database['query'] = (sql, parameters) =>
    away.test(sql)
      ? Promise.reject(new AssayError('The database does not answer.', { code: 'unreachable' }))
      : lost.query(sql, parameters)
  // Not as the embedded one, or its journal would take what is written.
  const gateway = await startHarness({ database: { ...lost, engine: 'postgres', query } })
  try {
    for (const [what, writes] of [
      ['neither claimed nor given back', /insert into requests|delete from kept/],
      ['claimed, and neither ended nor given back', /update requests|, 'failed', payer|delete from kept/],
    ] as const) {
      gateway.node.script = { kind: 'whole', body: encode('{}'), withoutReceipt: true }
      const payer = gateway.payer()
      const name = generatePaymentId()
      const payment = await gateway.payFor(BODY, payer, name)
      away = writes
      const refused = await gateway.post(BODY, payment)
      assert.ok(refused.status >= 500, `${what}: ${await refused.clone().text()}`)
      assert.match((await errorOf(refused)).message, /charged/, what)
      assert.equal((await gateway.post(BODY, await gateway.payFor(BODY, payer, name))).status, 503, what)
      away = /^$/
      gateway.node.script = { kind: 'whole', body: encode('{"n":1}') }
      const served = await gateway.post(BODY, await gateway.payFor(BODY, payer, name))
      assert.equal(served.status, 200, `${what}: ${await served.clone().text()}`)
    }
  } finally {
    await gateway.close()
  }
})

test('a failure that the node signed for is no answer: sent again under its name the request is done anew', async () => {
  const payer = harness.payer()
  const failed = (receipt: Receipt) => ({ ...receipt, status: STATUS.failed })
  for (const [body, failure] of [
    [BODY, { kind: 'whole', status: 500, body: encode('{"error":{}}') }],
    [STREAM_BODY, { kind: 'stream', chunks: [encode('data: {"error":{}}\n\n')] }],
  ] as const) {
    const name = generatePaymentId()
    const ask = async () => harness.post(body, await harness.payFor(body, payer, name))
    harness.node.script = { ...failure, price: 0n, alter: failed } as Harness['node']['script']
    const first = await ask()
    assert.equal(first.status, failure.kind === 'whole' ? 500 : 200)
    await first.arrayBuffer()
    const requestId = first.headers.get('x-assay-request-id') ?? ''
    const { receipt } = (await (
      await fetch(`${harness.gateway.url}/v1/receipts/${requestId}`)
    ).json()) as ReceiptAnswer
    assert.ok(receipt !== null)
    harness.node.script = { kind: 'whole', body: encode('{"n":5}') }
    const second = await ask()
    assert.equal(await second.text(), '{"n":5}')
    assert.equal(second.headers.get('x-assay-replayed'), null)
    assert.equal((await ask()).headers.get('x-assay-replayed'), 'true')
  }
})

test('a client that left before anything was delivered, and sends its request again, is answered', async () => {
  const payer = harness.payer()
  const name = generatePaymentId()
  const ask = async (init?: RequestInit) =>
    harness.post(STREAM_BODY, await harness.payFor(STREAM_BODY, payer, name), init)
  const pause = new Promise<void>(() => {})
  const nothing = (receipt: Receipt) => ({ ...receipt, price: 0n, outputUnits: 0n })
  harness.node.script = { kind: 'stream', chunks: [encode(': wait\n\n')], pause, alter: nothing }
  const abort = new AbortController()
  const left = await ask({ signal: abort.signal })
  abort.abort()
  await until(async () => (await harness.metrics()).includes('receipts_recovered_total 1'))
  harness.node.script = { kind: 'stream', chunks: [encode('data: 6\n\n')] }
  const second = await ask()
  assert.equal(second.status, 200, await second.clone().text())
  assert.notEqual(second.headers.get('x-assay-request-id'), left.headers.get('x-assay-request-id'))
  assert.match(await second.text(), /^data: 6/)
})

test('an answer too long to keep, or erased to make room, is not answered a second time: its receipt is named', async () => {
  const payer = harness.payer()
  const again = async (name: string) => harness.post(BODY, await harness.payFor(BODY, payer, name))
  harness.node.script = { kind: 'whole', body: new Uint8Array(4001) }
  const long = generatePaymentId()
  const first = await again(long)
  assert.equal((await first.arrayBuffer()).byteLength, 4001)
  const gone = await again(long)
  assert.equal(gone.status, 409)
  assert.equal(gone.headers.get('x-assay-request-id'), first.headers.get('x-assay-request-id'))
  assert.equal((await errorOf(gone)).code, 'answer_not_kept')

  harness.node.script = { kind: 'whole', body: new Uint8Array(3000) }
  const names = [generatePaymentId(), generatePaymentId()] as const
  for (const name of names) assert.equal((await again(name)).status, 200)
  await pruneAnswers(database, 4000)
  assert.equal((await again(names[0])).status, 409, 'the older one made room')
  assert.equal((await again(names[1])).headers.get('x-assay-replayed'), 'true')
  await database.query("update kept_answers set expires_at = now() - interval '1 second'")
  await pruneAnswers(database, 4000)
  assert.deepEqual(await database.query('select id from kept_answers'), [])
})

test('a name that is none is refused, paid for or not', async () => {
  for (const payment of [{}, await harness.payFor(BODY)]) {
    const refused = await harness.post(BODY, { ...payment, 'idempotency-key': 'short' })
    assert.equal(refused.status, 400)
    assert.equal((await errorOf(refused)).code, 'invalid_idempotency_key')
  }
})

test('names outlive the gateway that gave them', async () => {
  const folder = temporaryFolder('gateway')
  const payer = harness.payer()
  const name = generatePaymentId()
  const one = await startHarness({ directory: folder, chain: harness.chain, node: harness.node })
  harness.node.script = { kind: 'whole', body: encode('{"n":4}') }
  assert.equal((await one.post(BODY, await one.payFor(BODY, payer, name))).status, 200)
  await one.gateway.close()
  const two = await startHarness({ directory: folder, chain: harness.chain, node: harness.node })
  const replayed = await two.post(BODY, await two.payFor(BODY, payer, name))
  assert.equal(await replayed.text(), '{"n":4}')
  assert.equal(replayed.headers.get('x-assay-replayed'), 'true')
  await two.gateway.close()
})
