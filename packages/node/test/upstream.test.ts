/** Models behind other servers: passed on as they are, translated, failed over, and told apart in the receipt. */
import assert from 'node:assert/strict'
import 'reflect-metadata'
import { createServer } from 'node:https'
import { type AddressInfo, connect } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import Anthropic from '@anthropic-ai/sdk'
import { ENGINE_CLASS, MODE, STATUS } from '@assay/protocol'
import { SubjectAlternativeNameExtension, X509CertificateGenerator } from '@peculiar/x509'
import OpenAI from 'openai'
import { Agent } from 'undici'
import { EngineError } from '../src/engines/engine.ts'
import type { ProviderName, Target } from '../src/engines/upstream/providers.ts'
import { startUpstreamEngine } from '../src/engines/upstream/startUpstreamEngine.ts'
import {
  chatBody,
  MODEL,
  PATH,
  type PaidAnswer,
  PLENTY,
  paidHeaders,
  payingFetch,
  payment,
  startTestServer,
  until,
} from './harness.ts'
import {
  type Answering,
  anthropicStream,
  counted,
  delta,
  json,
  openaiStream,
  startUpstream,
} from './scriptedUpstream.ts'

const KEY = 'sk-secret-of-the-operator'
const hello = [{ role: 'user' as const, content: 'Hello' }]

/** A node in front of one scripted server per answer given, asked in this order. */
async function nodeOver(t: TestContext, provider: ProviderName, ...scripts: (Answering | 'absent')[]) {
  const upstreams = await Promise.all(
    scripts.map(async (script) => {
      const upstream = await startUpstream(script === 'absent' ? () => undefined : script)
      if (script === 'absent') await upstream.close()
      else t.after(() => upstream.close())
      return upstream
    }),
  )
  const targets = upstreams.map(({ url }): Target => ({ provider, baseUrl: url, model: 'theirs', key: KEY }))
  const engine = startUpstreamEngine({ contextLength: 2048, targets, concurrency: 4 })
  const node = await startTestServer({ engine, modes: ['bonded'] })
  t.after(async () => {
    assert.ok(!JSON.stringify(node.events).includes('secret'), 'no key is logged')
    await node.close()
    await engine.close()
  })
  const answers: PaidAnswer[] = []
  const fetch = payingFetch(node, answers)
  return {
    node,
    upstreams,
    asked: (at = 0, turn = 0) => upstreams[at]?.asked[turn] ?? assert.fail('it was not asked'),
    receipt: () => answers.at(-1)?.receipt ?? assert.fail('no answer yet'),
    wire: () => new TextDecoder().decode(answers.at(-1)?.body),
    openai: new OpenAI({ apiKey: 'unused', baseURL: `${node.url}/v1`, maxRetries: 0, fetch }),
    anthropic: new Anthropic({ apiKey: 'unused', baseURL: node.url, maxRetries: 0, fetch }),
  }
}

const chatAnswer = {
  id: 'chatcmpl-1',
  object: 'chat.completion',
  created: 1,
  model: 'theirs',
  choices: [{ index: 0, message: { role: 'assistant', content: 'Hi', odd: [1] }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 9, completion_tokens: 2, total_tokens: 11 },
}

describe('a body of the upstream’s own dialect goes on as it is', () => {
  test('whole: only the name of the model differs, and the receipt says what stands behind it', async (t) => {
    const { openai, asked, receipt, wire } = await nodeOver(t, 'openai-compatible', (_asked, response) =>
      json(response, chatAnswer),
    )
    const answer = await openai.chat.completions.create({
      model: MODEL,
      messages: hello,
      logit_bias: { 5: 1 },
      max_tokens: 5,
    })
    assert.deepEqual(asked().body, { model: 'theirs', messages: hello, logit_bias: { 5: 1 }, max_tokens: 5 })
    assert.equal(asked().path, '/v1/chat/completions')
    assert.equal(asked().headers.authorization, `Bearer ${KEY}`)
    assert.equal(wire(), JSON.stringify(chatAnswer))
    assert.equal(answer.choices[0]?.message.content, 'Hi')
    const { engineClass, mode, inputUnits, outputUnits } = receipt()
    assert.deepEqual(
      [engineClass, mode, inputUnits, outputUnits],
      [ENGINE_CLASS.unattested, MODE.bonded, 9n, 2n],
    )
  })

  test('streamed: usage is asked for, and shown only to who asked', async (t) => {
    const chunks = [delta({ role: 'assistant', content: '' }), delta({ content: 'Hi' }), delta({}, 'stop')]
    const { openai, asked, receipt, wire } = await nodeOver(t, 'openai-compatible', (_asked, response) =>
      openaiStream(response, [...chunks, counted(9, 2)]),
    )
    for (const includeUsage of [false, true]) {
      const stream = await openai.chat.completions.create({
        model: MODEL,
        messages: hello,
        stream: true,
        ...(includeUsage ? { stream_options: { include_usage: true } } : {}),
      })
      let said = ''
      let total: number | undefined
      for await (const chunk of stream) {
        said += chunk.choices[0]?.delta.content ?? ''
        total = chunk.usage?.total_tokens ?? total
      }
      assert.deepEqual([said, total], ['Hi', includeUsage ? 11 : undefined])
      assert.deepEqual(asked().body.stream_options, { include_usage: true })
      assert.match(wire(), /\n\n: assay-receipt \S+\ndata: \[DONE\]\n\n$/)
      assert.deepEqual([receipt().inputUnits, receipt().outputUnits], [9n, 2n])
    }
  })

  test('completions and embeddings', async (t) => {
    const { openai, asked, receipt } = await nodeOver(t, 'openai-compatible', ({ path }, response) =>
      path.endsWith('/embeddings')
        ? json(response, {
            object: 'list',
            model: 'theirs',
            data: [
              { object: 'embedding', index: 0, embedding: [1, 0] },
              { object: 'embedding', index: 1, embedding: [0, 1] },
            ],
            usage: { prompt_tokens: 4, total_tokens: 4 },
          })
        : json(response, { ...chatAnswer, choices: [{ index: 0, text: 'Hi', finish_reason: 'stop' }] }),
    )
    const embedded = await openai.embeddings.create({
      model: MODEL,
      input: ['a', 'b'],
      encoding_format: 'float',
    })
    assert.deepEqual(embedded.data[1]?.embedding, [0, 1])
    assert.deepEqual([receipt().inputUnits, receipt().outputUnits], [4n, 2n])
    const completed = await openai.completions.create({ model: MODEL, prompt: 'Say', echo: true })
    assert.equal(completed.choices[0]?.text, 'Hi')
    assert.equal(asked(0, 1).path, '/v1/completions')
  })

  test('Anthropic’s: thinking keeps its signature, headers go along, tokens are counted there', async (t) => {
    const events = [
      {
        type: 'message_start',
        message: {
          id: 'msg_1',
          type: 'message',
          role: 'assistant',
          model: 'theirs',
          content: [],
          stop_reason: null,
          stop_sequence: null,
          usage: {
            input_tokens: 7,
            cache_read_input_tokens: 5,
            cache_creation_input_tokens: 0,
            output_tokens: 1,
          },
        },
      },
      {
        type: 'content_block_start',
        index: 0,
        content_block: { type: 'thinking', thinking: '', signature: '' },
      },
      { type: 'content_block_delta', index: 0, delta: { type: 'thinking_delta', thinking: 'Hm.' } },
      { type: 'content_block_delta', index: 0, delta: { type: 'signature_delta', signature: 'EqQB+/=' } },
      { type: 'content_block_stop', index: 0 },
      { type: 'content_block_start', index: 1, content_block: { type: 'redacted_thinking', data: 'opaque' } },
      { type: 'content_block_stop', index: 1 },
      { type: 'content_block_start', index: 2, content_block: { type: 'text', text: '' } },
      { type: 'content_block_delta', index: 2, delta: { type: 'text_delta', text: 'Hi' } },
      { type: 'content_block_stop', index: 2 },
      {
        type: 'message_delta',
        delta: { stop_reason: 'end_turn', stop_sequence: null },
        usage: { output_tokens: 21 },
      },
      { type: 'message_stop' },
    ]
    const { anthropic, asked, receipt, wire } = await nodeOver(
      t,
      'anthropic-compatible',
      ({ path }, response) =>
        path.endsWith('/count_tokens')
          ? json(response, { input_tokens: 12 })
          : anthropicStream(response, events),
    )
    const thinking = { type: 'enabled' as const, budget_tokens: 1024 }
    const final = await anthropic.messages
      .stream(
        { model: MODEL, max_tokens: 2000, thinking, messages: hello },
        { headers: { 'anthropic-beta': 'x-1' } },
      )
      .finalMessage()
    assert.deepEqual(
      final.content.map((block) => (block.type === 'thinking' ? block.signature : block.type)),
      ['EqQB+/=', 'redacted_thinking', 'text'],
    )
    assert.deepEqual(asked().body, {
      model: 'theirs',
      max_tokens: 2000,
      thinking,
      messages: hello,
      stream: true,
    })
    assert.equal(asked().headers['x-api-key'], KEY)
    assert.equal(asked().headers['anthropic-beta'], 'x-1')
    assert.equal(asked().headers['anthropic-version'], '2026-10-21')
    assert.deepEqual([receipt().inputUnits, receipt().outputUnits], [12n, 21n])
    assert.match(wire(), /: assay-receipt \S+\nevent: message_stop\n/)
    const { input_tokens: count } = await anthropic.messages.countTokens({ model: MODEL, messages: hello })
    assert.equal(count, 12)
    assert.deepEqual(asked(0, 1).body, { model: 'theirs', messages: hello })
  })

  test('what could spend beyond the quote, or keep state elsewhere, is held back by name', async (t) => {
    const { openai, anthropic, upstreams } = await nodeOver(t, 'openai-compatible', () => undefined)
    const create = (members: object) =>
      openai.chat.completions.create({ model: MODEL, messages: hello, ...members } as never)
    for (const [members, param] of [
      [{ store: true }, 'store'],
      [{ service_tier: 'priority' }, 'service_tier'],
      [{ web_search_options: {} }, 'web_search_options'],
      [{ tools: [{ type: 'custom', custom: { name: 'x' } }] }, 'tools[0].type'],
    ] as const) {
      await assert.rejects(create(members), (error: unknown) => {
        return error instanceof OpenAI.BadRequestError && error.param === param
      })
    }
    await assert.rejects(
      anthropic.messages.countTokens({ model: MODEL, messages: hello }),
      (error: unknown) => {
        return error instanceof Anthropic.APIError && error.errorCode === 'cannot_count'
      },
    )
    assert.deepEqual(upstreams[0]?.asked, [])
  })
})

const weather = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }

describe('a client of one dialect is served by an upstream of the other', () => {
  test('Anthropic’s client, OpenAI’s server: system, thinking, two calls, results', async (t) => {
    const { anthropic, asked, receipt } = await nodeOver(t, 'openai-compatible', (_asked, response) =>
      openaiStream(response, [
        delta({ role: 'assistant', content: '' }),
        delta({ reasoning_content: 'Hm.' }),
        delta({ content: 'Let me look.' }),
        delta({ tool_calls: [{ index: 0, id: 'call_a', function: { name: 'weather', arguments: '' } }] }),
        delta({ tool_calls: [{ index: 0, function: { arguments: '{"city":' } }] }),
        delta({ tool_calls: [{ index: 0, function: { arguments: '"Paris"}' } }] }),
        delta({
          tool_calls: [
            { index: 1, id: 'call_b', function: { name: 'weather', arguments: '{"city":"Rome"}' } },
          ],
        }),
        delta({}, 'tool_calls'),
        counted(30, 17),
      ]),
    )
    const request: Anthropic.MessageCreateParamsNonStreaming = {
      model: MODEL,
      max_tokens: 100,
      system: 'Be brief.',
      tools: [{ name: 'weather', input_schema: weather as Anthropic.Tool.InputSchema, strict: true }],
      tool_choice: { type: 'any', disable_parallel_tool_use: false },
      stop_sequences: ['END'],
      messages: [
        { role: 'user', content: 'Weather?' },
        {
          role: 'assistant',
          content: [
            { type: 'text', text: 'Looking.' },
            { type: 'tool_use', id: 'call_0', name: 'weather', input: { city: 'Oslo' } },
          ],
        },
        {
          role: 'user',
          content: [
            { type: 'tool_result', tool_use_id: 'call_0', content: 'snow' },
            { type: 'text', text: 'And Paris and Rome?' },
          ],
        },
      ],
    }
    const whole = await anthropic.messages.create(request)
    const streamed = await anthropic.messages.stream(request).finalMessage()
    for (const message of [whole, streamed]) {
      assert.deepEqual(
        message.content.map((block) =>
          block.type === 'thinking'
            ? block.thinking
            : block.type === 'text'
              ? block.text
              : block.type === 'tool_use'
                ? [block.id, block.input]
                : block.type,
        ),
        ['Hm.', 'Let me look.', ['call_a', { city: 'Paris' }], ['call_b', { city: 'Rome' }]],
      )
      assert.equal(message.stop_reason, 'tool_use')
      assert.deepEqual([message.usage.input_tokens, message.usage.output_tokens], [30, 17])
    }
    assert.deepEqual([receipt().inputUnits, receipt().outputUnits], [30n, 17n])
    assert.deepEqual(asked().body, {
      model: 'theirs',
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'Weather?' },
        {
          role: 'assistant',
          content: 'Looking.',
          tool_calls: [
            { id: 'call_0', type: 'function', function: { name: 'weather', arguments: '{"city":"Oslo"}' } },
          ],
        },
        { role: 'tool', tool_call_id: 'call_0', content: 'snow' },
        { role: 'user', content: 'And Paris and Rome?' },
      ],
      stream: true,
      stream_options: { include_usage: true },
      max_tokens: 100,
      stop: ['END'],
      tools: [{ type: 'function', function: { name: 'weather', parameters: weather, strict: true } }],
      tool_choice: 'required',
      parallel_tool_calls: true,
    })
  })

  test('OpenAI’s clients, Anthropic’s server: chat and responses', async (t) => {
    const { openai, asked, receipt } = await nodeOver(t, 'anthropic-compatible', (_asked, response) =>
      anthropicStream(response, [
        { type: 'message_start', message: { usage: { input_tokens: 25, output_tokens: 1 } } },
        { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
        { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Looking.' } },
        { type: 'content_block_stop', index: 0 },
        {
          type: 'content_block_start',
          index: 1,
          content_block: { type: 'tool_use', id: 'toolu_1', name: 'weather', input: {} },
        },
        {
          type: 'content_block_delta',
          index: 1,
          delta: { type: 'input_json_delta', partial_json: '{"city":"Paris"}' },
        },
        { type: 'content_block_stop', index: 1 },
        {
          type: 'content_block_start',
          index: 2,
          content_block: { type: 'tool_use', id: 'toolu_2', name: 'clock', input: {} },
        },
        { type: 'content_block_stop', index: 2 },
        { type: 'message_delta', delta: { stop_reason: 'tool_use' }, usage: { output_tokens: 40 } },
        { type: 'message_stop' },
      ] as { type: string }[]),
    )
    const tools = [
      { type: 'function' as const, function: { name: 'weather', parameters: weather } },
      { type: 'function' as const, function: { name: 'clock' } },
    ]
    const request = {
      model: MODEL,
      max_tokens: 60,
      temperature: 0.5,
      parallel_tool_calls: false,
      tools,
      messages: [
        { role: 'system' as const, content: 'Be brief.' },
        {
          role: 'user' as const,
          content: [
            { type: 'text' as const, text: 'What is this?' },
            { type: 'image_url' as const, image_url: { url: 'data:image/png;base64,iVBORw0K' } },
          ],
        },
      ],
    }
    const whole = await openai.chat.completions.create(request)
    const streamed = await openai.chat.completions.stream(request).finalChatCompletion()
    for (const { choices } of [whole, streamed]) {
      assert.equal(choices[0]?.message.content, 'Looking.')
      assert.equal(choices[0]?.finish_reason, 'tool_calls')
      assert.deepEqual(
        choices[0]?.message.tool_calls?.map(
          (call) => call.type === 'function' && [call.id, call.function.arguments],
        ),
        [
          ['toolu_1', '{"city":"Paris"}'],
          ['toolu_2', '{}'],
        ],
      )
    }
    assert.equal(whole.usage?.total_tokens, 65)
    assert.deepEqual([receipt().inputUnits, receipt().outputUnits], [25n, 40n])
    const { tools: sentTools, ...sent } = asked().body
    assert.equal((sentTools as unknown[]).length, 2)
    assert.deepEqual(sent, {
      model: 'theirs',
      max_tokens: 60,
      stream: true,
      system: 'Be brief.',
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'What is this?' },
            { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'iVBORw0K' } },
          ],
        },
      ],
      temperature: 0.5,
      tool_choice: { type: 'auto', disable_parallel_tool_use: true },
    })
    const response = await openai.responses.create({ model: MODEL, input: 'Hello' })
    assert.equal(response.output_text, 'Looking.')
    assert.deepEqual(
      response.output.map(({ type }) => type),
      ['message', 'function_call', 'function_call'],
    )
    for (const [members, param] of [
      [{ response_format: { type: 'json_object' } }, 'response_format'],
      [{ n: 2 }, 'n'],
      [{ logprobs: true }, 'logprobs'],
      [{ seed: 1 }, 'seed'],
    ] as const) {
      await assert.rejects(
        openai.chat.completions.create({ ...request, ...members } as never),
        (error: unknown) => {
          return error instanceof OpenAI.BadRequestError && error.param === param
        },
      )
    }
  })
})

describe('when upstreams fail', () => {
  const good: Answering = (_asked, response) =>
    openaiStream(response, [delta({ role: 'assistant', content: 'Hi' }), delta({}, 'stop'), counted(3, 1)])
  const broken: [what: string, script: Answering | 'absent'][] = [
    ['is not there', 'absent'],
    ['answers 503', (_asked, response) => json(response, {}, 503)],
    ['is busy', (_asked, response) => json(response, {}, 429)],
    ['rejects the key', (_asked, response) => json(response, { error: { message: `bad ${KEY}` } }, 401)],
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
    const cases: [Answering, number, string][] = [
      [
        (_asked, response) =>
          json(response, { error: { message: 'bad temperature', param: 'temperature' } }, 400),
        400,
        'upstream_refused',
      ],
      [
        (_asked, response) => json(response, { error: { message: `no ${KEY}` } }, 401),
        502,
        'upstream_credentials',
      ],
      [(_asked, response) => json(response, {}, 429, { 'retry-after': '7' }), 429, 'upstream_busy'],
      [(_asked, response) => json(response, {}, 500), 502, 'upstream_failed'],
    ]
    for (const [script, status, code] of cases) {
      for (const stream of [true, false]) {
        const { node } = await nodeOver(t, 'openai-compatible', script)
        const headers = await paidHeaders(await payment(PLENTY))
        const response = await fetch(node.url + PATH, { method: 'POST', body: chatBody({ stream }), headers })
        const text = await response.text()
        assert.equal(response.status, status, text)
        const { error } = JSON.parse(text) as {
          error: { code: string; param: string | null; message: string }
        }
        assert.equal(error.code, code)
        assert.ok(!text.includes('secret'))
        assert.ok(response.headers.has('x-assay-receipt'), 'the claimed request has its (free) receipt')
        if (status === 400)
          assert.deepEqual([error.param, /bad temperature/.test(error.message)], ['temperature', true])
        if (status === 429) assert.equal(response.headers.get('retry-after'), '7')
      }
    }
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

test('a provider is asked at its own address, and the enclave attests a proxy to it', async (t) => {
  const upstream = await startUpstream((_asked, response) => json(response, chatAnswer))
  t.after(() => upstream.close())
  const dialled: string[] = []
  // The one thing replaced is the wire below TLS: the request and the receipt are as they would be.
  const dispatcher = new Agent({
    connect: ({ hostname, protocol }, callback) => {
      dialled.push(`${protocol}//${hostname}`)
      const socket = connect(Number(new URL(upstream.url).port), '127.0.0.1', () => callback(null, socket))
    },
  })
  t.after(() => dispatcher.close())
  const baseUrl = 'https://api.openai.com/v1'
  const targets: Target[] = [{ provider: 'openai', baseUrl, model: 'theirs', key: KEY }]
  const engine = startUpstreamEngine({ contextLength: 2048, targets, concurrency: 1, dispatcher })
  const node = await startTestServer({ engine })
  t.after(() => node.close())
  const answers: PaidAnswer[] = []
  const openai = new OpenAI({ apiKey: 'x', baseURL: `${node.url}/v1`, fetch: payingFetch(node, answers) })
  await openai.chat.completions.create({ model: MODEL, messages: hello })
  assert.deepEqual(dialled, ['https://api.openai.com'])
  const { engineClass, mode } = answers[0]?.receipt ?? assert.fail()
  assert.deepEqual([engineClass, mode], [ENGINE_CLASS.providerProxy, MODE.tee])
})

test('a provider must prove itself by the roots in the image, whatever the host sets', async (t) => {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=127.0.0.1',
    keys,
    signingAlgorithm: algorithm,
    extensions: [new SubjectAlternativeNameExtension([{ type: 'ip', value: '127.0.0.1' }])],
  })
  const pkcs8 = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64')
  const key = `-----BEGIN PRIVATE KEY-----\n${pkcs8}\n-----END PRIVATE KEY-----`
  let reached = 0
  const impostor = createServer({ key, cert: certificate.toString('pem') }, (_request, response) => {
    reached++
    response.end(JSON.stringify(chatAnswer))
  })
  await new Promise<void>((ready) => impostor.listen(0, '127.0.0.1', ready))
  t.after(() => impostor.close())
  const baseUrl = `https://127.0.0.1:${(impostor.address() as AddressInfo).port}/v1`
  const before = process.env.NODE_TLS_REJECT_UNAUTHORIZED
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
  t.after(() => {
    if (before === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED
    else process.env.NODE_TLS_REJECT_UNAUTHORIZED = before
  })
  const ask = async (provider: ProviderName): Promise<string> => {
    const targets: Target[] = [{ provider, baseUrl, model: 'theirs', key: KEY }]
    const engine = startUpstreamEngine({ contextLength: 2048, targets, concurrency: 1 })
    const fields = { messages: hello }
    const work = { kind: 'native', route: 'chat', fields, stream: false, headers: {}, maxOutput: 9 } as const
    const prepared = engine.prepare(work)
    assert.ok('run' in prepared)
    const signal = new AbortController().signal
    const outcome = await prepared.run({ signal, emit: () => undefined }).then(
      () => 'answered',
      (error: unknown) => (error instanceof EngineError ? error.code : String(error)),
    )
    await engine.close()
    return outcome
  }
  assert.equal(await ask('openai'), 'upstream_failed')
  assert.equal(reached, 0)
  // An operator's own server is the operator's own business, and its receipts say so.
  assert.equal(await ask('openai-compatible'), 'answered')
})

test('a model that only the bond stands behind cannot be asked for as attested', async (t) => {
  const { node } = await nodeOver(t, 'openai-compatible', (_asked, response) => json(response, chatAnswer))
  for (const [mode, status] of [
    ['tee', 400],
    ['bonded', 200],
    ['auto', 200],
  ] as const) {
    const headers = await paidHeaders(await payment(PLENTY), { 'x-assay-verification': mode })
    const response = await fetch(node.url + PATH, { method: 'POST', body: chatBody(), headers })
    const text = await response.text()
    assert.equal(response.status, status, text)
    if (status === 400) assert.match(text, /auto, bonded/)
    else assert.equal(response.headers.get('x-assay-verification'), 'bonded')
  }
})
