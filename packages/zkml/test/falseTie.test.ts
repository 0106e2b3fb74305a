/** Ties round up, for either sign: a prover that rounds a half any other way, and is honest from there on, is refused. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runOverIntegers } from '../src/checker/runOverIntegers.ts'
import { makeModel } from '../src/circuit/model.ts'
import { createWorkspace } from '../src/kernels/wasmKernels.ts'
import type { Columns } from '../src/prover/columns.ts'
import { commitModel } from '../src/prover/prove.ts'
import { forge, refusal } from './support/maliciousProver.ts'

/** In quarters, of the input 1: all but the last two are halves. */
const SHIFT = 2
const ACCUMULATORS = [6, -6, 2, -2, 10, -10, 4, 5]
const committed = commitModel(
  createWorkspace(),
  makeModel(
    {
      input: { channels: 1, height: 1, width: 1, zeroPoint: 0 },
      nodes: [
        {
          op: 'dense',
          input: 0,
          units: ACCUMULATORS.length,
          requantise: { multiplier: 1, shift: SHIFT, zeroPoint: 0, low: -128, high: 127 },
        },
        { op: 'dense', input: 1, units: 1, requantise: null },
      ],
    },
    [
      { weights: Int8Array.from(ACCUMULATORS), bias: new Int32Array(ACCUMULATORS.length) },
      { weights: Int8Array.from(ACCUMULATORS, (_, at) => at + 1), bias: new Int32Array(1) },
    ],
  ),
)
const { model } = committed
const input = [1]
const accumulator = model.plan.nodes[0]?.accumulator
assert.ok(accumulator?.kind === 'requantised')
const { target, limbs } = accumulator
const limb = limbs[0]
assert.ok(limb !== undefined && limbs.length === 1)
const outputValue = model.plan.tensorValues[1] as number

/** One unit rounded down where the integers round up; `payBack`: its remainder made 2^shift larger, so that the sum holds. */
function roundDown(unit: number, payBack: boolean) {
  return (node: number, columns: Columns) => {
    if (node !== 0) return
    const add = (value: number, by: number) => {
      const column = columns[value] as Int32Array
      column[unit] = (column[unit] as number) + by
    }
    add(target, -1)
    add(outputValue, -1)
    if (payBack) add(limb?.value as number, 2 ** SHIFT)
  }
}

test('halves round up: 1.5 to 2, −1.5 to −1, 0.5 to 1, −0.5 to 0', () => {
  let seen: number[] = []
  const forgery = forge(committed, input, {
    afterNode: (node, columns) => {
      if (node === 0) seen = [...(columns[outputValue] as Int32Array).subarray(0, ACCUMULATORS.length)]
    },
  })
  assert.deepEqual(seen, [2, -1, 1, 0, 3, -2, 1, 1])
  assert.deepEqual(
    forgery.statement.output,
    runOverIntegers(model.plan.architecture, model.parameters, input),
  )
  assert.equal(refusal(committed, forgery), undefined)
})

for (const [unit, accumulated] of ACCUMULATORS.entries()) {
  if (Math.abs(accumulated) % 4 !== 2) continue
  for (const payBack of [false, true])
    test(`ties: ${accumulated / 4} rounded down, ${payBack ? 'its remainder as large as the divisor' : 'its remainder kept'}`, () => {
      const forgery = forge(committed, input, { afterNode: roundDown(unit, payBack) })
      assert.notEqual(refusal(committed, forgery), undefined)
    })
}
