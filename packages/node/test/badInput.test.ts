import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { after, before, describe, test } from 'node:test'
import {
  chatBody,
  GATEWAY,
  MODEL,
  OPERATOR,
  PATH,
  PLENTY,
  paidHeaders,
  payment,
  startTestServer,
  type TestServer,
} from './harness.ts'

type Row = [what: string, members: Record<string, unknown>, param: string | null, code: string]

const user = (content: unknown) => ({ messages: [{ role: 'user', content }] })
const tool = (definition: Record<string, unknown>) => ({ type: 'function', function: definition })

const BODIES: Row[] = [
  ['unknown model', { model: 'gpt-9' }, 'model', 'model_not_found'],
  ['model of a wrong type', { model: 5 }, 'model', 'invalid_model'],
  ['stream of a wrong type', { stream: 'yes' }, 'stream', 'invalid_type'],
  ['negative max_tokens', { max_tokens: -1 }, 'max_tokens', 'invalid_value'],
  ['zero max_tokens', { max_tokens: 0 }, 'max_tokens', 'invalid_value'],
  ['broken max_tokens', { max_completion_tokens: 1.5 }, 'max_completion_tokens', 'invalid_value'],
  ['no messages', { messages: undefined }, 'messages', 'invalid_type'],
  ['empty messages', { messages: [] }, 'messages', 'invalid_value'],
  [
    'too many messages',
    { messages: Array(513).fill({ role: 'user', content: 'a' }) },
    'messages',
    'invalid_value',
  ],
  ['a message that is text', { messages: ['hello'] }, 'messages[0]', 'invalid_type'],
  [
    'an unknown role',
    { messages: [{ role: 'narrator', content: 'a' }] },
    'messages[0].role',
    'invalid_value',
  ],
  [
    'a result without a call',
    { messages: [{ role: 'tool', content: 'a' }] },
    'messages[0].tool_call_id',
    'invalid_type',
  ],
  ['content of a wrong type', user(7), 'messages[0].content', 'invalid_type'],
  ['content missing', { messages: [{ role: 'user' }] }, 'messages[0].content', 'invalid_type'],
  [
    'a picture',
    user([{ type: 'image_url', image_url: {} }]),
    'messages[0].content[0].type',
    'unsupported_parameter',
  ],
  [
    'too many parts',
    user(Array(65).fill({ type: 'text', text: 'a' })),
    'messages[0].content',
    'invalid_value',
  ],
  ['a lone surrogate', user('\ud800'), 'messages[0].content', 'invalid_value'],
  [
    'a name',
    { messages: [{ role: 'user', content: 'a', name: 'Al' }] },
    'messages[0].name',
    'unsupported_parameter',
  ],
  ['an answer to continue', { messages: [{ role: 'assistant', content: 'a' }] }, 'messages', 'invalid_value'],
  ['temperature too high', { temperature: 2.1 }, 'temperature', 'invalid_value'],
  ['temperature as text', { temperature: '1' }, 'temperature', 'invalid_type'],
  ['top_p too high', { top_p: 1.1 }, 'top_p', 'invalid_value'],
  ['a broken seed', { seed: 0.5 }, 'seed', 'invalid_value'],
  ['a penalty too low', { presence_penalty: -3 }, 'presence_penalty', 'invalid_value'],
  ['too many stops', { stop: ['a', 'b', 'c', 'd', 'e'] }, 'stop', 'invalid_value'],
  ['an empty stop', { stop: ['a', ''] }, 'stop[1]', 'invalid_value'],
  ['a long stop', { stop: 'a'.repeat(257) }, 'stop', 'invalid_value'],
  ['stream_options without stream', { stream_options: {} }, 'stream_options', 'invalid_value'],
  [
    'include_usage of a wrong type',
    { stream: true, stream_options: { include_usage: 1 } },
    'stream_options.include_usage',
    'invalid_type',
  ],
  [
    'unknown stream option',
    { stream: true, stream_options: { x: 1 } },
    'stream_options.x',
    'unknown_parameter',
  ],
  ['n of nine', { n: 9 }, 'n', 'invalid_value'],
  ['a tool that is no function', { tools: [{ type: 'web_search' }] }, 'tools[0].type', 'unsupported_value'],
  ['a tool without a name', { tools: [tool({})] }, 'tools[0].function.name', 'invalid_type'],
  ['a tool with a bad name', { tools: [tool({ name: 'a b' })] }, 'tools[0].function.name', 'invalid_value'],
  ['two tools of one name', { tools: [tool({ name: 'a' }), tool({ name: 'a' })] }, 'tools', 'invalid_value'],
  ['tool_choice without tools', { tool_choice: 'required' }, 'tool_choice', 'invalid_value'],
  [
    'tool_choice of another tool',
    { tools: [tool({ name: 'a' })], tool_choice: { type: 'function', function: { name: 'b' } } },
    'tool_choice',
    'invalid_value',
  ],
  [
    'a member beside the function of tool_choice',
    {
      tools: [tool({ name: 'a' })],
      tool_choice: { type: 'function', function: { name: 'a' }, mode: 'auto' },
    },
    'tool_choice.mode',
    'unknown_parameter',
  ],
  [
    'a member beside its name',
    {
      tools: [tool({ name: 'a' })],
      tool_choice: { type: 'function', function: { name: 'a', strict: true } },
    },
    'tool_choice.function.strict',
    'unknown_parameter',
  ],
  [
    'an answer that is a refusal too',
    {
      messages: [
        { role: 'assistant', content: 'a', refusal: 'b' },
        { role: 'user', content: 'c' },
      ],
    },
    'messages[0].refusal',
    'invalid_value',
  ],
  ['functions', { functions: [{}] }, 'functions', 'unsupported_value'],
  ['top_logprobs alone', { top_logprobs: 3 }, 'top_logprobs', 'invalid_value'],
  ['top_logprobs too many', { logprobs: true, top_logprobs: 21 }, 'top_logprobs', 'invalid_value'],
  ['logit_bias', { logit_bias: { 5: 1 } }, 'logit_bias', 'unsupported_value'],
  ['another format', { response_format: { type: 'xml' } }, 'response_format.type', 'unsupported_value'],
  [
    'a schema without a name',
    { response_format: { type: 'json_schema', json_schema: { schema: {} } } },
    'response_format.json_schema.name',
    'invalid_type',
  ],
  ['audio', { modalities: ['text', 'audio'] }, 'modalities', 'unsupported_value'],
  ['a member nobody knows', { temprature: 1 }, 'temprature', 'unsupported_parameter'],
  ['a member named like a prototype', { constructor: 1 }, 'constructor', 'unsupported_parameter'],
  ['more than the context', user('word '.repeat(2100)), 'messages', 'context_length_exceeded'],
]

describe('bad input gets the dialect’s error, by name', () => {
  let node: TestServer
  before(async () => {
    node = await startTestServer()
  })
  after(async () => {
    // Whatever came in, the process answers and holds nothing.
    assert.equal((await fetch(`${node.url}/health`)).status, 200)
    assert.deepEqual(node.queue.state(), { running: 0, waiting: 0, limit: 5 })
    assert.deepEqual(
      node.events.filter(({ event }) => !['receipt', 'refused', 'refusals_unlogged'].includes(event)),
      [],
      'nothing failed inside',
    )
    await node.close()
  })

  const post = async (
    body: string | Uint8Array<ArrayBuffer>,
    headers: Record<string, string>,
    path = PATH,
  ) => {
    const response = await fetch(node.url + path, { method: 'POST', body, headers })
    const json = (await response.json()) as {
      error: { message: string; type: string; code: string; param: string | null }
    }
    return { status: response.status, ...json, receipt: response.headers.get('x-assay-receipt') }
  }

  for (const [what, members, param, code] of BODIES) {
    test(what, async () => {
      const found = await post(chatBody(members), await paidHeaders(await payment(PLENTY)))
      assert.equal(found.status, code === 'model_not_found' ? 404 : 400)
      assert.deepEqual(
        [found.error.type, found.error.param, found.error.code],
        ['invalid_request_error', param, code],
      )
      assert.ok(found.error.message.length > 10)
      assert.equal(found.receipt, null, 'nothing is signed, so nothing is charged')
    })
  }

  test('bodies that are no JSON object', async () => {
    for (const [body, code] of [
      ['{"model":', 'invalid_json'],
      ['', 'invalid_json'],
      ['[]', 'invalid_body'],
      ['null', 'invalid_body'],
      ['['.repeat(500_000), 'invalid_json'],
    ] as const) {
      const found = await post(body, await paidHeaders(await payment(PLENTY)))
      assert.deepEqual([found.status, found.error.code], [400, code])
    }
    const found = await post(new Uint8Array([0x7b, 0xff, 0x7d]), await paidHeaders(await payment(PLENTY)))
    assert.equal(found.error.code, 'invalid_json', 'not UTF-8')
  })

  test('deep nesting neither overflows nor passes', async () => {
    const deep = `{"model":"${MODEL}","messages":${'['.repeat(100_000)}${']'.repeat(100_000)}}`
    const found = await post(deep, await paidHeaders(await payment(PLENTY)))
    assert.equal(found.status, 400)
    // An answer of this dialect repeats its request: what cannot be written again must not be worked for first.
    const nested = `${'{"a":'.repeat(6_000)}1${'}'.repeat(6_000)}`
    const response = await fetch(`${node.url}/v1/responses`, {
      method: 'POST',
      body: `{"model":"${MODEL}","input":"Hi","metadata":${nested}}`,
      headers: await paidHeaders(await payment(PLENTY)),
    })
    assert.deepEqual(
      [response.status, ((await response.json()) as { error: { code: string } }).error.code],
      [400, 'invalid_body'],
    )
  })

  test('what is too long is named as its dialect calls it', async () => {
    const long = 'word '.repeat(3_000)
    for (const [path, member] of [
      ['/v1/chat/completions', { messages: [{ role: 'user', content: long }] }],
      ['/v1/responses', { input: long }],
      ['/v1/completions', { prompt: long }],
      ['/v1/embeddings', { input: long }],
    ] as const) {
      const response = await fetch(node.url + path, {
        method: 'POST',
        body: JSON.stringify({ model: MODEL, ...member }),
        headers: await paidHeaders(await payment(PLENTY)),
      })
      const { error } = (await response.json()) as { error: { code: string; param: string } }
      assert.deepEqual([error.code, [error.param]], ['context_length_exceeded', Object.keys(member)], path)
    }
  })

  test('a body of 50 MB is refused with 413', async () => {
    const huge = `{"model":"${MODEL}","user":"${'x'.repeat(50 * 1024 * 1024)}"}`
    const headers = await paidHeaders(await payment(PLENTY))
    // A server that stops reading may cut the connection before the client has read the answer.
    const found = await post(huge, headers).catch(() => undefined)
    if (found !== undefined) assert.deepEqual([found.status, found.error.code], [413, 'body_too_large'])
    const over = await post(`"${'x'.repeat(4 * 1024 * 1024)}"`, headers)
    assert.deepEqual([over.status, over.error.code], [413, 'body_too_large'])
  })

  const HEADERS: [Record<string, string | undefined>, number, string][] = [
    [{ 'content-encoding': 'gzip' }, 415, 'unsupported_encoding'],
    [{ 'content-type': 'text/plain' }, 415, 'unsupported_media_type'],
    [{ 'x-assay-verification': 'zk' }, 400, 'unsupported_mode'],
    [{ 'x-assay-verification': 'anything' }, 400, 'unsupported_mode'],
    [{ 'x-assay-settlement': 'private' }, 400, 'unsupported_settlement'],
    [{ 'x-assay-value-at-risk': '-1' }, 400, 'invalid_value_at_risk'],
    [{ 'x-assay-value-at-risk': '1e9' }, 400, 'invalid_value_at_risk'],
    [{ 'x-assay-value-at-risk': '1000000001' }, 400, 'invalid_value_at_risk'],
    [{ 'assay-committer': undefined }, 400, 'missing_committer'],
    [{ 'assay-committer': '0x12' }, 400, 'missing_committer'],
    [{ 'assay-committer': OPERATOR }, 400, 'unknown_committer'],
    [{ 'payment-signature': undefined }, 402, 'payment_required'],
    [{ 'payment-signature': 'e30=' }, 402, 'payment_version'],
    [{ 'payment-signature': '!' }, 402, 'payment_malformed'],
  ]
  for (const [change, status, code] of HEADERS) {
    test(`headers ${JSON.stringify(change)}`, async () => {
      const found = await post(chatBody(), await paidHeaders(await payment(PLENTY), change))
      assert.deepEqual([found.status, found.error.code], [status, code])
      if (code === 'unsupported_mode') assert.match(found.error.message, /auto, tee/)
    })
  }

  test('a payment that is too small, or to another till, or not collectable', async () => {
    const small = await post(chatBody(), await paidHeaders(await payment(1000n)))
    assert.deepEqual([small.status, small.error.code], [402, 'payment_amount'])
    const elsewhere = await post(chatBody(), await paidHeaders(await payment(PLENTY, undefined, GATEWAY)))
    assert.deepEqual([elsewhere.status, elsewhere.error.code], [402, 'payment_recipient'])
    node.state.uncollectable = 'the payer has nothing'
    const poor = await post(chatBody(), await paidHeaders(await payment(PLENTY)))
    node.state.uncollectable = ''
    assert.deepEqual([poor.status, poor.error.code], [402, 'payment_uncollectable'])
  })

  test('other paths and methods', async () => {
    assert.equal((await fetch(`${node.url}/v1/nothing`)).status, 404)
    assert.equal((await fetch(`${node.url}${PATH}`)).status, 404)
    for (const id of ['0x00', "'; DROP TABLE receipts", `0x${'00'.repeat(32)}`]) {
      const found = await fetch(`${node.url}/v1/receipts/${encodeURIComponent(id)}`)
      assert.equal(found.status, 404)
    }
  })

  test('slow-loris: a request that never arrives is cut off', async (t) => {
    // A server of its own: whatever else is asked here may take longer on a machine that has others to serve.
    const hurried = await startTestServer({ requestTimeoutMs: 1_000 })
    t.after(() => hurried.close())
    const { port } = new URL(hurried.url)
    const socket = connect(Number(port), '127.0.0.1')
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
    socket.on('error', () => undefined)
    socket.resume()
    socket.write(
      `POST ${PATH} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{`,
    )
    await closed
  })
})

test('the whole surface answers 503 until the key is admitted', async () => {
  let admitted = false
  const node = await startTestServer({ keyValid: () => admitted })
  const health = await fetch(`${node.url}/health`)
  assert.equal(health.status, 503)
  assert.equal(((await health.json()) as { status: string }).status, 'key_pending')
  const refused = await fetch(node.url + PATH, {
    method: 'POST',
    body: chatBody(),
    headers: await paidHeaders(await payment(PLENTY)),
  })
  assert.equal(refused.status, 503)
  admitted = true
  const found = (await (await fetch(`${node.url}/health`)).json()) as Record<string, unknown>
  assert.deepEqual(
    [found.operator, found.key, found.hardware, found.simulated, found.queue],
    [OPERATOR, node.enclave.key, 'nitro-sim', true, { running: 0, waiting: 0, limit: 5 }],
  )
  assert.deepEqual((found.models as { paths: string[] }[])[0]?.paths, [
    ...['/v1/chat/completions', '/v1/responses', '/v1/messages', '/v1/completions', '/v1/embeddings'],
  ])
  await node.close()
})
