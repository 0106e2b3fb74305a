/**
 * Clients that have nothing but an API key and a base URL, on a whole running network: served, proven, paid, to the last
 * base unit.
 */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, test } from 'node:test'
import Anthropic from '@anthropic-ai/sdk'
import { createSender, publicClientOf } from '@assay/chain'
import {
  decodeReceiptHeader,
  modelRegistryAbi,
  type Network,
  type Receipt,
  revenueSplitterAbi,
  spendingGrantsAbi,
} from '@assay/protocol'
import {
  createApiKey,
  createAssay,
  grantAccount,
  type OpenedGrant,
  openGrant,
  revokeGrant,
  SdkError,
  waitForReceipt,
} from '@assay/sdk'
import OpenAI from 'openai'
import { type Address, type Hex, parseEther } from 'viem'
import { until } from '../until.ts'
import { createLocalNetwork, type LocalNetwork } from './localNetwork.ts'
import { startRepeatingGateway } from './repeatingGateway.ts'

let local: LocalNetwork
let network: Network
const model = 'smollm2-135m-instruct'
const question = { role: 'user' as const, content: 'What is the capital of France?' }
const hour = () => BigInt(Math.floor(Date.now() / 1000)) + 3600n

before(async () => {
  local = await createLocalNetwork()
  network = local.network
})
after(() => local?.close())

function demoKey(): Hex {
  const { demo } = network.accounts
  if (demo === undefined) throw new Error('a development network has a demo account')
  return demo.privateKey
}

async function open(
  changes: Partial<Parameters<typeof openGrant>[0]> = {},
): Promise<OpenedGrant & { key: string }> {
  const opened = await openGrant({
    network,
    privateKey: demoKey(),
    maxTotal: parseEther('100'),
    maxPerCall: parseEther('1'),
    expiry: hour(),
    deposit: parseEther('10'),
    ...changes,
  })
  return { ...opened, key: await createApiKey(network, demoKey(), opened.grant) }
}

const openaiWith = (apiKey: string, maxRetries = 0) =>
  new OpenAI({ apiKey, baseURL: `${network.gatewayUrl}/v1`, maxRetries })

/** Receipt of an answer, as its header carries it. */
function receiptOf(response: Response): Receipt {
  const header = response.headers.get('x-assay-receipt')
  assert.ok(header, 'a whole answer carries its receipt')
  return decodeReceiptHeader(header).receipt
}

async function statusOf(requestId: string) {
  const response = await fetch(`${network.gatewayUrl}/v1/receipts/${requestId}`)
  return (await response.json()) as {
    state: string
    receipt: { price: string } | null
    payment: { state: string } | null
  }
}

async function settledPrice(requestId: string): Promise<bigint> {
  let status: Awaited<ReturnType<typeof statusOf>> | undefined
  await until(
    async () => {
      status = await statusOf(requestId)
      return status.state === 'final' && status.payment?.state === 'settled'
    },
    () => `${requestId} to be paid by the deposit: ${JSON.stringify(status).slice(0, 300)}`,
  )
  return BigInt(status?.receipt?.price ?? 0)
}

test('both official clients, with a key and a base URL alone: answers, receipts, finality, exact money', async () => {
  const { key, grantId, grant } = await open()
  const openai = openaiWith(key)
  const ids: string[] = []
  const { data: whole, response } = await openai.chat.completions
    .create({ model, messages: [question], max_tokens: 16 })
    .withResponse()
  assert.match(whole.choices[0]?.message.content ?? '', /Paris/)
  const receipt = receiptOf(response)
  assert.equal(receipt.payer, grant.payer)
  ids.push(receipt.requestId)

  const streamed = await openai.chat.completions
    .create({ model, messages: [question], max_tokens: 16, stream: true })
    .withResponse()
  ids.push(streamed.response.headers.get('x-assay-request-id') ?? '')
  let text = ''
  for await (const chunk of streamed.data) text += chunk.choices[0]?.delta.content ?? ''
  assert.match(text, /Paris/)

  const anthropic = new Anthropic({ apiKey: key, baseURL: network.gatewayUrl, maxRetries: 0 })
  const request = { model, max_tokens: 16, messages: [question] }
  const message = await anthropic.messages.create(request).withResponse()
  assert.match(message.data.content[0]?.type === 'text' ? message.data.content[0].text : '', /Paris/)
  ids.push(message.response.headers.get('x-assay-request-id') ?? '')
  const stream = anthropic.messages.stream(request)
  const { response: streamResponse } = await stream.withResponse()
  ids.push(streamResponse.headers.get('x-assay-request-id') ?? '')
  await stream.finalMessage()

  const prices = await Promise.all(ids.map(settledPrice))
  const total = prices.reduce((sum, price) => sum + price, 0n)
  assert.ok(prices.every((price) => price > 0n))
  const account = await grantAccount(network, grantId)
  assert.deepEqual([account.funded, account.spent], [parseEther('10'), total])

  for (const id of ids) {
    const { code, stdout, stderr } = await local.assay('verify', id, '--json')
    assert.equal(code, 0, stdout + stderr)
    const { reports } = JSON.parse(stdout) as {
      reports: { report: { steps: { name: string; outcome: string }[]; trust: string } }[]
    }
    const outcome = (name: string) => reports[0]?.report.steps.find((step) => step.name === name)?.outcome
    assert.deepEqual(['withinGrant', 'batchIsFinal', 'paymentSettled'].map(outcome), [
      'passed',
      'passed',
      'passed',
    ])
    assert.match(reports[0]?.report.trust ?? '', /can spend up to 100 OPG/)
  }
  await splitsExactly(receipt, total)
})

/** What the deposit paid is passed on and split 70/15/10/5, the remainder to the publisher. */
async function splitsExactly({ modelId, node }: Receipt, total: bigint): Promise<void> {
  const client = publicClientOf(network)
  const { RevenueSplitter, SpendingGrants, ModelRegistry } = network.contracts
  const publisher = await client.readContract({
    address: ModelRegistry,
    abi: modelRegistryAbi,
    functionName: 'publisherOf',
    args: [modelId],
  })
  const splitter = { address: RevenueSplitter, abi: revenueSplitterAbi } as const
  const treasury = await client.readContract({ ...splitter, functionName: 'treasury' })
  /** What each party had to come at a block: publisher, node, validators, treasury. OPG base units. */
  const owed = async (blockNumber: bigint) => {
    const of = (account: Address) =>
      client.readContract({ ...splitter, functionName: 'balanceOf', args: [account], blockNumber })
    const validators = client.readContract({ ...splitter, functionName: 'validatorsPending', blockNumber })
    return Promise.all([of(publisher), of(node), validators, of(treasury)])
  }
  const sender = createSender({ network, privateKey: demoKey() })
  const taken = await client.readContract({
    address: SpendingGrants,
    abi: spendingGrantsAbi,
    functionName: 'takings',
    args: [modelId, node],
  })
  assert.equal(taken, total)
  const { blockNumber } = await sender.send({
    address: SpendingGrants,
    abi: spendingGrantsAbi,
    functionName: 'passOn',
    args: [modelId, node],
  })
  const [before, after] = await Promise.all([owed(blockNumber - 1n), owed(blockNumber)])
  const part = (percent: bigint) => (total * percent) / 100n
  const [toNode, toValidators, toTreasury] = [part(15n), part(10n), part(5n)]
  const toPublisher = total - toNode - toValidators - toTreasury
  assert.deepEqual(
    after.map((amount, at) => amount - (before[at] as bigint)),
    [toPublisher, toNode, toValidators, toTreasury],
  )
  assert.equal(toPublisher + toNode + toValidators + toTreasury, total, 'no unit is lost')
}

test('an SDK that has only a key verifies each answer before it is shown, and its grant with it', async () => {
  const { key } = await open()
  const assay = createAssay({ network, apiKey: key })
  for (const stream of [false, true]) {
    const { chatOutput, report, bundle } = await assay.llm.chat({
      model,
      messages: [question],
      max_tokens: 16,
      stream,
      wait: 'final',
    })
    assert.match(chatOutput.content, /Paris/)
    assert.equal(report.steps.find((step) => step.name === 'withinGrant')?.outcome, 'passed')
    assert.ok(bundle.grant)
  }
})

test('a gateway that gives an earlier answer to a request of the same words is found out under a key too', async () => {
  const { key } = await open()
  const liar = await startRepeatingGateway(network.gatewayUrl)
  try {
    const { llm } = createAssay({ network: { ...network, gatewayUrl: liar.url }, apiKey: key })
    const ask = (idempotencyKey?: string) =>
      llm.chat({ model, messages: [question], max_tokens: 4, wait: 'answer', idempotencyKey })
    assert.equal((await ask()).report.ok, true)
    const isWithheld = (error: unknown) =>
      error instanceof SdkError && /requestHash/.test(String(error.facts.disagrees))
    await assert.rejects(ask(), isWithheld)
    await assert.rejects(ask(randomUUID()), isWithheld)
  } finally {
    await liar.close()
  }
})

test('calls at once over a small deposit: never more than it holds, and what was answered is paid', async () => {
  const { key, grantId } = await open({ deposit: parseEther('0.004'), maxTotal: parseEther('0.004') })
  const answers = await Promise.allSettled(
    Array.from({ length: 12 }, () =>
      openaiWith(key)
        .chat.completions.create({ model, messages: [question], max_tokens: 8 })
        .withResponse(),
    ),
  )
  const served = answers.flatMap((answer) =>
    answer.status === 'fulfilled' ? [receiptOf(answer.value.response)] : [],
  )
  const codes = answers.flatMap((answer) =>
    answer.status === 'rejected' ? [(answer.reason as { code?: string }).code] : [],
  )
  assert.ok(served.length > 0)
  for (const code of codes)
    assert.ok(['grant_busy', 'grant_exhausted', 'queue_full'].includes(code ?? ''), code)
  const prices = await Promise.all(served.map(({ requestId }) => settledPrice(requestId)))
  const account = await grantAccount(network, grantId)
  assert.equal(
    account.spent,
    prices.reduce((sum, price) => sum + price, 0n),
  )
  assert.ok(account.spent <= account.funded)
})

test('a grant revoked while calls run: what was being answered is paid, nothing new is taken', async () => {
  const { key, grant, grantId } = await open()
  const openai = openaiWith(key)
  const { data, response } = await openai.chat.completions
    .create({
      model,
      messages: [{ role: 'user', content: 'Count to one hundred.' }],
      max_tokens: 200,
      stream: true,
    })
    .withResponse()
  const reader = data[Symbol.asyncIterator]()
  await reader.next()
  await revokeGrant(network, demoKey(), grant)
  let chunks = 1
  for (let next = await reader.next(); next.done !== true; next = await reader.next()) chunks += 1
  assert.ok(chunks > 2)
  await assert.rejects(
    openai.chat.completions.create({ model, messages: [question], max_tokens: 8 }),
    (error: unknown) =>
      error instanceof OpenAI.APIError && error.status === 402 && error.code === 'grant_revoked',
  )
  const requestId = (response.headers.get('x-assay-request-id') ?? '') as Hex
  const price = await settledPrice(requestId)
  assert.equal((await grantAccount(network, grantId)).spent, price)
  await waitForReceipt({
    network,
    chain: createAssay({ network, apiKey: key }).chain,
    requestId,
    until: 'final',
  })
})

test('the command line opens, shows, uses and ends a grant, and takes a key back', async () => {
  const json = async (...args: string[]) => {
    const { code, stdout, stderr } = await local.assay(...args, '--json')
    assert.equal(code, 0, stdout + stderr)
    return JSON.parse(stdout)
  }
  const made = await json('wallet', 'grant', 'create', '--deposit', '5', '--model', model)
  const { apiKey, grantId } = made as { apiKey: string; grantId: Hex }
  const answer = (await json('chat', question.content, '--key', apiKey, '--wait', 'final')) as {
    chatOutput: { content: string }
    receipt: { requestId: string; price: string }
    report: { ok: boolean }
  }
  assert.match(answer.chatOutput.content, /Paris/)
  assert.equal(answer.report.ok, true)
  await settledPrice(answer.receipt.requestId)
  const shown = (await json('wallet', 'grant', 'show', grantId)) as {
    spent: string
    calls: { requestId: string; amount: string; settled: boolean; counter: string }[]
  }
  const { price, requestId } = answer.receipt
  assert.equal(shown.spent, price)
  assert.deepEqual(
    shown.calls.map(({ requestId: id, amount, settled, counter }) => [id, amount, settled, counter]),
    [[requestId, price, true, '1']],
  )
  const second = (await json('wallet', 'grant', 'key', grantId)) as { apiKey: string }
  await json('wallet', 'grant', 'key', grantId, '--revoke', apiKey)
  await assert.rejects(
    openaiWith(apiKey).chat.completions.create({ model, messages: [question], max_tokens: 4 }),
    (error: unknown) => error instanceof OpenAI.AuthenticationError && error.code === 'api_key_revoked',
  )
  await openaiWith(second.apiKey).chat.completions.create({ model, messages: [question], max_tokens: 4 })
  assert.equal((await json('wallet', 'grant', 'fund', grantId, '1')).state, 'open')
  assert.equal((await json('wallet', 'grant', 'revoke', grantId)).state, 'revoked')
  const early = await local.assay('wallet', 'grant', 'withdraw', grantId)
  assert.equal(early.code, 1)
  assert.match(early.stderr, /too early[\s\S]*due: 2/)
  const { grants } = (await json('wallet', 'grant', 'list')) as { grants: { id: string; state: string }[] }
  assert.equal(grants.find(({ id }) => id === grantId)?.state, 'revoked')
})

type Debit = { counter: string; requestId: Hex; state: string; amount: string; settled: boolean }

async function debitsOf(grantId: Hex): Promise<Debit[] | undefined> {
  const response = await fetch(`${network.gatewayUrl}/v1/grants/${grantId}/calls`).catch(() => undefined)
  return response?.ok === true ? ((await response.json()) as { calls: Debit[] }).calls : undefined
}

test('kill -9 of the gateway under calls by key: delivered once is paid once, what was cut off costs nothing', async () => {
  const KILLS = 3
  const { key, grantId } = await open()
  const delivered = new Set<string>()
  let stopped = false
  const client = async (stream: boolean): Promise<void> => {
    const body = JSON.stringify({ model, messages: [question], max_tokens: 8, stream })
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${key}` }
    while (!stopped) {
      try {
        const url = `${network.gatewayUrl}/v1/chat/completions`
        const answer = await fetch(url, {
          method: 'POST',
          headers,
          body,
          signal: AbortSignal.timeout(60_000),
        })
        const text = await answer.text()
        const whole = stream ? text.endsWith('data: [DONE]\n\n') && text.includes(': assay-receipt ') : true
        if (answer.status === 200 && whole) delivered.add(answer.headers.get('x-assay-request-id') ?? '')
      } catch {
        // The gateway is gone, or went in the middle of the answer.
        await new Promise((wake) => setTimeout(wake, 50))
      }
    }
  }
  const load = [client(false), client(true), client(true)]
  let last: number | undefined
  for (let kill = 0; kill < KILLS; kill++) {
    const before = delivered.size
    // Killed while it serves: only after it has served since it came back.
    await until(
      async () => delivered.size > before + 1,
      () => `the gateway to serve again after kill ${kill}`,
    )
    last = local.pidOf('gateway')
    process.kill(last, 'SIGKILL')
  }
  const served = delivered.size
  await until(
    async () => delivered.size > served,
    () => 'the gateway to serve after the last kill',
  )
  stopped = true
  await Promise.all(load)

  let debits: Debit[] = []
  await until(
    async () => {
      debits = (await debitsOf(grantId)) ?? []
      const over = debits.every(({ state, settled }) =>
        state === 'finished' ? settled : state !== 'forwarded',
      )
      return debits.length > 0 && over
    },
    () => `every call to end: ${JSON.stringify(debits.filter(({ settled }) => !settled))}`,
  )
  const byId = new Map(debits.map((debit) => [debit.requestId as string, debit]))
  assert.equal(byId.size, debits.length)
  for (const requestId of delivered) {
    const debit = byId.get(requestId)
    assert.deepEqual([debit?.state, debit?.settled], ['finished', true], `${requestId} was delivered`)
  }
  const charged = debits.filter(({ amount }) => amount !== '0')
  // Durable before the kill while its last bytes were on their way: at most one a client and kill.
  const undelivered = charged.filter(({ requestId }) => !delivered.has(requestId))
  assert.ok(undelivered.length <= KILLS * load.length, `${undelivered.length} charged and not delivered`)
  const sum = charged.reduce((total, { amount }) => total + BigInt(amount), 0n)
  const rows = await publicClientOf(network).getContractEvents({
    address: network.contracts.SpendingGrants,
    abi: spendingGrantsAbi,
    eventName: 'RowSettled',
    args: { grantId },
    fromBlock: 'earliest',
    strict: true,
  })
  const onChain = rows.reduce((total, { args }) => total + args.price, 0n)
  assert.deepEqual([(await grantAccount(network, grantId)).spent, onChain], [sum, sum])
})
