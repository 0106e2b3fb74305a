/** What a caller is told of a gateway that fails, stays silent or lies, and whether the next one is asked: only before a payment. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, afterEach, before, beforeEach, describe, test } from 'node:test'
import { OPG_DOMAIN } from '@assay/protocol'
import {
  assayFetch,
  createAssay,
  SdkError,
  type SdkErrorCode,
  spendingLimit,
  waitForReceipt,
} from '../src/index.ts'
import { manifest, type StubNetwork, startStubNetwork } from './stubNetwork.ts'

type Handler = (request: IncomingMessage, response: ServerResponse) => void

let stub: StubNetwork
const closers: (() => void)[] = []
before(async () => {
  stub = await startStubNetwork()
})
after(() => stub.close())
beforeEach(() => {
  stub.seen.unpaid = 0
  stub.seen.paid = 0
})
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

/** A gateway that does as it likes, and counts what reached it. */
type Rogue = { url: string; unpaid: number; payments: string[]; stopListening(): void }

async function startRogue(unpaid: Handler, paid: Handler = broken): Promise<Rogue> {
  const server = createServer((request, response) => {
    const payment = request.headers['payment-signature']
    if (payment === undefined) rogue.unpaid++
    else rogue.payments.push(String(payment))
    request.resume().on('end', () => (payment === undefined ? unpaid : paid)(request, response))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closers.push(() => {
    server.closeAllConnections()
    server.close()
  })
  const rogue: Rogue = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    unpaid: 0,
    payments: [],
    stopListening: () => void server.close(),
  }
  return rogue
}

const answers =
  (
    status: number,
    headers: Record<string, string> = {},
    body = '{"error":{"message":"No.","code":"no"}}',
  ): Handler =>
  (_, response) =>
    void response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body)

const broken: Handler = (request) => void request.socket.destroy()

/** The stub's own offer, so that the till is the one that the chain knows; changed as a rogue may change it. */
const offersWith =
  (change: Record<string, unknown> = {}, accepts?: unknown): Handler =>
  (_, response) => {
    const offer = {
      network: `eip155:${stub.network.chainId}`,
      asset: stub.network.contracts.OPG,
      amount: '5000',
      payTo: '0x1111111111111111111111111111111111111111',
      maxTimeoutSeconds: 300,
    }
    const required = {
      x402Version: 2,
      resource: { url: 'http://rogue.example/' },
      accepts:
        accepts !== undefined ? accepts : [{ ...offer, scheme: 'exact', extra: OPG_DOMAIN, ...change }],
    }
    const encoded = Buffer.from(JSON.stringify(required)).toString('base64')
    response.writeHead(402, { 'payment-required': encoded, connection: 'close' }).end('{}')
  }
const offers = offersWith()

const messages = [{ role: 'user' as const, content: 'What is the capital of France?' }]
const networkAt = (gatewayUrl: string) => ({ ...stub.network, gatewayUrl })
const options = () => ({ chain: stub.chain, privateKey: stub.payerKey, fallbacks: [stub.network] })

/** Asks the rogue first and the honest gateway behind it. */
const ask = ({ url }: Pick<Rogue, 'url'>, extra: { stream?: boolean } = {}) =>
  createAssay({ ...options(), network: networkAt(url), buffer: true }).llm.chat({
    model: manifest.name,
    messages,
    wait: 'answer',
    ...extra,
  })

async function failsWith(asked: Promise<unknown>, code: SdkErrorCode): Promise<SdkError> {
  let caught: unknown
  await assert.rejects(asked, (error) => {
    caught = error
    return true
  })
  assert.ok(caught instanceof SdkError, String(caught))
  assert.equal(caught.code, code, caught.message)
  return caught
}

describe('the next gateway is asked where the first was certainly not paid:', () => {
  for (const status of [429, 502, 503, 504]) {
    test(`it answers the quote with ${status}`, async () => {
      const rogue = await startRogue(answers(status, { 'retry-after': '60' }))
      const { chatOutput } = await ask(rogue)
      assert.equal(chatOutput.content, 'Paris.')
      assert.deepEqual([rogue.unpaid, rogue.payments.length], [1, 0])
    })
  }

  test('it breaks the connection before it has made an offer', async () => {
    const rogue = await startRogue(broken)
    assert.equal((await ask(rogue)).chatOutput.content, 'Paris.')
  })

  test('it takes no connection for the payment; what was set aside for it is free again', async () => {
    const rogue = await startRogue((request, response) => {
      offers(request, response)
      rogue.stopListening()
    })
    const spending = spendingLimit({ maxPerDay: 10n ** 18n })
    const { llm } = createAssay({ ...options(), network: networkAt(rogue.url), spending })
    const { receipt } = await llm.chat({ model: manifest.name, messages, wait: 'answer' })
    assert.equal(spending.spent(), receipt.price)
    assert.deepEqual([rogue.unpaid, rogue.payments.length, stub.seen.paid], [1, 0, 1])
  })

  test('one that failed is asked last for a while', async () => {
    const rogue = await startRogue(answers(503))
    const { llm } = createAssay({ ...options(), network: networkAt(rogue.url) })
    for (let call = 0; call < 3; call++) await llm.chat({ model: manifest.name, messages, wait: 'answer' })
    assert.deepEqual([rogue.unpaid, stub.seen.paid], [1, 3])
  })

  test('where all of them are busy the caller hears the last one', async () => {
    const first = await startRogue(answers(503))
    const last = await startRogue(answers(429, { 'retry-after': '7' }))
    const fallbacks = [networkAt(last.url)]
    const { llm } = createAssay({ ...options(), fallbacks, network: networkAt(first.url) })
    const error = await failsWith(
      llm.chat({ model: manifest.name, messages, wait: 'answer' }),
      'gateway_error',
    )
    assert.match(error.message, /7 seconds/)
    assert.equal(error.facts.status, 429)
  })
})

describe('nobody else is asked where the first has spoken:', () => {
  const cases: { what: string; unpaid: Handler; code: SdkErrorCode }[] = [
    { what: 'it refuses the request', unpaid: answers(400), code: 'gateway_error' },
    { what: 'it answers unpaid', unpaid: answers(200, {}, '{"choices":[]}'), code: 'receipt_missing' },
    { what: 'it wants to be paid and says not how', unpaid: answers(402), code: 'offer_rejected' },
  ]
  for (const { what, unpaid, code } of cases) {
    test(`${what} (${code})`, async () => {
      const rogue = await startRogue(unpaid)
      await failsWith(ask(rogue), code)
      assert.deepEqual([rogue.payments.length, stub.seen.unpaid], [0, 0])
    })
  }
})

describe('nobody else is asked behind a payment:', () => {
  const cases: { what: string; paid: Handler; code: SdkErrorCode; stream?: boolean }[] = [
    { what: 'it breaks the connection', paid: broken, code: 'outcome_unknown' },
    {
      what: 'it breaks off inside the answer',
      paid: (_, response) => {
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' }).write('{')
        setImmediate(() => response.destroy())
      },
      code: 'outcome_unknown',
    },
    {
      what: 'it breaks off inside a stream',
      paid: (_, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: {"choices":[]}\n\n')
        setImmediate(() => response.destroy())
      },
      code: 'outcome_unknown',
      stream: true,
    },
    {
      what: 'it sends the payment on to somebody else',
      paid: (_, response) => void response.writeHead(307, { location: stub.network.gatewayUrl }).end(),
      code: 'outcome_unknown',
    },
    { what: 'it asks for a payment again', paid: offers, code: 'payment_required' },
    { what: 'it answers with an error', paid: answers(500), code: 'gateway_error' },
    { what: 'it is busy without an end', paid: answers(503), code: 'gateway_error' },
    { what: 'it gives no receipt', paid: answers(200, {}, '{"choices":[]}'), code: 'receipt_missing' },
    {
      what: 'its receipt cannot be read',
      paid: answers(200, { 'x-assay-receipt': 'bm9uc2Vuc2U' }, '{"choices":[]}'),
      code: 'verification_failed',
    },
    {
      what: 'its stream ends before its end',
      paid: answers(200, { 'content-type': 'text/event-stream' }, 'data: {"choices":[]}\n\n'),
      code: 'receipt_missing',
      stream: true,
    },
  ]
  for (const { what, paid, code, stream } of cases) {
    test(`${what} (${code})`, async () => {
      const rogue = await startRogue(offers, paid)
      const error = await failsWith(ask(rogue, { stream: stream ?? false }), code)
      assert.deepEqual([rogue.unpaid, rogue.payments.length, stub.seen.unpaid, stub.seen.paid], [1, 1, 0, 0])
      if (code !== 'outcome_unknown' && stream !== true) return
      // What can be asked for later, instead of paying twice.
      assert.match(String(error.facts.requestId), /^0x[0-9a-f]{64}$/)
      assert.match(error.message, /before asking again/)
    })
  }

  test('it has no node just now: the same payment is sent twice again, never another', async () => {
    const rogue = await startRogue(offers, answers(503, { 'retry-after': '0' }))
    await failsWith(ask(rogue), 'gateway_error')
    assert.equal(rogue.payments.length, 3)
    assert.equal(new Set(rogue.payments).size, 1)
    assert.equal(stub.seen.unpaid, 0)
  })

  test('it stays silent: the caller who loses patience hears his own reason', async () => {
    const patience = new AbortController()
    const rogue = await startRogue(offers, () => patience.abort(new Error('long enough')))
    const asked = assayFetch({ ...options(), network: networkAt(rogue.url) })(
      `${rogue.url}/v1/chat/completions`,
      { method: 'POST', body: JSON.stringify({ model: manifest.name, messages }), signal: patience.signal },
    )
    await assert.rejects(asked, /long enough/)
    assert.deepEqual([rogue.payments.length, stub.seen.unpaid], [1, 0])
  })
})

test('an offer that cannot be signed is refused in our own words, and nothing stays set aside for it', async () => {
  const spending = spendingLimit({ maxPerDay: 10n ** 18n })
  const oddities: Handler[] = [
    ...[{ extra: {} }, { extra: null }, { extra: 'x' }, { extra: { name: 1, version: {} } }],
    ...[{ amount: 5000 }, { amount: ['5000'] }, { payTo: null }, { asset: 7 }, { scheme: {} }],
    ...[{ maxTimeoutSeconds: -1 }, { maxTimeoutSeconds: 0.5 }, { maxTimeoutSeconds: null }],
  ].map((change) => offersWith(change))
  for (const accepts of [null, {}, 'x', [], [null], ['x'], [[]]]) oddities.push(offersWith({}, accepts))
  for (const [at, oddity] of oddities.entries()) {
    const rogue = await startRogue(oddity)
    const paid = createAssay({ ...options(), fallbacks: [], network: networkAt(rogue.url), spending })
    const asked = paid.llm.chat({ model: manifest.name, messages, wait: 'answer' })
    const error = await asked.catch((error: unknown) => error)
    const rejected = error instanceof SdkError && error.code === 'offer_rejected'
    assert.ok(rejected, `oddity ${at}: ${error}`)
    assert.deepEqual([rogue.payments.length, spending.spent()], [0, 0n])
  }
})

describe('a wait for the settlement ends with what is known:', () => {
  const cases: { what: string; says: string; status?: number; code: SdkErrorCode; told: RegExp }[] = [
    { what: 'it takes too long', says: '{"state":"batched"}', code: 'wait_timeout', told: /batched/ },
    { what: 'nobody knows the receipt', says: '{}', status: 404, code: 'wait_timeout', told: /unknown/ },
    { what: 'the receipt was refused', says: '{"state":"failed"}', code: 'gateway_error', told: /charged/ },
    { what: 'the state is none', says: '{"state":"sent"}', code: 'gateway_error', told: /sent/ },
    { what: 'the answer is none', says: '"final"', code: 'gateway_error', told: /JSON object/ },
    { what: 'the gateway fails', says: '{}', status: 500, code: 'gateway_error', told: /500/ },
    { what: 'the answer has no end', says: ' '.repeat(300_000), code: 'gateway_error', told: /262144/ },
  ]
  for (const { what, says, status = 200, code, told } of cases) {
    test(`${what} (${code})`, async () => {
      const rogue = await startRogue(answers(status, {}, says))
      const requestId = `0x${'7'.repeat(64)}` as const
      const network = networkAt(rogue.url)
      const waited = waitForReceipt({
        network,
        chain: stub.chain,
        requestId,
        until: 'settled',
        timeoutMilliseconds: 0,
      })
      assert.match((await failsWith(waited, code)).message, told)
    })
  }
})

test('a wait for the settlement outlasts a gateway that is away for a moment', async () => {
  let asked = 0
  const rogue = await startRogue((request, response) => {
    const says = [answers(503), broken, answers(200, {}, '{"state":"failed"}')][asked++] ?? answers(404)
    says(request, response)
  })
  const network = networkAt(rogue.url)
  const requestId = `0x${'7'.repeat(64)}` as const
  const waited = waitForReceipt({ network, chain: stub.chain, requestId, until: 'settled' })
  assert.match((await failsWith(waited, 'gateway_error')).message, /nothing is charged/)
  assert.equal(asked, 3)
})

test('a body that is encoded or too large to be signed for goes nowhere', async () => {
  const paid = assayFetch({ ...options(), network: stub.network })
  const url = `${stub.network.gatewayUrl}/v1/chat/completions`
  const post = (body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) =>
    paid(url, { method: 'POST', headers, body })
  const refusals = [
    [await post('{}', { 'content-encoding': 'gzip' }), 415],
    [await post(new Uint8Array(32 * 1024 * 1024 + 1)), 413],
  ] as const
  for (const [refused, status] of refusals) {
    assert.equal(refused.status, status)
    assert.match(await refused.text(), /"code":"unsupported_body"/)
  }
  assert.deepEqual(stub.seen, { unpaid: 0, paid: 0 })
})

describe('where requests are encrypted, too,', () => {
  const askSealed = (url: string, extra: { fallback?: Rogue; signal?: AbortSignal } = {}) => {
    const { fallback, signal } = extra
    const fallbacks = fallback === undefined ? [] : [networkAt(fallback.url)]
    const { llm } = createAssay({ ...options(), network: networkAt(url), fallbacks, confidential: true })
    return llm.chat({ model: manifest.name, messages, wait: 'answer', signal })
  }

  test('a gateway that is too busy is left for the next one', async () => {
    const [busy, next] = [await startRogue(answers(503)), await startRogue(answers(404))]
    await failsWith(askSealed(busy.url, { fallback: next }), 'not_confidential')
    assert.deepEqual([busy.unpaid, next.unpaid], [1, 1])
  })

  test('a gateway that stays silent is left for the next one', async (context) => {
    context.mock.timers.enable({ apis: ['setTimeout'] })
    const silent = await startRogue(() => context.mock.timers.tick(10_000))
    const next = await startRogue(answers(404))
    await failsWith(askSealed(silent.url, { fallback: next }), 'not_confidential')
    assert.equal(next.unpaid, 1)
  })

  test('a caller that leaves is not kept waiting by a silent gateway', async () => {
    const leaving = new AbortController()
    const silent = await startRogue(() => leaving.abort(new Error('enough')))
    await assert.rejects(askSealed(silent.url, { signal: leaving.signal }), /enough/)
  })
})

for (const read of ['tillOf', 'permit2Allowance', 'enclaveKey'] as const) {
  test(`a chain that is away when ${read} is read is said to be, before anything is paid`, async () => {
    const chain = { ...stub.chain, [read]: () => Promise.reject(new Error('the RPC is away')) }
    const documents: Handler = (request, response) => {
      const price = { perCall: '1', input: '1', output: '1' }
      const offer = { key: `0x${'11'.repeat(20)}`, ohttpKey: 'AAAA' }
      response.end(JSON.stringify(request.url?.startsWith('/v1/models/') ? { assay: { price } } : offer))
    }
    const gateway = read === 'enclaveKey' ? (await startRogue(documents)).url : stub.network.gatewayUrl
    const { llm } = createAssay({
      network: networkAt(gateway),
      chain,
      privateKey: stub.payerKey,
      confidential: read === 'enclaveKey',
    })
    const error = await failsWith(llm.chat({ model: manifest.name, messages, wait: 'answer' }), 'unreachable')
    assert.match(error.message, /rpcUrl/)
    assert.equal(stub.seen.paid, 0)
  })
}

test('a caller that leaves while a payment waits to be sent again is not kept', async (context) => {
  const leaving = new AbortController()
  const rogue = await startRogue(offers, answers(503, { 'retry-after': '4' }))
  const { llm } = createAssay({ ...options(), network: networkAt(rogue.url) })
  const { setTimeout: real } = globalThis
  // The wait has begun, and no clock ends it.
  context.mock.method(globalThis, 'setTimeout', (then: () => void, milliseconds?: number) => {
    if (milliseconds !== 4_000) return real(then, milliseconds)
    setImmediate(() => leaving.abort(new Error('enough')))
    return undefined
  })
  const asked = { model: manifest.name, messages, wait: 'answer', signal: leaving.signal } as const
  await assert.rejects(llm.chat(asked), /enough/)
})
