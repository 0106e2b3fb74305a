import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { concatBytes, decodeReceiptHeader, RECEIPT_COMMENT } from '@assay/protocol'
import { type Database, openDatabase, receiptStatus } from '@assay/store'
import fc from 'fast-check'
import { temporaryFolder } from '../../../test/temporaryFolder.ts'
import { until } from '../../../test/until.ts'
import { OPENING_BYTES } from '../src/payment/openings.ts'
import { errorOf } from './answers.ts'
import { BODY, MODEL, STREAM_BODY } from './fixtures.ts'
import { type Harness, startHarness } from './harness.ts'
import { STUB_KEY } from './stubNode.ts'

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
const EVENTS = [
  'data: {"choices":[{"delta":{"content":"Hel"}}]}\n\n',
  'data: {"choices":[{"delta":{"content":"lo"}}]}\n\n',
]

/** Holds back every write of a receipt until it is let go. */
function slowDatabase(database: Database): Database & { hold(): () => void; writes: number } {
  let gate: Promise<void> = Promise.resolve()
  const slow = {
    ...database,
    writes: 0,
    async query<Row extends object>(sql: string, parameters?: Parameters<Database['query']>[1]) {
      if (sql.includes('insert into receipts')) {
        slow.writes += 1
        await gate
      }
      return database.query<Row>(sql, parameters)
    },
    hold() {
      let open = (): void => {}
      gate = new Promise((resolve) => {
        open = resolve
      })
      return open
    },
  }
  return slow
}

let harness: Harness
let database: ReturnType<typeof slowDatabase>
before(async () => {
  database = slowDatabase(await openDatabase({ directory: temporaryFolder('gateway') }))
  harness = await startHarness({ database, limits: { recoverMs: 5000 } })
})
after(() => harness.close())

/** Several unpaid calls, one after another, through the same gateway: time in which it would have let go what it holds. */
async function othersServed(): Promise<void> {
  for (let call = 0; call < 5; call++) assert.equal((await harness.post(BODY)).status, 402)
}

test('a whole answer comes back byte for byte, with the receipt of exactly these bytes', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 2000 }),
      fc.constantFrom('exact' as const, 'upto' as const),
      async (answer, scheme) => {
        harness.node.script = { kind: 'whole', body: answer, contentType: 'application/json;odd=1' }
        const body = `${BODY} ${' '.repeat(answer.length % 7)}`
        const headers = await harness.payFor(body, harness.payer(scheme))
        const response = await harness.post(body, { ...headers, 'X-Assay-Verification': 'tee' })
        const received = new Uint8Array(await response.arrayBuffer())
        assert.equal(response.status, 200)
        assert.deepEqual(received, answer)
        assert.equal(response.headers.get('content-type'), 'application/json;odd=1')
        const signed = decodeReceiptHeader(response.headers.get('x-assay-receipt') ?? '')
        assert.equal(response.headers.get('x-assay-request-id'), signed.receipt.requestId)
        assert.match(response.headers.get('access-control-expose-headers') ?? '', /x-assay-receipt/)
        // What the node got is what the client sent.
        assert.equal(new TextDecoder().decode(harness.node.requests.at(-1)?.body), body)
        const status = await receiptStatus(database, signed.receipt.requestId)
        assert.deepEqual(status?.signed, signed)
      },
    ),
    { numRuns: 12 },
  )
})

test('a stream comes back byte for byte whatever the chunking, receipt comment and all', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.constantFrom(
          ...EVENTS,
          ': keep-alive\n',
          'data: : assay-receipt not one\n\n',
          'data: \u{1F600}\n\n',
        ),
        {
          minLength: 1,
          maxLength: 8,
        },
      ),
      fc.array(fc.nat(20_000), { maxLength: 30 }),
      async (events, cuts) => {
        harness.node.script = { kind: 'stream', chunks: events.map(encode), cuts }
        const headers = await harness.payFor(STREAM_BODY)
        const response = await harness.post(STREAM_BODY, headers)
        assert.equal(response.status, 200)
        const text = await response.text()
        const requestId = response.headers.get('x-assay-request-id') ?? ''
        const [head, rest] =
          text.split(RECEIPT_COMMENT.trimEnd()).length === 2
            ? text.split(RECEIPT_COMMENT)
            : [
                text.slice(0, text.lastIndexOf(RECEIPT_COMMENT)),
                text.slice(text.lastIndexOf(RECEIPT_COMMENT) + RECEIPT_COMMENT.length),
              ]
        assert.equal(head, events.join(''))
        const [receipt, terminal] = [
          rest?.slice(0, rest.indexOf('\n')),
          rest?.slice((rest?.indexOf('\n') ?? 0) + 1),
        ]
        assert.equal(terminal, 'data: [DONE]\n\n')
        assert.equal(decodeReceiptHeader(receipt ?? '').receipt.requestId, requestId)
        assert.equal((await receiptStatus(database, requestId))?.requestState, 'finished')
      },
    ),
    { numRuns: 15 },
  )
})

test('nothing of a whole answer leaves before its receipt is durable', async () => {
  harness.node.script = { kind: 'whole', body: encode('{"late":true}') }
  const headers = await harness.payFor(BODY)
  const open = database.hold()
  const writes = database.writes
  let answered = false
  const response = harness.post(BODY, headers).then((value) => {
    answered = true
    return value
  })
  await until(() => database.writes > writes)
  // The write has begun and cannot end: the answer is ready and has nowhere to go, while others come and go.
  await othersServed()
  assert.equal(answered, false)
  open()
  assert.equal(await (await response).text(), '{"late":true}')
})

/** The node sends a stream's events but not its end. @returns what lets it go on */
function pausedStream(rest: { dieBeforeReceipt?: true } = {}): () => void {
  const { promise: pause, resolve } = Promise.withResolvers<void>()
  harness.node.script = { kind: 'stream', chunks: EVENTS.map(encode), pause, ...rest }
  return resolve
}

test('a stream flows at once but its receipt and terminal event wait for the durable receipt', async () => {
  const resume = pausedStream()
  const headers = await harness.payFor(STREAM_BODY)
  const open = database.hold()
  const writes = database.writes
  const response = await harness.post(STREAM_BODY, headers)
  const reader = (response.body as ReadableStream<Uint8Array>).getReader()
  // The node is still at work and the first event is here.
  assert.equal(new TextDecoder().decode((await reader.read()).value), EVENTS[0])
  resume()
  assert.equal(new TextDecoder().decode((await reader.read()).value), EVENTS[1])
  await until(() => database.writes > writes)
  let ended = false
  const next = reader.read().finally(() => {
    ended = true
  })
  await othersServed()
  assert.equal(ended, false)
  open()
  const rest = [(await next).value as Uint8Array]
  for (let part = await reader.read(); !part.done; part = await reader.read()) rest.push(part.value)
  const text = new TextDecoder().decode(concatBytes(rest))
  assert.ok(text.startsWith(RECEIPT_COMMENT) && text.endsWith('data: [DONE]\n\n'))
})

test('one payment pays for one request, also when both arrive together', async () => {
  harness.node.script = { kind: 'whole', body: encode('{}') }
  const headers = await harness.payFor(BODY)
  const responses = await Promise.all([harness.post(BODY, headers), harness.post(BODY, headers)])
  assert.deepEqual(responses.map((response) => response.status).sort(), [200, 409])
  const again = await harness.post(BODY, headers)
  assert.equal(again.status, 409)
  assert.equal((await errorOf(again)).code, 'payment_used')
})

test('an answer under a key that the chain revoked is withheld and charged nothing', async () => {
  harness.node.script = { kind: 'whole', body: encode('{"secret":1}') }
  assert.equal((await harness.post(BODY, await harness.payFor(BODY))).status, 200)
  harness.chain.revokedKeys.add(STUB_KEY)
  const code = async () => {
    const response = await harness.post(BODY, await harness.payFor(BODY))
    return response.status === 200 ? '' : (await errorOf(response)).code
  }
  // An answer of the second in which the chain was asked already may still pass.
  let found = await code()
  while (found === '') found = await code()
  assert.equal(found, 'bad_receipt')
  harness.chain.revokedKeys.clear()
  while (found !== '') found = await code()
})

const badReceipts: [string, Partial<Harness['node']['script']>][] = [
  ['for another request', { alter: (receipt) => ({ ...receipt, requestId: `0x${'ab'.repeat(32)}` }) }],
  ['for another committer', { alter: (receipt) => ({ ...receipt, committer: `0x${'ab'.repeat(20)}` }) }],
  ['above what was authorised', { price: 10n ** 24n }],
  ['over other bytes', { alter: (receipt) => ({ ...receipt, responseHash: `0x${'00'.repeat(32)}` }) }],
  ['of another key', { alter: (receipt) => ({ ...receipt, key: `0x${'ab'.repeat(20)}` }) }],
  [
    'with a spoilt signature',
    { spoil: (signed) => ({ ...signed, signature: `${signed.signature.slice(0, -2)}1d` as `0x${string}` }) },
  ],
  [
    'with evidence that its mode has not',
    { alter: (receipt) => ({ ...receipt, evidenceHash: MODEL.modelId }) },
  ],
  ['for nothing delivered, and costs something', { alter: (receipt) => ({ ...receipt, outputUnits: 0n }) }],
  ['missing', { withoutReceipt: true }],
]
for (const [name, script] of badReceipts) {
  test(`an answer whose receipt is ${name} is withheld and charged nothing`, async () => {
    harness.node.script = { kind: 'whole', body: encode('{"secret":1}'), ...script }
    const response = await harness.post(BODY, await harness.payFor(BODY))
    assert.equal(response.status, 502)
    assert.equal((await errorOf(response)).code, 'bad_receipt')
    const status = await receiptStatus(database, response.headers.get('x-assay-request-id') ?? '')
    assert.equal(status?.requestState, 'failed')
    assert.equal(status.payment, undefined)

    if (script.withoutReceipt) return
    harness.node.script = { kind: 'stream', chunks: EVENTS.map(encode), ...script }
    const stream = await (await harness.post(STREAM_BODY, await harness.payFor(STREAM_BODY))).text()
    assert.ok(stream.startsWith(EVENTS.join('')))
    assert.ok(!stream.includes('[DONE]') && !stream.includes('assay-receipt'))
    assert.match(stream, /data: \{"error":\{.*"code":"bad_receipt"/)
  })
}

test('a node that dies mid-stream ends it with an error event, no receipt and no charge', async () => {
  const die = pausedStream({ dieBeforeReceipt: true })
  const response = await harness.post(STREAM_BODY, await harness.payFor(STREAM_BODY))
  const reader = (response.body as ReadableStream<Uint8Array>).getReader()
  assert.equal(new TextDecoder().decode((await reader.read()).value), EVENTS[0])
  die()
  const rest: Uint8Array[] = []
  for (let part = await reader.read(); !part.done; part = await reader.read()) rest.push(part.value)
  const text = new TextDecoder().decode(concatBytes(rest))
  assert.match(text, /\n\ndata: \{"error":\{.*"code":"node_failed".*\}\n\n$/)
  assert.ok(!text.includes('[DONE]'))
  const status = await receiptStatus(database, response.headers.get('x-assay-request-id') ?? '')
  assert.equal(status?.requestState, 'failed')
  assert.equal(status.payment, undefined)
})

test('a refusal of the node passes through, and the payment may be used again', async () => {
  harness.node.script = {
    kind: 'whole',
    status: 429,
    body: encode('{"error":{"code":"queue_full"}}'),
    withoutReceipt: true,
  }
  const headers = await harness.payFor(BODY)
  const refused = await harness.post(BODY, headers)
  assert.equal(refused.status, 429)
  assert.equal((await errorOf(refused)).code, 'queue_full')
  harness.node.script = { kind: 'whole', body: encode('{}') }
  const again = await harness.post(BODY, headers)
  assert.equal(again.status, 200, await again.text())
})

test('when the client leaves mid-stream, the cancelled receipt is fetched and charged', async () => {
  harness.node.script = { kind: 'stream', chunks: EVENTS.map(encode), pause: new Promise(() => {}) }
  const headers = await harness.payFor(STREAM_BODY)
  const abort = new AbortController()
  const response = await harness.post(STREAM_BODY, headers, { signal: abort.signal })
  const requestId = response.headers.get('x-assay-request-id') ?? ''
  await (response.body as ReadableStream<Uint8Array>).getReader().read()
  abort.abort()
  const status = await until(async () => {
    const seen = await receiptStatus(database, requestId)
    return seen?.requestState === 'finished' && seen
  })
  assert.equal(status.signed?.receipt.status, 1)
  assert.equal(status.signed.receipt.price, 2n)
})

test('when the client leaves a long stream, the receipt is looked for from then on, however long ago it began', async () => {
  const pause = new Promise<void>(() => {})
  harness.node.script = { kind: 'stream', chunks: EVENTS.map(encode), pause, signsLate: true }
  const headers = await harness.payFor(STREAM_BODY)
  const abort = new AbortController()
  const response = await harness.post(STREAM_BODY, headers, { signal: abort.signal })
  const requestId = response.headers.get('x-assay-request-id') ?? ''
  await (response.body as ReadableStream<Uint8Array>).getReader().read()
  const began = `update requests set created_at = created_at - interval '10 minutes' where request_id = $1`
  await database.query(began, [requestId])
  abort.abort()
  const state = await until(async () => {
    const seen = (await receiptStatus(database, requestId))?.requestState
    return seen !== 'forwarded' && seen
  })
  assert.equal(state, 'finished')
})

test('a nonce that the chain has seen used is refused before a byte of the answer', async () => {
  harness.node.script = { kind: 'whole', body: encode('{"free":1}') }
  const headers = await harness.payFor(BODY, harness.payer('exact'))
  const payment = JSON.parse(Buffer.from(Object.values(headers)[0] ?? '', 'base64').toString())
  harness.chain.usedNonces.add(payment.payload.authorization.nonce)
  const response = await harness.post(BODY, headers)
  assert.equal(response.status, 402)
  assert.equal((await errorOf(response)).code, 'payment_used')
})

test('who paid for a call may have the opening of one stream before the chain has judged its payment, and no more', async (t) => {
  const payer = harness.payer('exact')
  harness.node.script = { kind: 'stream', chunks: EVENTS.map(encode) }
  await (await harness.post(STREAM_BODY, await harness.payFor(STREAM_BODY, payer))).text()
  const verdict = Promise.withResolvers<boolean>()
  t.mock.method(harness.chain, 'nonceUnused', () => verdict.promise)
  const long = `data: ${'x'.repeat(OPENING_BYTES)}\n\n`
  harness.node.script = { kind: 'stream', chunks: [...EVENTS, long].map(encode) }
  const first = await harness.post(STREAM_BODY, await harness.payFor(STREAM_BODY, payer))
  assert.equal(first.status, 200)
  const reader = (first.body as ReadableStream<Uint8Array>).getReader()
  let opening = ''
  while (opening.length < OPENING_BYTES) {
    opening += new TextDecoder().decode((await reader.read()).value)
  }
  assert.equal(opening, (EVENTS.join('') + long).slice(0, OPENING_BYTES))
  // The payer's second stream has to wait for the chain, whose word comes now: the nonces were used.
  const second = harness.post(STREAM_BODY, await harness.payFor(STREAM_BODY, payer))
  verdict.resolve(false)
  assert.equal((await second).status, 402)
  let rest = ''
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    rest += new TextDecoder().decode(part.value)
  }
  assert.match(rest, /payment_used/)
  assert.ok(!rest.includes('x'.repeat(9)) && !rest.includes('[DONE]') && !rest.includes(RECEIPT_COMMENT))
})

test('requests under way count against the balance', async () => {
  const quote = 1n + BigInt(STREAM_BODY.length + 64) + 2n * 8n
  const payer = harness.payer('upto', quote + quote / 2n)
  const resume = pausedStream()
  const [first, second] = [await harness.payFor(STREAM_BODY, payer), await harness.payFor(STREAM_BODY, payer)]
  const running = await harness.post(STREAM_BODY, first)
  assert.equal(running.status, 200)
  const refused = await harness.post(STREAM_BODY, second)
  assert.equal(refused.status, 402)
  assert.equal((await errorOf(refused)).code, 'insufficient_funds')
  resume()
  await running.text()
  assert.equal((await harness.post(STREAM_BODY, second)).status, 200)
})
