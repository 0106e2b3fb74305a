/** Proofs that hide: they say what `validity` proofs say, at 100 bits, and nothing else may be changed about them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runOverIntegers } from '../src/checker/runOverIntegers.ts'
import { tensorHash } from '../src/circuit/statement.ts'
import { P } from '../src/field/babyBear.ts'
import { createWorkspace } from '../src/kernels/wasmKernels.ts'
import { commitModel, proveInference } from '../src/prover/prove.ts'
import { commitVeiledModel, hiddenInputRoot } from '../src/prover/veil/commitHidden.ts'
import { proveVeiled } from '../src/prover/veil/proveVeiled.ts'
import type { VeiledStatement } from '../src/veil/statement.ts'
import { verifyVeiledProof } from '../src/veil/verifyVeiled.ts'
import { verifyProof } from '../src/verifier/verify.ts'
import { randomInput, scalarWorkspace, smallPerceptron } from './support/models.ts'
import { seedOf, tinyModel } from './support/veiled.ts'

const { architecture } = tinyModel.plan
const work = createWorkspace()
const veiled = commitVeiledModel(work, tinyModel, seedOf(1), 2)
const input = randomInput(1, 4)
const { output, proof } = proveVeiled(veiled, input, 0)
const statement: VeiledStatement = {
  weightsRoot: veiled.weights.commitment.root,
  input,
  output,
  proofs: 2,
  use: 0,
}
const refuses = (changed: Uint8Array, about: VeiledStatement, name: string) =>
  assert.throws(() => verifyVeiledProof(architecture, about, changed), { name: 'ZkmlError' }, name)

test('an honest proof is labelled zk, says what the integers say, and reaches 100 bits by its own terms', () => {
  assert.deepEqual(output, runOverIntegers(architecture, tinyModel.parameters, input))
  const { kind, soundness, inputHash } = verifyVeiledProof(architecture, statement, proof)
  assert.equal(kind, 'zk')
  assert.deepEqual(inputHash, tensorHash(input))
  assert.ok(soundness.bits >= 100, `${soundness.bits} bits`)
  const sum = soundness.terms.reduce((total, { bits }) => total + 2 ** -bits, 0)
  assert.ok(Math.abs(-Math.log2(sum) - soundness.bits) < 1e-9)
  for (const name of ['witness', 'weights', 'pads'])
    assert.ok(soundness.terms.some((term) => new RegExp(`^${name}: \\d+ columns`).test(term.name)))
})

test('on twelve inputs both protocols give one output, and neither verifier takes the proof of the other', () => {
  const committed = commitModel(work, tinyModel)
  const weightsRoot = committed.commitment.root
  for (let seed = 0; seed < 12; seed++) {
    const other = randomInput(seed, 4)
    const hidden = proveVeiled(veiled, other, seed % 2)
    const plain = proveInference(committed, other)
    assert.deepEqual(hidden.output, plain.output)
    const about = { ...statement, input: other, output: hidden.output, use: seed % 2 }
    verifyProof(architecture, { ...about, weightsRoot }, plain.proof)
    verifyVeiledProof(architecture, about, hidden.proof)
    refuses(plain.proof, about, 'a validity proof')
    assert.throws(
      () => verifyProof(architecture, { ...about, weightsRoot }, hidden.proof),
      { name: 'ZkmlError' },
      'a proof that hides',
    )
  }
})

test('a hidden input: the proof says its root, which input and seed give again and nothing else does', () => {
  const inputSeed = seedOf(8)
  const hidden = proveVeiled(veiled, input, 1, { inputSeed })
  assert.deepEqual(hidden.output, output)
  const verified = verifyVeiledProof(architecture, hidden.statement, hidden.proof)
  assert.deepEqual([verified.kind, verified.hidesInput], ['zk', true])
  assert.ok(verified.soundness.bits >= 100, `${verified.soundness.bits} bits`)
  const rootOf = (values: number[], seed: Uint8Array) => hiddenInputRoot(work, architecture, values, seed)
  assert.deepEqual(hidden.statement.input, { root: rootOf(input, inputSeed) })
  assert.deepEqual(verified.inputHash, rootOf(input, inputSeed))
  const root = rootOf(input.with(0, 9), inputSeed)
  assert.notDeepEqual(root, verified.inputHash)
  assert.notDeepEqual(rootOf(input, seedOf(9)), verified.inputHash)
  refuses(hidden.proof, { ...hidden.statement, input: { root } }, 'another root')
  refuses(hidden.proof, { ...hidden.statement, input }, 'as if the input were public')
  refuses(proof, { ...statement, input: { root } }, 'as if the input were hidden')
  refuses(hidden.proof, { ...hidden.statement, input: { root: root.subarray(1) } }, 'half a root')
})

test('the scalar kernels give proofs that verify as well', () => {
  const model = smallPerceptron(5, [6, 5, 4])
  const scalar = commitVeiledModel(scalarWorkspace(), model, seedOf(4), 1)
  const own = randomInput(2, 6)
  const proved = proveVeiled(scalar, own, 0)
  const about = {
    weightsRoot: scalar.weights.commitment.root,
    input: own,
    output: proved.output,
    proofs: 1,
    use: 0,
  }
  assert.equal(verifyVeiledProof(model.plan.architecture, about, proved.proof).kind, 'zk')
})

test('whoever has weights and seed recomputes the root; another seed, or another number of proofs, has another', () => {
  const root = (seed: number, proofs: number) =>
    commitVeiledModel(createWorkspace(), tinyModel, seedOf(seed), proofs).weights.commitment.root
  assert.deepEqual(root(1, 2), statement.weightsRoot)
  assert.notDeepEqual(root(2, 2), statement.weightsRoot)
  assert.notDeepEqual(root(1, 3), statement.weightsRoot)
})

test('another input, output, root, number of proofs or use is refused', () => {
  for (const at of input.keys())
    refuses(proof, { ...statement, input: input.with(at, input[at] === 0 ? 1 : 0) }, `input ${at}`)
  for (const at of output.keys())
    refuses(proof, { ...statement, output: output.with(at, (output[at] as number) + 1) }, `output ${at}`)
  const { weightsRoot } = statement
  refuses(proof, { ...statement, weightsRoot: weightsRoot.with(0, (weightsRoot[0] as number) ^ 1) }, 'root')
  refuses(proof, { ...statement, use: 1 }, 'use')
  for (const [proofs, use] of [
    [3, 0],
    [1, 0],
    [2, 2],
    [2, -1],
    [0, 0],
    [65, 0],
    [2, 0.5],
  ] as const)
    refuses(proof, { ...statement, proofs, use }, `use ${use} of ${proofs}`)
})

test('every 41st word of what is said, and every 199th behind it, changed by one, is refused', () => {
  const spoken = Math.floor(proof.length * 0.3)
  const view = new DataView(proof.buffer, proof.byteOffset)
  const step = (at: number) => (at < spoken ? 4 * 41 : 4 * 199)
  for (let at = 0; at + 4 <= proof.length; at += step(at)) {
    const changed = proof.slice()
    new DataView(changed.buffer).setUint32(at, (view.getUint32(at, true) + 1) % P, true)
    refuses(changed, statement, `word at ${at}`)
  }
})

test('a missing and a left-over byte are refused', () => {
  refuses(proof.subarray(0, -1), statement, 'missing')
  refuses(new Uint8Array([...proof, 0]), statement, 'left over')
  refuses(new Uint8Array(), statement, 'empty')
})

test('two proofs of one statement have no word in common but the seldom chance', () => {
  const again = proveVeiled(veiled, input, 1).proof
  const first = new Uint32Array(proof.slice(0, proof.length - (proof.length % 4)).buffer)
  const words = new Set(new Uint32Array(again.slice(0, again.length - (again.length % 4)).buffer))
  const spoken = first.subarray(0, Math.floor(first.length * 0.3))
  assert.ok(spoken.filter((word) => words.has(word)).length < 10)
})
