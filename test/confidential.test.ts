/**
 * Confidential requests from end to end: the SDK, a gateway and a node's server over real sockets, with everything that
 * passes the gateway recorded on both sides of it.
 */
import assert from 'node:assert/strict'
import { connect, createServer, type Socket } from 'node:net'
import { after, test } from 'node:test'
import { startGateway } from '@assay/gateway'
import {
  CONFIDENTIAL_PATH,
  ENGINE_CLASS,
  evidenceHashOf,
  type Network,
  REFUSED_HEADER,
  type SignedReceipt,
  tag,
} from '@assay/protocol'
import {
  type AssayFetchOptions,
  assayFetch,
  type ChainReader,
  createAssay,
  type VerifiedAnswer,
} from '@assay/sdk'
import { type ChainView, rulesOfEvidence } from '@assay/verify'
import type { Address, Hex } from 'viem'
import { generatePrivateKey, privateKeyToAddress } from 'viem/accounts'
import { createFakeChain } from '../packages/gateway/test/fakeChain.ts'
import {
  COMMITTER,
  CONTRACTS,
  DEPLOYMENT,
  GATEWAY_KEY,
  MODEL,
  networkWith,
  TILL,
} from '../packages/gateway/test/fixtures.ts'
import type { NodeChain } from '../packages/node/src/chain/nodeChain.ts'
import { openEvidenceStore } from '../packages/node/src/enclaves/evidenceStore.ts'
import { nitroSimAttester } from '../packages/node/src/enclaves/nitroSim.ts'
import { openEnclave } from '../packages/node/src/enclaves/openEnclave.ts'
import { simulatedRoot } from '../packages/node/src/enclaves/simulatedChain.ts'
import type { Engine } from '../packages/node/src/engines/engine.ts'
import { createQueue } from '../packages/node/src/queue.ts'
import { openReceiptStore } from '../packages/node/src/receiptStore.ts'
import { startServer } from '../packages/node/src/server/startServer.ts'
import { createReceiptSigner } from '../packages/node/src/signReceipt.ts'
import { temporaryFolder } from './temporaryFolder.ts'

const OPERATOR: Address = '0x00000000000000000000000000000000000000a6'
const PRICE = { perCall: 1n, inputPrice: 1n, outputPrice: 2n }
const SECRET = 'pomegranate'
const REPLY = ['tangerine', ' and', ' quince']
const ANCHOR = { number: 7n, hash: tag('block 7'), timestamp: BigInt(Math.floor(Date.now() / 1000)) - 5n }

/** Repeats every byte between a port of its own and another, and keeps a copy. */
async function recorder(target: string) {
  const seen: Buffer[] = []
  const sockets = new Set<Socket>()
  const { hostname, port } = new URL(target)
  const server = createServer((near) => {
    const far = connect(Number(port), hostname)
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on('data', (chunk) => seen.push(chunk))
      socket.on('error', () => socket.destroy())
    }
    near.pipe(far).pipe(near)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    text: () => Buffer.concat(seen).toString('latin1'),
    forget: () => seen.splice(0),
  }
}

const NO_ACCOUNT = { funded: 0n, spent: 0n, revokedAt: 0n, opened: false }

async function startAll() {
  const dir = temporaryFolder('confidential')
  const asked: string[] = []
  const state: { engineClass: 0 | 1; uncollectable: string | undefined } = {
    engineClass: ENGINE_CLASS.enclave,
    uncollectable: undefined,
  }
  const engine: Engine = {
    contextLength: MODEL.contextLength,
    concurrency: 2,
    get engineClass() {
      return state.engineClass
    },
    features: new Set(['chat']),
    native: new Set(),
    prepare(work) {
      asked.push(JSON.stringify(work))
      return {
        inputUnits: 3,
        async run({ emit }) {
          for (const [at, text] of REPLY.entries()) emit({ type: 'text', choice: 0, text }, at + 1)
          emit({ type: 'finish', choice: 0, reason: 'stop' }, REPLY.length)
          return { inputUnits: 3, outputUnits: REPLY.length }
        },
      }
    },
    close: async () => undefined,
  }
  const chain: NodeChain = {
    anchor: () => ANCHOR,
    price: () => ({ version: 1n, row: PRICE }),
    tillOf: async () => TILL,
    whyUncollectable: async () => state.uncollectable,
    grantAccount: async () => NO_ACCOUNT,
    grantAccountNow: async () => NO_ACCOUNT,
    close: () => undefined,
  }
  const enclave = await openEnclave({
    attester: nitroSimAttester(await simulatedRoot(dir)),
    engineClasses: 3,
  })
  const evidence = await openEvidenceStore(dir)
  const made = await enclave.evidence(DEPLOYMENT, OPERATOR, ANCHOR)
  await evidence.save(made)
  const receipts = openReceiptStore(dir)
  const served = {
    modelId: MODEL.modelId,
    manifest: {
      ...{ name: MODEL.name, engine: 'llama', files: [], contextLength: MODEL.contextLength },
      ...{ license: 'Apache-2.0', modes: ['tee'] },
    } as never,
    engine,
    queue: createQueue({ concurrency: 2, waiting: 4 }),
  }
  const sign = createReceiptSigner({ signer: enclave, node: OPERATOR, deployment: DEPLOYMENT })
  const node = await startServer({
    port: 0,
    operator: OPERATOR,
    deployment: DEPLOYMENT,
    token: CONTRACTS.OPG,
    escrow: CONTRACTS.InferenceEscrow,
    identity: () => enclave,
    keyOf: () => enclave.key,
    confidential: () => [{ ...enclave, sign }],
    chain,
    models: new Map([[MODEL.name, served]]),
    receipts,
    evidence,
    sign,
    isKeyValid: () => true,
    log: () => undefined,
  })
  const behind = await recorder(node.url)
  const logs: string[] = []
  const gatewayChain = createFakeChain()
  const gateway = await startGateway({
    network: networkWith([{ operator: OPERATOR, url: behind.url }]),
    privateKey: GATEWAY_KEY,
    dataDir: dir,
    port: 0,
    chain: gatewayChain,
    log: (event, facts) => logs.push(`${event} ${JSON.stringify(facts, (_name, value) => String(value))}`),
  })
  const before = await recorder(gateway.url)
  after(async () => {
    await gateway.close()
    await node.close()
    receipts.close()
  })
  const network: Network = { ...networkWith([{ operator: OPERATOR, url: node.url }]), gatewayUrl: before.url }
  const privateKey: Hex = generatePrivateKey()
  gatewayChain.balances.set(privateKeyToAddress(privateKey).toLowerCase(), 10n ** 24n)

  const interval = { validFrom: BigInt(Math.floor(Date.now() / 1000)), revokedAt: 0n }
  const { hardwareType, rootHash, measurement } = enclave
  const registered = {
    ...{ node: OPERATOR, hardwareType, rootHash, measurement, evidenceHash: evidenceHashOf(made) },
    ...{ validFrom: interval.validFrom, valid: true },
  }
  const view = ({ receipt }: SignedReceipt): ChainView => ({
    deployment: DEPLOYMENT,
    escrow: CONTRACTS.InferenceEscrow,
    blockNumber: 100n,
    now: receipt.issuedAt + 1n,
    key: receipt.key === enclave.key ? { ...registered, ...interval, engineClasses: 3, bonded: false } : null,
    hardware: interval,
    root: interval,
    measurement: { ...interval, engineClasses: 3 },
    price: { ...PRICE, validFrom: 1n },
    publisher: OPERATOR,
    anchor: { hash: ANCHOR.hash, timestamp: ANCHOR.timestamp },
    batch: null,
    payment: null,
    grant: null,
  })
  const reader: ChainReader = {
    tillOf: async () => TILL,
    permit2Allowance: async () => 10n ** 30n,
    priceOf: async () => PRICE,
    view: async (signed) => view(signed),
    enclaveKey: async (key) => (key === enclave.key ? registered : undefined),
    enclaveRules: async (_key, evidence) => new Map(rulesOfEvidence(evidence)?.map((name) => [name, 0n])),
    manifestUri: async () => undefined,
    isCommit: async () => false,
  }
  const verified: VerifiedAnswer[] = []
  const client = (more: Partial<AssayFetchOptions> = {}) =>
    assayFetch({ network, chain: reader, privateKey, onAnswer: (answer) => verified.push(answer), ...more })
  return {
    state,
    network,
    reader,
    privateKey,
    client,
    asked,
    verified,
    behind,
    before,
    logs,
    registered,
    enclave,
    receipts,
  }
}
/** Started outside of any test, so that it ends with the file and not with the first of them. */
const all = await startAll()

/** The one network of this file, with nothing recorded yet. */
function fresh(): void {
  for (const recorded of [all.asked, all.verified, all.logs]) recorded.splice(0)
  all.before.forget()
  all.behind.forget()
  all.state.engineClass = ENGINE_CLASS.enclave
  all.state.uncollectable = undefined
}

const chatBody = (more: object = {}) =>
  JSON.stringify({
    model: MODEL.name,
    messages: [{ role: 'user', content: `What is a ${SECRET}?` }],
    max_tokens: 8,
    ...more,
  })

const ask = (fetcher: typeof fetch, more: object = {}) =>
  fetcher(`${all.network.gatewayUrl}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-assay-verification': 'tee' },
    body: chatBody(more),
  })

/** Whether any trace of what was asked or answered passed the gateway, in clear or in base64. */
function leaks(): string[] {
  const { before, behind, logs } = all
  const words = [
    SECRET,
    ...REPLY.map((word) => word.trim()).filter((word) => word !== 'and'),
    '"messages"',
    'assistant',
  ]
  const everything = [before.text(), behind.text(), ...logs].join('\n')
  return words.filter((word) => everything.includes(word) || everything.includes(btoa(word).slice(0, 8)))
}

test('a whole answer: the gateway is paid and never sees the prompt or the reply', async () => {
  fresh()
  const response = await ask(all.client({ confidential: true }))
  assert.equal(response.status, 200)
  const { choices } = (await response.json()) as { choices: { message: { content: string } }[] }
  assert.equal(choices[0]?.message.content, REPLY.join(''))
  assert.ok(all.asked[0]?.includes(SECRET), 'the enclave read it')
  assert.deepEqual(leaks(), [])
  const [answer] = all.verified
  assert.equal(answer?.report.ok, true)
  const { receipt } = answer.bundle
  assert.equal(receipt.engineClass, ENGINE_CLASS.enclave)
  assert.equal(receipt.committer, COMMITTER)
  // Its hash covers what was encrypted, and a salt that keeps others from trying guesses against it.
  assert.ok(answer.bundle.request?.headers.some((line) => /^x-assay-salt:[0-9a-f]{32}$/.test(line)))
  const known = await fetch(`${all.network.gatewayUrl}/v1/receipts/${receipt.requestId}`)
  assert.equal(known.status, 200, 'the gateway has the receipt to batch')
})

test('a stream: its text arrives in pieces, verified at the end, unseen on the way', async () => {
  fresh()
  const pieces: string[] = []
  const { network, privateKey } = all
  const assay = createAssay({ network, privateKey, chain: all.reader, confidential: true })
  const { chatOutput, report } = await assay.llm.chat({
    model: MODEL.name,
    messages: [{ role: 'user', content: `Say ${SECRET}` }],
    max_tokens: 8,
    stream: true,
    wait: 'answer',
    onText: (text) => pieces.push(text),
  })
  assert.equal(chatOutput.content, REPLY.join(''))
  assert.deepEqual(pieces, REPLY)
  assert.equal(report.ok, true)
  assert.deepEqual(leaks(), [])
})

test('without encryption the same words pass the gateway in clear', async () => {
  fresh()
  const response = await ask(all.client())
  assert.equal(response.status, 200)
  await response.text()
  assert.ok(leaks().length > 3, 'the recorder sees what there is to see')
})

test('nothing is sent to an enclave that the chain or its evidence does not vouch for', async () => {
  fresh()
  const cases: [Awaited<ReturnType<ChainReader['enclaveKey']>>, RegExp][] = [
    [undefined, /does not admit/],
    [{ ...all.registered, valid: false }, /does not admit/],
    [{ ...all.registered, evidenceHash: tag('other') }, /no enclave/],
    [{ ...all.registered, measurement: tag('other') }, /measurement/],
    [{ ...all.registered, node: COMMITTER }, /operator/],
    [{ ...all.registered, validFrom: all.registered.validFrom + 100_000n }, /fresh/],
  ]
  for (const [key, reason] of cases) {
    const fetcher = all.client({ confidential: true, chain: { ...all.reader, enclaveKey: async () => key } })
    await assert.rejects(ask(fetcher), { code: 'not_confidential', message: reason })
  }
  assert.deepEqual(all.asked, [])
  assert.deepEqual(leaks(), [])
})

test('outside and inside must agree, and a refusal of the enclave releases the payment', async (t) => {
  fresh()
  const real = globalThis.fetch
  t.after(() => {
    globalThis.fetch = real
  })
  const outer: Headers[] = []
  const change = (by: (headers: Headers) => void) => {
    globalThis.fetch = async (input, init) => {
      const headers = new Headers(init?.headers)
      if (String(input).endsWith(CONFIDENTIAL_PATH) && headers.has('payment-signature')) by(headers)
      const answer = await real(input, { ...init, headers })
      outer.push(answer.headers)
      return answer
    }
  }
  const code = async (response: Response) =>
    ((await response.json()) as { error: { code: string } }).error.code
  // The gateway compares with what the payer signed; the enclave with what was encrypted.
  change((headers) => headers.set('assay-max-price', '1'))
  assert.ok([400, 402].includes((await ask(all.client({ confidential: true }))).status))
  change((headers) => headers.delete('assay-request-auth'))
  assert.equal(await code(await ask(all.client({ confidential: true }))), 'invalid_request_auth')
  change(() => undefined)
  const refused = await ask(all.client({ confidential: true }), { temperature: 'hot' })
  assert.equal(refused.status, 400)
  assert.equal(outer.at(-1)?.get(REFUSED_HEADER), '400', 'the status alone shows outside')
  assert.match(await code(refused), /invalid/)
  assert.deepEqual(all.asked, [])
  assert.equal((await ask(all.client({ confidential: true }))).status, 200)
})

test('a payment that does not hold is refused inside the encryption, also where the model had begun', async () => {
  fresh()
  // Until what the payer has paid for is as much as the next call may cost.
  for (let call = 0; call < 60; call++) await (await ask(all.client())).arrayBuffer()
  fresh()
  all.state.uncollectable = 'the payer has nothing'
  const refused = await ask(all.client({ confidential: true }))
  const { error } = (await refused.json()) as { error: { code: string } }
  assert.deepEqual([refused.status, error.code], [402, 'payment_uncollectable'])
  assert.equal(all.asked.length, 1, 'it had begun')
  assert.deepEqual([all.verified, leaks()], [[], []])
})

test('a model that runs at a provider is not asked confidentially', async () => {
  fresh()
  all.state.engineClass = ENGINE_CLASS.providerProxy
  const response = await ask(all.client({ confidential: true }))
  assert.equal(response.status, 400)
  assert.equal(((await response.json()) as { error: { code: string } }).error.code, 'not_confidential')
})
