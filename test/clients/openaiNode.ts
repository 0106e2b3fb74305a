import assert from 'node:assert/strict'
import { assayFetch } from '@assay/sdk'
import OpenAI from 'openai'
import { zodResponseFormat } from 'openai/helpers/zod'
import { z } from 'zod'
import { npmVersion } from './npmVersion.ts'
import type { Row } from './row.ts'
import { MODEL, QUESTION, type World } from './world.ts'

const messages = [{ role: 'user' as const, content: QUESTION }]
const short = { model: MODEL, messages, max_tokens: 12 }

const WAYS: Record<string, (world: World) => OpenAI> = {
  'grant key': ({ grant }) => new OpenAI({ baseURL: `${grant.url}/v1`, apiKey: grant.key, maxRetries: 0 }),
  assayFetch: ({ network, privateKey }) =>
    new OpenAI({
      baseURL: `${network.gatewayUrl}/v1`,
      apiKey: 'unused',
      maxRetries: 0,
      fetch: assayFetch({ network, privateKey }),
    }),
  proxy: ({ proxy }) => new OpenAI({ baseURL: `${proxy.url}/v1`, apiKey: proxy.key, maxRetries: 0 }),
}

const DONE: Record<string, (client: OpenAI) => Promise<void>> = {
  async chat(client) {
    const { data, response } = await client.chat.completions.create(short).withResponse()
    assert.match(data.choices[0]?.message.content ?? '', /Paris/)
    assert.match(response.headers.get('x-assay-receipt') ?? '', /^[A-Za-z0-9_-]+$/)
    assert.match(
      response.headers.get('x-request-id') ?? '',
      /^0x[0-9a-f]{64}$/,
      'the id that can be verified',
    )
  },
  async 'chat, streamed with usage'(client) {
    let text = ''
    let tokens = 0
    const stream = await client.chat.completions.create({
      ...short,
      stream: true,
      stream_options: { include_usage: true },
    })
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? ''
      tokens = chunk.usage?.completion_tokens ?? tokens
    }
    assert.match(text, /Paris/)
    assert.ok(tokens > 0)
  },
  async 'a function call'(client) {
    const { choices } = await client.chat.completions.create({
      ...short,
      max_tokens: 40,
      tool_choice: 'required',
      tools: [
        {
          type: 'function',
          function: {
            name: 'weather',
            parameters: {
              type: 'object',
              properties: { city: { type: 'string', maxLength: 12 } },
              required: ['city'],
            },
          },
        },
      ],
    })
    const call = choices[0]?.message.tool_calls?.[0]
    assert.ok(call?.type === 'function')
    assert.equal(call.function.name, 'weather')
    assert.equal(typeof JSON.parse(call.function.arguments).city, 'string')
  },
  async 'JSON by a schema'(client) {
    const { choices } = await client.chat.completions.create({
      ...short,
      max_tokens: 30,
      response_format: {
        type: 'json_schema',
        json_schema: {
          name: 'answer',
          strict: true,
          schema: {
            type: 'object',
            properties: { city: { enum: ['Paris', 'Lyon'] } },
            required: ['city'],
            additionalProperties: false,
          },
        },
      },
    })
    assert.ok(['Paris', 'Lyon'].includes(JSON.parse(choices[0]?.message.content ?? '').city))
  },
  async 'a parsed answer, sent back as it came'(client) {
    const response_format = zodResponseFormat(z.object({ city: z.enum(['Paris', 'Lyon']) }), 'answer')
    const { choices } = await client.chat.completions.parse({ ...short, max_tokens: 30, response_format })
    const said = choices[0]?.message
    assert.ok(said?.parsed)
    const next = [...messages, said, { role: 'user' as const, content: 'Sure?' }]
    await client.chat.completions.create({ ...short, messages: next })
  },
  async 'responses, completions, embeddings, models'(client) {
    const response = await client.responses.create({ model: MODEL, input: QUESTION, max_output_tokens: 12 })
    assert.match(response.output_text, /Paris/)
    const prompt = 'The capital of France is'
    const completion = await client.completions.create({ model: MODEL, prompt, max_tokens: 3 })
    assert.match(completion.choices[0]?.text ?? '', /Paris/)
    const { data } = await client.embeddings.create({ model: MODEL, input: ['one', 'two'] })
    assert.ok(data.length === 2 && (data[0]?.embedding.length ?? 0) > 0)
    const names: string[] = []
    for await (const model of client.models.list()) names.push(model.id)
    assert.ok(names.includes(MODEL))
  },
}

/** What a caller's mistake looks like: the client's own error class, with the code of whoever knows the models. */
async function mistake(client: OpenAI): Promise<void> {
  await assert.rejects(client.chat.completions.create({ ...short, model: 'gpt-9' }), (error: unknown) => {
    assert.ok(error instanceof OpenAI.NotFoundError, String(error))
    assert.ok(error.code === 'model_not_found' || error.code === 'unknown_model', String(error))
    assert.equal(error.param, 'model')
    return true
  })
}

export const openaiNode: Row[] = Object.entries(WAYS).flatMap(([way, connect]) =>
  Object.entries({ ...DONE, 'a mistake is a typed error': mistake }).map(([what, run]) => ({
    client: 'openai (npm)',
    version: npmVersion('openai'),
    way,
    what,
    run: (world: World) => run(connect(world)),
  })),
)
