/** Models behind other servers: bodies of their own dialect are passed on as they are. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import Anthropic from '@anthropic-ai/sdk'
import { ENGINE_CLASS, MODE } from '@assay/protocol'
import OpenAI from 'openai'
import type { Target } from '../src/engines/upstream/providers.ts'
import { startUpstreamEngine } from '../src/engines/upstream/startUpstreamEngine.ts'
import { MODEL, payingFetch, startTestServer } from './harness.ts'
import {
  type Answering,
  anthropicStream,
  counted,
  delta,
  json,
  openaiStream,
  startUpstream,
} from './scriptedUpstream.ts'
import { chatAnswer, hello, KEY, nodeOver, nodeWith } from './upstreamNode.ts'

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

  test('whole and without usage: it is charged by its length, not given away', async (t) => {
    const { usage: _, ...uncounted } = chatAnswer
    const { openai, receipt } = await nodeOver(t, 'openai-compatible', (_asked, response) =>
      json(response, uncounted),
    )
    await openai.chat.completions.create({ model: MODEL, messages: hello })
    assert.equal(receipt().outputUnits, 1n)
    assert.ok(receipt().inputUnits > 0n && receipt().price > 0n)
    const { anthropic, receipt: other } = await nodeOver(t, 'anthropic-compatible', (_asked, response) =>
      json(response, { type: 'message', content: [{ type: 'text', text: 'Good evening' }] }),
    )
    await anthropic.messages.create({ model: MODEL, max_tokens: 2, messages: hello })
    assert.equal(other().outputUnits, 2n, 'three by its length, and no more than was quoted')
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

  test('streamed: the upstream’s figure is charged, not the events around the one token', async (t) => {
    const { openai, receipt } = await nodeOver(t, 'openai-compatible', (_asked, response) =>
      openaiStream(response, [
        delta({ role: 'assistant', content: '' }),
        delta({ content: 'Yes' }),
        delta({}, 'stop'),
        counted(9, 1),
      ]),
    )
    await openai.chat.completions.stream({ model: MODEL, messages: hello }).finalChatCompletion()
    assert.deepEqual([receipt().inputUnits, receipt().outputUnits], [9n, 1n])
  })

  test('an event over several lines stays one, and none of its lines becomes a comment', async (t) => {
    const { openai, receipt, wire } = await nodeOver(t, 'openai-compatible', (_asked, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      const lines = JSON.stringify(delta({ content: 'Hi' }), null, 1)
        .replaceAll('":', '"\n:')
        .split('\n')
      response.write(`${lines.map((line) => `data: ${line}\n`).join('')}\n`)
      for (const chunk of [delta({}, 'stop'), counted(9, 2)])
        response.write(`data: ${JSON.stringify(chunk)}\n\n`)
      response.end('data: [DONE]\n\n')
    })
    const stream = await openai.chat.completions.create({ model: MODEL, messages: hello, stream: true })
    let said = ''
    for await (const chunk of stream) said += chunk.choices[0]?.delta.content ?? ''
    assert.equal(said, 'Hi')
    assert.equal(receipt().outputUnits, 2n)
    for (const line of wire().split('\n')) assert.match(line, /^(?:|data: .*|: assay-receipt \S+)$/)
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
        { headers: { 'anthropic-beta': 'interleaved-thinking-2025-05-14' } },
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
    assert.equal(asked().headers['anthropic-beta'], 'interleaved-thinking-2025-05-14')
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

  test('what its server would drop is refused by name, in every dialect, unless it asks for nothing', async (t) => {
    const ignores = ['n', 'tool_choice', 'logit_bias']
    const provider = 'openai-compatible'
    const { openai, anthropic, upstreams } = await nodeWith(t, { provider, ignores }, (_asked, response) =>
      json(response, chatAnswer),
    )
    const chat = (members: object) =>
      openai.chat.completions.create({ model: MODEL, messages: hello, ...members } as never)
    for (const [members, param] of [
      [{ n: 2 }, 'n'],
      [{ logit_bias: { 5: 1 } }, 'logit_bias'],
      [{ tool_choice: 'required', tools: [] }, 'tool_choice'],
    ] as const) {
      await assert.rejects(
        chat(members),
        (error) => error instanceof OpenAI.BadRequestError && error.param === param,
      )
    }
    const tools = [{ name: 'f', input_schema: { type: 'object' as const } }]
    const message = anthropic.messages.create({
      ...{ model: MODEL, max_tokens: 9, messages: hello },
      ...{ tools, tool_choice: { type: 'any' } },
    })
    await assert.rejects(
      message,
      (error) => error instanceof Anthropic.APIError && /tool_choice/.test(error.message),
    )
    assert.deepEqual(upstreams[0]?.asked, [])
    await chat({ n: 1, tool_choice: 'auto', logit_bias: {} })
    assert.equal(upstreams[0]?.asked.length, 1)
  })

  test('what lies elsewhere than in the request is not fetched: its size is in no quote', async (t) => {
    const answering: Answering = (_asked, response) => json(response, chatAnswer)
    const openai = await nodeOver(t, 'openai-compatible', answering)
    const anthropic = await nodeOver(t, 'anthropic-compatible', answering)
    const place = 'messages[0].content'
    for (const [part, param] of [
      [{ type: 'image_url', image_url: { url: 'http://10.0.0.1/a.png' } }, '[0].image_url'],
      [{ type: 'image_url', image_url: 'https://example.org/a.png' }, '[0].image_url'],
      [{ type: 'video_url', video_url: { url: 'https://example.org/a.mp4' } }, '[0].video_url'],
      [{ type: 'file', file: { file_id: 'file-1' } }, '[0].file'],
    ] as const) {
      const create = openai.openai.chat.completions.create({
        model: MODEL,
        messages: [{ role: 'user', content: [part] }],
      } as never)
      await assert.rejects(create, (error: unknown) => {
        return error instanceof OpenAI.BadRequestError && error.param === place + param
      })
    }
    const far = { type: 'url', url: 'https://example.org/a.pdf' }
    for (const [block, param] of [
      [{ type: 'image', source: far }, '[0].source'],
      [{ type: 'document', source: { type: 'file', file_id: 'file_1' } }, '[0].source'],
      [{ type: 'container_upload', file_id: 'file_1' }, '[0].type'],
      [
        { type: 'tool_result', tool_use_id: 'a', content: [{ type: 'document', source: far }] },
        '[0].content[0].source',
      ],
      [
        { type: 'document', source: { type: 'content', content: [{ type: 'image', source: far }] } },
        '[0].source.content[0].source',
      ],
    ] as const) {
      const messages = [{ role: 'user', content: [block] }]
      const create = anthropic.anthropic.messages.create({ model: MODEL, max_tokens: 9, messages } as never)
      await assert.rejects(create, (error: unknown) => {
        return error instanceof Anthropic.BadRequestError && error.message.includes(place + param)
      })
    }
    assert.deepEqual([openai.upstreams[0]?.asked, anthropic.upstreams[0]?.asked], [[], []])
  })

  test('pictures and documents inside the request go on, and what a call was given is not read', async (t) => {
    const { openai, asked } = await nodeOver(t, 'openai-compatible', (_asked, response) =>
      json(response, chatAnswer),
    )
    const content = [
      { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0K', detail: 'low' } },
      { type: 'file', file: { filename: 'a.pdf', file_data: 'data:application/pdf;base64,JVBERi0x' } },
      { type: 'input_audio', input_audio: { data: 'UklGRg==', format: 'wav' } },
    ]
    await openai.chat.completions.create({ model: MODEL, messages: [{ role: 'user', content }] } as never)
    assert.deepEqual(asked().body.messages, [{ role: 'user', content }])
    const other = await nodeOver(t, 'anthropic-compatible', (_asked, response) =>
      json(response, { type: 'message', content: [], usage: { input_tokens: 1, output_tokens: 1 } }),
    )
    const source = { type: 'base64', media_type: 'application/pdf', data: 'JVBERi0x' }
    const input = { source: { type: 'url', url: 'https://example.org' } }
    const messages = [
      { role: 'user', content: [{ type: 'document', source }] },
      { role: 'assistant', content: [{ type: 'tool_use', id: 'a', name: 'f', input }] },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'a', content: 'done' }] },
    ]
    await other.anthropic.messages.create({ model: MODEL, max_tokens: 9, messages } as never)
    assert.deepEqual(other.asked().body.messages, messages)
  })

  test('what makes Anthropic’s tokens dearer is refused by name, unless the operator has priced it in', async (t) => {
    const upstream = await startUpstream((_asked, response) =>
      json(response, { type: 'message', content: [], usage: { input_tokens: 1, output_tokens: 1 } }),
    )
    t.after(() => upstream.close())
    const nodeWith = async (betas?: string[]) => {
      const targets: Target[] = [
        { provider: 'anthropic-compatible', baseUrl: upstream.url, model: 'theirs', key: KEY },
      ]
      const engine = startUpstreamEngine({ contextLength: 2048, targets, concurrency: 4, betas })
      const node = await startTestServer({ engine, modes: ['bonded'] })
      t.after(() => node.close())
      const client = new Anthropic({
        apiKey: 'unused',
        baseURL: node.url,
        maxRetries: 0,
        fetch: payingFetch(node, []),
      })
      return (members: object, beta?: string) =>
        client.messages.create({ model: MODEL, max_tokens: 9, messages: hello, ...members } as never, {
          headers: beta === undefined ? {} : { 'anthropic-beta': beta },
        })
    }
    const hour = { cache_control: { type: 'ephemeral', ttl: '1h' } }
    const text = { type: 'text', text: 'a' }
    const result = { type: 'tool_result', tool_use_id: 'a', content: [{ ...text, ...hour }] }
    const dear: [members: object, beta: string | undefined, param: string][] = [
      [{}, 'context-1m-2025-08-07', 'anthropic-beta'],
      [{}, 'interleaved-thinking-2025-05-14,compact-2026-01-12', 'anthropic-beta'],
      [{}, 'not-known-2099-01-01', 'anthropic-beta'],
      [hour, undefined, '`cache_control.ttl'],
      [{ system: [{ ...text, ...hour }] }, undefined, 'system[0].cache_control.ttl'],
      [{ tools: [{ name: 'f', input_schema: {}, ...hour }] }, undefined, 'tools[0].cache_control.ttl'],
      [
        { messages: [{ role: 'user', content: [text, { ...text, ...hour }] }] },
        undefined,
        'messages[0].content[1].cache_control.ttl',
      ],
      [
        { messages: [{ role: 'user', content: [result] }] },
        undefined,
        'messages[0].content[0].content[0].cache_control.ttl',
      ],
    ]
    const ask = await nodeWith()
    for (const [members, beta, param] of dear) {
      await assert.rejects(ask(members, beta), (error: unknown) => {
        return error instanceof Anthropic.BadRequestError && error.message.includes(param)
      })
    }
    assert.deepEqual(upstream.asked, [])
    const short = { cache_control: { type: 'ephemeral', ttl: '5m' } }
    const input = { cache_control: { ttl: '1h' } }
    await ask(
      {
        ...short,
        speed: 'standard',
        system: [
          { ...text, ...short },
          { ...text, cache_control: { type: 'ephemeral' } },
        ],
        messages: [
          ...hello,
          { role: 'assistant', content: [{ type: 'tool_use', id: 'a', name: 'f', input }] },
        ],
      },
      'claude-code-20250219, extended-cache-ttl-2025-04-11',
    )
    assert.equal(upstream.asked.length, 1, 'what a call was given is not read')
    assert.partialDeepStrictEqual(upstream.asked[0], { body: short })
    const priced = await nodeWith([
      ...['context-1m-2025-08-07', 'compact-2026-01-12', 'not-known-2099-01-01'],
      'extended-cache-ttl-2025-04-11',
    ])
    for (const [members, beta] of dear) await priced(members, beta)
    assert.equal(upstream.asked.length, 1 + dear.length)
  })

  test('no more is asked for than was quoted, whichever limit a server goes by', async (t) => {
    const { openai, asked } = await nodeOver(t, 'openai-compatible', (_asked, response) =>
      json(response, chatAnswer),
    )
    const limits = { max_tokens: 5, max_completion_tokens: 2000 }
    await openai.chat.completions.create({ model: MODEL, messages: hello, ...limits })
    assert.deepEqual([asked().body.max_tokens, asked().body.max_completion_tokens], [5, 5])
    await openai.chat.completions.create({ model: MODEL, messages: hello })
    assert.ok(!('max_tokens' in asked(0, 1).body), 'the model’s own end is what was quoted')
    // OpenAI's default of this dialect, which the quote is made from; llama.cpp and Ollama would go on for ever.
    await openai.completions.create({ model: MODEL, prompt: 'Say' })
    assert.equal(asked(0, 2).body.max_tokens, 16)
  })
})
