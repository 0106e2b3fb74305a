/** Upstreams that fail: passed over, told apart, and paid for what they gave. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import Anthropic from '@anthropic-ai/sdk'
import { STATUS } from '@assay/protocol'
import OpenAI from 'openai'
import { until } from '../../../test/until.ts'
import { chatBody, MODEL, PATH, PLENTY, paidHeaders, payment } from './harness.ts'
import { type Answering, counted, delta, json, openaiStream } from './scriptedUpstream.ts'
import { chatAnswer, hello, KEY, nodeOver } from './upstreamNode.ts'

const GEMINI_KEY = [
  {
    error: {
      code: 400,
      message: 'API key not valid. Please pass a valid API key.',
      status: 'INVALID_ARGUMENT',
      details: [{ reason: 'API_KEY_INVALID' }],
    },
  },
]
const XAI_KEY = {
  code: 'Client specified an invalid argument',
  error: `Incorrect API key provided: ${KEY}. You can obtain an API key from https://console.x.ai.`,
}

const refusing =
  (status: number, error: object): Answering =>
  (_asked, response) =>
    json(response, { error }, status)
/** Of Anthropic's API, with status 400. */
const NO_MONEY =
  'Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits.'

describe('when upstreams fail', () => {
  const good: Answering = (_asked, response) =>
    openaiStream(response, [delta({ role: 'assistant', content: 'Hi' }), delta({}, 'stop'), counted(3, 1)])
  const broken: [what: string, script: Answering | 'absent'][] = [
    ['is not there', 'absent'],
    ['answers 503', (_asked, response) => json(response, {}, 503)],
    ['is busy', (_asked, response) => json(response, {}, 429)],
    ['rejects the key', (_asked, response) => json(response, { error: { message: `bad ${KEY}` } }, 401)],
    // Gemini's and xAI's words for a key that they do not know, under the status of a bad request.
    ['says with 400 that the key is not valid', (_asked, response) => json(response, GEMINI_KEY, 400)],
    ['quotes the key with 400', (_asked, response) => json(response, XAI_KEY, 400)],
    ['quotes the key with 422', refusing(422, { message: `Authentication Error: received ${KEY}` })],
    ['says with 400 that the operator has no money there', refusing(400, { message: NO_MONEY })],
    [
      'breaks off before the first event',
      (_asked, response) => {
        response.writeHead(200).flushHeaders()
        response.destroy()
      },
    ],
    ['talks nonsense', (_asked, response) => void response.writeHead(200).end('data: {{{\n\n')],
  ]
  for (const [what, script] of broken) {
    test(`one that ${what} is passed over before the first byte, and rests`, async (t) => {
      const { openai, upstreams } = await nodeOver(t, 'openai-compatible', script, good)
      for (let turn = 0; turn < 2; turn++) {
        const final = await openai.chat.completions
          .stream({ model: MODEL, messages: hello })
          .finalChatCompletion()
        assert.equal(final.choices[0]?.message.content, 'Hi')
      }
      if (script !== 'absent')
        assert.equal(upstreams[0]?.asked.length, 1, 'the second request went straight on')
    })
  }

  test('an error under status 200 is a failure, not an answer', async (t) => {
    const failing: Answering = (_asked, response) => json(response, { error: { message: 'overloaded' } })
    const { openai, receipt } = await nodeOver(t, 'openai-compatible', failing, (_asked, response) =>
      json(response, chatAnswer),
    )
    const answer = await openai.chat.completions.create({ model: MODEL, messages: hello })
    assert.equal(answer.choices[0]?.message.content, 'Hi')
    const alone = await nodeOver(t, 'openai-compatible', failing)
    await assert.rejects(
      alone.openai.chat.completions.create({ model: MODEL, messages: hello }),
      (error: unknown) => error instanceof OpenAI.APIError && error.code === 'upstream_failed',
    )
    assert.deepEqual([receipt().status, alone.receipt().status], [STATUS.complete, STATUS.failed])
  })

  test('a stream without its end mark is whole where every choice said why it stopped, and only there', async (t) => {
    const unmarked =
      (chunks: object[]): Answering =>
      (_asked, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        response.end(chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join(''))
      }
    const read = async (chunks: object[]) => {
      const { openai, receipt } = await nodeOver(t, 'openai-compatible', unmarked(chunks))
      const answer = openai.chat.completions.stream({ model: MODEL, messages: hello })
      const end = await answer.finalChatCompletion().catch((error: unknown) => error)
      return { end, status: receipt().status, outputUnits: receipt().outputUnits }
    }
    const whole = await read([delta({ role: 'assistant', content: 'Hi' }), delta({}, 'stop'), counted(3, 7)])
    assert.ok(!(whole.end instanceof Error), String(whole.end))
    assert.deepEqual([whole.status, whole.outputUnits], [STATUS.complete, 7n])
    const cut = await read([delta({ role: 'assistant', content: 'Hi' })])
    assert.ok(cut.end instanceof OpenAI.APIError)
    assert.equal(cut.status, STATUS.failed)
  })

  test('after the first byte it is an error in the dialect, failed and free', async (t) => {
    const breaking: Answering = (_asked, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(`data: ${JSON.stringify(delta({ content: 'Hi' }))}\n\n`, () => response.destroy())
    }
    const { openai, anthropic, receipt, upstreams } = await nodeOver(t, 'openai-compatible', breaking, good)
    const stream = await openai.chat.completions.create({ model: MODEL, messages: hello, stream: true })
    let said = ''
    await assert.rejects(
      async () => {
        for await (const chunk of stream) said += chunk.choices[0]?.delta.content ?? ''
      },
      (error: unknown) => error instanceof OpenAI.APIError && error.code === 'upstream_failed',
    )
    assert.equal(said, 'Hi')
    assert.deepEqual([receipt().status, receipt().price], [STATUS.failed, 0n])
    assert.equal(upstreams[1]?.asked.length, 0)
    await assert.rejects(
      anthropic.messages.stream({ model: MODEL, max_tokens: 9, messages: hello }).finalMessage(),
      (error: unknown) =>
        error instanceof Anthropic.APIError && /middle|broke off|upstream/.test(error.message),
    )
    assert.deepEqual([receipt().status, receipt().price], [STATUS.failed, 0n])
  })

  test('where none is left, a status and a code tell why, and nothing of the operator’s', async (t) => {
    const cases: [Answering, number, string, param?: string][] = [
      [
        (_asked, response) =>
          json(response, { error: { message: 'bad temperature', param: 'temperature' } }, 400),
        400,
        'upstream_refused',
        'temperature',
      ],
      [
        (_asked, response) => json(response, { code: 'invalid', error: 'bad temperature' }, 400),
        400,
        'upstream_refused',
      ],
      [(_asked, response) => json(response, XAI_KEY, 400), 502, 'upstream_credentials'],
      // Wherever it is quoted, and however late.
      [refusing(400, { message: `Error: received ${KEY}` }), 502, 'upstream_credentials'],
      [refusing(400, { message: `${'x'.repeat(490)}${KEY}` }), 502, 'upstream_credentials'],
      [refusing(404, { message: 'no', param: KEY }), 502, 'upstream_credentials'],
      [refusing(400, { message: NO_MONEY }), 502, 'upstream_credentials'],
      // A client's own words, quoted, tell nothing of the operator.
      [refusing(400, { message: `bad temperature: ${NO_MONEY}` }), 400, 'upstream_refused'],
      [
        (_asked, response) => json(response, { error: { message: `no ${KEY}` } }, 401),
        502,
        'upstream_credentials',
      ],
      [(_asked, response) => json(response, {}, 429, { 'retry-after': '7' }), 429, 'upstream_busy'],
      [(_asked, response) => json(response, {}, 500), 502, 'upstream_failed'],
    ]
    for (const [script, status, code, param] of cases) {
      for (const stream of [true, false]) {
        const { node } = await nodeOver(t, 'openai-compatible', script)
        const headers = await paidHeaders(await payment(PLENTY))
        const response = await fetch(node.url + PATH, { method: 'POST', body: chatBody({ stream }), headers })
        const text = await response.text()
        assert.equal(response.status, status, text)
        const { error } = JSON.parse(text) as {
          error: { code: string; param: string | null; message: string }
        }
        assert.deepEqual([error.code, error.param], [code, param ?? null])
        assert.ok(!text.includes('secret'))
        assert.ok(response.headers.has('x-assay-receipt'), 'the claimed request has its (free) receipt')
        if (status === 400) assert.match(error.message, /bad temperature/)
        if (status === 429) assert.equal(response.headers.get('retry-after'), '7')
      }
    }
  })

  test('an answer that cannot be written has its (free) receipt all the same', async (t) => {
    // Arguments of a call nested deeper than V8 writes: a model can be talked into it.
    const deep = `{"a":${'['.repeat(6_000)}${']'.repeat(6_000)}}`
    const { anthropic, receipt } = await nodeOver(t, 'openai-compatible', (_asked, response) =>
      openaiStream(response, [
        delta({ tool_calls: [{ index: 0, id: 'call_a', function: { name: 'f', arguments: deep } }] }),
        delta({}, 'tool_calls'),
        counted(3, 1),
      ]),
    )
    await assert.rejects(
      anthropic.messages.create({ model: MODEL, max_tokens: 9, messages: hello }),
      (error: unknown) => error instanceof Anthropic.InternalServerError,
    )
    assert.deepEqual([receipt().status, receipt().price], [STATUS.failed, 0n])
  })

  test('a client that leaves ends the upstream’s work too, and pays for what it was sent', async (t) => {
    const { node, upstreams } = await nodeOver(t, 'openai-compatible', (_asked, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      for (const word of ['one', ' two'])
        response.write(`data: ${JSON.stringify(delta({ content: word }))}\n\n`)
    })
    const paid = await payment(PLENTY)
    const leave = new AbortController()
    const response = await fetch(node.url + PATH, {
      method: 'POST',
      body: chatBody({ stream: true }),
      headers: await paidHeaders(paid),
      signal: leave.signal,
    })
    const reader = response.body?.getReader()
    let seen = ''
    while (!seen.includes(' two')) seen += new TextDecoder().decode((await reader?.read())?.value)
    leave.abort()
    await upstreams[0]?.left
    await until(() => node.receipts.find(paid.requestId) !== undefined)
    const receipt = node.receipts.find(paid.requestId)?.receipt
    assert.equal(receipt?.status, STATUS.cancelled)
    assert.equal(receipt?.outputUnits, 2n)
    assert.ok((receipt?.price ?? 0n) > 0n)
  })
})
