/**
 * Proofs of inference on chain: what the contract says of a proof's first steps is what the verifier says, of honest proofs
 * and of mutants; and a false proof that a bribed validator has called valid ends in a slash.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  type BatchEntry,
  FAULT_CLASS,
  faultCommitment,
  faultIdOf,
  faultManagerAbi,
  readInferAnswer,
  readInferRequest,
  zkFaultAbi,
  zkFaultProof,
} from '@assay/protocol'
import { BATCH_STATE, falseInference } from '@assay/verify'
import {
  type Architecture,
  commitModel,
  createWorkspace,
  decodeModelCard,
  encodeInput,
  type Model,
  planCircuit,
  proveInference,
  tensorHash,
  verifyProof,
} from '@assay/zkml'
import { falseLayer, prefixBytes, REPLAYED_LAYERS } from '@assay/zkml/verifier'
import { bytesToHex, type Hex, toHex } from 'viem'
import { paymentScorer } from '../../../test/scoredPayment.ts'
import { randomInput, randomIntegers, smallPerceptron } from '../../zkml/test/support/models.ts'
import { type FaultNetwork, startFaultNetwork } from './support/faultNetwork.ts'

/** Of which a slice runs with every change; the campaign takes more. */
const MUTANTS = Number(process.env.ASSAY_MUTANTS ?? 1000)
const GAS_LIMIT = 1_000_000n
const SALT = toHex('salt', { size: 32 })

let on: FaultNetwork
before(async () => {
  on = await startFaultNetwork()
})
after(() => on.close())

// ------------------------------------------------------------------ proofs and what is said of them

type Hashes = { modelRoot: Uint8Array; inputHash: Uint8Array; outputHash: Uint8Array }
type Proven = {
  model: Model
  input: number[]
  output: number[]
  root: Uint8Array
  hashes: Hashes
  proof: Uint8Array
}

const workspace = createWorkspace()
function prove(model: Model, seed: number): Proven {
  const committed = commitModel(workspace, model)
  const { channels, height, width } = model.plan.architecture.input
  const input = randomInput(seed, channels * height * width)
  const { output, proof } = proveInference(committed, input)
  const { root } = committed.commitment
  const { modelRoot, inputHash, outputHash } = verifyProof(
    model.plan.architecture,
    { weightsRoot: root, input, output },
    proof,
  )
  return { model, input, output: [...output], root, hashes: { modelRoot, inputHash, outputHash }, proof }
}

/** What the contract says: the flaw, 0 for none, and its layer. */
async function onChain(
  hashes: Hashes,
  proof: Uint8Array,
  layers: number,
): Promise<[flaw: number, layer: number]> {
  const { modelRoot, inputHash, outputHash } = hashes
  const text = Buffer.from(proof.subarray(0, 3 * Math.ceil(prefixBytes(layers) / 3))).toString('base64')
  const [flaw, layer] = await on.client.readContract({
    address: on.network.contracts.ZkFault,
    abi: zkFaultAbi,
    functionName: 'replay',
    args: [bytesToHex(modelRoot), bytesToHex(inputHash), bytesToHex(outputHash), text, BigInt(layers)],
  })
  return [flaw, Number(layer)]
}

const LAST = REPLAYED_LAYERS

test('no circuit has a smaller tree than is replayed, whatever its lookups are', () => {
  const map: Architecture = {
    input: { channels: 1, height: 1, width: 1, zeroPoint: 0 },
    nodes: [
      { op: 'map', input: 0, zeroPoint: 0, values: Array.from({ length: 256 }, (_, at) => at - 128) },
      { op: 'dense', input: 1, units: 1, requantise: null },
    ],
  } as Architecture
  assert.ok(planCircuit(map).leafBits > LAST)
  assert.ok(smallPerceptron(1, [1, 1, 1]).plan.leafBits > LAST)
})

test('of honest proofs the contract finds nothing in any layer', async () => {
  for (let seed = 1; seed <= 8; seed++) {
    const { hashes, proof } = prove(smallPerceptron(seed, [3 + seed, 4 * seed, 5]), seed)
    assert.equal(falseLayer(hashes, proof), undefined)
    for (const layers of [0, Math.min(seed, LAST), LAST])
      assert.deepEqual((await onChain(hashes, proof, layers))[0], 0)
  }
})

test('verifier and contract agree on every mutant, to the layer, and what the contract finds the verifier refuses', async () => {
  const honest = prove(smallPerceptron(), 1)
  const other = prove(smallPerceptron(), 2)
  const random = randomIntegers(20)
  const found = new Map<number, number>()
  for (let at = 0; at < MUTANTS; at++) {
    const { hashes, proof } = mutant(honest, other, at, random)
    const layer = falseLayer(hashes, proof)
    const [flaw, where] = await onChain(hashes, proof, layer ?? LAST)
    found.set(flaw, (found.get(flaw) ?? 0) + 1)
    assert.equal(flaw !== 0, layer !== undefined, `mutant ${at}: ${flaw} in ${where}, ${layer}`)
    if (layer === undefined) continue
    assert.equal(where, layer, `mutant ${at}`)
    if (layer > 0 && at % 4 === 0)
      assert.equal((await onChain(hashes, proof, layer - 1))[0], 0, `above ${at}`)
    if (hashes === honest.hashes) {
      const { model, root: weightsRoot, input, output } = honest
      assert.throws(() => verifyProof(model.plan.architecture, { weightsRoot, input, output }, proof))
    }
  }
  console.log('flaws found', Object.fromEntries(found))
  // Every kind of flaw but one that no mutant of this form shows: a root whose denominators vanish, tested below.
  for (const flaw of [1, 2, 3, 5, 6]) assert.ok((found.get(flaw) ?? 0) > 0, `flaw ${flaw}`)
})

test('a root of zero over zero is refused by both', async () => {
  const { hashes, proof } = prove(smallPerceptron(), 3)
  const zeroed = proof.slice()
  zeroed.fill(0, 32, 112)
  assert.equal(falseLayer(hashes, zeroed), 0)
  assert.deepEqual(await onChain(hashes, zeroed, 0), [4, 0])
})

// ------------------------------------------------------------------ receipts, batches, validators

const { score } = paymentScorer()

/** A receipt of mode zk with a proof; `lie` is added to the first number of the answer, which the proof does not know of. */
async function scored(which: number, lie = 0): Promise<BatchEntry> {
  const { receipt, zk } = score(which, lie)
  return { ...(await on.signed(receipt)), zk }
}

/** The statement that a receipt of the scorer was signed for. */
function statementOf({ zk }: BatchEntry) {
  assert.ok(zk)
  const read = decodeModelCard(zk.card)
  return {
    modelRoot: bytesToHex(read.modelRoot),
    inputHash: bytesToHex(tensorHash(encodeInput(read, readInferRequest(zk.request.body).input))),
    outputHash: bytesToHex(tensorHash(readInferAnswer(zk.response.body).tensor)),
  }
}

const judge = (proof: Hex) =>
  on.client.readContract({
    address: on.network.contracts.ZkFault,
    abi: zkFaultAbi,
    functionName: 'judge',
    args: [proof],
  })
/** Proves a fault of class 2; for the gas that it took. */
async function convict(proof: Hex): Promise<bigint> {
  const faults = { address: on.network.contracts.FaultManager, abi: faultManagerAbi } as const
  const commitment = faultCommitment(on.bank.address, FAULT_CLASS.zk, proof, SALT)
  await on.bank.send({ ...faults, functionName: 'announce', args: [commitment] })
  const { gasUsed } = await on.bank.send({
    ...faults,
    functionName: 'prove',
    args: [FAULT_CLASS.zk, proof, SALT],
  })
  return gasUsed
}
const refused = (proof: Hex, error: string) => assert.rejects(judge(proof), new RegExp(error))

test('class 2: the proof of a false statement is shown for less than a million gas, an honest one never', async () => {
  const [honest, shifted] = [await scored(0), await scored(1, 1)]
  const batch = await on.among(honest, shifted, await scored(2))
  await on.commit(batch)
  assert.equal(falseInference(honest), undefined)
  const lie = falseInference(shifted)
  assert.ok(lie)
  const proof = zkFaultProof(batch, shifted, lie)
  const finding = await judge(proof)
  assert.deepEqual(
    [finding.batchId, finding.faultKey, finding.requestId, finding.voids, finding.attesters],
    [batch.batchId, batch.batchId, shifted.receipt.requestId, true, true],
  )
  assert.equal(finding.node, '0x0000000000000000000000000000000000000000')

  const statement = (change: Partial<typeof lie>) => zkFaultProof(batch, shifted, { ...lie, ...change })
  await refused(statement({ outputHash: lie.inputHash }), 'NotTheStatement')
  await refused(statement({ layer: LAST + 1, read: prefixBytes(LAST + 1) }), 'TooDeep')
  if (lie.layer > 0) await refused(statement({ layer: lie.layer - 1 }), 'ProofHolds')
  const own = statementOf(honest)
  for (let layer = 0; layer <= LAST; layer++) {
    await refused(zkFaultProof(batch, honest, { ...own, layer, read: prefixBytes(layer) }), 'ProofHolds')
    await refused(zkFaultProof(batch, honest, { ...lie, layer, read: prefixBytes(layer) }), 'NotTheStatement')
  }
  const elsewhere = await on.among(honest)
  await refused(
    zkFaultProof({ ...batch, file: elsewhere.file }, honest, { ...own, layer: 1, read: 300 }),
    'NotTheFile',
  )

  // The dearest: in the last layer that is replayed.
  const late = await scored(6)
  assert.ok(late.zk)
  const damaged = late.zk.proof.slice()
  flipBit(damaged, prefixBytes(LAST) - 20, 0)
  const deep = { ...late, zk: { ...late.zk, proof: damaged } }
  const last = falseInference(deep)
  assert.equal(last?.layer, LAST)
  const holding = await on.among(deep)
  await on.commit(holding)
  const latest = zkFaultProof(holding, deep, last as NonNullable<typeof last>)
  const dearest = await on.client.estimateContractGas({
    address: on.network.contracts.ZkFault,
    abi: zkFaultAbi,
    functionName: 'judge',
    args: [latest],
  })
  console.log(`gas 2 zk, layer ${LAST}, judged: ${dearest}`)
  assert.ok(dearest < GAS_LIMIT, `${dearest}`)

  const gasUsed = await convict(proof)
  console.log(`gas 2 zk, layer ${lie.layer}: ${gasUsed}`)
  assert.ok(gasUsed < GAS_LIMIT, `${gasUsed}`)
  assert.equal(await on.stateOf(batch.batchId), BATCH_STATE.void)
  // Nothing is left for a validator to find, whose slash would come between a later bond and its batch.
  await convict(latest)
  assert.equal(await on.stateOf(holding.batchId), BATCH_STATE.void)
})

test('class 2: a validator that was told nothing finds it, also where the proof ends early', async () => {
  const shifted = await scored(3, -1)
  const cut = await scored(4)
  assert.ok(cut.zk)
  const short = { ...cut, zk: { ...cut.zk, proof: cut.zk.proof.subarray(0, 100) } }
  const watching = await on.watch(0)
  for (const bad of [shifted, short]) {
    const batchId = await on.commit(await on.among(bad, await scored(5)))
    const faultId = faultIdOf(FAULT_CLASS.zk, batchId)
    await watching.said('fault collected', (facts) => facts.faultId === faultId)
    assert.equal(await on.stateOf(batchId), BATCH_STATE.void)
  }
  await watching.close()
})

/** A proof changed in its first steps, or checked for another statement. */
function mutant(
  { hashes, proof }: Proven,
  other: Proven,
  seed: number,
  random: (low: number, high: number) => number,
): { hashes: Hashes; proof: Uint8Array } {
  const end = prefixBytes(LAST)
  const changed = proof.slice()
  const word = () => 32 + 4 * random(0, (end - 32) / 4 - 1)
  const view = new DataView(changed.buffer)
  switch (seed % 8) {
    case 0:
      flipBit(changed, random(0, end - 1), random(0, 7))
      return { hashes, proof: changed }
    case 1:
      return { hashes, proof: changed.subarray(0, random(0, end + 20)) }
    case 2:
      view.setUint32(word(), 2_013_265_921 + random(0, 1000), true)
      return { hashes, proof: changed }
    case 3:
      return random(0, 1) === 0
        ? { hashes: { ...hashes, outputHash: changed.slice(0, 32) }, proof }
        : { hashes: other.hashes, proof }
    case 4: {
      const [a, b] = [word(), word()]
      const kept = view.getUint32(a, true)
      view.setUint32(a, view.getUint32(b, true), true)
      view.setUint32(b, kept, true)
      return { hashes, proof: changed }
    }
    case 5: {
      const at = word()
      changed.set(other.proof.subarray(at, at + 20), at)
      return { hashes, proof: changed }
    }
    case 6:
      // The root's halves scaled alike still sum to zero; what stands on them does not follow.
      view.setUint32(word(), 0, true)
      return { hashes, proof: changed }
    default:
      // The last of a layer, which no round of it has a claim about.
      view.setUint32(prefixBytes(random(0, LAST)) - 4 * random(1, 20), random(0, 2_013_265_920), true)
      return { hashes, proof: changed }
  }
}

function flipBit(data: Uint8Array, at: number, bit: number): void {
  data[at] = (data[at] as number) ^ (1 << bit)
}
