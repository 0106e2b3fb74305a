/** A hundred thousand parameters: sizes at which every kernel works on whole vectors and commitments have many rows. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runOverIntegers } from '../src/checker/runOverIntegers.ts'
import { makeModel } from '../src/circuit/model.ts'
import { createWorkspace } from '../src/kernels/wasmKernels.ts'
import { commitModel, proveInference } from '../src/prover/prove.ts'
import { verifyProof } from '../src/verifier/verify.ts'
import { forge, refusal } from './support/maliciousProver.ts'
import { randomInput, randomIntegers, randomParameters } from './support/models.ts'

const LAYERS = [300, 256, 128, 10]
const requantise = { multiplier: 5, shift: 14, zeroPoint: -128, low: -128, high: 127 }
const model = makeModel(
  {
    input: { channels: 300, height: 1, width: 1, zeroPoint: -4 },
    nodes: LAYERS.slice(1).map((units, input) => {
      return { op: 'dense', input, units, requantise: input === 2 ? null : requantise }
    }),
  },
  randomParameters(
    8,
    LAYERS.slice(1).map((units, input) => [units, LAYERS[input] as number] as const),
  ),
)
const { architecture } = model.plan
const committed = commitModel(createWorkspace(), model)
const input = randomInput(4, 300)
const { output, proof } = proveInference(committed, input)
const statement = { weightsRoot: committed.commitment.root, input, output }

test('a perceptron of 111 thousand parameters computes what the integers say, and its proof verifies', (t) => {
  assert.deepEqual(output, runOverIntegers(architecture, model.parameters, input))
  const { soundness } = verifyProof(architecture, statement, proof)
  t.diagnostic(`${proof.length} bytes, ${soundness.bits.toFixed(2)} bits of soundness`)
  assert.ok(soundness.bits >= 100)
  assert.ok(proof.length < 200_000)
})

test('one unit of the first layer off by one, all else recomputed, is refused', () => {
  const random = randomIntegers(31)
  for (let run = 0; run < 6; run++) {
    const unit = random(0, 255)
    const forgery = forge(committed, input, {
      afterNode: (node, columns, plan) => {
        const accumulator = plan.nodes[0]?.accumulator
        if (node !== 0 || accumulator?.kind !== 'requantised') return
        // A change that the lookups allow: the target moves with the output.
        const target = columns[accumulator.target] as Int32Array
        const column = columns[plan.tensorValues[1] as number] as Int32Array
        target[unit] = (target[unit] as number) + 1
        column[unit] = Math.min(127, Math.max(-128, target[unit] as number))
      },
    })
    assert.notEqual(refusal(committed, forgery), undefined, `unit ${unit}`)
  }
})

test('random single bytes of the proof, changed, are refused', () => {
  const random = randomIntegers(32)
  for (let run = 0; run < 80; run++) {
    const changed = proof.slice()
    const at = random(0, proof.length - 1)
    changed[at] = (changed[at] as number) ^ random(1, 255)
    assert.throws(() => verifyProof(architecture, statement, changed), { name: 'ZkmlError' }, `byte ${at}`)
  }
})
