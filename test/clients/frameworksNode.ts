import assert from 'node:assert/strict'
import { createAnthropic } from '@ai-sdk/anthropic'
import { createOpenAI } from '@ai-sdk/openai'
import { createAssayProvider } from '@assay/sdk/ai'
import { ChatAssay } from '@assay/sdk/langchain'
import { HumanMessage } from '@langchain/core/messages'
import { tool as langchainTool } from '@langchain/core/tools'
import { ChatOpenAI } from '@langchain/openai'
import { ExactEvmScheme, UptoEvmScheme } from '@x402/evm'
import { wrapFetchWithPayment, x402Client } from '@x402/fetch'
import { embedMany, generateText, streamText, tool } from 'ai'
import { privateKeyToAccount } from 'viem/accounts'
import { z } from 'zod'
import { npmVersion } from './npmVersion.ts'
import type { Row } from './row.ts'
import { MODEL, QUESTION, type World } from './world.ts'

type Metadata = { assay?: { verified?: boolean; requestId?: string } }

const chatAssay = ({ network, privateKey }: World, maxTokens = 12) =>
  new ChatAssay({ model: MODEL, maxTokens, assay: { network, privateKey } })

const city = z.object({ city: z.enum(['Paris', 'Lyon']) })
const weather = langchainTool(({ city }) => `Sunny in ${city}`, {
  name: 'weather',
  description: 'Of a city',
  schema: city,
})

const langchain: Row[] = [
  {
    way: 'grant key',
    what: 'ChatOpenAI, unchanged',
    async run({ grant }: World) {
      const configuration = { baseURL: `${grant.url}/v1` }
      const model = new ChatOpenAI({ model: MODEL, maxTokens: 12, apiKey: grant.key, configuration })
      assert.match(String((await model.invoke(QUESTION)).content), /Paris/)
    },
  },
  {
    way: 'ChatAssay',
    what: 'invoke, with its proof in the metadata',
    async run(world: World) {
      const message = await chatAssay(world).invoke(QUESTION)
      assert.match(String(message.content), /Paris/)
      assert.equal((message.response_metadata as Metadata).assay?.verified, true)
    },
  },
  {
    way: 'ChatAssay',
    what: 'stream; two at once get each their own proof',
    async run(world: World) {
      const model = chatAssay(world)
      const read = async () => {
        let text = ''
        let metadata: Metadata = {}
        for await (const chunk of await model.stream(QUESTION)) {
          text += String(chunk.content)
          if (chunk.response_metadata.assay !== undefined) metadata = chunk.response_metadata as Metadata
        }
        assert.match(text, /Paris/)
        return metadata.assay?.requestId
      }
      const [one, other] = await Promise.all([read(), read()])
      assert.match(one ?? '', /^0x[0-9a-f]{64}$/)
      assert.notEqual(one, other)
    },
  },
  {
    way: 'ChatAssay',
    what: 'structured output',
    async run(world: World) {
      const schema = z.object({ city: z.enum(['Paris', 'Lyon']) })
      const model = chatAssay(world, 40).withStructuredOutput(schema, {
        method: 'jsonSchema',
        name: 'answer',
      })
      assert.ok(['Paris', 'Lyon'].includes((await model.invoke(QUESTION)).city))
    },
  },
  {
    way: 'ChatAssay',
    what: 'a call and its result',
    async run(world: World) {
      const model = chatAssay(world, 40)
      const called = await model.bindTools([weather], { tool_choice: 'required' }).invoke(QUESTION)
      const [call] = called.tool_calls ?? []
      assert.ok(call !== undefined)
      const result = await weather.invoke({ ...call, type: 'tool_call' })
      await model.bindTools([weather]).invoke([new HumanMessage(QUESTION), called, result])
    },
  },
].map((row) => ({ client: '@langchain/openai (npm)', version: npmVersion('@langchain/openai'), ...row }))

const aiSdk: Row[] = [
  {
    way: 'grant key',
    what: 'generateText through @ai-sdk/openai and @ai-sdk/anthropic, unchanged',
    async run({ grant }: World) {
      const baseURL = `${grant.url}/v1`
      const asked = { prompt: QUESTION, maxOutputTokens: 12, maxRetries: 0 }
      const openai = createOpenAI({ baseURL, apiKey: grant.key })
      assert.match((await generateText({ model: openai.chat(MODEL), ...asked })).text, /Paris/)
      assert.match((await generateText({ model: openai.responses(MODEL), ...asked })).text, /Paris/)
      const anthropic = createAnthropic({ baseURL, apiKey: grant.key })
      assert.match((await generateText({ model: anthropic(MODEL), ...asked })).text, /Paris/)
    },
  },
  {
    way: 'grant key',
    what: 'streamText with a tool through @ai-sdk/anthropic, unchanged',
    async run({ grant }: World) {
      const anthropic = createAnthropic({ baseURL: `${grant.url}/v1`, apiKey: grant.key })
      const { toolCalls } = streamText({
        model: anthropic(MODEL),
        prompt: QUESTION,
        maxOutputTokens: 40,
        maxRetries: 0,
        tools: { weather: tool({ inputSchema: city }) },
        toolChoice: 'required',
      })
      assert.equal((await toolCalls)[0]?.toolName, 'weather')
    },
  },
  {
    way: '@assay/sdk/ai',
    what: 'generateText and streamText, with their proof in the metadata',
    async run({ network, privateKey }: World) {
      const assay = createAssayProvider({ network, privateKey })
      const asked = { model: assay(MODEL), prompt: QUESTION, maxOutputTokens: 12, maxRetries: 0 }
      const whole = await generateText(asked)
      assert.match(whole.text, /Paris/)
      assert.equal((whole.providerMetadata as Metadata | undefined)?.assay?.verified, true)
      const streamed = streamText(asked)
      assert.match(await streamed.text, /Paris/)
      assert.equal(((await streamed.providerMetadata) as Metadata | undefined)?.assay?.verified, true)
    },
  },
  {
    way: '@assay/sdk/ai',
    what: 'embedMany',
    async run({ network, privateKey }: World) {
      const model = createAssayProvider({ network, privateKey }).embeddingModel(MODEL)
      const { embeddings } = await embedMany({ model, values: ['one', 'two'], maxRetries: 0 })
      assert.equal(embeddings.length, 2)
    },
  },
].map((row) => ({ client: 'ai (npm)', version: npmVersion('ai'), ...row }))

const x402: Row[] = [
  { name: 'exact', Scheme: ExactEvmScheme },
  { name: 'upto', Scheme: UptoEvmScheme },
].map(({ name, Scheme }) => ({
  client: '@x402/fetch (npm)',
  version: npmVersion('@x402/fetch'),
  way: 'x402',
  what: `a 402 paid by ${name}`,
  async run({ network, privateKey }: World) {
    const opg = { network: `eip155:${network.chainId}`, asset: network.contracts.OPG } as const
    const client = new x402Client()
      .register('eip155:*', new Scheme(privateKeyToAccount(privateKey)))
      .setSpendControls({ allowedAssets: [{ ...opg, maxAmountPerPayment: `${10n ** 18n}` }] })
    const response = await wrapFetchWithPayment(fetch, client)(`${network.gatewayUrl}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        model: MODEL,
        max_tokens: 8,
        messages: [{ role: 'user', content: QUESTION }],
      }),
    })
    assert.equal(response.status, 200, await response.clone().text())
    assert.match(response.headers.get('x-assay-receipt') ?? '', /^[A-Za-z0-9_-]+$/)
    const receipt = await fetch(
      `${network.gatewayUrl}/v1/receipts/${response.headers.get('x-assay-request-id')}`,
    )
    const { payment } = (await receipt.json()) as { payment: { scheme: string; outcome: string } }
    assert.equal(payment.scheme, name)
    assert.notEqual(payment.outcome, 'failed')
  },
}))

export const frameworksNode: Row[] = [...langchain, ...aiSdk, ...x402]
