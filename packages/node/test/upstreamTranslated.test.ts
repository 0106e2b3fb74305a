/** A client of one dialect before an upstream of the other. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { MODEL } from './harness.ts'
import { anthropicStream, counted, delta, openaiStream } from './scriptedUpstream.ts'
import { hello, nodeOver } from './upstreamNode.ts'

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
    })
    const tool_choice = { type: 'auto' as const, disable_parallel_tool_use: true }
    await anthropic.messages.create({ ...request, tool_choice })
    assert.equal(asked(0, 2).body.parallel_tool_calls, false)
  })

  test('Anthropic’s client hears which of its stop sequences ended an answer, as vLLM or SGLang names it', async (t) => {
    let ending: object = {}
    let chunks: object[] = []
    const { anthropic } = await nodeOver(t, 'openai-compatible', (_asked, response) =>
      openaiStream(response, [...chunks, delta({}, 'stop', ending), counted(5, 3)]),
    )
    const stopped = async (said: object, before: object[] = [delta({ content: 'Par' })]) => {
      ending = said
      chunks = before
      const request = {
        model: MODEL,
        max_tokens: 100,
        messages: [{ role: 'user' as const, content: 'Where?' }],
        stop_sequences: ['END', '###'],
        tools: [{ name: 'weather', input_schema: weather as Anthropic.Tool.InputSchema }],
      }
      const whole = await anthropic.messages.create(request)
      const streamed = await anthropic.messages.stream(request).finalMessage()
      const [one, other] = [whole, streamed].map(({ stop_reason, stop_sequence }) => [
        stop_reason,
        stop_sequence,
      ])
      assert.deepEqual(one, other)
      return one
    }
    assert.deepEqual(await stopped({ matched_stop: '###' }), ['stop_sequence', '###'])
    assert.deepEqual(await stopped({ stop_reason: 'END' }), ['stop_sequence', 'END'])
    // A token that ends the model's turn, by its number or its text; nobody asked to stop there.
    for (const own of [{ matched_stop: 151645 }, { matched_stop: '<|im_end|>' }, { stop_reason: 7 }, {}]) {
      assert.deepEqual(await stopped(own), ['end_turn', null])
    }
    const call = { index: 0, id: 'call_a', function: { name: 'weather', arguments: '{"city":"Paris"}' } }
    const called = await stopped({ matched_stop: '###' }, [delta({ tool_calls: [call] })])
    assert.deepEqual(called, ['tool_use', null])
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
    await assert.rejects(
      openai.responses.create({ model: MODEL, input: 'Hello', text: { format: { type: 'json_object' } } }),
      (error: unknown) => error instanceof OpenAI.BadRequestError && error.param === 'text.format',
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

  test('a response that a filter cut off is not complete', async (t) => {
    const { openai } = await nodeOver(t, 'openai-compatible', (_asked, response) =>
      openaiStream(response, [
        delta({ content: 'It is' }),
        // A last chunk has nothing to add, and may say so.
        { choices: [{ index: 0, delta: null, finish_reason: 'content_filter' }] },
        counted(30, 2),
      ]),
    )
    const asked = { model: MODEL, input: 'Hello' }
    for (const response of [
      await openai.responses.create(asked),
      await openai.responses.stream(asked).finalResponse(),
    ]) {
      assert.deepEqual(
        [response.status, response.incomplete_details?.reason, response.output_text],
        ['incomplete', 'content_filter', 'It is'],
      )
    }
  })

  test('who states no limit has none stated: a server refuses a context’s worth beside any prompt', async (t) => {
    const { openai, anthropic, asked } = await nodeOver(t, 'openai-compatible', (_asked, response) =>
      openaiStream(response, [delta({ content: 'Hi' }), delta({}, 'stop'), counted(3, 1)]),
    )
    await openai.responses.create({ model: MODEL, input: 'Hello' })
    assert.ok(!('max_tokens' in asked().body))
    await openai.responses.create({ model: MODEL, input: 'Hello', max_output_tokens: 20 })
    assert.equal(asked(0, 1).body.max_tokens, 20)
    await anthropic.messages.create({ model: MODEL, max_tokens: 4096, messages: hello })
    assert.ok(!('max_tokens' in asked(0, 2).body), 'more than the context is no limit either')
  })
})
