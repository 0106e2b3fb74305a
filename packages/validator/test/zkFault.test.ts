/**
 * Proofs of inference on chain: the contract says of every gate of a verification what the verifier says, of honest proofs,
 * of mutants and of forgeries; and a false proof that a bribed validator has called valid ends in a slash.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  type BatchEntry,
  FAULT_CLASS,
  type FalseStep,
  faultCommitment,
  faultIdOf,
  faultManagerAbi,
  manifestUri,
  modelIdOf,
  type ProofAttachment,
  readInferAnswer,
  readInferRequest,
  zkEvidenceHash,
  zkFaultAbi,
  zkFaultProof,
} from '@assay/protocol'
import { BATCH_STATE, falseInference } from '@assay/verify'
import {
  commitModel,
  createWorkspace,
  decodeModelCard,
  encodeInput,
  firstViolated,
  gateName,
  proveInference,
  recordProof,
  rootOf,
  showStep,
  tapeRoot,
  tensorHash,
  type WordTree,
  wordTree,
} from '@assay/zkml'
import { bytesToHex, type Hex, keccak256, toHex } from 'viem'
import { fraudScorer } from '../../../test/fraudScorer.ts'
import { paymentScorer } from '../../../test/scoredPayment.ts'
import { cardOfSubject } from '../../zkml/test/support/cards.ts'
import { forge } from '../../zkml/test/support/maliciousProver.ts'
import { randomInput, randomIntegers, smallPerceptron } from '../../zkml/test/support/models.ts'
import { mutantsOf, refusalOf, type Subject, tinySubjects } from '../../zkml/test/support/mutants.ts'
import { type FaultNetwork, startFaultNetwork } from './support/faultNetwork.ts'

/** Of which a slice runs with every change; the campaign takes more. */
const MUTANTS = Number(process.env.ASSAY_MUTANTS ?? 1000)
const GAS_LIMIT = 1_000_000n
const SALT = toHex('salt', { size: 32 })

const { score, forgeScore, manifest, weightsHash } = paymentScorer()
const modelId = modelIdOf(manifest)

let on: FaultNetwork
before(async () => {
  on = await startFaultNetwork()
  await on.publish(modelId, manifestUri(manifest), weightsHash)
})
after(() => on.close())

// ------------------------------------------------------------------ gates

/** A verification whose gates the contract is asked about. */
type Check = {
  subject: Subject
  violated: readonly number[]
  program: WordTree
  tape: WordTree
  evidenceHash: Hex
}

function check(subject: Subject, proof = subject.proof): Check {
  const { architecture, statement } = subject
  const card = cardOfSubject(subject)
  const recorded = recordProof({ architecture, weightsRoot: statement.weightsRoot }, statement, proof)
  const evidenceHash = zkEvidenceHash({
    modelRoot: bytesToHex(card.modelRoot),
    inputHash: bytesToHex(tensorHash(statement.input)),
    outputHash: bytesToHex(tensorHash(statement.output)),
  })
  const { violated } = recorded
  return {
    subject,
    violated,
    program: wordTree(recorded.program),
    tape: wordTree(recorded.tape),
    evidenceHash,
  }
}

/** The same with another value at a gate: the tree above it anew. */
function withValue(told: Check, gate: number, change: (word: Uint8Array) => void): Check {
  const tape = told.tape.map((level) => level.slice())
  change((tape[0] as Uint8Array).subarray(32 * gate, 32 * gate + 32))
  for (let height = 1, at = gate >> 1; height < tape.length; height++, at >>= 1) {
    const pair = (tape[height - 1] as Uint8Array).subarray(64 * at, 64 * at + 64)
    ;(tape[height] as Uint8Array).set(keccak256(pair, 'bytes'), 32 * at)
  }
  return { ...told, tape }
}

const wordsOf = (words: Uint8Array): Hex[] =>
  Array.from({ length: words.length / 32 }, (_, at) => bytesToHex(words.subarray(32 * at, 32 * at + 32)))

/** What the contract is asked about a gate. */
function question({ subject, program, tape, evidenceHash }: Check, gate: number) {
  const { shownGate, shownValue, reads } = showStep(program, tape, gate)
  const step = {
    gate: bytesToHex(shownGate.words),
    value: bytesToHex(shownValue.words),
    tapeRoot: bytesToHex(rootOf(tape)),
    depth: BigInt(shownValue.siblings.length),
    modelRoot: bytesToHex(cardOfSubject(subject).modelRoot),
    weightsRoot: bytesToHex(subject.statement.weightsRoot),
    evidenceHash,
  }
  const runs = reads.map(({ words, siblings }) => ({
    words: wordsOf(words),
    siblings: siblings.map((sibling) => bytesToHex(sibling)),
  }))
  return {
    address: on.network.contracts.ZkFault,
    abi: zkFaultAbi,
    functionName: 'holds',
    args: [step, runs],
  } as const
}

const holds = (told: Check, gate: number) => on.client.readContract(question(told, gate))

/** The first gate that a validator finds false on a tape of which it knows only the words. */
function judged({ subject, program, tape, evidenceHash }: Check): number | undefined {
  const { modelRoot, weightsRoot } = cardOfSubject(subject)
  const signed = (inputHash: Uint8Array, outputHash: Uint8Array) => {
    const statement = {
      modelRoot: bytesToHex(modelRoot),
      inputHash: bytesToHex(inputHash),
      outputHash: bytesToHex(outputHash),
    }
    return zkEvidenceHash(statement) === evidenceHash
  }
  return firstViolated(program[0] as Uint8Array, tape[0] as Uint8Array, { modelRoot, weightsRoot, signed })
}

/** Gates by what they do. */
function byName({ program }: Check): Map<string, number[]> {
  const words = program[0] as Uint8Array
  const found = new Map<string, number[]>()
  for (let gate = 0; gate < words.length / 32; gate++) {
    const name = gateName(words.subarray(32 * gate, 32 * gate + 32))
    found.set(name, [...(found.get(name) ?? []), gate])
  }
  return found
}

/** Gates whose value nothing follows from, and checks, which have none. */
const FREE = new Set(['none', 'word', 'element', 'bases', 'integers'])
const CHECKS = new Set(['statement', 'tensor', 'longTensor', 'equal', 'differ', 'opening'])

test('of an honest verification every gate holds, and none that follows from others with another value', async () => {
  const [subject] = tinySubjects(1) as [Subject]
  const told = check(subject)
  const random = randomIntegers(20)
  const kinds = [...byName(told)]
  for (let mutant = 0; mutant < MUTANTS; mutant++) {
    const [name, gates] = kinds[mutant % kinds.length] as [string, number[]]
    const gate = gates[random(0, gates.length - 1)] as number
    if (mutant < 4 * kinds.length) assert.equal(await holds(told, gate), true, `${name} ${gate}`)
    if (FREE.has(name) || CHECKS.has(name)) continue
    const changed = withValue(told, gate, (word) => flipBit(word, random(0, 31), random(0, 7)))
    assert.equal(await holds(changed, gate), false, `${name} ${gate}`)
    if (mutant % 20 === 0) assert.equal(judged(changed), gate, `${name} ${gate}`)
  }
})

test('verifier and contract agree on every mutant, to the gate', async () => {
  const subjects = tinySubjects(1)
  const random = randomIntegers(21)
  const found = new Map<string, number>()
  // Each takes a verification and its tree, where another value on a tape takes one path.
  const each = Math.ceil(MUTANTS / 10 / subjects.length)
  for (const subject of subjects) {
    const { length } = subject.proof
    for (const mutant of mutantsOf(subject, each, 6)) {
      const proof = new Uint8Array(length)
      proof.set(mutant.subarray(0, length))
      const told = check(subject, proof)
      assert.equal(told.violated.length > 0, refusalOf(subject, proof) !== undefined)
      const [first] = told.violated
      if (first === undefined) continue
      const gate = told.violated[random(0, told.violated.length - 1)] as number
      assert.equal(await holds(told, gate), false, `gate ${gate}`)
      assert.equal(judged(told), first)
      const name = nameOf(told, first)
      found.set(name, (found.get(name) ?? 0) + 1)
      // What comes before the first false gate is as true as ever.
      const before = random(0, first - 1)
      assert.equal(await holds(told, before), true, `gate ${before}, before ${first}`)
    }
  }
  console.log('gates that did not hold', Object.fromEntries(found))
  for (const name of ['element', 'equal']) assert.ok((found.get(name) ?? 0) > 0, name)
})

const nameOf = ({ program }: Check, gate: number): string =>
  gateName((program[0] as Uint8Array).subarray(32 * gate, 32 * gate + 32))

test('a prover that lies in a layer and recomputes all the rest is caught at a gate', async () => {
  const model = smallPerceptron(1, [3, 4, 2])
  const committed = commitModel(createWorkspace(), model)
  const { statement, proof } = forge(committed, randomInput(1, 3), {
    afterNode(node, columns, plan) {
      if (node !== 0) return
      const output = columns[plan.tensorValues[1] as number] as Int32Array
      output[0] = (output[0] as number) > 0 ? (output[0] as number) - 1 : (output[0] as number) + 1
    },
  })
  const subject = { name: 'forgery', architecture: model.plan.architecture, statement, proof }
  assert.notEqual(refusalOf(subject, proof), undefined)
  const told = check(subject)
  for (const gate of told.violated) {
    assert.equal(nameOf(told, gate), 'equal')
    assert.equal(await holds(told, gate), false)
  }
  assert.ok(told.violated.length > 0)
})

test('the dearest gate of every kind is judged for less than a million gas', async () => {
  const subject = paymentsSubject()
  const told = check(subject)
  const gas = new Map<string, bigint>()
  for (const [name, gates] of byName(told)) {
    const widest = gates.reduce((a, b) => (widthOf(told, b) > widthOf(told, a) ? b : a))
    gas.set(name, await on.client.estimateContractGas(question(told, widest)))
  }
  console.log('gas of one gate, calldata included', Object.fromEntries(gas))
  for (const [name, used] of gas) assert.ok(used < GAS_LIMIT / 3n, `${name}: ${used}`)
})

/** Words that are shown for a gate. */
function widthOf({ program, tape }: Check, gate: number): number {
  return showStep(program, tape, gate).reads.reduce((sum, { words }) => sum + words.length, 0)
}

/** The payments MLP on a payment. */
function paymentsSubject(): Subject {
  const { compiled, inputs } = fraudScorer()
  const committed = commitModel(createWorkspace(), compiled.model)
  const input = encodeInput(compiled, inputs[0] as number[])
  const { output, proof } = proveInference(committed, input)
  const statement = { weightsRoot: committed.commitment.root, input, output }
  return { name: 'payments', architecture: compiled.model.plan.architecture, statement, proof }
}

// ------------------------------------------------------------------ receipts, batches, validators

/** A receipt of mode zk with a proof; `lie` is added to the first number of the answer, which the proof does not know of. */
async function scored(which: number, lie = 0): Promise<BatchEntry> {
  const { receipt, zk } = score(which, lie)
  return { ...(await on.signed({ ...receipt, modelId })), zk }
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
  assert.equal(falseInference(honest, weightsHash), undefined)
  const lie = falseInference(shifted, weightsHash)
  assert.ok(lie !== undefined && lie !== 'hidden')
  const proof = zkFaultProof(batch, shifted, lie)
  const finding = await judge(proof)
  assert.deepEqual(
    [finding.batchId, finding.faultKey, finding.requestId, finding.voids, finding.attesters],
    [batch.batchId, batch.batchId, shifted.receipt.requestId, true, true],
  )
  assert.equal(finding.node, '0x0000000000000000000000000000000000000000')

  const other = (change: Partial<FalseStep>) => zkFaultProof(batch, shifted, { ...lie, ...change })
  await refused(other({ programRoot: lie.modelRoot }), 'NotOfThisModel')
  await refused(other({ gates: lie.gates - 1 }), 'NotOfThisModel')
  await refused(other({ gate: lie.gate - 1 }), 'NotInTheProgram')
  await refused(other({ shownValue: lie.shownGate }), 'NotInTheProgram')
  await refused(other({ reads: lie.reads.toReversed() }), 'NotOnTheTape|GateHolds')
  await refused(zkFaultProof(batch, honest, lie), 'NotInTheProgram')
  const ordinary = await on.signed({ modelId })
  const apart = await on.among({ ...ordinary, zk: shifted.zk } as BatchEntry)
  await on.commit(apart)
  await refused(
    zkFaultProof(
      apart,
      apart.groups
        .flatMap(({ rows }) => rows.flatMap(({ receipts }) => receipts))
        .find(({ receipt }) => receipt.requestId === ordinary.receipt.requestId) as BatchEntry,
      lie,
    ),
    'NotOfThisModel',
  )
  const elsewhere = await on.among(shifted)
  await refused(zkFaultProof({ ...batch, file: elsewhere.file }, shifted, lie), 'NotTheFile')

  const gasUsed = await convict(proof)
  console.log(`gas 2 zk, a gate of ${lie.gates}: ${gasUsed}`)
  assert.ok(gasUsed < GAS_LIMIT, `${gasUsed}`)
  assert.equal(await on.stateOf(batch.batchId), BATCH_STATE.void)
})

test('class 2: a validator that was told nothing finds it, also where the proof ends early or its prover recomputed all but one lie', async () => {
  const shifted = await scored(3, -1)
  const cut = await scored(4)
  assert.ok(cut.zk)
  const short = { ...cut, zk: retold({ ...cut.zk, proof: cut.zk.proof.subarray(0, 100) }) }
  const { receipt, zk } = forgeScore(6)
  const forged = { ...(await on.signed({ ...receipt, modelId })), zk }
  const watching = await on.watch(0)
  for (const bad of [shifted, short, forged]) {
    const batchId = await on.commit(await on.among(bad, await scored(5)))
    const faultId = faultIdOf(FAULT_CLASS.zk, batchId)
    await watching.said('fault collected', (facts) => facts.faultId === faultId)
    assert.equal(await on.stateOf(batchId), BATCH_STATE.void)
  }
  await watching.close()
})

/** The attachment with the tape of what its proof is now. */
function retold(zk: ProofAttachment): ProofAttachment {
  const card = decodeModelCard(zk.card)
  const tensors = {
    input: encodeInput(card, readInferRequest(zk.request.body).input),
    output: readInferAnswer(zk.response.body).tensor,
  }
  return { ...zk, tape: bytesToHex(tapeRoot(recordProof(card, tensors, zk.proof).tape)) }
}

function flipBit(data: Uint8Array, at: number, bit: number): void {
  data[at] = (data[at] as number) ^ (1 << bit)
}
