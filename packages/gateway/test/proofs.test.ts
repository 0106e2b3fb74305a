/** What becomes of receipts of mode zk between answer and batch: on a real database, with a node that proves or does not. */
import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import {
  canonicalJson,
  modelIdOf,
  type ProofAttachment,
  proofAttachmentToJson,
  receiptLeaf,
  receiptToJson,
} from '@assay/protocol'
import {
  claimRequests,
  type Database,
  openDatabase,
  receiptStatus,
  recordReceipts,
  takeOutbox,
} from '@assay/store'
import { Pool } from 'undici'
import { type Hex, keccak256, numberToHex, toHex } from 'viem'
import { paymentScorer } from '../../../test/scoredPayment.ts'
import { temporaryFolder } from '../../../test/temporaryFolder.ts'
import { createProofCollector } from '../src/batcher/proofs.ts'
import type { Context } from '../src/context.ts'
import { createMetrics } from '../src/metrics.ts'

const { weightsHash, manifest, score } = paymentScorer()
const address = (byte: string): Hex => `0x${byte.repeat(20)}`

let database: Database
let node: Server
let pool: Pool
/** What the node has proved, by request. */
const proofs = new Map<string, ProofAttachment>()
const events: string[] = []

before(async () => {
  database = await openDatabase({ directory: temporaryFolder('proofs') })
  node = createServer((request, response) => {
    const found = proofs.get(request.url?.split('/').at(-1) ?? '')
    response.writeHead(found === undefined ? 404 : 200)
    response.end(found === undefined ? '{}' : canonicalJson(proofAttachmentToJson(found)))
  })
  await new Promise<void>((resolve) => node.listen(0, '127.0.0.1', resolve))
  pool = new Pool(`http://127.0.0.1:${(node.address() as AddressInfo).port}`)
})
after(async () => {
  await pool?.destroy()
  node?.close()
  await database?.close()
})

/** A collector: each call is one look, and all that it began. */
function collector(): () => Promise<void> {
  let running: Promise<void>[] = []
  const context = {
    database,
    nodes: { byUrl: () => ({ pool }) },
    chain: { model: async () => ({ weightsHash, manifest }) },
    log: (event: string) => events.push(event),
    metrics: createMetrics(),
  } as unknown as Context
  const jobs = {
    has: () => false,
    running: () => 0,
    start: (_: string, work: () => Promise<void>) => void running.push(work()),
  }
  const collect = createProofCollector(context, jobs)
  return async () => {
    running = []
    await collect()
    await Promise.all(running)
  }
}

/** One look of a new one. */
const look = (): Promise<void> => collector()()

let calls = 0

/** An answer that the gateway has recorded; its proof is not at the node yet. */
async function answered(includeBy: bigint): Promise<{ requestId: Hex; zk: ProofAttachment }> {
  const { receipt: scored, zk } = score(calls++)
  const requestId = keccak256(numberToHex(calls))
  const nothing: Hex = `0x${'00'.repeat(32)}`
  const receipt = {
    version: 1,
    requestId,
    payer: address('01'),
    node: address('02'),
    key: address('03'),
    seq: BigInt(calls),
    committer: address('04'),
    includeBy,
    modelId: modelIdOf(manifest),
    priceVersion: 1n,
    engineClass: 0,
    status: 0,
    ...scored,
    inputUnits: 24n,
    outputUnits: 1n,
    price: 5n,
    valueAtRisk: 0n,
    anchorBlock: 1n,
    anchorHash: nothing,
    issuedAt: 1n,
  }
  const signature = toHex(new Uint8Array(65))
  await claimRequests(database, [
    {
      requestId,
      payer: receipt.payer,
      scheme: 2,
      authorised: 10n,
      expiresAt: 2n ** 62n,
      collect: '{}',
      modelId: receipt.modelId,
      nodeUrl: 'http://node',
      requestHash: receipt.requestHash,
      instance: 'here',
    },
  ])
  await recordReceipts(database, [
    {
      requestId,
      receipt: canonicalJson(receiptToJson(receipt)),
      signature,
      leaf: receiptLeaf({ receipt, signature }),
      price: receipt.price,
      collectAmount: receipt.price,
      prepaid: false,
      unproven: true,
    },
  ])
  return { requestId, zk }
}

const stateOf = async (requestId: Hex) => (await receiptStatus(database, requestId))?.receiptState
const FAR = 2n ** 40n

test('no batch takes a receipt before its proof is there; then it goes with the proof', async () => {
  const { requestId, zk } = await answered(FAR)
  await look()
  assert.equal(await stateOf(requestId), 'unproven')
  assert.deepEqual(await takeOutbox(database, 10), [])
  proofs.set(requestId, zk)
  await look()
  assert.equal(await stateOf(requestId), 'outbox')
  const [entry] = await takeOutbox(database, 10)
  assert.deepEqual([entry?.receipt.requestId, entry?.zk], [requestId, zk])
  await look()
  assert.equal(await stateOf(requestId), 'outbox')
})

test('a receipt whose proof did not come by includeBy is worth nothing, whatever comes later', async () => {
  const { requestId, zk } = await answered(1n)
  await look()
  assert.equal(await stateOf(requestId), 'expired')
  assert.equal((await receiptStatus(database, requestId))?.payment?.state, 'failed')
  proofs.set(requestId, zk)
  await look()
  assert.equal(await stateOf(requestId), 'expired')
})

test('a proof that does not hold ends its receipt, and so does one of another call', async () => {
  const lied = await answered(FAR)
  const proof = lied.zk.proof.slice()
  proof[40] = (proof[40] as number) ^ 1
  proofs.set(lied.requestId, { ...lied.zk, proof })
  const other = await answered(FAR)
  proofs.set(other.requestId, lied.zk)
  await look()
  assert.deepEqual([await stateOf(lied.requestId), await stateOf(other.requestId)], ['expired', 'expired'])
  assert.equal(events.filter((event) => event === 'proof_refused').length, 3)
})

test('receipts whose proofs do not come keep no later one waiting', async () => {
  for (let call = 0; call < 80; call++) await answered(FAR)
  const { requestId, zk } = await answered(FAR)
  proofs.set(requestId, zk)
  const look = collector()
  for (let looks = 0; looks < 2; looks++) await look()
  assert.equal(await stateOf(requestId), 'outbox')
})
