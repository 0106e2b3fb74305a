/** Lies about a map: another value of its table, the value of another table, a table of the liar's own. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MapValues } from '../src/circuit/architecture.ts'
import { type ArchitectureDraft, makeModel } from '../src/circuit/model.ts'
import type { Plan } from '../src/circuit/plan.ts'
import { planCircuit } from '../src/circuit/planCircuit.ts'
import { createWorkspace } from '../src/kernels/wasmKernels.ts'
import type { Columns } from '../src/prover/columns.ts'
import { commitModel } from '../src/prover/prove.ts'
import { forge, refusal } from './support/maliciousProver.ts'
import { randomInput, randomParameters } from './support/models.ts'

const rising = Array.from({ length: 256 }, (_, at) => Math.floor(at / 2) - 64)
const falling = rising.toReversed()
const draft: ArchitectureDraft = {
  input: { channels: 16, height: 1, width: 1, zeroPoint: 3 },
  nodes: [
    { op: 'map', input: 0, zeroPoint: 0, values: rising },
    {
      op: 'dense',
      input: 1,
      units: 8,
      requantise: { multiplier: 3, shift: 9, zeroPoint: -5, low: -128, high: 127 },
    },
    { op: 'map', input: 2, zeroPoint: 0, values: falling },
    { op: 'dense', input: 3, units: 3, requantise: null },
  ],
}
const model = makeModel(draft, randomParameters(5, [null, [8, 16], null, [3, 8]]))
const committed = commitModel(createWorkspace(), model)
const input = randomInput(9, 16)
const { architecture } = model.plan

const outputOf = (columns: Columns, plan: Plan, node: number) =>
  columns[plan.tensorValues[node + 1] as number] as Int32Array

test('without a lie the proof is accepted', () => {
  assert.equal(refusal(committed, forge(committed, input, {})), undefined)
})

for (const [node, place] of [
  [0, 'of the input'],
  [2, 'inside'],
] as const) {
  for (const [name, lie] of [
    ['off by one', (y: number) => y + 1],
    ['of another row', (y: number) => (y === 10 ? 11 : 10)],
    ['outside int8', () => 128],
  ] as const) {
    test(`a map ${place}, a value ${name}: refused`, () => {
      const forgery = forge(committed, input, {
        afterNode: (index, columns, plan) => {
          const output = outputOf(columns, plan, node)
          if (index === node) output[1] = lie(output[1] as number)
        },
      })
      assert.notEqual(refusal(committed, forgery), undefined)
    })
  }
  test(`a map ${place} by the other map’s table: refused`, () => {
    const other = node === 0 ? falling : rising
    const forgery = forge(committed, input, {
      afterNode: (index, columns, plan) => {
        if (index !== node) return
        const source = columns[plan.tensorValues[node] as number] as Int32Array
        outputOf(columns, plan, node).set(source.map((x) => other[x + 128] as number))
      },
    })
    assert.notEqual(refusal(committed, forgery), undefined)
  })
  test(`a map ${place} by a table of the liar’s own: refused`, () => {
    const nodes = architecture.nodes.map((own, at) =>
      at === node ? { ...(own as MapValues), values: rising.with(7, 100) } : own,
    )
    const seven = input.with(0, -121)
    const plan = planCircuit({ ...architecture, nodes })
    if (node === 0) assert.notEqual(refusal(committed, forge(committed, seven, { plan })), undefined)
    else assert.notEqual(refusal(committed, forge(committed, input, { plan })), undefined)
  })
}

test('multiplicities that a false value would need are refused', () => {
  const forgery = forge(committed, input, {
    afterCount: (columns, plan) => {
      const use = plan.tables.findIndex(({ table }) => table.kind === 'map')
      const counts = columns[plan.tables[use]?.multiplicities as number] as Int32Array
      const from = counts.findIndex((count) => count > 0)
      counts[from] = (counts[from] as number) - 1
      counts[(from + 1) % 256] = (counts[(from + 1) % 256] as number) + 1
    },
  })
  assert.notEqual(refusal(committed, forgery), undefined)
})

for (const [name, change] of [
  ['too few values', { values: rising.slice(1) }],
  ['a value past int8', { values: rising.with(3, 128) }],
  ['a value that is no integer', { values: rising.with(3, 0.5) }],
  ['a zero point past int8', { zeroPoint: 200 }],
] as const) {
  test(`a map of ${name} is refused`, () => {
    const nodes = architecture.nodes.map((own, at) => (at === 0 ? { ...(own as MapValues), ...change } : own))
    assert.throws(() => planCircuit({ ...architecture, nodes }), { code: 'bad_architecture' })
  })
}
