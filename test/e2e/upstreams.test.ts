/** A model that another server runs: published, paid, settled, and honest in its receipt about who stands behind it. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { after, before, test } from 'node:test'
import Anthropic from '@anthropic-ai/sdk'
import { ENGINE_CLASS, MODE } from '@assay/protocol'
import { assayFetch, createAssay } from '@assay/sdk'
import { temporaryFolder } from '../temporaryFolder.ts'
import { until } from '../until.ts'
import { createLocalNetwork, type LocalNetwork } from './localNetwork.ts'

const KEY = 'sk-of-the-operator-and-nobody-else'
const SEALED_KEY = 'sk-that-only-the-enclave-may-have'
const model = 'run-elsewhere'
const proxied = 'claude'
const asked: { authorization: string | undefined; model: unknown }[] = []

/** As little of an OpenAI-compatible server as a stream and a whole answer need. */
const upstream = createServer(async (request, response) => {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part as Buffer)
  const body = JSON.parse(Buffer.concat(parts).toString()) as { model: string; stream?: boolean }
  asked.push({ authorization: request.headers.authorization, model: body.model })
  const usage = { prompt_tokens: 11, completion_tokens: 2, total_tokens: 13 }
  const head = { id: 'chatcmpl-1', created: 1, model: body.model }
  if (body.stream !== true) {
    const message = { role: 'assistant', content: 'From elsewhere' }
    const choices = [{ index: 0, message, finish_reason: 'stop' }]
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ ...head, object: 'chat.completion', choices, usage }))
    return
  }
  response.setHeader('content-type', 'text/event-stream')
  const choice = (delta: object, finish: string | null) => [{ index: 0, delta, finish_reason: finish }]
  for (const chunk of [
    { choices: choice({ role: 'assistant', content: 'From' }, null) },
    { choices: choice({ content: ' elsewhere' }, null) },
    { choices: choice({}, 'stop') },
    { choices: [], usage },
  ]) {
    response.write(`data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', ...chunk })}\n\n`)
  }
  response.end('data: [DONE]\n\n')
})

let local: LocalNetwork
before(async () => {
  await new Promise<void>((ready) => upstream.listen(0, '127.0.0.1', ready))
  const { port } = upstream.address() as AddressInfo
  const file = path.join(temporaryFolder('upstreams'), 'upstreams.json')
  const target = { provider: 'openai-compatible', baseUrl: `http://127.0.0.1:${port}/v1`, model: 'theirs' }
  writeFileSync(
    file,
    JSON.stringify({
      models: [
        { name: model, contextLength: 4096, targets: [{ ...target, keyEnv: 'UPSTREAM_KEY' }] },
        {
          name: proxied,
          contextLength: 200_000,
          targets: [{ provider: 'anthropic', model: 'claude-sonnet-4-5', keyName: 'anthropic' }],
        },
      ],
    }),
  )
  local = await createLocalNetwork({ ASSAY_UPSTREAMS: file, UPSTREAM_KEY: KEY })
})
after(async () => {
  await local?.close()
  upstream.close()
})

function demoKey(): `0x${string}` {
  return local.network.accounts.demo?.privateKey ?? assert.fail('a development network has a demo account')
}

test('its answers are settled under a key of their own, with the bond alone behind them', async () => {
  const { llm } = createAssay({ network: local.network, privateKey: demoKey() })
  const messages = [{ role: 'user', content: 'Where are you from?' }]
  const { chatOutput, receipt, report } = await llm.chat({ model, messages, max_tokens: 8, wait: 'final' })
  assert.equal(chatOutput.content, 'From elsewhere')
  assert.deepEqual([receipt.engineClass, receipt.mode], [ENGINE_CLASS.unattested, MODE.bonded])
  assert.deepEqual([receipt.inputUnits, receipt.outputUnits], [11n, 2n])
  assert.ok(report.ok)
  assert.match(report.trust, /bond of operator .* alone/)
  assert.deepEqual(asked.at(-1), { authorization: `Bearer ${KEY}`, model: 'theirs' })
})

test('beside it the node’s own model answers as before, and Anthropic’s client reaches both', async () => {
  const fetch = assayFetch({ network: local.network, privateKey: demoKey() })
  const client = new Anthropic({ apiKey: 'unused', baseURL: local.network.gatewayUrl, fetch, maxRetries: 0 })
  const messages = [{ role: 'user' as const, content: 'What is the capital of France?' }]
  const theirs = await client.messages.stream({ model, max_tokens: 8, messages }).finalMessage()
  assert.deepEqual(
    theirs.content.map((block) => block.type === 'text' && block.text),
    ['From elsewhere'],
  )
  const own = await client.messages.create({ model: 'smollm2-135m-instruct', max_tokens: 16, messages })
  assert.match(own.content[0]?.type === 'text' ? own.content[0].text : '', /Paris/)
})

/**
 * Where something stands in what the network's processes wrote: logs, databases, chain. They go on writing: where one
 * replaces a file while it is looked for, all are looked through again, so that its successor is too.
 */
function filesWith(text: string): string[] {
  for (let tries = 0; tries < 100; tries++) {
    try {
      return files().filter((file) => readFileSync(file).includes(text))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }
  return assert.fail('files were replaced under all of a hundred readings')
}

function files(): string[] {
  const found = readdirSync(local.home, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => path.join(parentPath, name))
  assert.ok(found.some((file) => file.endsWith('node.log')))
  return found
}

test('what was asked and answered is in no log and no file of the network, of what was refused neither', async () => {
  const { llm } = createAssay({ network: local.network, privateKey: demoKey() })
  const content = 'A word that nobody else may read'
  const refused = llm.chat({ model, messages: [{ role: 'user', content }], extra: { [content]: content } })
  await assert.rejects(refused, /is not supported/)
  for (const text of [content, 'Where are you from?', 'From elsewhere', 'the capital of France']) {
    assert.deepEqual(filesWith(text), [], text)
  }
})

const nodeUrl = () => local.network.nodes[0]?.url ?? assert.fail('there is no node')
const health = async () =>
  (await (await fetch(`${nodeUrl()}/health`)).json()) as { models: { name: string }[]; awaitedKeys: string[] }

test('a key that the host must not have goes to the enclave, encrypted, by its operator alone', async () => {
  const before = await health()
  assert.deepEqual(before.awaitedKeys, ['anthropic'])
  assert.ok(!before.models.some(({ name }) => name === proxied))
  assert.match((await local.assay('status')).stdout, /waits for the key of: anthropic/)
  const { llm } = createAssay({ network: local.network, privateKey: demoKey() })
  const asking = llm.chat({
    model: proxied,
    messages: [{ role: 'user', content: 'Anybody?' }],
    max_tokens: 8,
  })
  await assert.rejects(asking, /status: 503/)
  const file = path.join(temporaryFolder('key'), 'key')
  writeFileSync(file, `${SEALED_KEY}\n`)
  const give = (...args: string[]) => local.assay('node', 'give-key', ...args, '--file', file)

  const stranger = await give('anthropic', '--as', 'treasury', '--node', nodeUrl())
  assert.equal(stranger.code, 1, stranger.stderr)
  assert.match(stranger.stderr, /No enclave can be trusted[\s\S]*it belongs to another operator/)
  for (const [args, code, words] of [
    [['anthropic'], 2, /lists no node of this operator/],
    [['anthropic', '--as', 'node', '--node', 'nowhere'], 2, /address is none/],
    [['anthropic', '--as', 'node', '--node', 'http://127.0.0.1:1'], 3, /The node does not answer/],
    [['anthropic', '--as', 'node', '--name', 'Not a word'], 2, /a word in lower case/],
    [['anthropic', '--as', 'node', '--name', 'other'], 1, /there are: anthropic/],
    [['openai', '--as', 'node', '--name', 'anthropic'], 1, /would show this key to anthropic/],
  ] as const) {
    const refused = await give(...args)
    assert.equal(refused.code, code, refused.stderr)
    assert.match(refused.stderr, words)
  }
  assert.deepEqual((await health()).awaitedKeys, ['anthropic'], 'nothing of that was taken')

  const given = await give('anthropic', '--as', 'node')
  assert.equal(given.code, 0, given.stderr)
  assert.match(given.stdout, /SIMULATED: its host can read the key/)
  const after = await health()
  assert.deepEqual(after.awaitedKeys, [])
  assert.ok(after.models.some(({ name }) => name === proxied))
  assert.deepEqual(filesWith(SEALED_KEY), [])
  for (const pid of ['gateway', 'node', 'validator'].flatMap((name) => local.pidsOf(name))) {
    assert.ok(!readFileSync(`/proc/${pid}/environ`).includes(SEALED_KEY))
  }
})

test('a node that was started again waits for its key again', async () => {
  process.kill(local.pidOf('node'), 'SIGKILL')
  await until(
    async () => (await health().catch(() => undefined))?.awaitedKeys[0] === 'anthropic',
    () => `the node to be up again:\n${local.logOf('node')}`,
  )
})

test('the key is in no log and no file of the network, and no process but the node has inherited it', () => {
  for (const name of ['gateway', 'validator']) {
    const pids = local.pidsOf(name)
    assert.ok(pids.length > 0, name)
    for (const pid of pids) assert.ok(!readFileSync(`/proc/${pid}/environ`).includes(KEY), name)
  }
  assert.deepEqual(filesWith(KEY), [])
})
