import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type BatchEntry,
  buildBatch,
  MODE,
  modelIdOf,
  parseBatchFile,
  type Receipt,
  responseHash,
  STATUS,
} from '@assay/protocol'
import { zeroHash } from 'viem'
import { paymentScorer } from '../../../test/scoredPayment.ts'
import { type ChainView, proofHolds, verifyReceipt } from '../src/index.ts'
import { deployment, gateway, makeReceipt, makeView, signReceipt } from './world.ts'

const { card, weightsHash, manifest, score } = paymentScorer()
const view: ChainView = makeView({ model: { weightsHash, manifest } })

const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value))

/** An honest answer to one payment, with its proof. */
function answerTo(which: number) {
  const { receipt, zk } = score(which)
  return { receipt: makeReceipt({ modelId: modelIdOf(manifest), ...receipt }), zk }
}

const honest = answerTo(0)
const signature = '0x' as const
const codeOf = async (entry: BatchEntry, seen: ChainView = view) => (await proofHolds(entry, seen)).code

test('the proof of an honest answer holds, for the bodies that the receipt covers', async () => {
  const step = await proofHolds({ ...honest, signature }, view)
  assert.deepEqual([step.outcome, step.code], ['passed', 'ok'], step.reason)
  assert.match(step.reason, /at 10\d bits/)
})

test('a proof that is absent, of another call, another model or another answer does not count', async () => {
  const { receipt, zk } = honest
  const other = answerTo(1)
  const signed = { receipt, signature }
  assert.equal(await codeOf(signed), 'proof_absent')
  assert.equal(await codeOf({ ...signed, zk: other.zk }), 'proof_differs')
  assert.equal(await codeOf({ ...signed, zk: { ...zk, proof: other.zk.proof } }), 'proof_invalid')
  assert.equal(await codeOf({ ...signed, zk: { ...zk, proof: zk.proof.subarray(1) } }), 'proof_invalid')
  assert.equal(await codeOf({ ...signed, zk: { ...zk, request: other.zk.request } }), 'proof_differs')
  assert.equal(await codeOf({ ...signed, zk: { ...zk, card: card.subarray(1) } }), 'proof_differs')
  // A receipt signed for another statement, with a true proof of its own bodies.
  const lie = { ...receipt, evidenceHash: other.receipt.evidenceHash }
  assert.equal(await codeOf({ receipt: lie, signature, zk }), 'proof_differs')
})

test('an answer whose tensor or whose numbers were changed is not proven', async () => {
  const { zk } = honest
  const said = JSON.parse(new TextDecoder().decode(zk.response.body)) as {
    output: number[]
    tensor: number[]
  }
  const changed = async (answer: object) => {
    const response = { ...zk.response, body: bytes({ ...said, ...answer }) }
    const receipt = { ...honest.receipt, responseHash: responseHash(response) }
    return codeOf({ receipt, signature, zk: { ...zk, response } })
  }
  assert.equal(await changed({}), 'ok')
  assert.equal(await changed({ tensor: said.tensor.map((x) => x + 1) }), 'proof_invalid')
  assert.equal(await changed({ output: said.output.map((x) => x + 1e-6) }), 'proof_differs')
  assert.equal(await changed({ tensor: 'x' }), 'unreadable')
})

test('a model that the chain does not name by this card and root proves nothing', async () => {
  const entry = { ...honest, signature }
  const seen = (model: ChainView['model']) => makeView({ model })
  assert.equal(await codeOf(entry, seen(undefined)), 'model_unproven')
  assert.equal(await codeOf(entry, seen({ weightsHash, manifest: undefined })), 'model_unproven')
  assert.equal(await codeOf(entry, seen({ weightsHash: zeroHash, manifest })), 'model_unproven')
  const { card: _, ...cardless } = manifest
  assert.equal(await codeOf(entry, seen({ weightsHash, manifest: cardless })), 'model_unproven')
})

test('a batch must hold the proof: without it the receipt fails, and the file carries it unchanged', async () => {
  const signed = await signReceipt(honest.receipt)
  const entry = { ...signed, zk: honest.zk }
  const failedCodes = async (held: BatchEntry) =>
    (await verifyReceipt(held, view)).steps
      .filter(({ outcome }) => outcome === 'failed')
      .map(({ code }) => code)
  assert.deepEqual(await failedCodes(entry), [])
  assert.deepEqual(await failedCodes(signed), ['proof_absent'])
  const batch = buildBatch({ deployment, committer: gateway, height: 1n, receipts: [entry] })
  const read = parseBatchFile(batch.file, deployment).groups[0]?.rows[0]?.receipts[0]
  assert.deepEqual(read, entry)
})

test('nothing is to be proved of an answer that was not given, and it costs nothing', async () => {
  const nothing = { mode: MODE.zk, status: STATUS.failed, outputUnits: 0n, evidenceHash: zeroHash }
  const outcomes = async (receipt: Receipt) =>
    (await verifyReceipt(await signReceipt(receipt), view)).steps
      .filter(({ outcome }) => outcome === 'failed')
      .map(({ code }) => code)
  const free = { ...honest.receipt, ...nothing, price: 0n }
  assert.deepEqual(await outcomes(free), [])
  const dear = { ...honest.receipt, evidenceHash: zeroHash }
  assert.deepEqual(await outcomes(dear), ['receipt_rule_broken'])
})
