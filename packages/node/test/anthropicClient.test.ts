/** The official Anthropic client, unmodified, against a node with the real model. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import Anthropic from '@anthropic-ai/sdk'
import { betaTool } from '@anthropic-ai/sdk/helpers/beta/json-schema'
import { jsonSchemaOutputFormat } from '@anthropic-ai/sdk/helpers/json-schema'
import { MODEL } from './harness.ts'
import { smollm2 } from './realModel.ts'
import { aroundRealNode } from './realNode.ts'

const france = [{ role: 'user' as const, content: 'What is the capital of France?' }]
const weather: Anthropic.Tool = {
  name: 'get_weather',
  description: 'Current weather of a city',
  input_schema: {
    type: 'object',
    properties: { city: { type: 'string', maxLength: 40 } },
    required: ['city'],
    additionalProperties: false,
  },
}

const CITY = {
  type: 'object',
  properties: { city: { type: 'string', enum: ['Paris', 'Lyon'] } },
  required: ['city'],
  additionalProperties: false,
} as const

describe('@anthropic-ai/sdk', { skip: smollm2.skip }, () => {
  const { client, answer, receipt } = aroundRealNode(
    (url, fetch) => new Anthropic({ apiKey: 'unused', baseURL: url, maxRetries: 0, fetch }),
  )

  test('a whole message, its usage what the receipt charges', async () => {
    const message = await client().messages.create({
      model: MODEL,
      max_tokens: 32,
      system: [{ type: 'text', text: 'Be brief.', cache_control: { type: 'ephemeral' } }],
      messages: france,
      metadata: { user_id: 'someone' },
    })
    assert.equal(message.type, 'message')
    assert.equal(message.role, 'assistant')
    assert.match(message.id, /^msg_[0-9a-f]{32}$/)
    assert.equal(message.stop_reason, 'end_turn')
    assert.match(message.content[0]?.type === 'text' ? message.content[0].text : '', /Paris/)
    assert.equal(BigInt(message.usage.input_tokens), receipt().inputUnits)
    assert.equal(BigInt(message.usage.output_tokens), receipt().outputUnits)
    assert.equal(message._request_id, receipt().requestId)
  })

  test('a streamed message is the whole one, in the events that the client knows', async () => {
    const request = { model: MODEL, max_tokens: 32, messages: france }
    const whole = await client().messages.create(request)
    const stream = client().messages.stream(request)
    const seen: string[] = []
    let text = ''
    stream.on('streamEvent', (event) => seen.push(event.type))
    stream.on('text', (delta) => {
      text += delta
    })
    const final = await stream.finalMessage()
    assert.deepEqual(final.content, whole.content)
    assert.deepEqual(final.usage, whole.usage)
    assert.equal(final.stop_reason, whole.stop_reason)
    assert.equal(text, whole.content[0]?.type === 'text' ? whole.content[0].text : '')
    const kinds = seen.filter((type, at) => type !== seen[at - 1])
    assert.deepEqual(kinds, [
      'message_start',
      'content_block_start',
      'content_block_delta',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ])
    const wire = new TextDecoder().decode(answer().body)
    assert.match(wire, /\n\nevent: ping\ndata: \{"type":"ping"\}\n\n/)
    assert.match(wire, /\n\n: assay-receipt \S+\nevent: message_stop\ndata: \{"type":"message_stop"\}\n\n$/)
  })

  test('a tool is called, streamed and whole, and its result is answered', async () => {
    const question = [{ role: 'user' as const, content: 'What is the weather in Paris?' }]
    const request = {
      model: MODEL,
      max_tokens: 64,
      tools: [weather],
      tool_choice: { type: 'tool' as const, name: 'get_weather' },
      messages: question,
    }
    const whole = await client().messages.create(request)
    const [call] = whole.content
    assert.ok(call?.type === 'tool_use')
    assert.equal(whole.stop_reason, 'tool_use')
    assert.equal(call.name, 'get_weather')
    assert.equal((call.input as { city: string }).city, 'Paris')
    const streamed = await client().messages.stream(request).finalMessage()
    const [again] = streamed.content
    assert.ok(again?.type === 'tool_use')
    assert.deepEqual([again.name, again.input], [call.name, call.input])
    const reply = await client().messages.create({
      model: MODEL,
      max_tokens: 48,
      tools: [weather],
      messages: [
        ...question,
        { role: 'assistant', content: whole.content },
        {
          role: 'user',
          content: [
            { type: 'tool_result', tool_use_id: call.id, content: [{ type: 'text', text: '20 °C, sunny' }] },
          ],
        },
      ],
    })
    assert.ok(reply.usage.output_tokens > 0)
  })

  test('a stop sequence is named, a limit is told', async () => {
    const cut = await client().messages.create({
      model: MODEL,
      max_tokens: 32,
      messages: france,
      stop_sequences: ['zzz', ' is Par'],
    })
    assert.deepEqual([cut.stop_reason, cut.stop_sequence], ['stop_sequence', ' is Par'])
    const short = await client().messages.create({ model: MODEL, max_tokens: 2, messages: france })
    assert.equal(short.stop_reason, 'max_tokens')
    assert.equal(short.usage.output_tokens, 2)
  })

  test('structured output follows its schema', async () => {
    const message = await client().messages.create({
      model: MODEL,
      max_tokens: 64,
      messages: [{ role: 'user', content: 'Which city is the capital of France?' }],
      output_config: {
        format: {
          type: 'json_schema',
          schema: {
            type: 'object',
            properties: { city: { type: 'string', maxLength: 20 } },
            required: ['city'],
            additionalProperties: false,
          },
        },
      },
    })
    const text = message.content[0]?.type === 'text' ? message.content[0].text : ''
    assert.equal(JSON.parse(text).city, 'Paris')
  })

  test('the beta helpers work: a tool runner to its end, parsing, counting', async () => {
    const { messages } = client().beta
    let calls = 0
    const tool = betaTool({
      name: 'get_weather',
      description: 'Current weather of a city',
      inputSchema: CITY,
      run: ({ city }) => {
        calls++
        return `20 °C and sunny in ${city}`
      },
    })
    for (const stream of [false, true]) {
      const runner = messages.toolRunner({
        model: MODEL,
        max_tokens: 48,
        max_iterations: 2,
        messages: france,
        tools: [tool],
        tool_choice: { type: 'any' },
        stream,
      })
      let turns = 0
      for await (const _ of runner) turns++
      assert.equal(turns, 2)
      await runner.done()
    }
    assert.ok(calls >= 2)
    const format = jsonSchemaOutputFormat(CITY)
    const request = { model: MODEL, max_tokens: 32, messages: france }
    const parsed = await messages.parse({ ...request, output_config: { format } })
    assert.ok(['Paris', 'Lyon'].includes(parsed.parsed_output?.city ?? ''))
    assert.ok((await messages.countTokens({ model: MODEL, messages: france })).input_tokens > 0)
  })

  test('tokens are counted for nothing, and as they are charged', async () => {
    const counted = await client().messages.countTokens({ model: MODEL, messages: france })
    await client().messages.create({ model: MODEL, max_tokens: 1, messages: france })
    assert.equal(BigInt(counted.input_tokens), receipt().inputUnits)
  })

  test('errors are of the classes that the client knows', async () => {
    const request = { model: MODEL, max_tokens: 8, messages: france }
    await assert.rejects(
      client().messages.create({ ...request, thinking: { type: 'enabled', budget_tokens: 1024 } }),
      (error: unknown) =>
        error instanceof Anthropic.BadRequestError &&
        error.type === 'invalid_request_error' &&
        error.errorCode === 'unsupported_value' &&
        /thinking/.test(error.message),
    )
    await assert.rejects(client().messages.create({ ...request, model: 'claude-9' }), Anthropic.NotFoundError)
  })
})
