/** Products of computed tensors: attention over heads, sides that are no power of two, and a prover that lies in one step. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runOverIntegers } from '../src/checker/runOverIntegers.ts'
import type { Contract } from '../src/circuit/architecture.ts'
import { checkArchitecture } from '../src/circuit/checkArchitecture.ts'
import { decodeArchitecture, encodeArchitecture } from '../src/circuit/encodeArchitecture.ts'
import { type ArchitectureDraft, makeModel, type NodeDraft } from '../src/circuit/model.ts'
import type { Plan } from '../src/circuit/plan.ts'
import { createWorkspace } from '../src/kernels/wasmKernels.ts'
import type { Columns } from '../src/prover/columns.ts'
import { commitModel, proveInference } from '../src/prover/prove.ts'
import { verifyProof } from '../src/verifier/verify.ts'
import { forge, refusal } from './support/maliciousProver.ts'
import { randomInput, randomParameters } from './support/models.ts'

const [TOKENS, HEADS, WIDTH] = [6, 3, 4]
const CHANNELS = HEADS * WIDTH
const requantise = (shift: number) => ({ multiplier: 3, shift, zeroPoint: -7, low: -128, high: 127 })
const project = (input: number): NodeDraft => ({
  op: 'conv2d',
  input,
  channels: CHANNELS,
  window: { height: 1, width: 1, strideY: 1, strideX: 1 },
  padding: { top: 0, left: 0, bottom: 0, right: 0 },
  requantise: requantise(11),
})
const positions = Array.from({ length: CHANNELS * TOKENS }, (_, at) => (at % 11) * 700 - 3000)

/** Queries, keys and values of three heads over six tokens, their scores, a bend, the mixture, and a residual. */
const attention: ArchitectureDraft = {
  input: { channels: 5, height: TOKENS, width: 1, zeroPoint: 9 },
  nodes: [
    project(0),
    project(0),
    project(0),
    {
      op: 'contract',
      groups: HEADS,
      left: { input: 1, indices: [1, 2, 3, 0] },
      right: { input: 2, indices: [1, 2, 4, 0] },
      output: [1, 0, 3, 4],
      requantise: requantise(10),
    },
    {
      op: 'sumPool',
      input: 4,
      window: { height: 1, width: TOKENS, strideY: 1, strideX: 1 },
      requantise: requantise(4),
    },
    {
      op: 'combine',
      terms: [
        { input: 4, multiplier: 5 },
        { input: 5, multiplier: -3 },
      ],
      requantise: requantise(3),
    },
    {
      op: 'contract',
      groups: HEADS,
      left: { input: 6, indices: [1, 0, 2, 3] },
      right: { input: 3, indices: [1, 4, 3, 0] },
      output: [1, 4, 2, 0],
      requantise: requantise(10),
    },
    {
      op: 'combine',
      terms: [
        { input: 7, multiplier: 9 },
        { input: 1, multiplier: 4 },
      ],
      offsets: positions,
      requantise: requantise(5),
    },
    { op: 'dense', input: 8, units: 3, requantise: null },
  ],
}
const [QUERIES, SCORES, CENTRED, MIXTURE] = [0, 3, 5, 6]
const work = createWorkspace()
const none = null
const sides = [
  [CHANNELS, 5],
  [CHANNELS, 5],
  [CHANNELS, 5],
  none,
  none,
  none,
  none,
  none,
  [3, CHANNELS * TOKENS],
] as const
const model = makeModel(attention, randomParameters(3, sides))
const committed = commitModel(work, model)
const input = randomInput(4, 5 * TOKENS)

test('attention over three heads and six tokens: the integers, the proof, and no other output', () => {
  const { architecture } = model.plan
  const { output, proof } = proveInference(committed, input)
  assert.deepEqual(output, runOverIntegers(architecture, model.parameters, input))
  const statement = { weightsRoot: committed.commitment.root, input, output }
  const { soundness } = verifyProof(architecture, statement, proof)
  assert.ok(soundness.bits >= 100)
  assert.ok(soundness.terms.some(({ name }) => name === 'linear: sumchecks of contractions'))
  assert.deepEqual(decodeArchitecture(encodeArchitecture(architecture)), architecture)
  for (const [at, value] of output.entries())
    assert.throws(
      () => verifyProof(architecture, { ...statement, output: output.with(at, value + 1) }, proof),
      {
        code: 'invalid_proof',
      },
    )
})

test('every byte of the proof of an attention is needed', () => {
  const { architecture } = model.plan
  const { output, proof } = proveInference(committed, input)
  const statement = { weightsRoot: committed.commitment.root, input, output }
  for (let at = 0; at < proof.length; at += 797) {
    const mutant = proof.slice()
    mutant[at] = (mutant[at] as number) ^ (1 << (at % 8))
    assert.throws(() => verifyProof(architecture, statement, mutant), { name: 'ZkmlError' }, `byte ${at}`)
  }
})

const columnOf = (columns: Columns, plan: Plan, node: number) =>
  columns[plan.tensorValues[node + 1] as number] as Int32Array

/** A value off by one, its target with it, so that only the node's sum can tell. */
function shiftValue(columns: Columns, plan: Plan, node: number, at: number): void {
  const accumulator = plan.nodes[node]?.accumulator
  assert.equal(accumulator?.kind, 'requantised')
  if (accumulator?.kind !== 'requantised') return
  const [output, target] = [columnOf(columns, plan, node), columns[accumulator.target] as Int32Array]
  const by = (output[at] as number) < 127 && output[at] === target[at] ? 1 : 0
  assert.equal(by, 1, 'the value must be inside its bounds')
  output[at] = (output[at] as number) + 1
  target[at] = (target[at] as number) + 1
}

for (const [name, node] of [
  ['a score', SCORES],
  ['a centred score', CENTRED],
  ['a mixture', MIXTURE],
  ['a query', QUERIES],
] as const)
  test(`a prover that lies about ${name} and is honest from there on is refused`, () => {
    const forgery = forge(committed, input, {
      afterNode: (index, columns, plan) => {
        if (index !== node) return
        const column = columnOf(columns, plan, node)
        const inside = column.findIndex((value) => value > -128 && value < 127)
        shiftValue(columns, plan, node, inside)
      },
    })
    assert.notEqual(refusal(committed, forgery), undefined)
  })

const { architecture: complete } = model.plan
const contraction = complete.nodes[SCORES] as Contract
const withScores = (changed: object) => () =>
  checkArchitecture({ ...complete, nodes: complete.nodes.with(SCORES, { ...contraction, ...changed }) })

for (const [name, changed, message] of [
  ['an index twice in a tensor', { left: { input: 1, indices: [1, 2, 2, 0] } }, /one index twice/],
  ['an index of two lengths', { right: { input: 2, indices: [1, 3, 2, 0] } }, /one length/],
  ['an index of one operand that the output lacks', { output: [1, 0, 3, 0] }, /must be one of the output/],
  ['an index that no operand has', { output: [1, 5, 3, 4] }, /must be one of an operand/],
  ['numbers out of order', { left: { input: 1, indices: [2, 1, 3, 0] } }, /numbered in the order/],
  [
    'a side that no index runs along',
    {
      left: { input: 1, indices: [1, 2, 0, 0] },
      right: { input: 2, indices: [1, 2, 3, 0] },
      output: [1, 0, 3, 0],
    },
    /without an index must be 1/,
  ],
  ['groups that do not divide the channels', { groups: 5 }, /groups must divide/],
  ['groups of a number of channels that is no power of two', { groups: 4 }, /power of two/],
  [
    'groups without an index',
    {
      left: { input: 1, indices: [0, 1, 2, 0] },
      right: { input: 2, indices: [0, 1, 3, 0] },
      output: [0, 0, 2, 3],
    },
    /groups must have an index/,
  ],
  ['no integer for an index', { output: [1, 0, 3, 0.5] }, /index must be an integer/],
] as const)
  test(`a contraction is refused with ${name}`, () => {
    assert.throws(withScores(changed), { code: 'bad_architecture', message })
  })
