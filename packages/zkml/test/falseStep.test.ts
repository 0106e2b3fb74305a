/** A malicious prover takes one false step in the computation and is honest from there on; every lie must be refused. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ArchitectureDraft, makeModel } from '../src/circuit/model.ts'
import type { Accumulator, NodePlan, Plan } from '../src/circuit/plan.ts'
import { P } from '../src/field/babyBear.ts'
import { createWorkspace } from '../src/kernels/wasmKernels.ts'
import type { Columns } from '../src/prover/columns.ts'
import { commitModel } from '../src/prover/prove.ts'
import { forge, refusal } from './support/maliciousProver.ts'
import { randomInput, randomParameters } from './support/models.ts'

type Requantised = Extract<Accumulator, { kind: 'requantised' }>

const work = createWorkspace()
/** Zero points and bounds such that runs pass through zero, saturate on both sides and hit ties. */
const FINE = { multiplier: 3, shift: 9, zeroPoint: -5, low: -128, high: 127 }
const RELU = { multiplier: 1, shift: 10, zeroPoint: -5, low: -5, high: 127 }
const draft: ArchitectureDraft = {
  input: { channels: 2, height: 4, width: 4, zeroPoint: 3 },
  nodes: [
    {
      op: 'conv2d',
      input: 0,
      channels: 3,
      window: { height: 3, width: 3, strideY: 1, strideX: 1 },
      padding: { top: 1, left: 1, bottom: 1, right: 1 },
      requantise: FINE,
    },
    { op: 'maxPool', input: 1, window: { height: 2, width: 2, strideY: 2, strideX: 2 } },
    { op: 'dense', input: 2, units: 5, requantise: RELU },
    { op: 'dense', input: 3, units: 3, requantise: null },
  ],
}
const model = makeModel(draft, randomParameters(5, [[3, 18], null, [5, 12], [3, 5]]))
const committed = commitModel(work, model)
const input = randomInput(9, 32)
const [CONVOLUTION, POOL, RELU_LAYER, LAST] = [0, 1, 2, 3]

const nodeAt = (plan: Plan, index: number) => plan.nodes[index] as NodePlan
const requantised = (plan: Plan, index: number) => nodeAt(plan, index).accumulator as Requantised
const columnOf = (columns: Columns, value: number) => columns[value] as Int32Array
const outputOf = (columns: Columns, plan: Plan, node: number) =>
  columnOf(columns, plan.tensorValues[node + 1] as number)

function set(column: Int32Array, at: number, value: number): void {
  column[at] = value
}

/** A true row at which a condition holds; the test fails if there is none, rather than testing nothing. */
function findRow(column: Int32Array, rows: number, holds: (value: number, at: number) => boolean): number {
  const at = column.subarray(0, rows).findIndex(holds)
  assert.notEqual(at, -1, 'the model must exhibit the case under test')
  return at
}

/** Refused when the liar takes the step in a given node. */
function refuses(name: string, node: number, step: (columns: Columns, plan: Plan) => void): void {
  test(name, () => {
    const forgery = forge(committed, input, {
      afterNode: (index, columns, plan) => {
        if (index === node) step(columns, plan)
      },
    })
    assert.notEqual(refusal(committed, forgery), undefined)
  })
}

test('without a lie, the malicious prover is an honest one', () => {
  assert.equal(refusal(committed, forge(committed, input, {})), undefined)
})

for (const by of [1, -1]) {
  refuses(`requantise: an output off by ${by}`, CONVOLUTION, (columns, plan) => {
    const output = outputOf(columns, plan, CONVOLUTION)
    const at = findRow(output, 48, (value) => value > -128 && value < 127)
    set(output, at, (output[at] as number) + by)
  })
  refuses(
    `requantise: target and output off by ${by}, as wrong rounding gives`,
    CONVOLUTION,
    (columns, plan) => {
      const output = outputOf(columns, plan, CONVOLUTION)
      const target = columnOf(columns, requantised(plan, CONVOLUTION).target)
      const at = findRow(output, 48, (value) => value > -127 && value < 126)
      set(output, at, (output[at] as number) + by)
      set(target, at, (target[at] as number) + by)
    },
  )
}

refuses(
  'requantise: a negative value rounded towards zero, its remainder made negative',
  CONVOLUTION,
  (columns, plan) => {
    const { target, limbs } = requantised(plan, CONVOLUTION)
    const [targets, output] = [columnOf(columns, target), outputOf(columns, plan, CONVOLUTION)]
    const at = findRow(targets, 48, (value) => value < -6 && value > -127)
    const top = columnOf(columns, limbs.at(-1)?.value as number)
    set(targets, at, (targets[at] as number) + 1)
    set(output, at, (output[at] as number) + 1)
    // −2^shift in the remainder pays for +1 in the target.
    set(top, at, (top[at] as number) - 2 ** (limbs.at(-1)?.bits as number))
  },
)

refuses(
  'requantise: a value rounded down, its remainder made as large as the divisor',
  CONVOLUTION,
  (columns, plan) => {
    const { target, limbs } = requantised(plan, CONVOLUTION)
    const [targets, output] = [columnOf(columns, target), outputOf(columns, plan, CONVOLUTION)]
    const at = findRow(targets, 48, (value) => value > -126 && value < 127)
    const top = columnOf(columns, limbs.at(-1)?.value as number)
    set(targets, at, (targets[at] as number) - 1)
    set(output, at, (output[at] as number) - 1)
    set(top, at, (top[at] as number) + 2 ** (limbs.at(-1)?.bits as number))
  },
)

refuses(
  'requantise: limbs that alias, one too large and the next too small',
  CONVOLUTION,
  (columns, plan) => {
    const { limbs } = requantised(plan, CONVOLUTION)
    assert.ok(limbs.length >= 2, 'the shift must need two limbs')
    const [low, high] = limbs.map(({ value }) => columnOf(columns, value)) as [Int32Array, Int32Array]
    const at = findRow(high, 48, (value) => value > 0)
    set(low, at, (low[at] as number) + 2 ** (limbs[0]?.bits as number))
    set(high, at, (high[at] as number) - 1)
  },
)

for (const [side, bound, beyond] of [
  ['high', 127, 126],
  ['high', 127, 128],
  ['low', -128, -127],
  ['low', -128, -129],
] as const) {
  refuses(`saturation: ${beyond} instead of ${bound} at the ${side} end`, CONVOLUTION, (columns, plan) => {
    const output = outputOf(columns, plan, CONVOLUTION)
    set(
      output,
      findRow(output, 48, (value) => value === bound),
      beyond,
    )
  })
}

refuses('saturation: an int8 overflow wraps around', CONVOLUTION, (columns, plan) => {
  const output = outputOf(columns, plan, CONVOLUTION)
  const targets = columnOf(columns, requantised(plan, CONVOLUTION).target)
  const at = findRow(targets, 48, (value) => value > 127)
  set(output, at, ((targets[at] as number) << 24) >> 24)
})

for (const sign of [1, -1]) {
  refuses(`field: an accumulator ${sign > 0 ? 'plus' : 'minus'} p`, CONVOLUTION, (columns, plan) => {
    const { target, limbs, requantise } = requantised(plan, CONVOLUTION)
    const [targets, output] = [columnOf(columns, target), outputOf(columns, plan, CONVOLUTION)]
    // The same residue modulo p, decomposed as another integer.
    let scaled = ((targets[0] as number) - requantise.zeroPoint) * 2 ** requantise.shift
    let weight = 1
    for (const { value, bits } of limbs) {
      scaled += weight * (columnOf(columns, value)[0] as number)
      weight *= 2 ** bits
    }
    let rest = scaled + sign * P
    const quotient = Math.floor(rest / 2 ** requantise.shift)
    rest -= quotient * 2 ** requantise.shift
    set(targets, 0, quotient + requantise.zeroPoint)
    set(output, 0, sign > 0 ? 127 : -128)
    for (const { value, bits } of limbs) {
      set(columnOf(columns, value), 0, rest % 2 ** bits)
      rest = Math.floor(rest / 2 ** bits)
    }
  })
}

refuses('ReLU: a negative value let through', RELU_LAYER, (columns, plan) => {
  const targets = columnOf(columns, requantised(plan, RELU_LAYER).target)
  const output = outputOf(columns, plan, RELU_LAYER)
  const at = findRow(targets, 5, (value) => value < -5)
  set(output, at, Math.max(-128, targets[at] as number))
})

refuses('ReLU: a positive value cut off', RELU_LAYER, (columns, plan) => {
  const output = outputOf(columns, plan, RELU_LAYER)
  set(
    output,
    findRow(output, 5, (value) => value > -5),
    -5,
  )
})

for (const by of [1, -1]) {
  refuses(`ReLU: zero turned into ${by}`, RELU_LAYER, (columns, plan) => {
    const output = outputOf(columns, plan, RELU_LAYER)
    set(
      output,
      findRow(output, 5, (value) => value === -5),
      -5 + by,
    )
  })
}

refuses('max-pool: an output larger than its window', POOL, (columns, plan) => {
  const output = outputOf(columns, plan, POOL)
  const at = findRow(output, 12, (value) => value < 127)
  set(output, at, (output[at] as number) + 1)
})

refuses('max-pool: a smaller value of the window, in place of its maximum', POOL, (columns, plan) => {
  const output = outputOf(columns, plan, POOL)
  const views = nodeAt(plan, POOL).windows.map((value) => columnOf(columns, value))
  const at = findRow(output, 12, (value, row) => views.some((view) => (view[row] as number) < value))
  set(output, at, Math.min(...views.map((view) => view[at] as number)))
})

refuses('max-pool: views that do not show the image', POOL, (columns, plan) => {
  for (const value of [...nodeAt(plan, POOL).windows, ...nodeAt(plan, POOL).maxima])
    columnOf(columns, value).fill(7)
})

refuses('padding: activations of a padded unit', RELU_LAYER, (columns, plan) => {
  set(outputOf(columns, plan, RELU_LAYER), 6, 50)
})

refuses('padding: a padded channel of an image', CONVOLUTION, (columns, plan) => {
  set(outputOf(columns, plan, CONVOLUTION), 48 + 3, 11)
})

refuses('the last layer: an accumulator off by one', LAST, (columns, plan) => {
  const output = outputOf(columns, plan, LAST)
  set(output, 2, (output[2] as number) + 1)
})

test('lookups: a multiplicity moved from one row to another', () => {
  for (const index of model.plan.tables.keys()) {
    const forgery = forge(committed, input, {
      afterCount: (columns, plan) => {
        const counts = columnOf(columns, plan.tables[index]?.multiplicities as number)
        const from = counts.findIndex((count) => count > 0)
        set(counts, from, (counts[from] as number) - 1)
        set(counts, (from + 1) % counts.length, (counts[(from + 1) % counts.length] as number) + 1)
      },
    })
    assert.notEqual(refusal(committed, forgery), undefined, `table ${index}`)
  }
})

test('lookups: a value outside its table, counted as the row beside it', () => {
  const { limbs } = requantised(model.plan, CONVOLUTION)
  for (const { value, bits } of limbs) {
    const forgery = forge(committed, input, {
      afterNode: (node, columns) => {
        if (node === CONVOLUTION) set(columnOf(columns, value), 0, 2 ** bits)
      },
      afterCount: (columns, plan) => {
        const { table } = plan.lookups.find(({ first }) => first.terms[0]?.value === value) ?? assert.fail()
        const counts = columnOf(columns, plan.tables[table]?.multiplicities as number)
        set(counts, counts.length - 1, (counts.at(-1) as number) + 1)
      },
    })
    assert.notEqual(refusal(committed, forgery), undefined)
  }
})

test('lookups: multiplicities of two tables exchanged, and all set to zero', () => {
  const exchange = forge(committed, input, {
    afterCount: (columns, plan) => {
      const same = plan.tables.filter(({ table }) => table.bits === 9)
      assert.ok(same.length >= 1)
      const [first, second] = plan.tables.map(({ multiplicities }) => columnOf(columns, multiplicities))
      const shared = Math.min(first?.length ?? 0, second?.length ?? 0)
      const kept = (first as Int32Array).slice(0, shared)
      ;(first as Int32Array).set((second as Int32Array).subarray(0, shared))
      ;(second as Int32Array).set(kept)
    },
  })
  assert.notEqual(refusal(committed, exchange), undefined)
  const none = forge(committed, input, {
    afterCount: (columns, plan) => {
      for (const { multiplicities } of plan.tables) columnOf(columns, multiplicities).fill(0)
    },
  })
  assert.notEqual(refusal(committed, none), undefined)
})

test('lookups: columns of two lookups exchanged', () => {
  const { target, limbs } = requantised(model.plan, CONVOLUTION)
  for (const other of limbs.map(({ value }) => value)) {
    const forgery = forge(committed, input, {
      afterNode: (node, columns) => {
        if (node !== CONVOLUTION) return
        ;[columns[target], columns[other]] = [columns[other], columns[target]]
      },
    })
    assert.notEqual(refusal(committed, forgery), undefined)
  }
})

test('lookups: one table substituted for another by the prover', () => {
  const { plan } = model
  const lookups = plan.lookups.map((lookup, index) => (index === 0 ? { ...lookup, table: 1 } : lookup))
  assert.notEqual(plan.lookups[0]?.table, 1)
  assert.notEqual(refusal(committed, forge(committed, input, { plan: { ...plan, lookups } })), undefined)
  const tables = plan.tables.map((use) =>
    use.table.kind === 'clamp' ? { ...use, table: { ...use.table, high: use.table.high - 1 } } : use,
  )
  assert.notEqual(refusal(committed, forge(committed, input, { plan: { ...plan, tables } })), undefined)
})

test('convolution: a border on other sides, by a prover of its own plan', () => {
  const { plan } = model
  const first = nodeAt(plan, CONVOLUTION)
  assert.ok(first.node.op === 'conv2d')
  const padding = { top: 0, left: 1, bottom: 2, right: 1 }
  const nodes = plan.nodes.map((planned, index) =>
    index === CONVOLUTION ? { ...planned, node: { ...first.node, padding } as typeof first.node } : planned,
  )
  assert.notEqual(refusal(committed, forge(committed, input, { plan: { ...plan, nodes } })), undefined)
})

test('convolution and pooling: another stride, by a prover of its own plan', () => {
  const { plan } = model
  for (const [index, stride] of [
    [CONVOLUTION, 2],
    [POOL, 1],
  ] as const) {
    const nodes = plan.nodes.map((planned, at) => {
      if (at !== index || !('window' in planned.node)) return planned
      const window = { ...planned.node.window, strideY: stride, strideX: stride }
      return { ...planned, node: { ...planned.node, window } }
    })
    const forgery = forge(committed, input, { plan: { ...plan, nodes } })
    assert.notEqual(refusal(committed, forgery), undefined, `node ${index}`)
  }
})

test('padding: a border that counts as zero instead of the zero point', () => {
  const { plan } = model
  const nodes = plan.nodes.map((planned, index) =>
    index === CONVOLUTION ? { ...planned, input: { ...planned.input, zeroPoint: 0 } } : planned,
  )
  assert.notEqual(refusal(committed, forge(committed, input, { plan: { ...plan, nodes } })), undefined)
})

test('commitment: a witness of other dimensions', () => {
  const { plan } = model
  for (const by of [1, -1]) {
    const rowBits = plan.witness.rowBits + by
    const witness = { ...plan.witness, rowBits, rows: Math.ceil(plan.witness.length / 2 ** rowBits) }
    assert.notEqual(refusal(committed, forge(committed, input, { plan: { ...plan, witness } })), undefined)
  }
})
