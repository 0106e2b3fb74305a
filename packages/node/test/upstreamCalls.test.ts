/** Calls of functions, as an upstream of one dialect makes them and a client of the other reads them. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type Anthropic from '@anthropic-ai/sdk'
import { MODEL } from './harness.ts'
import { anthropicStream, counted, delta, openaiStream } from './scriptedUpstream.ts'
import { hello, nodeOver } from './upstreamNode.ts'

const weather = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }

describe('calls that are translated', () => {
  test('calls side by side come out one after another, and one without arguments is a call', async (t) => {
    const call = (index: number, change: object, args: string) =>
      delta({ tool_calls: [{ index, ...change, function: { ...change, arguments: args } }] })
    const { openai, anthropic } = await nodeOver(t, 'openai-compatible', (_asked, response) =>
      openaiStream(response, [
        delta({ role: 'assistant', content: '' }),
        call(0, { id: 'call_a', name: 'weather' }, ''),
        call(1, { id: 'call_b', name: 'weather' }, ''),
        call(0, {}, '{"city":'),
        call(1, {}, '{"city":"Rome"}'),
        call(0, {}, '"Paris"}'),
        call(2, { id: 'call_c', name: 'clock' }, ''),
        delta({}, 'tool_calls'),
        counted(30, 17),
      ]),
    )
    const expected = [
      ['call_a', 'weather', { city: 'Paris' }],
      ['call_b', 'weather', { city: 'Rome' }],
      ['call_c', 'clock', {}],
    ]
    const tools = [
      { name: 'weather', input_schema: weather as Anthropic.Tool.InputSchema },
      { name: 'clock', input_schema: { type: 'object' as const } },
    ]
    const request = { model: MODEL, max_tokens: 100, tools, messages: hello }
    for (const message of [
      await anthropic.messages.create(request),
      await anthropic.messages.stream(request).finalMessage(),
    ]) {
      assert.deepEqual(
        message.content.map((block) => block.type === 'tool_use' && [block.id, block.name, block.input]),
        expected,
      )
    }
    const asked = { model: MODEL, input: 'Hello' }
    for (const { output } of [
      await openai.responses.create(asked),
      await openai.responses.stream(asked).finalResponse(),
    ]) {
      assert.deepEqual(
        output.map(
          (item) => item.type === 'function_call' && [item.call_id, item.name, JSON.parse(item.arguments)],
        ),
        expected,
      )
    }
  })

  test('calls that have neither an id nor an index of their own are told apart by their names', async (t) => {
    const call = (city: string) => ({ index: 0, id: '', function: { name: 'weather', arguments: city } })
    const { anthropic } = await nodeOver(t, 'openai-compatible', (_asked, response) =>
      openaiStream(response, [
        delta({ tool_calls: [call('{"city":"Paris"}')] }),
        delta({ tool_calls: [call('{"city":"Rome"}')] }),
        delta({}, 'stop'),
        counted(30, 17),
      ]),
    )
    const tools = [{ name: 'weather', input_schema: weather as Anthropic.Tool.InputSchema }]
    const message = await anthropic.messages.create({ model: MODEL, max_tokens: 99, tools, messages: hello })
    assert.deepEqual(
      message.content.map((block) => block.type === 'tool_use' && block.input),
      [{ city: 'Paris' }, { city: 'Rome' }],
    )
    const [first, second] = message.content.map((block) => block.type === 'tool_use' && block.id)
    assert.notEqual(first, second)
  })

  test('an answer that calls a function stopped for that, whatever the upstream’s word for it', async (t) => {
    // OpenAI's own word where the function was named, and that of some servers always.
    const { anthropic } = await nodeOver(t, 'openai-compatible', (_asked, response) =>
      openaiStream(response, [
        delta({ tool_calls: [{ index: 0, id: 'call_a', function: { name: 'clock', arguments: '{}' } }] }),
        delta({}, 'stop'),
        counted(30, 17),
      ]),
    )
    const request = {
      model: MODEL,
      max_tokens: 100,
      tools: [{ name: 'clock', input_schema: { type: 'object' as const } }],
      tool_choice: { type: 'tool' as const, name: 'clock' },
      messages: hello,
    }
    for (const message of [
      await anthropic.messages.create(request),
      await anthropic.messages.stream(request).finalMessage(),
    ]) {
      assert.equal(message.stop_reason, 'tool_use')
    }
  })

  test('a call of Anthropic’s that the limit cut off before its arguments is not told as one without any', async (t) => {
    const answer = (reason: string) =>
      nodeOver(t, 'anthropic-compatible', (_asked, response) =>
        anthropicStream(response, [
          { type: 'message_start', message: { usage: { input_tokens: 25, output_tokens: 1 } } },
          {
            type: 'content_block_start',
            index: 0,
            content_block: { type: 'tool_use', id: 'toolu_1', name: 'clock', input: {} },
          },
          { type: 'content_block_delta', index: 0, delta: { type: 'input_json_delta', partial_json: '' } },
          { type: 'content_block_stop', index: 0 },
          { type: 'message_delta', delta: { stop_reason: reason }, usage: { output_tokens: 9 } },
          { type: 'message_stop' },
        ] as { type: string }[]),
      )
    for (const [reason, finish, args] of [
      ['max_tokens', 'length', ''],
      ['tool_use', 'tool_calls', '{}'],
    ] as const) {
      const { openai } = await answer(reason)
      const { choices } = await openai.chat.completions.create({ model: MODEL, messages: hello })
      const [call] = choices[0]?.message.tool_calls ?? []
      assert.deepEqual(
        [choices[0]?.finish_reason, call?.type === 'function' && call.function.arguments],
        [finish, args],
      )
    }
  })

  test('a call that the limit cut off is no complete item of a response', async (t) => {
    const { openai } = await nodeOver(t, 'openai-compatible', (_asked, response) =>
      openaiStream(response, [
        delta({ content: 'Let me look.' }),
        delta({
          tool_calls: [{ index: 0, id: 'a', function: { name: 'weather', arguments: '{"city":"Pa' } }],
        }),
        delta({}, 'length'),
        counted(30, 9),
      ]),
    )
    const asked = { model: MODEL, input: 'Hello' }
    const done: unknown[] = []
    const stream = openai.responses.stream(asked)
    stream.on('event', (event) => {
      if (event.type === 'response.output_item.done' && 'status' in event.item) done.push(event.item.status)
    })
    for (const response of [await openai.responses.create(asked), await stream.finalResponse()]) {
      assert.deepEqual(
        response.output.map((item) => 'status' in item && [item.type, item.status]),
        [
          ['message', 'completed'],
          ['function_call', 'incomplete'],
        ],
      )
    }
    assert.deepEqual(done, ['completed', 'incomplete'])
  })

  test('a call that the limit cut off before its arguments is none', async (t) => {
    const { anthropic } = await nodeOver(t, 'openai-compatible', (_asked, response) =>
      openaiStream(response, [
        delta({ content: 'Hm.' }),
        delta({ tool_calls: [{ index: 0, id: 'call_a', function: { name: 'weather', arguments: '' } }] }),
        delta({}, 'length'),
        counted(30, 17),
      ]),
    )
    const tools = [{ name: 'weather', input_schema: weather as Anthropic.Tool.InputSchema }]
    const message = await anthropic.messages.create({ model: MODEL, max_tokens: 17, tools, messages: hello })
    assert.deepEqual(
      message.content.map(({ type }) => type),
      ['text'],
    )
    assert.equal(message.stop_reason, 'max_tokens')
  })
})
