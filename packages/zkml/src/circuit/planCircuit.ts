/** From an architecture to its plan. */

import { commitmentShape } from '../commitment/shape.ts'
import { ZkmlError } from '../errors.ts'
import { type Architecture, channelsSeen, inputsOf, type Node, requantiseOf } from './architecture.ts'
import { checkArchitecture, layoutSize, pad, type Tensor } from './checkArchitecture.ts'
import { cheapestLimbWidth } from './limbs.ts'
import { type Accumulator, BIAS_DIGITS, type Plan, type Value, type ValueIndex } from './plan.ts'
import { Draft, planInt8, planMap, planMaxima, planRequantise } from './planDraft.ts'

const MAX_LEAF_BITS = 26

const log2 = (size: number) => Math.round(Math.log2(size))

/**
 * @param hidesInput the input is committed to like any other column, and shown to be int8
 * @throws ZkmlError bad_architecture
 */
export function planCircuit(architecture: Architecture, hidesInput = false): Plan {
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
      index === 0 && !hidesInput ? 'input' : index === nodes.length ? 'output' : 'committed',
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
    const input = tensors[inputsOf(node)[0] as number] as Tensor
    const output = tensors[index + 1] as Tensor
    const value = tensorValues[index + 1] as ValueIndex
    const bits = log2(sizes[index + 1] as number)
    const requantise = requantiseOf(node)
    let accumulator: Accumulator | undefined
    if (requantise !== null) accumulator = planRequantise(draft, requantise, bits, value, limbWidth)
    else if ('requantise' in node) accumulator = { kind: 'output', value }
    if (node.op === 'map') planMap(draft, node, bits, tensorValues[node.input] as ValueIndex, value)
    const pooled =
      node.op === 'maxPool'
        ? planMaxima(draft, node.window.height * node.window.width, bits, value)
        : { windows: [], maxima: [] }
    const matrix = weightBits(node, input)
    const block = matrix === undefined ? -1 : blocks.push(matrix) - 1
    if (matrix !== undefined) blocks.push({ lowBits: log2(BIAS_DIGITS), highBits: matrix.highBits })
    return { node, input, output, accumulator, block, ...pooled }
  })

  if (hidesInput) planInt8(draft, log2(sizes[0] as number), tensorValues[0] as ValueIndex)
  if (draft.lookups.length === 0)
    throw new ZkmlError('bad_architecture', 'a circuit needs a node that requantises or pools', {})
  const committed = draft.values.flatMap((value, index) => (value.kind === 'committed' ? [index] : []))
  const witness = layOut(committed.map((index) => 2 ** (draft.values[index]?.bits ?? 0)))
  const values = draft.values.map(({ kind, bits }, index): Value => {
    if (kind !== 'committed') return { kind, bits }
    return { kind, bits, offset: witness.offsets[committed.indexOf(index)] as number }
  })
  const atRow = (node: Node) => node.op === 'combine' || node.op === 'map'
  const inputAtRow = nodes.some((node) => atRow(node) && inputsOf(node).includes(0))
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

/** Columns and rows of a node's weight matrix, as bits; undefined where a node has none. */
function weightBits(node: Node, input: Tensor): { lowBits: number; highBits: number } | undefined {
  if (node.op === 'dense') return { lowBits: log2(layoutSize(input)), highBits: log2(pad(node.units)) }
  if (node.op !== 'conv2d') return undefined
  const patch = pad(channelsSeen(node, input)) * pad(node.window.height) * pad(node.window.width)
  return { lowBits: log2(patch), highBits: log2(pad(node.channels)) }
}
