/** The official OpenAI client, unmodified, against a node with the real model. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import OpenAI from 'openai'
import { MODEL } from './harness.ts'
import { smollm2 } from './realModel.ts'
import { aroundRealNode } from './realNode.ts'

const france = [{ role: 'user' as const, content: 'What is the capital of France?' }]
const parameters = {
  type: 'object',
  properties: { city: { type: 'string', maxLength: 40 } },
  required: ['city'],
  additionalProperties: false,
}
const weather = {
  type: 'function' as const,
  function: { name: 'get_weather', description: 'Current weather of a city', parameters, strict: true },
}

describe('openai', { skip: smollm2.skip }, () => {
  const { client, receipt } = aroundRealNode(
    (url, fetch) => new OpenAI({ apiKey: 'unused', baseURL: `${url}/v1`, maxRetries: 0, fetch }),
  )

  test('models, all and one', async () => {
    const listed = await client().models.list()
    assert.deepEqual(
      listed.data.map(({ id }) => id),
      [MODEL],
    )
    assert.equal((await client().models.retrieve(MODEL)).id, MODEL)
    await assert.rejects(client().models.retrieve('gpt-9'), OpenAI.NotFoundError)
  })

  test('chat: a stream is the whole answer, with usage and log-probabilities', async () => {
    const request = {
      model: MODEL,
      messages: [{ role: 'developer' as const, content: 'Be brief.' }, ...france],
      max_completion_tokens: 24,
      logprobs: true,
      top_logprobs: 2,
    }
    const whole = await client().chat.completions.create(request)
    assert.equal(BigInt(whole.usage?.prompt_tokens ?? 0), receipt().inputUnits)
    assert.equal(BigInt(whole.usage?.completion_tokens ?? 0), receipt().outputUnits)
    const stream = client().chat.completions.stream({ ...request, stream_options: { include_usage: true } })
    const final = await stream.finalChatCompletion()
    assert.deepEqual(final.usage, whole.usage)
    assert.equal(final.choices[0]?.message.content, whole.choices[0]?.message.content)
    assert.equal(final.choices[0]?.finish_reason, whole.choices[0]?.finish_reason)
    assert.deepEqual(final.choices[0]?.logprobs?.content, whole.choices[0]?.logprobs?.content)
    const entries = whole.choices[0]?.logprobs?.content ?? []
    assert.equal(entries.map(({ token }) => token).join(''), whole.choices[0]?.message.content)
    assert.ok(entries.every(({ top_logprobs: top }) => top.length === 2))
  })

  test('chat: several choices, streamed and whole, every token charged', async () => {
    const request = { model: MODEL, messages: france, n: 2, temperature: 1.1, seed: 7, max_tokens: 12 }
    const whole = await client().chat.completions.create(request)
    const texts = whole.choices.map(({ message }) => message.content)
    assert.equal(new Set(texts).size, 2)
    assert.equal(BigInt(whole.usage?.completion_tokens ?? 0), receipt().outputUnits)
    const said = ['', '']
    for await (const chunk of await client().chat.completions.create({ ...request, stream: true })) {
      for (const { index, delta } of chunk.choices) said[index] += delta.content ?? ''
    }
    assert.deepEqual(said, texts)
  })

  test('chat: a tool is called, in real deltas, and its result is answered', async () => {
    const question = [{ role: 'user' as const, content: 'What is the weather in Paris?' }]
    const request = {
      model: MODEL,
      messages: question,
      tools: [weather],
      tool_choice: 'required' as const,
      parallel_tool_calls: false,
      max_tokens: 64,
    }
    const whole = await client().chat.completions.create(request)
    const [choice] = whole.choices
    const [call] = choice?.message.tool_calls ?? []
    assert.ok(call?.type === 'function')
    assert.equal(choice?.finish_reason, 'tool_calls')
    assert.equal(choice.message.content, null)
    assert.equal(JSON.parse(call.function.arguments).city, 'Paris')
    let deltas = 0
    const stream = client().chat.completions.stream(request)
    stream.on('tool_calls.function.arguments.delta', () => deltas++)
    const final = await stream.finalChatCompletion()
    const [again] = final.choices[0]?.message.tool_calls ?? []
    assert.ok(again?.type === 'function')
    assert.deepEqual(
      [again.function.name, again.function.arguments],
      [call.function.name, call.function.arguments],
    )
    assert.ok(deltas > 2, 'arguments come in pieces')
    const reply = await client().chat.completions.create({
      model: MODEL,
      tools: [weather],
      max_tokens: 6,
      messages: [
        ...question,
        choice.message,
        { role: 'tool', tool_call_id: call.id, content: '20 °C, sunny' },
      ],
    })
    assert.ok((reply.usage?.completion_tokens ?? 0) > 0)
  })

  test('chat: JSON by schema', async () => {
    const answer = await client().chat.completions.create({
      model: MODEL,
      messages: [{ role: 'user', content: 'Which city is the capital of France?' }],
      max_tokens: 64,
      response_format: {
        type: 'json_schema',
        json_schema: { name: 'city', schema: parameters, strict: true },
      },
    })
    assert.equal(JSON.parse(answer.choices[0]?.message.content ?? '').city, 'Paris')
    const numbers = { type: 'object', properties: { n: { type: 'integer', minimum: 5 } } }
    await assert.rejects(
      client().chat.completions.create({
        model: MODEL,
        messages: france,
        response_format: { type: 'json_schema', json_schema: { name: 'n', schema: numbers, strict: true } },
      }),
      (error: unknown) =>
        error instanceof OpenAI.BadRequestError &&
        error.param === 'response_format.json_schema.schema.properties.n.minimum',
    )
  })

  test('completions: several prompts and choices, a stream is the whole', async () => {
    const request = {
      model: MODEL,
      prompt: ['The capital of France is', 'One, two, three,'],
      max_tokens: 3,
      n: 2,
      logprobs: 2,
    }
    const whole = await client().completions.create(request)
    assert.deepEqual(
      whole.choices.map(({ index }) => index),
      [0, 1, 2, 3],
    )
    assert.match(whole.choices[0]?.text ?? '', /Paris/)
    assert.match(whole.choices[2]?.text ?? '', /four/)
    assert.equal(whole.usage?.completion_tokens, 12)
    assert.equal(receipt().outputUnits, 12n)
    const said = ['', '', '', '']
    const offsets: number[][] = [[], [], [], []]
    for await (const chunk of await client().completions.create({ ...request, stream: true })) {
      for (const { index, text, logprobs } of chunk.choices) {
        said[index] += text
        offsets[index]?.push(...(logprobs?.text_offset ?? []))
      }
    }
    assert.deepEqual(
      said,
      whole.choices.map(({ text }) => text),
    )
    assert.deepEqual(
      offsets,
      whole.choices.map(({ logprobs }) => logprobs?.text_offset),
    )
  })

  test('embeddings: in base64, which the client asks for, and as numbers', async () => {
    const input = ['A cat sat on the mat.', 'Stocks fell sharply.']
    const first = await client().embeddings.create({ model: MODEL, input })
    const second = await client().embeddings.create({ model: MODEL, input, encoding_format: 'float' })
    assert.equal(first.data.length, 2)
    for (const [at, { embedding }] of first.data.entries()) {
      assert.equal(embedding.length, 576)
      const other = second.data[at]?.embedding ?? []
      assert.ok(embedding.every((value, index) => Math.abs(value - (other[index] ?? 9)) < 1e-5))
    }
    assert.equal(BigInt(first.usage.prompt_tokens), receipt().inputUnits)
    assert.equal(receipt().outputUnits, 2n, 'a unit an embedding')
    assert.ok(receipt().price > 0n)
  })

  test('responses: whole, streamed, with a tool and its result', async () => {
    const request = { model: MODEL, input: 'What is the capital of France?', max_output_tokens: 24 }
    const whole = await client().responses.create({ ...request, instructions: 'Be brief.' })
    assert.equal(whole.status, 'completed')
    assert.equal((whole as { store?: unknown }).store, false)
    assert.match(whole.output_text, /Paris/)
    assert.equal(BigInt(whole.usage?.output_tokens ?? 0), receipt().outputUnits)
    const kinds: string[] = []
    const stream = client().responses.stream({ ...request, instructions: 'Be brief.' })
    stream.on('event', ({ type }) => kinds.push(type))
    const final = await stream.finalResponse()
    assert.equal(final.output_text, whole.output_text)
    assert.deepEqual(final.usage, whole.usage)
    assert.deepEqual(
      kinds.filter((kind, at) => kind !== kinds[at - 1]),
      [
        'response.created',
        'response.in_progress',
        'response.output_item.added',
        'response.content_part.added',
        'response.output_text.delta',
        'response.output_text.done',
        'response.content_part.done',
        'response.output_item.done',
        'response.completed',
      ],
    )
    const asked = {
      model: MODEL,
      input: 'What is the weather in Paris?',
      tools: [{ type: 'function' as const, name: 'get_weather', parameters, strict: true }],
      tool_choice: 'required' as const,
      parallel_tool_calls: false,
      max_output_tokens: 64,
    }
    const called = await client().responses.create(asked)
    const streamed = await client().responses.stream(asked).finalResponse()
    const [call] = called.output
    const [again] = streamed.output
    assert.ok(call?.type === 'function_call' && again?.type === 'function_call')
    assert.equal(JSON.parse(call.arguments).city, 'Paris')
    assert.deepEqual([again.name, again.arguments], [call.name, call.arguments])
    const reply = await client().responses.create({
      model: MODEL,
      max_output_tokens: 6,
      input: [
        { role: 'user', content: asked.input },
        call,
        { type: 'function_call_output', call_id: call.call_id, output: '20 °C, sunny' },
      ],
    })
    assert.ok(reply.output_text.length > 0)
    const cut = await client().responses.create({ ...request, max_output_tokens: 2 })
    assert.deepEqual([cut.status, cut.incomplete_details?.reason], ['incomplete', 'max_output_tokens'])
    await assert.rejects(client().responses.create({ ...request, store: true }), OpenAI.BadRequestError)
    await assert.rejects(
      client().responses.create({ ...request, previous_response_id: 'resp_1' }),
      (error: unknown) => error instanceof OpenAI.BadRequestError && error.param === 'previous_response_id',
    )
  })
})
