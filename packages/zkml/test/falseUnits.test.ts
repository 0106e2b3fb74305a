/** Lies about multipliers and groups: the prover takes another unit's multiplier, or lets a group see its neighbour. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Conv2d } from '../src/circuit/architecture.ts'
import { type ArchitectureDraft, makeModel } from '../src/circuit/model.ts'
import { planCircuit } from '../src/circuit/planCircuit.ts'
import { createWorkspace } from '../src/kernels/wasmKernels.ts'
import { fillNode } from '../src/prover/execute.ts'
import { commitModel } from '../src/prover/prove.ts'
import { forge, refusal } from './support/maliciousProver.ts'
import { randomInput, randomIntegers, randomParameters } from './support/models.ts'

const grouped = {
  op: 'conv2d',
  input: 0,
  channels: 6,
  window: { height: 3, width: 3, strideY: 1, strideX: 1 },
  padding: { top: 1, left: 1, bottom: 1, right: 1 },
  groups: 3,
  multipliers: [30, 10, 20, 40, 25, 15],
  requantise: { multiplier: 1, shift: 13, zeroPoint: -5, low: -128, high: 127 },
} as const
const draft: ArchitectureDraft = {
  input: { channels: 3, height: 4, width: 4, zeroPoint: 3 },
  nodes: [grouped, { op: 'dense', input: 1, units: 3, multipliers: [3, 1, 2], requantise: null }],
}
const model = makeModel(
  draft,
  randomParameters(5, [
    [6, 9],
    [3, 96],
  ]),
)
const committed = commitModel(createWorkspace(), model)
const input = randomInput(9, 48)
const { architecture } = model.plan

/** The plan of a liar whose first node differs. */
function planWith(change: Partial<Conv2d>) {
  const [first, ...rest] = architecture.nodes
  return planCircuit({ ...architecture, nodes: [{ ...(first as Conv2d), ...change }, ...rest] })
}

test('without a lie the proof is accepted', () => {
  assert.equal(refusal(committed, forge(committed, input, {})), undefined)
})

for (const [name, multipliers] of [
  ['of its neighbour', [10, 30, 20, 40, 25, 15]],
  ['off by one', [30, 10, 20, 40, 25, 16]],
  ['of one for all', [1, 1, 1, 1, 1, 1]],
] as const) {
  test(`a multiplier ${name} is refused`, () => {
    const plan = planWith({ multipliers })
    assert.notEqual(refusal(committed, forge(committed, input, { plan })), undefined)
  })
}

test('multipliers left out of the output’s accumulators are refused', () => {
  const plan = planCircuit({
    ...architecture,
    nodes: architecture.nodes.map((node) =>
      node.op === 'dense' ? { op: 'dense', input: node.input, units: node.units, requantise: null } : node,
    ),
  })
  assert.notEqual(refusal(committed, forge(committed, input, { plan })), undefined)
})

test('a group that sees the channels of its neighbour is refused', () => {
  const forgery = forge(committed, input, {
    afterNode: (index, columns, plan) => {
      if (index !== 0) return
      const own = columns[plan.tensorValues[0] as number] as Int32Array
      const rotated = Int32Array.from(own, (_, at) => own[(at + 16) % 48] as number)
      columns[plan.tensorValues[0] as number] = rotated
      fillNode(model, columns, 0)
      columns[plan.tensorValues[0] as number] = own
    },
  })
  assert.notEqual(refusal(committed, forgery), undefined)
})

test('no byte of the proof can be changed', () => {
  const { statement, proof } = forge(committed, input, {})
  const random = randomIntegers(3)
  for (let run = 0; run < 60; run++) {
    const changed = proof.slice()
    const at = random(0, proof.length - 1)
    changed[at] = (changed[at] as number) ^ (1 << random(0, 7))
    assert.notEqual(refusal(committed, { statement, proof: changed }), undefined, `byte ${at}`)
  }
})

for (const [name, change] of [
  ['channels that no group divides', { groups: 4 }],
  ['one group, which is to be absent', { groups: 1 }],
  ['groups of three channels', { channels: 9 }],
  ['too few multipliers', { multipliers: [1, 2] }],
  ['a multiplier of zero', { multipliers: [0, 1, 1, 1, 1, 1] }],
  ['a multiplier past its bound', { multipliers: [2 ** 15 + 1, 1, 1, 1, 1, 1] }],
] as const) {
  test(`an architecture with ${name} is refused`, () => {
    assert.throws(() => planWith(change), { code: 'bad_architecture' })
  })
}
