import assert from 'node:assert/strict'
import Anthropic from '@anthropic-ai/sdk'
import { betaZodTool } from '@anthropic-ai/sdk/helpers/beta/zod'
import { assayFetch } from '@assay/sdk'
import { z } from 'zod'
import { npmVersion } from './npmVersion.ts'
import type { Row } from './row.ts'
import { MODEL, QUESTION, type World } from './world.ts'

const short = { model: MODEL, max_tokens: 12, messages: [{ role: 'user' as const, content: QUESTION }] }

const WAYS: Record<string, (world: World) => Anthropic> = {
  'grant key': ({ grant }) => new Anthropic({ baseURL: grant.url, apiKey: grant.key, maxRetries: 0 }),
  assayFetch: ({ network, privateKey }) =>
    new Anthropic({
      baseURL: network.gatewayUrl,
      apiKey: 'unused',
      maxRetries: 0,
      fetch: assayFetch({ network, privateKey }),
    }),
  proxy: ({ proxy }) => new Anthropic({ baseURL: proxy.url, apiKey: proxy.key, maxRetries: 0 }),
}

const textOf = (message: Anthropic.Message) =>
  message.content.map((block) => (block.type === 'text' ? block.text : '')).join('')

const DONE: Record<string, (client: Anthropic) => Promise<void>> = {
  async messages(client) {
    const message = await client.messages.create(short)
    assert.match(textOf(message), /Paris/)
    assert.match(message._request_id ?? '', /^0x[0-9a-f]{64}$/, 'the id that can be verified')
  },
  async 'messages, streamed'(client) {
    const message = await client.messages.stream(short).finalMessage()
    assert.match(textOf(message), /Paris/)
    assert.ok(message.usage.output_tokens > 0)
  },
  async 'a tool call'(client) {
    const { content, stop_reason } = await client.messages.create({
      ...short,
      max_tokens: 40,
      tool_choice: { type: 'any' },
      tools: [
        {
          name: 'weather',
          input_schema: {
            type: 'object',
            properties: { city: { type: 'string', maxLength: 12 } },
            required: ['city'],
          },
        },
      ],
    })
    assert.equal(stop_reason, 'tool_use')
    assert.ok(content.some((block) => block.type === 'tool_use' && block.name === 'weather'))
  },
  async 'the tool runner, to its second turn'(client) {
    const runner = client.beta.messages.toolRunner({
      ...short,
      max_tokens: 40,
      max_iterations: 2,
      tool_choice: { type: 'any' },
      tools: [
        betaZodTool({
          name: 'weather',
          description: 'Of a city',
          inputSchema: z.object({ city: z.enum(['Paris', 'Lyon']) }),
          run: ({ city }) => `Sunny in ${city}`,
        }),
      ],
    })
    let turns = 0
    for await (const { stop_reason } of runner) {
      assert.equal(stop_reason, 'tool_use')
      turns++
    }
    assert.equal(turns, 2)
  },
  async 'counting tokens'(client) {
    const { input_tokens } = await client.messages.countTokens({ model: MODEL, messages: short.messages })
    assert.ok(input_tokens > 0)
  },
}

export const anthropicNode: Row[] = Object.entries(WAYS).flatMap(([way, connect]) =>
  Object.entries(DONE).map(([what, run]) => ({
    client: '@anthropic-ai/sdk (npm)',
    version: npmVersion('@anthropic-ai/sdk'),
    way,
    what,
    run: (world: World) => run(connect(world)),
  })),
)
