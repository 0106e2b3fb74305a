/**
 * The plan of a proof: which columns the prover commits to, which lookups they stand in, where weights lie. A pure
 * function of the architecture, so prover and verifier cannot disagree about it.
 */
import { type CommitmentShape, commitmentShape } from '../commitment/shape.ts'
import { ZkmlError } from '../errors.ts'
import type { Table } from '../lookup/tables.ts'
import { type Architecture, inputsOf, type Node, type Requantise, requantiseOf } from './architecture.ts'
import { checkArchitecture, layoutSize, pad, type Tensor } from './checkArchitecture.ts'

/** A column of 2^bits integers: public, committed at an offset of the witness, or a shifted view of another tensor. */
export type Value =
  | { kind: 'input' | 'output' | 'window'; bits: number }
  | { kind: 'committed'; bits: number; offset: number }

export type ValueIndex = number

/** constant + Σ coefficient·value, row by row. */
export type Form = { constant: number; terms: readonly { value: ValueIndex; coefficient: number }[] }

/** "Every row of (first, second) is a row of the table"; `offset` is where its leaves lie. */
export type Lookup = { table: number; bits: number; offset: number; first: Form; second: Form }

/** A table, the committed multiplicities of its rows, and where its leaves lie. */
export type TableUse = { table: Table; multiplicities: ValueIndex; offset: number }

/** What an accumulator is at any row: the output itself, or recomposed from target and remainder limbs. */
export type Accumulator =
  | { kind: 'output'; value: ValueIndex }
  | {
      kind: 'requantised'
      requantise: Requantise
      target: ValueIndex
      limbs: readonly { value: ValueIndex; bits: number }[]
    }

/** A matrix of int8 weights, or of bias digits: 2^highBits rows of 2^lowBits, at an offset of the model's commitment. */
export type WeightBlock = { lowBits: number; highBits: number; offset: number }

export type NodePlan = {
  node: Node
  /** The tensor read and the tensor written. */
  input: Tensor
  output: Tensor
  accumulator: Accumulator | undefined
  /** Blocks of a dense or convolution node. */
  weights: WeightBlock | undefined
  bias: WeightBlock | undefined
  /** Max-pooling: the views of the window's positions, and the running maxima from the second position on. */
  windows: readonly ValueIndex[]
  maxima: readonly ValueIndex[]
}

export type Plan = {
  architecture: Architecture
  tensors: readonly Tensor[]
  /** Value of each tensor. */
  tensorValues: readonly ValueIndex[]
  values: readonly Value[]
  /** Whether a combination reads the public input, which must then be evaluated at the row. */
  inputAtRow: boolean
  tables: readonly TableUse[]
  lookups: readonly Lookup[]
  /** log2 of the number of leaves of the lookup argument. */
  leafBits: number
  nodes: readonly NodePlan[]
  weightBlocks: readonly WeightBlock[]
  witness: CommitmentShape
  weights: CommitmentShape
}

/** Base-256 digits of a bias, each in −128 … 127, so that the whole model is int8. */
export const BIAS_DIGITS = 4

const MAX_LEAF_BITS = 26

const log2 = (size: number) => Math.round(Math.log2(size))

/** Sizes are powers of two: laid out from the largest to the smallest, each lies at a multiple of itself. */
function layOut(sizes: readonly number[]): { offsets: number[]; total: number } {
  const order = sizes
    .map((_, index) => index)
    .sort((a, b) => (sizes[b] as number) - (sizes[a] as number) || a - b)
  const offsets: number[] = new Array(sizes.length)
  let total = 0
  for (const index of order) {
    offsets[index] = total
    total += sizes[index] as number
  }
  return { offsets, total }
}

/** Widths of the limbs of a remainder of `shift` bits, each at most `widest`, as even as can be. */
function limbWidths(shift: number, widest: number): number[] {
  const count = Math.ceil(shift / widest)
  return Array.from({ length: count }, (_, at) => Math.floor((shift + at) / count))
}

/** The limb width that makes for the fewest leaves: wide limbs need fewer lookups, but larger tables. */
function cheapestLimbWidth(uses: readonly { size: number; shift: number }[]): number {
  let best = { width: 8, leaves: Number.POSITIVE_INFINITY }
  for (let width = 8; width <= 16; width++) {
    const tables = new Set(uses.flatMap(({ shift }) => limbWidths(shift, width)))
    let leaves = 0
    for (const bits of tables) leaves += 2 * 2 ** bits
    for (const { size, shift } of uses) leaves += size * limbWidths(shift, width).length
    if (leaves < best.leaves) best = { width, leaves }
  }
  return best.width
}

const single = (value: ValueIndex): Form => ({ constant: 0, terms: [{ value, coefficient: 1 }] })
const difference = (a: ValueIndex, b: ValueIndex): Form => ({
  constant: 0,
  terms: [
    { value: a, coefficient: 1 },
    { value: b, coefficient: -1 },
  ],
})
const NOTHING: Form = { constant: 0, terms: [] }

/** Collects values, tables and lookups while the nodes are walked. */
class Draft {
  readonly values: { kind: Value['kind']; bits: number }[] = []
  readonly tables: { table: Table; multiplicities: ValueIndex }[] = []
  readonly lookups: Omit<Lookup, 'offset'>[] = []
  #tableOf = new Map<string, number>()

  value(kind: Value['kind'], bits: number): ValueIndex {
    return this.values.push({ kind, bits }) - 1
  }

  lookUp(table: Table, bits: number, first: Form, second: Form): void {
    this.lookups.push({ table: this.#use(table), bits, first, second })
  }

  #use(table: Table): number {
    const key = JSON.stringify(table)
    const known = this.#tableOf.get(key)
    if (known !== undefined) return known
    const index = this.tables.push({ table, multiplicities: this.value('committed', table.bits) }) - 1
    this.#tableOf.set(key, index)
    return index
  }
}

function planRequantise(
  draft: Draft,
  requantise: Requantise,
  bits: number,
  output: ValueIndex,
  limbWidth: number,
): Accumulator {
  const target = draft.value('committed', bits)
  const { low, high, reach, shift } = requantise
  draft.lookUp({ kind: 'clamp', bits: reach + 1, low, high }, bits, single(target), single(output))
  const limbs = limbWidths(shift, limbWidth).map((width) => ({
    value: draft.value('committed', bits),
    bits: width,
  }))
  for (const limb of limbs)
    draft.lookUp({ kind: 'range', bits: limb.bits }, bits, single(limb.value), NOTHING)
  return { kind: 'requantised', requantise, target, limbs }
}

/** m₀ = x₀ and mₖ = mₖ₋₁ + max(0, xₖ − mₖ₋₁): a chain of lookups in one table of differences. */
function planMaxima(draft: Draft, positions: number, bits: number, output: ValueIndex) {
  const windows = Array.from({ length: positions }, () => draft.value('window', bits))
  const maxima = Array.from({ length: positions - 1 }, (_, at) =>
    at === positions - 2 ? output : draft.value('committed', bits),
  )
  for (const [at, maximum] of maxima.entries()) {
    const before = at === 0 ? (windows[0] as ValueIndex) : (maxima[at - 1] as ValueIndex)
    const table: Table = { kind: 'clamp', bits: 9, low: 0, high: 255 }
    draft.lookUp(table, bits, difference(windows[at + 1] as ValueIndex, before), difference(maximum, before))
  }
  return { windows, maxima }
}

/** Columns and rows of a node's weight matrix, as bits; undefined where a node has none. */
function weightBits(node: Node, input: Tensor): { lowBits: number; highBits: number } | undefined {
  if (node.op === 'dense') return { lowBits: log2(layoutSize(input)), highBits: log2(pad(node.units)) }
  if (node.op !== 'conv2d') return undefined
  const patch = pad(input.channels) * pad(node.window.height) * pad(node.window.width)
  return { lowBits: log2(patch), highBits: log2(pad(node.channels)) }
}

/** @throws ZkmlError bad_architecture */
export function planCircuit(architecture: Architecture): Plan {
  const tensors = checkArchitecture(architecture)
  const { nodes } = architecture
  if (nodes.at(-1)?.op !== 'dense')
    throw new ZkmlError(
      'bad_architecture',
      'the last node must be dense: its padding is known to the verifier',
      {
        op: nodes.at(-1)?.op,
      },
    )
  const draft = new Draft()
  const sizes = tensors.map(layoutSize)
  const tensorValues = tensors.map((_, index) =>
    draft.value(
      index === 0 ? 'input' : index === nodes.length ? 'output' : 'committed',
      log2(sizes[index] as number),
    ),
  )
  const limbWidth = cheapestLimbWidth(
    nodes.flatMap((node, index) => {
      const shift = requantiseOf(node)?.shift
      return shift === undefined ? [] : [{ size: sizes[index + 1] as number, shift }]
    }),
  )

  const blocks: { lowBits: number; highBits: number }[] = []
  const drafts = nodes.map((node, index) => {
    const input = tensors[node.op === 'combine' ? (node.terms[0]?.input ?? 0) : node.input] as Tensor
    const output = tensors[index + 1] as Tensor
    const value = tensorValues[index + 1] as ValueIndex
    const bits = log2(sizes[index + 1] as number)
    const requantise = requantiseOf(node)
    let accumulator: Accumulator | undefined
    if (requantise !== null) accumulator = planRequantise(draft, requantise, bits, value, limbWidth)
    else if (node.op !== 'maxPool') accumulator = { kind: 'output', value }
    const pooled =
      node.op === 'maxPool'
        ? planMaxima(draft, node.window.height * node.window.width, bits, value)
        : { windows: [], maxima: [] }
    const matrix = weightBits(node, input)
    const block = matrix === undefined ? -1 : blocks.push(matrix) - 1
    if (matrix !== undefined) blocks.push({ lowBits: log2(BIAS_DIGITS), highBits: matrix.highBits })
    return { node, input, output, accumulator, block, ...pooled }
  })

  if (draft.lookups.length === 0)
    throw new ZkmlError('bad_architecture', 'a circuit needs a node that requantises or pools', {})
  const committed = draft.values.flatMap((value, index) => (value.kind === 'committed' ? [index] : []))
  const witness = layOut(committed.map((index) => 2 ** (draft.values[index]?.bits ?? 0)))
  const values = draft.values.map(({ kind, bits }, index): Value => {
    if (kind !== 'committed') return { kind, bits }
    return { kind, bits, offset: witness.offsets[committed.indexOf(index)] as number }
  })
  const inputAtRow = nodes.some((node) => node.op === 'combine' && inputsOf(node).includes(0))
  const leaves = layOut([
    ...draft.lookups.map(({ bits }) => 2 ** bits),
    ...draft.tables.map(({ table }) => 2 ** table.bits),
  ])
  // The row must have a coordinate for every bit of a column, even of an output that is in no lookup.
  const widest = Math.max(
    ...values.filter(({ kind }) => kind !== 'input' || inputAtRow).map(({ bits }) => bits),
  )
  const leafBits = Math.max(1, widest, Math.ceil(Math.log2(leaves.total)))
  if (leafBits > MAX_LEAF_BITS)
    throw new ZkmlError('bad_architecture', 'the circuit needs more lookups than a proof holds', { leafBits })
  const model = layOut(blocks.map(({ lowBits, highBits }) => 2 ** (lowBits + highBits)))
  const weightBlocks = blocks.map((block, index) => ({ ...block, offset: model.offsets[index] as number }))
  return {
    architecture,
    tensors,
    tensorValues,
    inputAtRow,
    values,
    tables: draft.tables.map((use, index) => ({
      ...use,
      offset: leaves.offsets[draft.lookups.length + index] as number,
    })),
    lookups: draft.lookups.map((lookup, index) => ({ ...lookup, offset: leaves.offsets[index] as number })),
    leafBits,
    nodes: drafts.map(({ block, ...rest }) => ({
      ...rest,
      weights: weightBlocks[block],
      bias: block < 0 ? undefined : weightBlocks[block + 1],
    })),
    weightBlocks,
    witness: commitmentShape(witness.total),
    weights: commitmentShape(model.total),
  }
}
