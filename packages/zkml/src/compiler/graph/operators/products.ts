/** Products of two computed tensors: value by value, and of matrices, many at once. */
import type { Indices, Shape } from '../../../circuit/architecture.ts'
import type { OnnxNode } from '../../onnx/onnxModel.ts'
import { type AxisPlace, liesAlike, orderOf } from '../layout.ts'
import { type Activation, type Lowering, sizeOf } from '../lowering.ts'
import { cannot } from '../nodeParts.ts'
import { type Laid, readLaid } from './tokens.ts'

/** The wider of two tensors and the one that fits it, with sides of 1 that stand for all; undefined where neither fits. */
export function fitTogether(lowering: Lowering, a: Laid, b: Laid): { wide: Laid; narrow: Laid } | undefined {
  const fits = (wide: Laid, narrow: Laid) => {
    const [own, other] = [lowering.shapeOf(wide.tensor), lowering.shapeOf(narrow.tensor)]
    const sides = (['channels', 'height', 'width'] as const).every(
      (side) => other[side] === own[side] || other[side] === 1,
    )
    const missing = wide.dims.length - narrow.dims.length
    const dims = narrow.dims.every((side, axis) => side === 1 || side === wide.dims[axis + missing])
    return sides && missing >= 0 && dims && liesAlike(wide.places, narrow.places)
  }
  if (fits(a, b)) return { wide: a, narrow: b }
  return fits(b, a) ? { wide: b, narrow: a } : undefined
}

/** a·b, value by value. */
export function lowerProduct(lowering: Lowering, node: OnnxNode, a: Activation, b: Activation): Activation {
  const fitted = fitTogether(lowering, readLaid(lowering, node, a), readLaid(lowering, node, b))
  if (fitted === undefined)
    return cannot(
      node,
      'multiplies tensors of different shapes or orders',
      { first: a.dims.join('×'), second: b.dims.join('×') },
      'each side must be the same, or 1 in one of them',
    )
  return addProduct(lowering, node.name, fitted.wide, fitted.narrow)
}

/** wide·narrow, value by value, where a side of 1 of `narrow` stands for all. */
export function addProduct(
  lowering: Lowering,
  name: string,
  wide: Activation,
  narrow: Activation,
): Activation {
  const shape = lowering.shapeOf(wide.tensor)
  const other = lowering.shapeOf(narrow.tensor)
  let next = 1
  const output = sidesOf(shape).map((side) => (side === 1 ? 0 : next++)) as unknown as Indices
  const indices = sidesOf(other).map((side, at) => (side === 1 ? 0 : output[at])) as unknown as Indices
  const operator = {
    op: 'contract',
    groups: 1,
    factor: 1,
    terms: 1,
    left: { input: wide.tensor, indices: output },
    right: { input: narrow.tensor, indices },
    output,
  } as const
  return { ...lowering.add(name, operator, shape, wide.dims), order: wide.order }
}

/** factor·Σ of squares over channels. */
export function addSquares(lowering: Lowering, name: string, value: Laid, factor: number): Laid {
  const { channels, height, width } = lowering.shapeOf(value.tensor)
  let next = 1
  const indices = [channels, height, width].map((side) => (side === 1 ? 0 : next++))
  const operand = { input: value.tensor, indices: [0, ...indices] as unknown as Indices }
  const output = [0, 0, indices[1] as number, indices[2] as number] as const
  const operator = {
    op: 'contract',
    groups: 1,
    factor,
    terms: channels,
    left: operand,
    right: operand,
    output,
  } as const
  const shape = { channels: 1, height, width }
  const dims = [...value.dims.slice(0, -1), 1]
  const places = [...value.places.slice(0, -1), { place: 'none' }] as const
  return { ...lowering.add(name, operator, shape, dims), order: orderOf(dims, places, shape), places }
}

const sidesOf = ({ channels, height, width }: Shape) => [1, channels, height, width]

/** Which axis of ONNX an operand's axis is: one of the batch, the left's rows, the sum, or the right's columns. */
type Axis = { index: number; side: number; place: AxisPlace }

/** A·B over the last two axes, for each of the axes before them. */
export function lowerMatrixProduct(
  lowering: Lowering,
  node: OnnxNode,
  a: Activation,
  b: Activation,
): Activation {
  const [left, right] = [readLaid(lowering, node, a), readLaid(lowering, node, b)]
  const rank = left.dims.length
  const [rows, inner] = left.dims.slice(-2) as [number, number]
  const columns = right.dims[rank - 1] as number
  const batch = left.dims.slice(0, -2)
  if (
    rank < 2 ||
    right.dims.length !== rank ||
    right.dims[rank - 2] !== inner ||
    batch.join() !== right.dims.slice(0, -2).join()
  )
    return cannot(node, 'multiplies matrices that do not fit each other', {
      left: left.dims.join('×'),
      right: right.dims.join('×'),
    })
  // Numbers of the batch's axes, then rows, the summed axis, columns; 0 where there is one value only.
  const numbered = (
    dims: readonly number[],
    numbers: readonly number[],
    places: readonly AxisPlace[],
  ): Axis[] =>
    dims.flatMap((side, axis) =>
      side === 1 ? [] : [{ index: numbers[axis] as number, side, place: places[axis] as AxisPlace }],
    )
  const before = batch.map((_, axis) => axis + 1)
  const [i, k, j] = [rank - 1, rank, rank + 1] as const
  const leftAxes = numbered(left.dims, [...before, i, k], left.places)
  const rightAxes = numbered(right.dims, [...before, k, j], right.places)
  const grouped = groupAxis(node, [leftAxes, rightAxes])
  const leftIndices = indicesOf(node, leftAxes, grouped?.index)
  const rightIndices = indicesOf(node, rightAxes, grouped?.index)
  const kept = [
    ...leftAxes.filter(({ index }) => index !== k),
    ...rightAxes.filter(({ index }) => index === j),
  ]
  const output = placeOutput(node, kept, grouped?.index)
  const dims = [...batch, rows, columns]
  const side = (index: number) => kept.find((axis) => axis.index === index)?.side ?? 1
  const [group, channel, row, column] = output.map(side) as [number, number, number, number]
  const shape = { channels: group * channel, height: row, width: column }
  const places = [...before, i, j].map((index, axis): AxisPlace => {
    const at = output.indexOf(index)
    if (dims[axis] === 1 || at < 0) return { place: 'none' }
    if (at === 2) return { place: 'row' }
    if (at === 3) return { place: 'column' }
    return { place: 'channel', step: at === 0 ? channel : 1 }
  })
  lowering.spend(node, 2 * sizeOf(dims))
  const named = renumber(leftIndices, rightIndices, output)
  const operator = {
    op: 'contract',
    groups: grouped?.side ?? 1,
    factor: 1,
    terms: inner,
    left: { input: left.tensor, indices: named[0] },
    right: { input: right.tensor, indices: named[1] },
    output: named[2],
  } as const
  return { ...lowering.add(node.name, operator, shape, dims), order: orderOf(dims, places, shape) }
}

/** The axis that groups channels, where an operand has two along them: the one of the larger steps. */
function groupAxis(node: OnnxNode, operands: readonly (readonly Axis[])[]): Axis | undefined {
  const found = operands.flatMap((axes) => {
    const along = axes.filter(({ place }) => place.place === 'channel')
    if (along.length > 2) return cannot(node, 'has more than two axes along the circuit’s channels')
    return along.length === 2 ? along.filter(({ place }) => (place as { step: number }).step > 1) : []
  })
  if (new Set(found.map(({ index }) => index)).size > 1)
    return cannot(node, 'groups its operands’ channels in two ways')
  return found[0]
}

function indicesOf(node: OnnxNode, axes: readonly Axis[], group: number | undefined): Indices {
  const indices: [number, number, number, number] = [0, 0, 0, 0]
  for (const { index, place } of axes) {
    const at = place.place === 'channel' ? (index === group ? 0 : 1) : place.place === 'row' ? 2 : 3
    if (indices[at] !== 0) return cannot(node, 'has two axes along one of the circuit’s')
    indices[at] = index
  }
  return indices
}

/** Each axis of the product stays where it lay, if it can; what is in its way goes along columns, rows or channels. */
function placeOutput(node: OnnxNode, axes: readonly Axis[], group: number | undefined): Indices {
  const output: [number, number, number, number] = [0, 0, 0, 0]
  const free = (at: number) => output[at] === 0
  for (const { index, side, place } of axes) {
    const wanted = index === group ? 0 : place.place === 'channel' ? 1 : place.place === 'row' ? 2 : 3
    const beside = group === undefined || side === 2 ** Math.round(Math.log2(side))
    const candidates = index === group ? [0] : [wanted, 3, 2, ...(beside ? [1] : [])]
    const at = candidates.find(free)
    if (at === undefined) return cannot(node, 'makes a tensor of more axes than the circuit has')
    output[at] = index
  }
  return output
}

/** Numbers in the order in which they occur, as architectures write them. */
function renumber(...all: Indices[]): [Indices, Indices, Indices] {
  const names = new Map<number, number>()
  const named = all.map((indices) =>
    indices.map((index) => {
      if (index === 0) return 0
      if (!names.has(index)) names.set(index, names.size + 1)
      return names.get(index) as number
    }),
  )
  return named as unknown as [Indices, Indices, Indices]
}
