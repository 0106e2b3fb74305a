import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import path from 'node:path'
import { CONFIDENTIAL_PATH, STATUS } from '@assay/protocol'
import { createAssay, readReceiptStatus, SdkError, spendingLimit } from '@assay/sdk'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { formatUnits } from 'viem'
import { npmVersion } from './npmVersion.ts'
import type { Row } from './row.ts'
import { startTap } from './tap.ts'
import { MODEL, QUESTION, type World } from './world.ts'

const messages = [{ role: 'user', content: QUESTION }]
const clientOf = ({ network, privateKey }: World) => createAssay({ network, privateKey })

const sdk: Omit<Row, 'client' | 'version' | 'way'>[] = [
  {
    what: 'chat, completion, embed: output, receipt, transaction hash',
    async run(world) {
      const { llm } = clientOf(world)
      const chat = await llm.chat({ model: MODEL, messages, max_tokens: 12 })
      assert.match(chat.chatOutput.content, /Paris/)
      assert.match(chat.transactionHash ?? '', /^0x[0-9a-f]{64}$/)
      const prompt = 'The capital of France is'
      const text = await llm.completion({ model: MODEL, prompt, max_tokens: 3, wait: 'answer' })
      assert.match(text.completionOutput, /Paris/)
      assert.equal(text.transactionHash, null)
      const vectors = await llm.embed({ model: MODEL, input: ['one', 'two'], wait: 'answer' })
      assert.equal(vectors.embeddings.length, 2)
      assert.ok(vectors.report.ok)
    },
  },
  {
    what: 'a model of tensors that nobody serves is a typed error',
    async run(world) {
      const infer = clientOf(world).llm.infer({ model: MODEL, input: [1], wait: 'answer' })
      await assert.rejects(infer, (error) => error instanceof SdkError && error.code === 'gateway_error')
    },
  },
  {
    what: 'a stream that is left early stops the model, and is verified and charged for what was said',
    async run(world) {
      const { llm } = clientOf(world)
      const content = 'Count from one to two hundred, in words.'
      const stream = await llm.stream({
        model: MODEL,
        messages: [{ role: 'user', content }],
        max_tokens: 400,
        wait: 'settled',
      })
      let seen = 0
      for await (const text of stream) if (text !== '' && ++seen === 5) break
      const { receipt, report, transactionHash, chatOutput } = await stream.result
      assert.equal(receipt.status, STATUS.cancelled)
      assert.ok(report.ok)
      assert.match(transactionHash ?? '', /^0x[0-9a-f]{64}$/)
      assert.ok(chatOutput.content.length > 0)
      assert.ok(receipt.outputUnits >= 5n && receipt.outputUnits < 400n, `${receipt.outputUnits} tokens`)
    },
  },
  {
    what: 'a gateway that is away costs nothing, and the next one answers',
    async run({ network, privateKey }) {
      const away = { gateway: `0x${'1'.repeat(40)}`, gatewayUrl: 'http://127.0.0.1:9' } as const
      const { llm } = createAssay({ network: { ...network, ...away }, privateKey, fallbacks: [network] })
      const { chatOutput, receipt } = await llm.chat({
        model: MODEL,
        messages,
        max_tokens: 12,
        wait: 'answer',
      })
      assert.match(chatOutput.content, /Paris/)
      assert.equal(receipt.committer, network.gateway.toLowerCase())
    },
  },
  {
    what: 'a limit of spending holds to the base unit, and nothing is signed beyond it',
    async run({ network, privateKey }) {
      const spending = spendingLimit({ maxPerDay: 10n ** 16n })
      const { llm } = createAssay({ network, privateKey, spending })
      const ask = () => llm.chat({ model: MODEL, messages, max_tokens: 8, wait: 'answer' })
      const { receipt } = await ask()
      assert.equal(spending.spent(), receipt.price)
      spending.reserve(10n ** 16n - receipt.price - 1n)
      await assert.rejects(ask(), (error) => error instanceof SdkError && error.code === 'over_limit')
    },
  },
]

const mcp: Omit<Row, 'client' | 'version' | 'way'>[] = [
  {
    what: 'lists its tools; infers, verifies, searches models, shows stakes; refuses nonsense; a restart forgets nothing spent',
    async run({ local }) {
      const client = await startMcp(local.home)
      try {
        const { tools } = await client.listTools()
        const names = tools.map(({ name }) => name)
        assert.deepEqual(names, ['assay_infer', 'assay_verify', 'assay_models', 'assay_stake_status'])
        const call = async (name: string, input: Record<string, unknown>) => {
          const { content, isError } = await client.callTool({ name, arguments: input })
          const [part] = content as { text: string }[]
          return { isError: isError === true, text: part?.text ?? '' }
        }
        const answer = await call('assay_infer', { prompt: QUESTION, max_tokens: 12 })
        const { answer: said, requestId, verified } = JSON.parse(answer.text)
        assert.match(said, /Paris/)
        assert.equal(verified, true)
        const report = JSON.parse((await call('assay_verify', { requestId })).text)
        assert.ok(report.steps.some((step: { outcome: string }) => step.outcome === 'passed'))
        const found = JSON.parse((await call('assay_models', { query: 'smol' })).text)
        assert.equal(found.models[0].name, MODEL)
        assert.match(found.models[0].price.perOutputToken, /OPG/)
        const stakes = JSON.parse((await call('assay_stake_status', {})).text)
        assert.equal(stakes.validators.length, 3)
        const nonsense = await call('assay_verify', { requestId: '5' })
        assert.ok(nonsense.isError && /64 hex digits/.test(nonsense.text), nonsense.text)
      } finally {
        await client.close()
      }
      await forgetsNothing(local.home)
    },
  },
]

/** As much as the first server spent may be spent in a day: nothing is left for one that is started after it. */
async function forgetsNothing(home: string): Promise<void> {
  const folder = path.join(home, 'mcp-spending')
  const [spent = '0'] = readdirSync(folder)
    .map((file) => readFileSync(path.join(folder, file), 'utf8'))
    .flatMap((text) => /"([1-9][0-9]*)"/.exec(text)?.[1] ?? [])
  const client = await startMcp(home, '--max-per-day', formatUnits(BigInt(spent), 18))
  const question = { name: 'assay_infer', arguments: { prompt: QUESTION, max_tokens: 12 } }
  const refused = await client.callTool(question).finally(() => client.close())
  assert.ok(refused.isError === true && /24 hours/.test(JSON.stringify(refused.content)))
}

/** A request with headers that `fetch` lets nobody set. */
function raw(
  url: string,
  headers: Record<string, string>,
  body: string,
): Promise<{ status: number; text: string }> {
  return new Promise((done, failed) => {
    const request = httpRequest(url, { method: 'POST', headers }, (answer) => {
      let text = ''
      answer.on('data', (chunk) => {
        text += chunk
      })
      answer.on('end', () => done({ status: answer.statusCode ?? 0, text }))
    })
    request.on('error', failed)
    request.end(body)
  })
}

/** A server of its own, as an assistant starts one. */
async function startMcp(home: string, ...options: string[]): Promise<Client> {
  const client = new Client({ name: 'test', version: '1.0.0' })
  const env = { ...process.env, ASSAY_HOME: home, ASSAY_WALLET_KEY: '' } as Record<string, string>
  const args = ['packages/cli/src/main.ts', 'mcp', ...options]
  await client.connect(new StdioClientTransport({ command: process.execPath, args, env, stderr: 'ignore' }))
  return client
}

const proxy: Omit<Row, 'client' | 'version' | 'way'>[] = [
  {
    what: 'says what it verified: a header on a whole answer, a comment before the end of a stream',
    async run({ proxy: { url, key }, network }) {
      const ask = (stream: boolean) =>
        fetch(`${url}/v1/chat/completions`, {
          method: 'POST',
          headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
          body: JSON.stringify({ model: MODEL, messages, max_tokens: 8, stream }),
        })
      const whole = await ask(false)
      assert.equal(whole.headers.get('x-assay-verified'), 'true')
      const streamed = await ask(true)
      assert.equal(streamed.headers.get('x-assay-verified'), 'pending')
      assert.match(await streamed.text(), /: x-assay-verified true\n.*data: \[DONE\]\n\n$/s)
      const id = streamed.headers.get('x-assay-request-id') as `0x${string}`
      assert.ok((await readReceiptStatus(network, id))?.signed)
    },
  },
  {
    what: '--confidential: verified as ever, and whoever listens in front of the gateway reads nothing of it',
    async run({ network, startProxy }) {
      const tap = await startTap(network.gatewayUrl)
      const confidential = await startProxy({ ...network, gatewayUrl: tap.url }, '--confidential')
      try {
        for (const stream of [false, true]) {
          const answer = await fetch(`${confidential.url}/v1/chat/completions`, {
            method: 'POST',
            headers: { authorization: `Bearer ${confidential.key}`, 'content-type': 'application/json' },
            body: JSON.stringify({ model: MODEL, messages, max_tokens: 12, stream }),
          })
          const text = await answer.text()
          assert.equal(answer.status, 200, text)
          assert.match(text, /Paris/)
          if (stream) assert.match(text, /: x-assay-verified true\n.*data: \[DONE\]\n\n$/s)
          else assert.equal(answer.headers.get('x-assay-verified'), 'true')
        }
        const heard = tap.heard()
        assert.ok(heard.includes(`POST ${CONFIDENTIAL_PATH}`), 'nothing went through the tap')
        assert.doesNotMatch(heard, /capital of France|Paris/)
      } finally {
        await confidential.close()
        await tap.close()
      }
    },
  },
  {
    what: 'no page of a browser spends through it: foreign Host, Origin, or no token',
    async run({ proxy: { url, key } }) {
      const body = JSON.stringify({ model: MODEL, messages, max_tokens: 8 })
      const asked = (headers: Record<string, string>) => raw(`${url}/v1/chat/completions`, headers, body)
      const authorization = `Bearer ${key}`
      assert.match((await asked({ authorization, host: 'evil.example' })).text, /bad_host/)
      assert.match((await asked({ authorization, origin: 'https://evil.example' })).text, /bad_origin/)
      assert.match((await asked({ authorization, 'sec-fetch-site': 'cross-site' })).text, /bad_origin/)
      assert.equal((await asked({})).status, 401)
      assert.equal((await asked({ authorization: 'Bearer assay-proxy-guessed' })).status, 401)
    },
  },
]

const row =
  (client: string, version: string | undefined, way: string) =>
  (part: (typeof sdk)[number]): Row => ({
    client,
    version,
    way,
    ...part,
  })

export const ours: Row[] = [
  ...sdk.map(row('@assay/sdk', '0.1.0', 'createAssay')),
  ...proxy.map(row('assay proxy', '0.1.0', 'proxy')),
  ...mcp.map(row('@modelcontextprotocol/sdk (npm)', npmVersion('@modelcontextprotocol/sdk'), 'assay mcp')),
]
