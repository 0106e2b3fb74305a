/** Provers of proofs that hide who lie about one thing and are honest about all that follows from it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Ext } from '../src/field/extension.ts'
import * as ext from '../src/field/extension.ts'
import { createWorkspace } from '../src/kernels/wasmKernels.ts'
import type { Columns } from '../src/prover/columns.ts'
import { commitVeiledModel } from '../src/prover/veil/commitHidden.ts'
import { proveVeiled } from '../src/prover/veil/proveVeiled.ts'
import { seededRandomness } from '../src/prover/veil/randomness.ts'
import { VeiledWriter } from '../src/prover/veil/veiledWriter.ts'
import { Transcript } from '../src/transcript/transcript.ts'
import { randomInput } from './support/models.ts'
import { forgeVeiled, type Lie, seedOf, tinyModel, veiledRefusal } from './support/veiled.ts'

const veiled = commitVeiledModel(createWorkspace(), tinyModel, seedOf(1), 2)
const { plan } = veiled.circuit
const input = randomInput(1, 4)
const { said, late, products } = veiled.counts
const refusal = (lie: Lie) => veiledRefusal(veiled, forgeVeiled(veiled, input, 1, lie))
const CHECKS = 'what was said does not satisfy the checks of the conversation'
const off = (elements: Ext[], at: number) => {
  elements[at] = ext.add(elements[at] as Ext, ext.ONE)
}

test('without a lie the forger is an honest prover', () => {
  assert.equal(refusal({}), undefined)
})

test('false run: every column, changed at its first row, is refused', () => {
  for (const [index, value] of plan.values.entries()) {
    if (value.kind !== 'committed') continue
    if (plan.tables.some(({ multiplicities }) => multiplicities === index)) continue
    const columns = (all: Columns) => {
      const column = all[index] as Int32Array
      column[0] = column[0] === 0 ? 1 : 0
    }
    assert.equal(refusal({ columns }), CHECKS, `column ${index}`)
  }
})

test('false output: accumulators one off are refused', () => {
  const columns = (all: Columns) => {
    const column = all[plan.tensorValues.at(-1) as number] as Int32Array
    column[0] = (column[0] as number) + 1
  }
  assert.equal(refusal({ columns }), CHECKS)
})

test('false element: any kind of element that means another value is refused', () => {
  for (const [label, at] of [
    ['fractions/halves', 0],
    ['fractions/halves', 5],
    ['fractions/round', 4],
    ['columns', 1],
    ['linear/bias', 0],
    ['linear/product', 2],
    ['linear/factors', 0],
    ['linear/factors', 1],
    ['columns/round', 7],
    ['columns/value', 0],
    ['weights/round', 3],
    ['weights/value', 0],
  ] as const)
    assert.equal(refusal({ meant: { label, at } }), CHECKS, `${label} ${at}`)
})

test('false product: each product, and the inverse of the denominator, one off is refused', () => {
  for (let at = 0; at < late; at += 5) assert.equal(refusal({ meant: { label: 'pads/late', at } }), CHECKS)
})

test('false pad: an element said under another pad than the one committed to is refused', () => {
  for (let pad = 0; pad < said + late; pad += 37) assert.equal(refusal({ pad }), CHECKS, `pad ${pad}`)
})

test('false triple: a c that is not a·b is refused, and so is a factor that was not committed to', () => {
  const first = said + late
  assert.equal(refusal({ elements: (list) => off(list, first + 2) }), CHECKS)
  assert.equal(refusal({ elements: (list) => off(list, first + 3 * (products - 1) + 2) }), CHECKS)
  for (const at of [0, 1, 2 * products - 1])
    assert.equal(refusal({ clear: { label: 'pads/shown', at } }), CHECKS)
})

test('false mask: the value of a mask one off is refused, for both commitments', () => {
  for (const label of ['witness/mask', 'weights/mask'])
    assert.equal(refusal({ meant: { label, at: 0 } }), CHECKS, label)
})

test('wrong combination: a combined row that is not the rows’ is refused, in its values and in its random part', () => {
  for (const [label, shape] of [
    ['witness', veiled.circuit.witness],
    ['weights', veiled.circuit.weights],
  ] as const) {
    assert.equal(refusal({ clear: { label: `${label}/row`, at: 0 } }), CHECKS)
    const at = shape.dimension - 1
    assert.equal(
      refusal({ clear: { label: `${label}/row`, at } }),
      'a column does not lie on the combined row',
    )
  }
})

test('wrong combination of pads: another row, or another product, is refused', () => {
  const { valueBits, productDimension } = veiled.pads
  assert.equal(
    refusal({ clear: { label: 'pads/row', at: 0 } }),
    'a column of pads does not lie on their combined row',
  )
  for (const at of [0, productDimension - 1])
    assert.equal(
      refusal({ clear: { label: 'pads/product', at } }),
      'a column of pads does not lie on their weighted sum',
    )
  assert.equal(refusal({ clear: { label: 'pads/product', at: 2 ** valueBits - 1 } }), CHECKS)
})

test('false hidden input: a run on another input than the one committed to is refused', () => {
  assert.equal(refusal({ hides: input }), undefined)
  for (const at of input.keys())
    assert.equal(refusal({ hides: input.with(at, input[at] === 5 ? 6 : 5) }), CHECKS, `value ${at}`)
})

test('false hidden input: one that is not int8 is refused, though run and commitment agree about it', () => {
  for (const value of [128, -129, 5000]) {
    const wide = input.with(2, value)
    assert.equal(veiledRefusal(veiled, forgeVeiled(veiled, wide, 1, { hides: wide })), CHECKS)
  }
})

test('false mask: the value of the mask of a hidden input one off is refused, and another row', () => {
  assert.equal(refusal({ hides: input, meant: { label: 'input/mask', at: 0 } }), CHECKS)
  assert.equal(refusal({ hides: input, clear: { label: 'input/row', at: 1 } }), CHECKS)
})

test('reused mask: the prover takes a use that the commitment is not good for from nobody', () => {
  for (const use of [2, -1, 0.5])
    assert.throws(() => proveVeiled(veiled, input, use), { name: 'ZkmlError', code: 'bad_input' })
})

test('reused mask: a proof that says it spends another mask than it does is refused', () => {
  const { statement, proof } = forgeVeiled(veiled, input, 1, {})
  assert.notEqual(veiledRefusal(veiled, { statement: { ...statement, use: 0 }, proof }), undefined)
  const lying = forgeVeiled(veiled, input, 1, {
    transcript: (about) => {
      assert.equal(about.use, 1)
      return new Transcript('another protocol')
    },
  })
  assert.notEqual(veiledRefusal(veiled, lying), undefined)
})

test('reused mask: randomness is asked for once a purpose, and there is a pad for what is said and no more', () => {
  const random = seededRandomness(seedOf(5))
  random('witness/rows', 3)
  assert.throws(() => random('witness/rows', 3), /have been used/)
  const writer = new VeiledWriter(new Transcript('test'), [ext.ONE])
  writer.exts('first', [ext.ONE])
  assert.throws(() => writer.exts('second', [ext.ONE]), /no pad left/)
})
