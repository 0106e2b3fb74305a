/** What no route sees is refused in the dialect that was spoken, under an id that is in the log. */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { after, before, test } from 'node:test'
import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { rawExchange } from '../../../test/rawExchange.ts'
import {
  chatBody,
  oneWordUntilAborted,
  PATH,
  PLENTY,
  paidHeaders,
  payment,
  startTestServer,
  type TestServer,
} from './harness.ts'

let node: TestServer
before(async () => {
  node = await startTestServer()
})
after(() => node.close())

type OpenAIError = { error: { message: string; type: string; code: string } }
type AnthropicError = { type: 'error'; error: { type: string; details: { error_code: string } } }

/** The id under both names, which the log has too, with the refusal's status and code. */
function assertLogged(id: string | undefined, status: number, code: string): void {
  assert.match(id ?? '', /^req_[0-9a-f-]{36}$/)
  const lines = node.events.filter((event) => event.id === id)
  assert.deepEqual(lines, [{ event: 'refused', id, status, code }])
}

const UNREADABLE: [what: string, path: string, status: number, said: RegExp][] = [
  ['cannot be decoded', '/v1/models/%zz', 400, /path cannot be decoded/],
  ['has too long a part', `/v1/models/${'a'.repeat(5_000)}`, 414, /longer than any name/],
]
for (const [what, path, status, said] of UNREADABLE) {
  test(`a path that ${what}, in either dialect`, async () => {
    const asked = await fetch(node.url + path)
    const { error } = (await asked.json()) as OpenAIError
    assert.deepEqual([asked.status, error.type, error.code], [status, 'invalid_request_error', 'bad_request'])
    assert.match(error.message, said)
    assertLogged(asked.headers.get('x-request-id') ?? '', status, 'bad_request')

    const theirs = await fetch(node.url + path, { headers: { 'anthropic-version': '2023-06-01' } })
    const body = (await theirs.json()) as AnthropicError
    assert.deepEqual([body.type, body.error.details.error_code], ['error', 'bad_request'])
    assertLogged(theirs.headers.get('request-id') ?? '', status, 'bad_request')
  })
}

test('both vendors’ clients read the id of what a route refuses', async () => {
  const openai = new OpenAI({ baseURL: `${node.url}/v1`, apiKey: 'none', maxRetries: 0 })
  const anthropic = new Anthropic({ baseURL: node.url, apiKey: 'none', maxRetries: 0 })
  for (const { models } of [openai, anthropic]) {
    await assert.rejects(
      async () => void (await models.retrieve('nope')),
      (error) => {
        assert.ok(error instanceof OpenAI.APIError || error instanceof Anthropic.APIError)
        assertLogged(error.requestID ?? undefined, 404, 'model_not_found')
        return true
      },
    )
  }
})

const head = (...lines: string[]) => [`POST ${PATH} HTTP/1.1`, 'host: x', ...lines, '', ''].join('\r\n')
const NOT_HTTP: [what: string, bytes: string, status: number, code: string, said: RegExp][] = [
  ['a TLS hello', '\x16\x03\x01 hello\r\n\r\n', 400, 'bad_request', /not valid HTTP: Invalid method/],
  ['a length that is no number', head('content-length: ten'), 400, 'bad_request', /Content-Length/],
  [
    'two lengths of one body',
    head('content-length: 2', 'transfer-encoding: chunked'),
    400,
    'bad_request',
    /Content-Length/,
  ],
  ['headers too large', head(`x-a: ${'a'.repeat(60_000)}`), 431, 'headers_too_large', /too large/],
]
for (const [what, bytes, status, code, said] of NOT_HTTP) {
  test(`what is no request: ${what}`, async () => {
    const [top = '', body = ''] = (await rawExchange(node.url, bytes)).split('\r\n\r\n')
    assert.match(top, new RegExp(`^HTTP/1.1 ${status} `))
    const { error } = JSON.parse(body) as OpenAIError
    assert.equal(error.code, code)
    assert.match(error.message, said)
    assertLogged(/^x-request-id: (.*)$/m.exec(top)?.[1]?.trim(), status, code)
  })
}

test('a request that never arrives is told so', async (t) => {
  const hurried = await startTestServer({ requestTimeoutMs: 500 })
  t.after(() => hurried.close())
  const answer = await rawExchange(hurried.url, head('content-length: 100').trimEnd())
  assert.match(answer, /^HTTP\/1\.1 408 [\s\S]*"code":"request_timeout"/)
})

test('inside an answer that has begun nothing is told: its receipt covers the bytes', async () => {
  node.state.script = oneWordUntilAborted
  const body = chatBody({ stream: true })
  const { hostname, port } = new URL(node.url)
  const socket = connect(Number(port), hostname)
  socket.on('error', () => undefined)
  const headers = Object.entries(await paidHeaders(await payment(PLENTY)))
  const lines = [...headers, ['content-length', String(body.length)]].map((line) => line.join(': '))
  socket.write(head(...lines) + body)
  let seen = ''
  await new Promise<void>((resolve) => {
    socket.on('data', (chunk) => {
      const before = seen
      seen += chunk
      if (!before.includes('one') && seen.includes('one')) socket.write('no HTTP at all\r\n\r\n')
    })
    socket.once('close', () => resolve())
  })
  assert.match(seen, /^HTTP\/1\.1 200 /)
  assert.doesNotMatch(seen, /HTTP\/1\.1 400|bad_request/)
})
