/** Every paid path passes through untouched, and errors come in the words of the dialect that was asked. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { decodeReceiptHeader, INFERENCE_PATHS } from '@assay/protocol'
import { headOf, MODEL } from './fixtures.ts'
import { type Harness, startHarness } from './harness.ts'

let harness: Harness
before(async () => {
  harness = await startHarness()
})
after(() => harness.close())

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
const send = (path: string, body: string, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${harness.gateway.url}${path}`, {
    method: 'POST',
    body,
    headers: { ...headOf(path), ...headers },
  })
/** Pays for one request to a path. */
async function paid(path: string, body: string, headers: Record<string, string> = {}): Promise<Response> {
  const unpaid = await send(path, body, headers)
  assert.equal(unpaid.status, 402, await unpaid.clone().text())
  return send(path, body, { ...headers, ...(await harness.payer().sign(unpaid)) })
}

const ASKED: Record<string, Record<string, unknown>> = {
  '/v1/chat/completions': { messages: [] },
  '/v1/completions': { prompt: 'Hi' },
  '/v1/embeddings': { input: ['a', 'b'] },
  '/v1/responses': { input: 'Hi' },
  '/v1/messages': { max_tokens: 8, messages: [] },
}
const ANTHROPIC = { 'anthropic-version': '2023-06-01', 'x-api-key': 'sk-of-the-client' }

test('every paid path: the same bytes to the node and back, with their receipt', async () => {
  for (const path of Object.keys(INFERENCE_PATHS)) {
    const body = JSON.stringify({ model: MODEL.name, ...ASKED[path], odd: ' ü ' })
    const answer = encode(`{"of":"${path}"}`)
    harness.node.script = { kind: 'whole', body: answer }
    const response = await paid(`${path}?a=b`, body, ANTHROPIC)
    assert.equal(response.status, 200, path)
    const signed = decodeReceiptHeader(response.headers.get('x-assay-receipt') ?? '')
    assert.equal(response.headers.get('x-assay-request-id'), signed.receipt.requestId)
    assert.deepEqual(new Uint8Array(await response.arrayBuffer()), answer)
    const got = harness.node.requests.at(-1)
    assert.equal(got?.url, `${path}?a=b`)
    assert.equal(new TextDecoder().decode(got?.body), body)
    const names = got?.rawHeaders.map((name) => name.toLowerCase()) ?? []
    assert.ok(names.includes('anthropic-version'), 'part of what is asked')
    assert.ok(!names.includes('x-api-key'), 'a key for another service stays here')
  }
})

test('the quote follows the limits of each dialect', async () => {
  const quote = async (path: string, members: Record<string, unknown>): Promise<bigint> => {
    const body = JSON.stringify({ model: MODEL.name, ...members }).padEnd(200, ' ')
    const response = await send(path, body)
    assert.equal(response.status, 402, await response.clone().text())
    const required = response.headers.get('payment-required') ?? ''
    const { accepts } = JSON.parse(Buffer.from(required, 'base64').toString()) as {
      accepts: { amount: string }[]
    }
    return BigInt(accepts[0]?.amount ?? '0')
  }
  const eight = await quote('/v1/messages', { max_tokens: 8 })
  assert.equal(await quote('/v1/chat/completions', { max_tokens: 8 }), eight)
  assert.equal(await quote('/v1/chat/completions', { max_tokens: 4, n: 2 }), eight)
  assert.equal(await quote('/v1/responses', { max_output_tokens: 8 }), eight)
  assert.equal(await quote('/v1/completions', { max_tokens: 2, n: 2, prompt: ['a', 'b'] }), eight)
  assert.equal(await quote('/v1/embeddings', { input: Array(8).fill('a') }), eight)
})

test('a stream of Anthropic’s ends at its own terminal event', async () => {
  const terminal = encode('event: message_stop\ndata: {"type":"message_stop"}\n\n')
  const chunks = ['event: ping\ndata: {"type":"ping"}\n\n', 'event: x\ndata: {"type":"x"}\n\n'].map(encode)
  harness.node.script = { kind: 'stream', chunks, terminal, cuts: [3, 50, 61, 200] }
  const body = JSON.stringify({ model: MODEL.name, max_tokens: 8, stream: true })
  const text = await (await paid('/v1/messages', body, ANTHROPIC)).text()
  assert.match(text, /^event: ping\n.*\n\n.*\n.*\n\n: assay-receipt \S+\nevent: message_stop\n.*\n\n$/)
})

test('errors are in the dialect of the path: before, instead of and inside an answer', async () => {
  type AnthropicError = { type: string; error: { type: string; code: string; message: string } }
  const unpaid = await send('/v1/messages', JSON.stringify({ model: MODEL.name, max_tokens: 8 }))
  const first = (await unpaid.json()) as AnthropicError
  assert.deepEqual(
    [unpaid.status, first.type, first.error.type, first.error.code],
    [402, 'error', 'billing_error', 'payment_required'],
  )
  assert.ok(unpaid.headers.has('payment-required'))
  for (const [body, status, type, code] of [
    ['{', 400, 'invalid_request_error', 'invalid_json'],
    [JSON.stringify({ model: MODEL.name }), 400, 'invalid_request_error', 'missing_parameter'],
    [JSON.stringify({ model: 'claude', max_tokens: 8 }), 404, 'not_found_error', 'model_not_found'],
  ] as const) {
    const response = await send('/v1/messages', body)
    const { error } = (await response.json()) as AnthropicError
    assert.deepEqual([response.status, error.type, error.code], [status, type, code])
  }
  harness.node.script = { kind: 'whole', body: encode('{}'), withoutReceipt: true }
  const body = JSON.stringify({ model: MODEL.name, max_tokens: 8, stream: true })
  const failed = await paid('/v1/messages', body)
  assert.deepEqual([failed.status, ((await failed.json()) as AnthropicError).error.type], [502, 'api_error'])
  let breakOff: () => void = () => undefined
  const pause = new Promise<void>((resolve) => {
    breakOff = resolve
  })
  harness.node.script = {
    kind: 'stream',
    chunks: [encode('event: x\ndata: {"ty')],
    dieBeforeReceipt: true,
    pause,
  }
  const streamed = await paid('/v1/messages', body)
  // The node breaks off only once its first bytes have come through.
  breakOff()
  const broken = await streamed.text()
  const [, event, data] = /\n\n(event: error)\ndata: (.*)\n\n$/.exec(broken) ?? assert.fail(broken)
  assert.equal(event, 'event: error')
  assert.equal((JSON.parse(data as string) as AnthropicError).error.code, 'node_failed')
})

test('what no node would read is refused before it is paid for, in the words of its dialect', async () => {
  const { requests } = harness.node
  const before = requests.length
  const body = JSON.stringify({ model: MODEL.name, max_tokens: 8, messages: [] })
  for (const path of ['/v1/messages', '/v1/messages/count_tokens']) {
    for (const [head, status, code, says] of [
      [{ 'content-type': 'application/json' }, 400, 'unsupported_version', /`anthropic-version` is required/],
      [
        { ...headOf(path), 'anthropic-version': '2021-01-01' },
        400,
        'unsupported_version',
        /`2021-01-01` is not/,
      ],
      [{ ...headOf(path), 'content-type': 'text/plain' }, 415, 'unsupported_media_type', /application\/json/],
    ] as const) {
      const refused = await fetch(`${harness.gateway.url}${path}`, { method: 'POST', body, headers: head })
      const { type, error } = (await refused.json()) as {
        type: string
        error: { type: string; code: string; message: string }
      }
      assert.deepEqual(
        [refused.status, refused.headers.has('payment-required'), type, error.type, error.code],
        [status, false, 'error', 'invalid_request_error', code],
      )
      assert.match(error.message, says)
    }
  }
  assert.equal(requests.length, before, 'no node was asked')
})

test('tokens are counted without payment', async () => {
  const response = await send(
    '/v1/messages/count_tokens',
    JSON.stringify({ model: MODEL.name, messages: [] }),
  )
  assert.equal(response.status, 200)
  assert.deepEqual(await response.json(), { input_tokens: 3 })
  assert.equal((await send('/v1/messages/count_tokens', '{}')).status, 400)
})

test('models: all, one, none', async () => {
  const list = (await (await fetch(`${harness.gateway.url}/v1/models`)).json()) as {
    data: { id: string; type: string }[]
    has_more: boolean
  }
  const one = await fetch(`${harness.gateway.url}/v1/models/${encodeURIComponent(MODEL.name)}`)
  assert.deepEqual(await one.json(), list.data[0])
  assert.deepEqual([list.data[0]?.type, list.has_more], ['model', false])
  for (const path of ['models/gpt-9', 'files']) {
    const asked = async (headers: Record<string, string>) => {
      const answer = await fetch(`${harness.gateway.url}/v1/${path}`, { headers })
      assert.equal(answer.status, 404)
      return (await answer.json()) as { type?: string; error: { type: string } }
    }
    const theirs = await asked({ 'anthropic-version': '2023-06-01' })
    assert.deepEqual([theirs.type, theirs.error.type], ['error', 'not_found_error'])
    const ours = await asked({})
    assert.deepEqual([ours.type, ours.error.type], [undefined, 'invalid_request_error'])
  }
})
