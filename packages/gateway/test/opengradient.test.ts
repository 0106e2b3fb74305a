/** The profile `opengradient` at the gateway: who may pay, how a call is settled, and what is told of it and when. */
import assert from 'node:assert/strict'
import { constants, generateKeyPairSync, sign } from 'node:crypto'
import { after, before, beforeEach, test } from 'node:test'
import type { Network } from '@assay/protocol'
import {
  settlementTree,
  type TeeStatement,
  teeFields,
  teeIdOf,
  teeMessage,
  teeOutputHash,
  teeRequestHash,
} from '@assay/protocol/opengradient'
import { type Address, bytesToHex, type Hex } from 'viem'
import { generatePrivateKey, privateKeyToAddress } from 'viem/accounts'
import { until } from '../../../test/until.ts'
import type { OpenGradientChain } from '../src/opengradient/connectOpenGradient.ts'
import { errorOf, type ReceiptAnswer } from './answers.ts'
import { createFakeChain } from './fakeChain.ts'
import { BODY, createPayer } from './fixtures.ts'
import { type Harness, startHarness } from './harness.ts'

const payerKey = generatePrivateKey()
const profile: NonNullable<Network['profile']> = {
  name: 'opengradient',
  payer: privateKeyToAddress(payerKey),
  registry: `0x${'a1'.repeat(20)}`,
  settlement: `0x${'a2'.repeat(20)}`,
  endpoint: 'https://127.0.0.1:4443',
  tlsCertificate: '0x30',
}

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const der = new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }))

function statementOf(text: string): TeeStatement {
  const signed = {
    requestHash: teeRequestHash('{}'),
    outputHash: teeOutputHash({ text }),
    timestamp: Math.floor(Date.now() / 1000),
  }
  const padding = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }
  const signature = new Uint8Array(sign('sha256', teeMessage(signed), { key: privateKey, ...padding }))
  return { ...signed, teeId: teeIdOf(der), signature }
}

const answerOf = (statement: TeeStatement, change: object = {}): Uint8Array =>
  new TextEncoder().encode(JSON.stringify({ ...teeFields(statement), ...change }))

/** What was told, and whether the registry lists the enclave. */
type Telling = {
  listed: boolean
  down: boolean
  /** Batches that the chain refuses to be told of. */
  stuck: ReadonlySet<Hex>
  batches: { batchId: Hex; root: Hex; size: number }[]
  answers: Hex[]
}
const telling: Telling = { listed: true, down: false, stuck: new Set(), batches: [], answers: [] }
const HASH: Hex = `0x${'77'.repeat(32)}`
const openGradient: OpenGradientChain = {
  teeOf: async (_key: Address) => (telling.listed ? { id: teeIdOf(der), publicKey: der } : undefined),
  async tellBatch({ batchId }, root, size) {
    if (telling.down || telling.stuck.has(batchId)) throw new Error('the chain is away')
    telling.batches.push({ batchId, root, size })
    return HASH
  },
  async tellAnswer(_batch, { statement }) {
    telling.answers.push(statement.outputHash)
    return HASH
  },
}

let harness: Harness
before(async () => {
  harness = await startHarness({ profile, chain: Object.assign(createFakeChain(), { openGradient }) })
})
after(() => harness.close())
beforeEach(() => {
  Object.assign(telling, { listed: true, down: false, stuck: new Set(), batches: [], answers: [] })
  harness.chain.verdict = 'valid'
  harness.chain.balances.set(profile.payer.toLowerCase(), 10n ** 24n)
})

async function buy(
  answer: Uint8Array,
  headers: Record<string, string> = {},
  { at = harness, privateKey }: { at?: Harness; privateKey?: Hex } = {},
): Promise<Response> {
  at.node.script = { kind: 'whole', body: answer, ...(privateKey === undefined ? {} : { privateKey }) }
  const response = await at.post(BODY, {
    ...headers,
    ...(await at.payFor(BODY, createPayer('upto', payerKey))),
  })
  assert.equal(response.status, 200, await response.clone().text())
  return response
}

async function batchOf(response: Response): Promise<Hex> {
  const id = response.headers.get('x-assay-request-id')
  const status = await until(async () => {
    const found = (await (await fetch(`${harness.gateway.url}/v1/receipts/${id}`)).json()) as ReceiptAnswer
    return found.state === 'final' && found
  })
  return status.batchId as Hex
}

const dataOf = async (batchId: Hex) =>
  (await (await fetch(`${harness.gateway.url}/opengradient/batches/${batchId}`)).json()) as {
    merkleRoot: Hex | null
    transactionHash: Hex | null
    leaves: { outputHash: Hex }[]
  }

test('no payment is taken but of the account that was made with the network', async () => {
  const stranger = await harness.payFor(BODY)
  const refused = await harness.post(BODY, stranger)
  assert.equal(refused.status, 403)
  assert.equal((await errorOf(refused)).code, 'foreign_payer')
  // It was neither claimed nor kept: nothing of it may ever be collected.
  await harness.gateway.batcher.tick()
  assert.deepEqual(harness.chain.state.collected, [])
})

test('a settlement that there is not is refused before anything is paid', async () => {
  const refused = await harness.post(BODY, { 'X-SETTLEMENT-TYPE': 'walrus' })
  assert.equal(refused.status, 400)
  assert.equal((await errorOf(refused)).code, 'invalid_settlement_type')
})

test('a call is told of in the tree of its batch, after it is final, and its answer names no transaction', async () => {
  harness.chain.verdict = 'silent'
  const statements = [statementOf('Hello'), statementOf('Hello again')] as const
  const response = await buy(answerOf(statements[0]))
  assert.equal(response.headers.get('x-settlement-tx-hash'), null)
  await harness.gateway.batcher.tick()
  assert.deepEqual(telling.batches, [])
  harness.chain.verdict = 'valid'
  const batchId = await batchOf(await buy(answerOf(statements[1])))
  await until(async () => (await dataOf(batchId)).transactionHash === HASH)
  // The first call may have come into this batch too, after its own found nobody to attest it.
  const { leaves, merkleRoot } = await dataOf(batchId)
  const inBatch = statements.filter(({ outputHash }) => leaves.some((leaf) => leaf.outputHash === outputHash))
  assert.ok(inBatch.includes(statements[1]) && inBatch.length === leaves.length)
  const told: Telling['batches'] = telling.batches
  const { root, size } = told.find((batch) => batch.batchId === batchId) ?? assert.fail('it was not told of')
  assert.deepEqual([root, size], [settlementTree(inBatch).root, inBatch.length])
  assert.equal(merkleRoot, root)
  // Nothing of this test is still to be told when the next one looks at what was.
  const first = await batchOf(response)
  await until(async () => (await dataOf(first)).transactionHash === HASH)
})

test('an individual call gets the hash once its own event is mined', async () => {
  const statement = statementOf('Hello')
  const response = await buy(answerOf(statement), { 'X-SETTLEMENT-TYPE': 'individual' })
  assert.equal(response.headers.get('x-settlement-tx-hash'), HASH)
  assert.deepEqual(telling.answers, [statement.outputHash])
  assert.match(response.headers.get('x-settlement-walrus-blob-id') ?? '', /^0x[0-9a-f]{64}$/)
})

test('of a private call nothing is kept', async () => {
  const statement = statementOf('Between us')
  const batchId = await batchOf(await buy(answerOf(statement), { 'X-SETTLEMENT-TYPE': 'private' }))
  await harness.gateway.batcher.tick()
  await harness.gateway.batcher.idle()
  // A call before it may have come into its batch, after the batch of its own found nobody to attest it.
  const { leaves } = await dataOf(batchId)
  assert.ok(leaves.every(({ outputHash }) => outputHash !== statement.outputHash))
  const told: Telling['batches'] = telling.batches
  assert.equal(told.find((batch) => batch.batchId === batchId)?.size ?? 0, leaves.length)
})

test('a chain that is away, or an enclave that is not listed yet, is asked again', async () => {
  telling.down = true
  telling.listed = false
  const batchId = await batchOf(await buy(answerOf(statementOf('Hello'))))
  await harness.gateway.batcher.tick()
  await harness.gateway.batcher.idle()
  assert.equal((await dataOf(batchId)).transactionHash, null)
  telling.listed = true
  await harness.gateway.batcher.tick()
  await harness.gateway.batcher.idle()
  assert.ok(harness.logs.some((line) => line.includes('the chain is away')))
  telling.down = false
  await until(async () => (await dataOf(batchId)).transactionHash === HASH)
})

test('batches that cannot be told of keep no later one waiting', async () => {
  telling.down = true
  const older: Hex[] = []
  for (const text of ['one', 'two']) older.push(await batchOf(await buy(answerOf(statementOf(text)))))
  assert.equal(new Set(older).size, 2)
  telling.stuck = new Set(older)
  telling.down = false
  const later = await batchOf(await buy(answerOf(statementOf('three'))))
  await until(async () => (await dataOf(later)).transactionHash === HASH)
  for (const batchId of older) assert.equal((await dataOf(batchId)).transactionHash, null)
  // They are asked for again all the same.
  telling.stuck = new Set()
  for (const batchId of older) await until(async () => (await dataOf(batchId)).transactionHash === HASH)
})

test('what cannot be told keeps nothing of its own batch waiting', async () => {
  const chain = createFakeChain()
  const strange = generatePrivateKey()
  const isStrange = (key: Address) => key.toLowerCase() === privateKeyToAddress(strange).toLowerCase()
  let refusing = true
  // The lowest request id is the first to be told.
  const isFirst = (requestId: Hex) => requestId === [...alone.node.receipts.keys()].sort()[0]
  const picky: OpenGradientChain = {
    teeOf: async (key) => (refusing && isStrange(key) ? undefined : { id: teeIdOf(der), publicKey: der }),
    async tellBatch() {
      if (refusing) throw new Error('the tree is refused')
      return HASH
    },
    async tellAnswer(_batch, { entry }) {
      if (refusing && isFirst(entry.receipt.requestId)) throw new Error('the answer is refused')
      return HASH
    },
  }
  const batch = { maxReceipts: 5, maxDelayMs: 3_600_000 }
  const alone = await startHarness({ profile, chain: Object.assign(chain, { openGradient: picky }), batch })
  chain.balances.set(profile.payer.toLowerCase(), 10n ** 24n)
  try {
    const individual = { 'X-SETTLEMENT-TYPE': 'individual' }
    const told: (string | null)[] = []
    const calls: Promise<unknown>[] = []
    for (const [at, how] of [{}, individual, individual, individual, individual].entries()) {
      const signer = at === 1 ? { privateKey: strange } : {}
      const call = buy(answerOf(statementOf(`answer ${at}`)), how, { at: alone, ...signer })
      calls.push(call.then(({ headers }) => told.push(headers.get('x-settlement-tx-hash'))))
      await until(() => alone.node.receipts.size > at)
    }
    // Of five one is in the tree, which is refused, one is of an enclave that is not listed, and one may be refused itself.
    await until(() => told.filter((hash) => hash === HASH).length >= 2)
    await until(() => alone.logs.some((line) => line.includes('is refused')))
    refusing = false
    await Promise.all(calls)
    await until(() => alone.logs.filter((line) => line.startsWith('statements_told')).length === 5)
  } finally {
    await alone.close()
  }
})

test('what the enclave of the receipt did not sign is never told', async () => {
  const statement = statementOf('Hello')
  const forged = answerOf(statement, { tee_output_hash: bytesToHex(new Uint8Array(32)).slice(2) })
  const batchId = await batchOf(await buy(forged))
  await until(async () => harness.logs.some((line) => line.startsWith('statements_dropped')))
  assert.deepEqual((await dataOf(batchId)).leaves, [])
  assert.deepEqual(telling.batches, [])
})

test('the answer of a call that asked for its own event, and has no statement, names no transaction', async () => {
  harness.chain.verdict = 'silent'
  const response = await buy(new TextEncoder().encode('{}'), { 'X-SETTLEMENT-TYPE': 'individual' })
  assert.equal(response.headers.get('x-settlement-tx-hash'), null)
})

test('an answer without a statement is an answer all the same', async () => {
  const batchId = await batchOf(await buy(new TextEncoder().encode('{}')))
  assert.equal((await dataOf(batchId)).merkleRoot, null)
})
