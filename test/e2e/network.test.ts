/**
 * The whole network as a user runs it: `assay up`, the real model, the real chain, three validators, and stock clients.
 * One network serves all tests, in order; each says in its name what must hold.
 */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer, request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { after, before, test } from 'node:test'
import Anthropic from '@anthropic-ai/sdk'
import { developmentAccount, publicClientOf, saveNetwork } from '@assay/chain'
import {
  encodeBundle,
  formatOpg,
  MODE,
  type Network,
  opgAbi,
  parseBundle,
  revenueSplitterAbi,
  STATUS,
} from '@assay/protocol'
import { assayFetch, createAssay, SdkError } from '@assay/sdk'
import { ExactEvmScheme } from '@x402/evm'
import { wrapFetchWithPayment, x402Client } from '@x402/fetch'
import OpenAI from 'openai'
import { privateKeyToAccount } from 'viem/accounts'
import { runCli } from '../../packages/cli/src/index.ts'
import { openRefusingRpc } from '../../packages/cli/test/refusingRpc.ts'
import { specCheck } from '../specCheck.ts'
import { until } from '../until.ts'
import { createLocalNetwork, type LocalNetwork } from './localNetwork.ts'

const PAYMENTS = path.join(import.meta.dirname, '../../packages/zkml/models/payments.json')
let local: LocalNetwork
let network: Network
const model = 'smollm2-135m-instruct'
/** What a small model talks about for long. */
const LONG = 'Tell me a very long story about a lighthouse keeper, chapter by chapter.'
const question = { role: 'user' as const, content: 'What is the capital of France?' }

before(async () => {
  local = await createLocalNetwork()
  network = local.network
})
after(() => local?.close())

function demoKey(): `0x${string}` {
  const demo = network.accounts.demo
  if (demo === undefined) throw new Error('a development network has a demo account')
  return demo.privateKey
}

async function statusOf(requestId: string): Promise<{ state: string; payment?: { state: string } }> {
  const response = await fetch(`${network.gatewayUrl}/v1/receipts/${requestId}`)
  return (await response.json()) as { state: string; payment?: { state: string } }
}

const settled = (requestId: string) =>
  until(
    async () => (await statusOf(requestId)).payment?.state === 'settled',
    () => `payment of ${requestId} to be settled`,
  )

test('assay chat --json prints answer, transaction hash, receipt and report', async () => {
  const { code, stdout, stderr } = await local.assay('chat', question.content, '--json')
  assert.equal(code, 0, stderr)
  const result = JSON.parse(stdout) as {
    chatOutput: { content: string }
    transactionHash: string
    receipt: { requestId: string }
    report: { ok: boolean }
  }
  assert.match(result.chatOutput.content, /Paris/)
  assert.match(result.transactionHash, /^0x[0-9a-f]{64}$/)
  assert.equal(result.report.ok, true)
  const client = publicClientOf(network)
  const receipt = await client.getTransactionReceipt({ hash: result.transactionHash as `0x${string}` })
  assert.equal(receipt.to?.toLowerCase(), network.contracts.Settlement.toLowerCase())
})

test('assay chat tells what was paid and how to verify it, though the chain goes away behind the answer', async (t) => {
  const chain = await openRefusingRpc(network.rpcUrl, () => undefined)
  t.after(() => chain.close())
  const file = path.join(local.home, 'leaving.json')
  saveNetwork(file, { ...network, rpcUrl: chain.url })
  let stdout = ''
  let stderr = ''
  const code = await runCli(
    ['chat', question.content, '--no-stream', '--wait', 'answer', '--network', file],
    {
      isTerminal: false,
      out(text) {
        stdout += text
        chain.close()
      },
      err(text) {
        stderr += text
      },
    },
  )
  assert.equal(code, 0, stderr)
  // By the name under which every other command asks for it.
  assert.match(stdout, /verified ✓.*\n {2}request id +0x[0-9a-f]{64}\n/)
  assert.match(stdout, /Paris[\s\S]*verified ✓[\s\S]*mode +tee, SIMULATED enclave[\s\S]*price +0\.\d+ OPG/)
})

test('assay chat --confidential: encrypted to an attested enclave, streamed, paid, and a bundle that verifies', async () => {
  const file = path.join(local.home, 'confidential.json')
  const secret = 'What is the capital of France, between you and me?'
  const { code, stdout, stderr } = await local.assay('chat', secret, '--confidential', '--save', file)
  assert.equal(code, 0, stdout + stderr)
  assert.match(stdout, /verified ✓/)
  const { request } = parseBundle(readFileSync(file))
  assert.match(new TextDecoder().decode(request.body), /between you and me/)
  assert.ok(!local.logOf('gateway').includes('between you and me'))
  const verified = await local.assay('verify', file)
  assert.equal(verified.code, 0, verified.stdout + verified.stderr)
})

test('the official openai client gets whole and streamed answers through a paying fetch', async () => {
  const openai = new OpenAI({
    apiKey: 'unused',
    baseURL: `${network.gatewayUrl}/v1`,
    fetch: assayFetch({ network, privateKey: demoKey() }),
    maxRetries: 0,
  })
  const whole = await openai.chat.completions.create({ model, messages: [question], max_tokens: 16 })
  assert.match(whole.choices[0]?.message.content ?? '', /Paris/)
  assert.ok((whole.usage?.completion_tokens ?? 0) > 0)
  const stream = await openai.chat.completions.create({
    model,
    messages: [question],
    max_tokens: 16,
    stream: true,
  })
  let text = ''
  let chunks = 0
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? ''
    chunks++
  }
  assert.match(text, /Paris/)
  assert.ok(chunks > 2, 'a stream comes in parts')
})

test('the official Anthropic client, embeddings and responses: every dialect pays, and is verified before it ends', async () => {
  const fetch = assayFetch({ network, privateKey: demoKey() })
  const anthropic = new Anthropic({ apiKey: 'unused', baseURL: network.gatewayUrl, fetch, maxRetries: 0 })
  const request = { model, max_tokens: 16, messages: [question] }
  const whole = await anthropic.messages.create(request)
  assert.match(whole.content[0]?.type === 'text' ? whole.content[0].text : '', /Paris/)
  const streamed = await anthropic.messages.stream(request).finalMessage()
  assert.deepEqual(streamed.content, whole.content)
  const { input_tokens: counted } = await anthropic.messages.countTokens({ model, messages: [question] })
  assert.equal(counted, whole.usage.input_tokens)
  await assert.rejects(
    anthropic.messages.create({ ...request, model: 'claude-9' }),
    (error: unknown) => error instanceof SdkError || error instanceof Anthropic.APIError,
  )
  const openai = new OpenAI({ apiKey: 'unused', baseURL: `${network.gatewayUrl}/v1`, fetch, maxRetries: 0 })
  const embedded = await openai.embeddings.create({ model, input: ['one', 'two'] })
  assert.equal(embedded.data.length, 2)
  const response = await openai.responses
    .stream({ model, input: question.content, max_output_tokens: 16 })
    .finalResponse()
  assert.match(response.output_text, /Paris/)
  const completed = await openai.completions.create({
    model,
    prompt: 'The capital of France is',
    max_tokens: 3,
  })
  assert.match(completed.choices[0]?.text ?? '', /Paris/)
  assert.equal((await openai.models.retrieve(model)).id, model)
})

test('without payment the openai client sees a 402, and stock @x402/fetch pays it', async () => {
  const openai = new OpenAI({ apiKey: 'unused', baseURL: `${network.gatewayUrl}/v1`, maxRetries: 0 })
  await assert.rejects(
    openai.chat.completions.create({ model, messages: [question], max_tokens: 8 }),
    (error: unknown) => error instanceof OpenAI.APIError && error.status === 402,
  )
  const account = privateKeyToAccount(demoKey())
  const client = new x402Client().register('eip155:*', new ExactEvmScheme(account)).setSpendControls({
    allowedAssets: [
      {
        network: `eip155:${network.chainId}`,
        asset: network.contracts.OPG,
        maxAmountPerPayment: '10000000000000000000',
      },
    ],
  })
  const response = await wrapFetchWithPayment(fetch, client)(`${network.gatewayUrl}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model, messages: [question], max_tokens: 8 }),
  })
  assert.equal(response.status, 200, await response.clone().text())
  assert.match(response.headers.get('x-assay-receipt') ?? '', /^[A-Za-z0-9_-]+$/)
})

test('an answer is final within 30 s, and its price is split 70/15/10/5 to the last base unit', async () => {
  const client = publicClientOf(network)
  const splitter = { address: network.contracts.RevenueSplitter, abi: revenueSplitterAbi } as const
  const publisher = developmentAccount(6).address
  const treasury = developmentAccount(7).address
  const node = network.nodes[0]?.operator as `0x${string}`
  const token = { address: network.contracts.OPG, abi: opgAbi } as const
  const payer = privateKeyToAccount(demoKey()).address
  const read = async () => ({
    publisher: await client.readContract({ ...splitter, functionName: 'balanceOf', args: [publisher] }),
    node: await client.readContract({ ...splitter, functionName: 'balanceOf', args: [node] }),
    treasury: await client.readContract({ ...splitter, functionName: 'balanceOf', args: [treasury] }),
    held: await client.readContract({ ...token, functionName: 'balanceOf', args: [splitter.address] }),
    payer: await client.readContract({ ...token, functionName: 'balanceOf', args: [payer] }),
  })
  // Everything that earlier tests bought is settled first, so that only this call moves the balances.
  const quiet = createAssay({ network, privateKey: demoKey() })
  const first = await quiet.llm.chat({ model, messages: [question], max_tokens: 8, wait: 'final' })
  await settled(first.receipt.requestId)
  const earlier = await read()
  const [began, starved] = [Date.now(), local.starvedMs()]
  const { receipt, transactionHash } = await quiet.llm.chat({
    model,
    messages: [question],
    max_tokens: 8,
    wait: 'final',
  })
  const milliseconds = Date.now() - began - (local.starvedMs() - starved)
  assert.ok(milliseconds < 30_000, `final after ${milliseconds} ms`)
  assert.match(String(transactionHash), /^0x[0-9a-f]{64}$/)
  await settled(receipt.requestId)
  const later = await read()
  const nodePart = (receipt.price * 15n) / 100n
  const validatorsPart = (receipt.price * 10n) / 100n
  const treasuryPart = (receipt.price * 5n) / 100n
  assert.ok(receipt.price > 0n)
  assert.equal(later.node - earlier.node, nodePart)
  assert.equal(later.treasury - earlier.treasury, treasuryPart)
  assert.equal(later.publisher - earlier.publisher, receipt.price - nodePart - validatorsPart - treasuryPart)
  assert.equal(later.held - earlier.held, receipt.price)
  assert.equal(earlier.payer - later.payer, receipt.price, 'the payer paid exactly the price')
})

test('a saved bundle verifies, any flipped byte is named, and another deployment is refused', async () => {
  const file = path.join(local.home, 'bundle.json')
  const saved = await local.assay('chat', question.content, '--save', file)
  assert.equal(saved.code, 0, saved.stderr)
  const good = await local.assay('verify', file, '--json')
  assert.equal(good.code, 0, good.stdout + good.stderr)
  const text = readFileSync(file, 'utf8')
  const json = JSON.parse(text) as Record<string, Record<string, string>>
  const flipHex = (value: string) => `${value.slice(0, -1)}${value.endsWith('0') ? '1' : '0'}`
  const changes: [string, string][] = [
    [
      json.request?.body as string,
      Buffer.from(
        `${Buffer.from(json.request?.body as string, 'base64')
          .toString()
          .replace('France', 'Frence')}`,
      ).toString('base64'),
    ],
    [
      json.response?.body as string,
      Buffer.from(
        `${Buffer.from(json.response?.body as string, 'base64')
          .toString()
          .replace('Paris', 'Pariz')}`,
      ).toString('base64'),
    ],
    [String(json.signature), flipHex(String(json.signature).slice(0, -2)) + String(json.signature).slice(-2)],
    [json.receipt?.requestHash as string, flipHex(json.receipt?.requestHash as string)],
    [json.inclusion?.root as string, flipHex(json.inclusion?.root as string)],
  ]
  for (const [before, changed] of changes) {
    assert.notEqual(before, changed)
    const bad = path.join(local.home, 'bad.json')
    writeFileSync(bad, text.replaceAll(before, changed))
    const { code, stdout } = await local.assay('verify', bad, '--json')
    assert.equal(code, 1, `changed ${before.slice(0, 20)}…`)
    assert.match(stdout, /"outcome":\s*"failed"|"code":/)
  }
  const other = path.join(local.home, 'other-network.json')
  const record = JSON.parse(readFileSync(path.join(local.home, 'network.json'), 'utf8')) as Record<
    string,
    unknown
  >
  writeFileSync(other, JSON.stringify({ ...record, deploymentId: `0x${'11'.repeat(32)}` }))
  const foreign = await local.assay('verify', file, '--network', other, '--json')
  assert.equal(foreign.code, 1, foreign.stdout + foreign.stderr)
})

test('a checker that shares no code with us agrees with what was saved, streamed and whole', async (t) => {
  const networkFile = path.join(local.home, 'network.json')
  const whole = path.join(local.home, 'whole.json')
  const saved = await local.assay('chat', question.content, '--no-stream', '--save', whole)
  assert.equal(saved.code, 0, saved.stderr)
  for (const file of [path.join(local.home, 'bundle.json'), whole]) {
    const { status, output, skip } = specCheck('bundle', file, '--network', networkFile)
    if (skip) return t.skip(skip)
    assert.equal(status, 0, output)
    for (const step of ['request hash', 'response hash', 'signature', 'request authorisation', 'inclusion'])
      assert.match(output, new RegExp(`^agrees: .*${step}`, 'm'))
  }
})

test('a gateway that alters one byte of an answer is caught before the content is shown', async () => {
  const target = new URL(network.gatewayUrl)
  const liar = createServer((incoming, outgoing) => {
    const upstream = httpRequest(
      {
        host: target.hostname,
        port: target.port,
        path: incoming.url,
        method: incoming.method,
        headers: incoming.headers,
      },
      (answer) => {
        const parts: Buffer[] = []
        answer.on('data', (part: Buffer) => parts.push(part))
        answer.on('end', () => {
          const body = Buffer.from(Buffer.concat(parts).toString('utf8').replace('Paris', 'Lyons'))
          outgoing.writeHead(answer.statusCode ?? 502, { ...answer.headers, 'content-length': body.length })
          outgoing.end(body)
        })
      },
    )
    incoming.pipe(upstream)
  })
  await new Promise<void>((ready) => {
    liar.listen(0, '127.0.0.1', ready)
  })
  try {
    const address = liar.address()
    if (address === null || typeof address === 'string') throw new Error('the server has a port')
    const { llm } = createAssay({
      network: { ...network, gatewayUrl: `http://127.0.0.1:${address.port}` },
      privateKey: demoKey(),
    })
    await assert.rejects(
      llm.chat({ model, messages: [question], max_tokens: 16, wait: 'answer' }),
      (error: unknown) => error instanceof SdkError && error.code === 'verification_failed',
    )
  } finally {
    liar.close()
    liar.closeAllConnections()
  }
})

test('kill -9 of everything: the network continues where it was, and the old bundle still verifies', async () => {
  const { llm } = createAssay({ network, privateKey: demoKey() })
  // Answered but perhaps not yet on chain when the power fails.
  const { receipt } = await llm.chat({ model, messages: [question], max_tokens: 8, wait: 'answer' })
  await local.killEverything()
  const milliseconds = await local.start()
  assert.ok(milliseconds < 60_000, `started again after ${milliseconds} ms`)
  await settled(receipt.requestId)
  const verified = await local.assay('verify', path.join(local.home, 'bundle.json'))
  assert.equal(verified.code, 0, verified.stdout + verified.stderr)
  const bundle = parseBundle(readFileSync(path.join(local.home, 'bundle.json')))
  await until(
    async () => (await statusOf(bundle.receipt.requestId)).state === 'final',
    () => 'what was final to be so again',
  )
})

test('^C in a stream ends it where it is: it is said what was paid for, and that it is verified', async () => {
  const file = path.join(local.home, 'stopped.json')
  const chat = local.startAssay('chat', LONG, '--max-tokens', '600', '--save', file)
  await until(
    () => chat.said.stdout.length > 0,
    () => 'the answer to begin',
  )
  chat.child.kill('SIGINT')
  const { code, stdout, stderr } = await chat.ended
  assert.equal(code, 130, stdout + stderr)
  const told =
    /Stopped\. What was said[\s\S]*requestId: (0x[0-9a-f]{64})\n {2}verified: yes\n {2}price: (0\.\d+ OPG)\n[\s\S]*Next: .*assay verify \1\n/
  const [, requestId = '', price = ''] = told.exec(stderr) ?? []
  const { receipt } = parseBundle(readFileSync(file))
  assert.deepEqual([receipt.requestId, receipt.status], [requestId, STATUS.cancelled], stderr)
  assert.equal(formatOpg(receipt.price), price)
  await settled(requestId)
  assert.match((await local.assay('wallet', 'payment', requestId)).stdout, new RegExp(`price +${price}`))
  assert.equal((await local.assay('verify', requestId)).code, 0)
})

test('a second ^C ends assay chat at once, whatever the end of the stream waits for', async () => {
  const chat = local.startAssay('chat', LONG, '--max-tokens', '600')
  await until(
    () => chat.said.stdout.length > 0,
    () => 'the answer to begin',
  )
  const gateway = local.pidOf('gateway')
  process.kill(gateway, 'SIGSTOP')
  try {
    chat.child.kill('SIGINT')
    await until(
      () => chat.said.stderr.includes('stopping:'),
      () => 'it to say that it waits for the end',
    )
    chat.child.kill('SIGINT')
    const { code, stderr } = await chat.ended
    assert.equal(code, 130)
    assert.doesNotMatch(stderr, /Stopped/)
  } finally {
    process.kill(gateway, 'SIGCONT')
  }
})

test('^C while a whole answer is made: nobody knows yet what it costs, and it is said where that will be known', async (t) => {
  const paid = new EventTarget()
  // It takes the payment, and never answers.
  const holding = createServer((incoming, outgoing) => {
    if (incoming.headers['payment-signature'] !== undefined) return void paid.dispatchEvent(new Event('paid'))
    const { url, method, headers } = incoming
    const { hostname, port } = new URL(network.gatewayUrl)
    const upstream = httpRequest({ host: hostname, port, path: url, method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(outgoing)
    })
    incoming.pipe(upstream)
  })
  await new Promise<void>((ready) => {
    holding.listen(0, '127.0.0.1', ready)
  })
  t.after(() => {
    holding.close()
    holding.closeAllConnections()
  })
  const { port } = holding.address() as AddressInfo
  const file = path.join(local.home, 'holding.json')
  saveNetwork(file, { ...network, gatewayUrl: `http://127.0.0.1:${port}` })
  const input = path.join(local.home, 'numbers.json')
  const { inputs } = JSON.parse(readFileSync(PAYMENTS, 'utf8')) as { inputs: number[][] }
  writeFileSync(input, JSON.stringify(inputs[0]))
  for (const command of [
    ['chat', question.content, '--no-stream'],
    ['infer', '--model', 'fraud-scorer', '--input', input],
  ]) {
    const sent = new Promise((done) => paid.addEventListener('paid', done, { once: true }))
    const running = local.startAssay(...command, '--network', file)
    await Promise.race([sent, running.ended])
    running.child.kill('SIGINT')
    const { code, stderr } = await running.ended
    assert.equal(code, 130, stderr)
    assert.match(
      stderr,
      /Stopped behind the payment[\s\S]*requestId: (0x[0-9a-f]{64})\n[\s\S]*Next: .*assay wallet payment \1\n/,
    )
  }
})

test('an answer that kill -9 of everything breaks off: the command that its error names says how it ended', async () => {
  const chat = local.startAssay('chat', LONG, '--max-tokens', '600')
  await until(
    () => chat.said.stdout.length > 0,
    () => 'the answer to begin',
  )
  await local.killEverything()
  const { code, stderr } = await chat.ended
  assert.equal(code, 1, stderr)
  const [, command, requestId = ''] =
    /Next: .*pay twice: assay (verify) (0x[0-9a-f]{64})\n/.exec(stderr) ?? []
  assert.equal(command, 'verify', stderr)
  await local.start()
  // Whose gateway was killed is not said to be lost before the others have missed it.
  const verified = await until(
    async () => {
      const last = await local.assay('verify', requestId)
      assert.equal(last.code, 1, last.stdout + last.stderr)
      return !last.stderr.includes('state: pending') && last
    },
    () => 'the request to be decided',
  )
  assert.match(verified.stderr, /knows this request: it failed[\s\S]*taken: nothing[\s\S]*Next: Ask again/)
  const payment = await local.assay('wallet', 'payment', requestId)
  assert.match(payment.stdout, /failed: nothing was taken for it, nor will be/)
})

test('with the gateway stopped, a bundle verifies by the RPC alone', async () => {
  process.kill(local.pidOf('gateway'), 'SIGSTOP')
  try {
    const { code, stdout } = await local.assay('verify', path.join(local.home, 'bundle.json'))
    assert.equal(code, 0, stdout)
  } finally {
    process.kill(local.pidOf('gateway'), 'SIGCONT')
  }
})

test('an answer of a circuit comes at once, is proved, becomes final, and anybody verifies the proof', async () => {
  const input = path.join(local.home, 'payment.json')
  const { inputs } = JSON.parse(readFileSync(PAYMENTS, 'utf8')) as { inputs: number[][] }
  writeFileSync(input, JSON.stringify(inputs[0]))
  const bundle = path.join(local.home, 'inference.json')
  const asked = ['--model', 'fraud-scorer', '--input', input, '--verification', 'zk', '--wait', 'final']
  const { code, stdout, stderr } = await local.assay('infer', ...asked, '--save', bundle, '--json')
  assert.equal(code, 0, stderr)
  const result = JSON.parse(stdout) as {
    output: number[]
    receipt: { requestId: string; mode: number; evidenceHash: string }
    report: { steps: { name: string; outcome: string }[]; trust: string }
  }
  assert.equal(result.output.length, 1)
  assert.equal(result.receipt.mode, MODE.zk)
  const outcome = (name: string) => result.report.steps.find((step) => step.name === name)?.outcome
  assert.deepEqual([outcome('proofHolds'), outcome('batchIsFinal')], ['passed', 'passed'])
  assert.match(result.report.trust, /mathematics/)
  const byId = await local.assay('verify', result.receipt.requestId)
  assert.equal(byId.code, 0, byId.stderr + byId.stdout)
  assert.match(byId.stdout, /proofHolds/)
  const byBundle = await local.assay('verify', bundle)
  assert.equal(byBundle.code, 0, byBundle.stderr + byBundle.stdout)
})

test('a bundle without the proof it promises is not verified, and one about another answer fails', async () => {
  const file = path.join(local.home, 'inference.json')
  const bundle = parseBundle(readFileSync(file))
  const saved = path.join(local.home, 'changed.json')
  writeFileSync(saved, encodeBundle({ ...bundle, zk: undefined }))
  const without = await local.assay('verify', saved)
  assert.equal(without.code, 1)
  assert.match(without.stdout, /proofHolds.*not at hand/s)
  const proof = bundle.zk?.proof.slice() ?? new Uint8Array()
  proof[100] = (proof[100] ?? 0) ^ 1
  writeFileSync(saved, encodeBundle({ ...bundle, zk: bundle.zk && { ...bundle.zk, proof } }))
  const changed = await local.assay('verify', saved)
  assert.equal(changed.code, 1)
  assert.match(changed.stdout, /The proof does not hold/)
})

test('who does not agree to publish is told before paying for a proof, and tensors must fit', async () => {
  const send = assayFetch({ network, privateKey: demoKey() })
  const ask = (input: number[], headers: Record<string, string>) =>
    send(`${network.gatewayUrl}/v1/infer`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ model: 'fraud-scorer', input }),
    })
  const codeOf = async (response: Response) =>
    ((await response.json()) as { error: { code: string } }).error.code
  assert.equal(await codeOf(await ask([1], {})), 'unsupported_settlement')
  assert.equal(await codeOf(await ask([1], { 'x-assay-settlement': 'full' })), 'unsupported_value')
})
