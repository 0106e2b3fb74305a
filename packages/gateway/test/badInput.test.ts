import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { after, before, test } from 'node:test'
import { CONFIDENTIAL_PATH, INFERENCE_PATHS } from '@assay/protocol'
import { rawExchange } from '../../../test/rawExchange.ts'
import { until } from '../../../test/until.ts'
import { errorOf } from './answers.ts'
import { BODY, STREAM_BODY } from './fixtures.ts'
import { type Harness, startHarness } from './harness.ts'

let harness: Harness
before(async () => {
  harness = await startHarness({ limits: { maxConcurrent: 2, maxAnswerBytes: 10_000 } })
})
after(() => harness.close())

const good = JSON.parse(BODY)
const table: [string, { body: string | Uint8Array; headers?: Record<string, string> }, number, string][] = [
  ['no body', { body: '' }, 400, 'invalid_json'],
  ['malformed JSON', { body: '{"model":' }, 400, 'invalid_json'],
  ['bytes that are not UTF-8', { body: new Uint8Array([0xff, 0xfe, 0x7b]) }, 400, 'invalid_json'],
  ['an array', { body: '[]' }, 400, 'invalid_body'],
  ['null', { body: 'null' }, 400, 'invalid_body'],
  ['no model', { body: '{}' }, 400, 'invalid_model'],
  ['a model that is a number', { body: '{"model":3}' }, 400, 'invalid_model'],
  ['an unknown model', { body: '{"model":"gpt-9"}' }, 404, 'model_not_found'],
  ['a model name out of the prototype', { body: '{"model":"__proto__"}' }, 404, 'model_not_found'],
  ['negative max_tokens', { body: JSON.stringify({ ...good, max_tokens: -1 }) }, 400, 'invalid_value'],
  ['fractional max_tokens', { body: JSON.stringify({ ...good, max_tokens: 1.5 }) }, 400, 'invalid_value'],
  ['stream of a wrong type', { body: JSON.stringify({ ...good, stream: 'yes' }) }, 400, 'invalid_type'],
  [
    'an encoded body',
    { body: BODY, headers: { 'content-encoding': 'gzip' } },
    415,
    'unsupported_content_encoding',
  ],
  [
    'a body that says it is no JSON',
    { body: BODY, headers: { 'content-type': 'text/plain' } },
    415,
    'unsupported_media_type',
  ],
  [
    'a payment that is no base64',
    { body: BODY, headers: { 'payment-signature': '%%%' } },
    402,
    'payment_malformed',
  ],
  ['a payment of nothing', { body: BODY, headers: { 'payment-signature': 'e30=' } }, 402, 'payment_version'],
  [
    'a huge payment header',
    { body: BODY, headers: { 'payment-signature': 'A'.repeat(20_000) } },
    402,
    'payment_malformed',
  ],
]
for (const [name, { body, headers }, status, code] of table) {
  test(`${name}: ${status} ${code} in the dialect's shape`, async () => {
    const response = await harness.post(body, headers)
    const error = await errorOf(response)
    assert.equal(response.status, status)
    assert.equal(error.code, code)
    assert.equal(typeof error.message, 'string')
    assert.ok('param' in error && 'type' in error)
    assert.equal(response.headers.get('access-control-allow-origin'), '*')
  })
}

test('a body of 50 MB is refused after its head, without being read', async () => {
  const { port, hostname } = new URL(harness.gateway.url)
  const socket = connect(Number(port), hostname)
  socket.on('error', () => {})
  await once(socket, 'connect')
  socket.write(
    `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${50 * 1024 * 1024}\r\n\r\n`,
  )
  const [answer] = (await once(socket, 'data')) as [Buffer]
  socket.destroy()
  assert.match(answer.toString(), /^HTTP\/1\.1 413 [\s\S]*"code":"body_too_large"/)
})

test('a chunked body that grows past the limit is cut off', async () => {
  const { port, hostname } = new URL(harness.gateway.url)
  const socket = connect(Number(port), hostname)
  socket.on('error', () => {})
  await once(socket, 'connect')
  const answered = once(socket, 'data')
  socket.write('POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n')
  const mebibyte = Buffer.alloc(1024 * 1024, 0x20)
  for (let sent = 0; sent < 8 && socket.writable; sent++) {
    socket.write(`${mebibyte.length.toString(16)}\r\n`)
    socket.write(mebibyte)
    socket.write('\r\n')
  }
  const [answer] = (await answered) as [Buffer]
  socket.destroy()
  assert.match(answer.toString(), /^HTTP\/1\.1 413 [\s\S]*"code":"body_too_large"/)
})

for (const [name, start] of [
  ['head', 'POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n'],
  ['body', 'POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{"mo'],
] as const) {
  test(`a client that never ends its ${name} (slow-loris) is cut off`, async (t) => {
    // A gateway of its own: what is asked of the other may take longer on a machine that has others to serve.
    const hurried = await startHarness({ limits: { headersTimeoutMs: 300, requestTimeoutMs: 600 } })
    t.after(() => hurried.close())
    const { port, hostname } = new URL(hurried.gateway.url)
    const socket = connect(Number(port), hostname)
    socket.on('error', () => {})
    await once(socket, 'connect')
    const chunks: Buffer[] = []
    socket.on('data', (chunk) => chunks.push(chunk))
    socket.write(start)
    const drip = setInterval(() => socket.write(name === 'head' ? 'x-a: b\r\n' : ' '), 100)
    await once(socket, 'close')
    clearInterval(drip)
    assert.match(Buffer.concat(chunks).toString(), /^HTTP\/1\.1 408 [\s\S]*"code":"request_timeout"/)
  })
}

test('something that is not HTTP gets a clean end', async () => {
  const answer = await rawExchange(harness.gateway.url, '\x16\x03\x01 hello\r\n\r\n')
  assert.match(answer, /^HTTP\/1\.1 400 [\s\S]*"code":"bad_request"/)
})

test('inside an answer that has begun nothing is told: its receipt covers the bytes', async () => {
  const never = new Promise<void>(() => {})
  harness.node.script = {
    kind: 'stream',
    chunks: [Buffer.from('data: 1\n\n'), Buffer.from('data: 2\n\n')],
    pause: never,
  }
  const paid = Object.entries(await harness.payFor(STREAM_BODY)).map((line) => `${line.join(': ')}\r\n`)
  const { port, hostname } = new URL(harness.gateway.url)
  const socket = connect(Number(port), hostname)
  socket.on('error', () => {})
  socket.write(
    `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n${paid.join('')}content-length: ${STREAM_BODY.length}\r\n\r\n${STREAM_BODY}`,
  )
  let seen = ''
  socket.on('data', (chunk) => {
    const isFirst = !seen.includes('data: 1')
    seen += chunk
    if (isFirst && seen.includes('data: 1')) socket.write('no HTTP at all\r\n\r\n')
  })
  await once(socket, 'close')
  assert.match(seen, /^HTTP\/1\.1 200 /)
  assert.doesNotMatch(seen, /HTTP\/1\.1 400|bad_request/)
})

test('one request too many gets 429 with Retry-After', async () => {
  let resume = (): void => {}
  harness.node.script = {
    kind: 'stream',
    chunks: [new TextEncoder().encode('data: 1\n\n')],
    pause: new Promise((resolve) => {
      resume = resolve
    }),
  }
  const headers = [await harness.payFor(STREAM_BODY), await harness.payFor(STREAM_BODY)]
  const running = await Promise.all(headers.map((paid) => harness.post(STREAM_BODY, paid)))
  const refused = await harness.post(BODY)
  assert.equal(refused.status, 429)
  assert.equal(refused.headers.get('retry-after'), '1')
  assert.equal((await errorOf(refused)).code, 'busy')
  resume()
  for (const response of running) assert.ok((await response.text()).endsWith('data: [DONE]\n\n'))
  await until(async () => (await harness.post(BODY)).status === 402)
})

test('an answer without end is cut off and not charged', async () => {
  harness.node.script = { kind: 'whole', body: new Uint8Array(20_000) }
  const whole = await harness.post(BODY, await harness.payFor(BODY))
  assert.equal(whole.status, 502)
  assert.equal((await errorOf(whole)).code, 'answer_too_large')
  harness.node.script = {
    kind: 'stream',
    chunks: Array.from({ length: 20 }, () => new Uint8Array(1000).fill(0x61)),
  }
  const stream = await (await harness.post(STREAM_BODY, await harness.payFor(STREAM_BODY))).text()
  assert.match(stream, /"code":"answer_too_large"/)
  assert.ok(stream.length < 12_000)
})

test('a catalogue that is asked something twice says so', async () => {
  for (const path of [
    'resources?payTo=a&payTo=b',
    'search?query=a&query=b',
    'search?query=a&limit=1&limit=2',
  ]) {
    const response = await fetch(`${harness.gateway.url}/facilitator/discovery/${path}`)
    assert.equal(response.status, 400, path)
    assert.equal((await errorOf(response)).code, 'invalid_query')
  }
})

test('unknown paths and unknown receipts are 404 in the dialect, preflights are answered', async () => {
  for (const path of [
    '/nope',
    '/v1/receipts/0x12',
    '/v1/receipts/%00',
    `/v1/batches/0x${'00'.repeat(32)}`,
    '/v1/batches/x/data',
  ]) {
    const response = await fetch(`${harness.gateway.url}${path}`)
    assert.equal(response.status, 404, path)
    assert.equal((await errorOf(response)).code, 'not_found')
  }
  const longest = await fetch(`${harness.gateway.url}/v1/models/${'%2F'.repeat(256)}`)
  assert.deepEqual([longest.status, (await errorOf(longest)).code], [404, 'model_not_found'])
  const preflight = await fetch(`${harness.gateway.url}/v1/chat/completions`, { method: 'OPTIONS' })
  assert.equal(preflight.status, 204)
  assert.match(preflight.headers.get('access-control-expose-headers') ?? '', /PAYMENT-REQUIRED/)
})

test('after all that the gateway is well and its metrics can be read', async () => {
  assert.equal((await fetch(`${harness.gateway.url}/health`)).status, 200)
  const metrics = await harness.metrics()
  assert.match(metrics, /assay_gateway_refused_total\{kind="invalid_json"\} \d+/)
  assert.match(metrics, /assay_gateway_first_byte_seconds_bucket\{le="\+Inf"\}/)
  const models = (await (await fetch(`${harness.gateway.url}/v1/models`)).json()) as {
    data: { id: string }[]
  }
  assert.equal(models.data[0]?.id, 'test-model')
  const openapi = (await (await fetch(`${harness.gateway.url}/openapi.json`)).json()) as {
    openapi: string
    paths: Record<string, Record<string, unknown>>
  }
  assert.equal(openapi.openapi, '3.1.0')
  const besides = ['/v1/evidence/{hash}', '/v1/proofs/{id}', '/facilitator/supported', '/facilitator/verify']
  for (const path of [...Object.keys(INFERENCE_PATHS), CONFIDENTIAL_PATH, ...besides]) {
    assert.ok(openapi.paths[path] !== undefined, `${path} is not told of`)
  }
  for (const [path, methods] of Object.entries(openapi.paths)) {
    for (const method of Object.keys(methods)) {
      const url = `${harness.gateway.url}${path.replace(/\{.*?\}/, 'x')}`
      const answer = await fetch(url, { method: method.toUpperCase() })
      assert.doesNotMatch(await answer.text(), /There is no (GET|POST)/, `${method} ${path}`)
    }
  }
  assert.ok(!harness.logs.some((line) => line.startsWith('internal_error')), harness.logs.join('\n'))
})
