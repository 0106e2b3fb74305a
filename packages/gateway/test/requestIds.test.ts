/** Every answer names its exchange where the vendors' clients look, and a refusal is found in the log by that name. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { after, before, test } from 'node:test'
import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { createRefusalLog } from '../src/http/refusalLog.ts'
import { createMetrics } from '../src/metrics.ts'
import { BODY, headOf, MODEL, STREAM_BODY } from './fixtures.ts'
import { type Harness, startHarness } from './harness.ts'

let harness: Harness
before(async () => {
  harness = await startHarness()
})
after(() => harness.close())

const OWN_ID = /^req_[0-9a-f-]{36}$/
const KEY = `assay_${'A'.repeat(43)}`
const messages = [{ role: 'user' as const, content: 'Hi' }]
const openai = () => new OpenAI({ baseURL: `${harness.gateway.url}/v1`, apiKey: KEY, maxRetries: 0 })
const anthropic = () => new Anthropic({ baseURL: harness.gateway.url, apiKey: KEY, maxRetries: 0 })

/** The id under both names. */
function idOf({ headers }: Response): string {
  const id = headers.get('x-request-id') ?? ''
  assert.equal(headers.get('request-id'), id)
  return id
}

test('both vendors’ clients read the id of a refusal, and it is in the log with its reason', async () => {
  const refusals = [
    openai().chat.completions.create({ model: MODEL.name, messages }),
    anthropic().messages.create({ model: MODEL.name, max_tokens: 8, messages }),
  ]
  const ids = await Promise.all(
    refusals.map((refused) =>
      refused.then(
        () => assert.fail('a key that nobody knows was taken'),
        (error: unknown) => {
          assert.ok(error instanceof OpenAI.APIError || error instanceof Anthropic.APIError)
          assert.equal(error.status, 401)
          return error.requestID ?? ''
        },
      ),
    ),
  )
  for (const id of ids) {
    assert.match(id, OWN_ID)
    const lines = harness.logs.filter((line) => line.includes(id))
    assert.equal(lines.length, 1)
    assert.match(lines[0] ?? '', /^refused .*"status":401,"code":"invalid_api_key"/)
  }
  assert.notEqual(ids[0], ids[1])
})

test('what is refused before it is routed has one, and so has what is answered for nothing', async () => {
  const { url } = harness.gateway
  const headers = headOf('/v1/chat/completions')
  const asked: [string, RequestInit, number][] = [
    ['/nope', {}, 404],
    ['/v1/models/%zz', {}, 400],
    ['/v1/chat/completions', { method: 'POST', body: '{', headers }, 400],
    [
      '/v1/chat/completions',
      { method: 'POST', body: BODY, headers: { ...headers, 'content-encoding': 'gzip' } },
      415,
    ],
    [
      '/v1/chat/completions',
      { method: 'POST', body: BODY, headers: { ...headers, 'payment-signature': 'e30=' } },
      402,
    ],
  ]
  for (const [path, init, status] of asked) {
    const answer = await fetch(`${url}${path}`, init)
    assert.equal(answer.status, status, path)
    assert.equal(answer.headers.get('access-control-allow-origin'), '*', path)
    assert.match(answer.headers.get('access-control-expose-headers') ?? '', /x-request-id, request-id/)
    const id = idOf(answer)
    assert.match(id, OWN_ID, path)
    assert.ok(((await answer.json()) as { error: { code: string } }).error.code, path)
    assert.ok(
      harness.logs.some((line) => line.startsWith('refused') && line.includes(id)),
      path,
    )
  }
  assert.match(idOf(await fetch(`${url}/health`)), OWN_ID)
  assert.match((await openai().models.retrieve(MODEL.name))._request_id ?? '', OWN_ID)
})

test('what is no HTTP has one too', async () => {
  const { port, hostname } = new URL(harness.gateway.url)
  const socket = connect(Number(port), hostname)
  await once(socket, 'connect')
  socket.write('\x16\x03\x01 hello\r\n\r\n')
  const [answer] = (await once(socket, 'data')) as [Buffer]
  socket.destroy()
  const [, id] = /\r\nx-request-id: (req_[\w-]+)\r\nrequest-id: \1\r\n/.exec(answer.toString()) ?? []
  assert.ok(harness.logs.some((line) => line.startsWith('refused') && line.includes(id ?? 'none')))
})

test('an offer to pay has one, and takes no line of the log', async () => {
  const offer = await harness.post(BODY)
  assert.equal(offer.status, 402)
  const id = idOf(offer)
  assert.match(id, OWN_ID)
  assert.ok(!harness.logs.some((line) => line.includes(id)))
})

test('a paid call is named by what its receipt is found under: whole, streamed, given again, failed', async () => {
  const whole = await harness.post(BODY, await harness.payFor(BODY))
  const terminal = new TextEncoder().encode('data: [DONE]\n\n')
  harness.node.script = { kind: 'stream', chunks: [], terminal }
  const streamed = await harness.post(STREAM_BODY, await harness.payFor(STREAM_BODY))
  const name = { 'idempotency-key': 'a-name-for-the-request' }
  harness.node.script = { kind: 'whole' }
  const payer = harness.payer()
  const first = await harness.post(BODY, { ...name, ...(await harness.payFor(BODY, payer)) })
  const again = await harness.post(BODY, { ...name, ...(await harness.payFor(BODY, payer)) })
  assert.equal(again.headers.get('x-assay-replayed'), 'true')
  assert.equal(idOf(again), idOf(first))
  harness.node.script = { kind: 'whole', withoutReceipt: true }
  const failed = await harness.post(BODY, await harness.payFor(BODY))
  const answers: [Response, number][] = [
    [whole, 200],
    [streamed, 200],
    [first, 200],
    [failed, 502],
  ]
  for (const [answer, status] of answers) {
    assert.equal(answer.status, status, await answer.text())
    const id = idOf(answer)
    assert.match(id, /^0x[0-9a-f]{64}$/)
    assert.equal(answer.headers.get('x-assay-request-id'), id)
  }
  assert.ok(harness.logs.some((line) => line.startsWith('relay_failed') && line.includes(idOf(failed))))
})

test('a payment that turns out bad while the node is at work is refused under its request id, in the log too', async (t) => {
  t.mock.method(harness.chain, 'nonceUnused', async () => false)
  harness.node.script = { kind: 'whole' }
  const refused = await harness.post(BODY, await harness.payFor(BODY))
  assert.equal(refused.status, 402)
  const id = idOf(refused)
  assert.equal(refused.headers.get('x-assay-request-id'), id)
  const [line] = harness.logs.filter((one) => one.includes(id))
  assert.match(line ?? '', /^refused .*"status":402,"code":"payment_used"/)
})

test('refusals without end leave the log room for what matters', () => {
  const lines: string[] = []
  const refused = {
    status: 401,
    code: 'invalid_api_key',
    message: 'No.',
    type: 'invalid_request_error',
  } as const
  const write = createRefusalLog({ log: (event) => lines.push(event), metrics: createMetrics() })
  for (let call = 0; call < 10_000; call++) write(`req_${call}`, refused, undefined)
  assert.ok(lines.length >= 50 && lines.length < 10_000 / 2, String(lines.length))
  write('req_failed', { ...refused, status: 500, code: 'internal_error' }, new Error('ours'))
  assert.equal(lines.at(-1), 'internal_error')
})
