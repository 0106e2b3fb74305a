/** Operators that only look at a tensor otherwise, and the arithmetic of shapes, done when the model is compiled. */
import type { OnnxNode } from '../../onnx/onnxModel.ts'
import { type Constant, type Lowering, sizeOf, type Value } from '../lowering.ts'
import { cannot, numberOf, numbersOf } from '../nodeParts.ts'
import { lowerJoin } from './tokens.ts'

export function lowerIdentity(lowering: Lowering, node: OnnxNode): Value {
  return lowering.value(node, 0)
}

/** The same values under other dimensions, a batch of one kept in front. */
function redim(node: OnnxNode, value: Value, dims: readonly number[]): Value {
  if (sizeOf(dims) !== sizeOf(value.dims) || dims.some((side) => !Number.isInteger(side) || side < 0))
    return cannot(node, 'gives a shape that does not fit its values', {
      from: value.dims.join('×'),
      to: dims.join('×'),
    })
  return { ...value, dims }
}

export function lowerFlatten(lowering: Lowering, node: OnnxNode): Value {
  const value = lowering.value(node, 0)
  const axis = numberOf(node, 'axis', 1)
  const cut = axis < 0 ? axis + value.dims.length : axis
  return redim(node, value, [sizeOf(value.dims.slice(0, cut)), sizeOf(value.dims.slice(cut))])
}

export function lowerReshape(lowering: Lowering, node: OnnxNode): Value {
  const value = lowering.value(node, 0)
  const wanted = lowering.constant(node, 1).data
  const zeroCopies = numberOf(node, 'allowzero', 0) === 0
  const dims = Array.from(wanted, (side, at) => (side === 0 && zeroCopies ? (value.dims[at] ?? 0) : side))
  const open = dims.indexOf(-1)
  if (open >= 0) {
    const rest = sizeOf(dims.filter((_, at) => at !== open))
    dims[open] = rest === 0 ? 0 : sizeOf(value.dims) / rest
  }
  return redim(node, value, dims)
}

/** Axes from the attribute (before operator set 13) or the second input. */
function axesOf(lowering: Lowering, node: OnnxNode, rank: number): number[] | undefined {
  const listed = numbersOf(node, 'axes') ?? lowering.optional(node, 1)?.data
  return listed && Array.from(listed, (axis) => (axis < 0 ? axis + rank : axis))
}

export function lowerSqueeze(lowering: Lowering, node: OnnxNode): Value {
  const value = lowering.value(node, 0)
  const axes = axesOf(lowering, node, value.dims.length)
  const gone = (side: number, at: number) => (axes === undefined ? side === 1 : axes.includes(at))
  return redim(
    node,
    value,
    value.dims.filter((side, at) => !gone(side, at)),
  )
}

export function lowerUnsqueeze(lowering: Lowering, node: OnnxNode): Value {
  const value = lowering.value(node, 0)
  const count = (numbersOf(node, 'axes') ?? lowering.constant(node, 1).data).length
  const axes = axesOf(lowering, node, value.dims.length + count) ?? []
  const rest = [...value.dims]
  const dims = Array.from({ length: value.dims.length + count }, (_, at) =>
    axes.includes(at) ? 1 : (rest.shift() ?? 1),
  )
  return redim(node, value, dims)
}

export function lowerTranspose(lowering: Lowering, node: OnnxNode): Value {
  const value = lowering.value(node, 0)
  const { dims } = value
  const axes = numbersOf(node, 'perm') ?? dims.map((_, at) => dims.length - 1 - at)
  if ([...axes].sort((a, b) => a - b).join() !== dims.map((_, at) => at).join())
    return cannot(node, 'has a permutation of other axes than its tensor’s', { perm: axes.join(', ') })
  lowering.spend(node, 4 * sizeOf(dims))
  return transposed(value, axes)
}

/** The same values with their axes in another order; a computed tensor stays where it lies. */
export function transposed(value: Value, axes: readonly number[]): Value {
  const { dims } = value
  const turned = axes.map((axis) => dims[axis] as number)
  const strides = dims.map((_, at) => sizeOf(dims.slice(at + 1)))
  const order = new Int32Array(sizeOf(dims))
  for (let at = 0; at < order.length; at++) {
    let rest = at
    let from = 0
    for (let axis = turned.length - 1; axis >= 0; axis--) {
      const side = turned[axis] as number
      from += (rest % side) * (strides[axes[axis] as number] as number)
      rest = Math.floor(rest / side)
    }
    order[at] = from
  }
  if (value.kind === 'constant')
    return { ...value, dims: turned, data: Array.from(order, (from) => value.data[from] as number) }
  const placed = order.map((from) => value.order?.[from] ?? from)
  return { ...value, dims: turned, order: placed.every((from, at) => from === at) ? null : placed }
}

const constantOf = (dims: readonly number[], data: ArrayLike<number>): Constant => ({
  kind: 'constant',
  dims,
  integer: true,
  data,
})

export function lowerConstant(_lowering: Lowering, node: OnnxNode): Value {
  const [found] = node.attributes.values()
  if (found?.kind === 'tensor') return { kind: 'constant', ...found.value }
  if (found?.kind === 'numbers') return constantOf([found.value.length], found.value)
  if (found?.kind === 'number') return constantOf([], [found.value])
  return cannot(node, 'holds a constant of a kind that is not read')
}

export function lowerShape(lowering: Lowering, node: OnnxNode): Value {
  const { dims } = lowering.value(node, 0)
  const rank = dims.length
  const side = (at: number) => (at < 0 ? at + rank : at)
  const list = dims.slice(side(numberOf(node, 'start', 0)), side(numberOf(node, 'end', rank)) || undefined)
  return constantOf([list.length], list)
}

/** Picks along the first axis of a list, as exported shape arithmetic does. */
export function lowerGather(lowering: Lowering, node: OnnxNode): Value {
  const [list, at] = [lowering.constant(node, 0), lowering.constant(node, 1)]
  lowering.spend(node, at.data.length)
  if (list.dims.length !== 1 || numberOf(node, 'axis', 0) !== 0)
    return cannot(node, 'gathers from something other than a list of constants')
  const data = Array.from(at.data, (index) => list.data[index < 0 ? index + list.data.length : index])
  if (data.some((x) => x === undefined)) return cannot(node, 'gathers past the end of its list')
  return { ...list, dims: at.dims, data: data as number[] }
}

export function lowerConcat(lowering: Lowering, node: OnnxNode): Value {
  const parts = node.inputs.map((_, at) => lowering.value(node, at))
  if (parts.some((part) => part.kind === 'activation')) return lowerJoin(lowering, node)
  lowering.spend(
    node,
    parts.reduce((sum, { dims }) => sum + sizeOf(dims), 0),
  )
  if (parts.some(({ dims }) => dims.length !== 1)) return cannot(node, 'joins constants that are no lists')
  const data = parts.flatMap((part) => Array.from((part as Constant).data))
  return constantOf([data.length], data)
}

export function lowerCast(lowering: Lowering, node: OnnxNode): Value {
  const value = lowering.value(node, 0)
  const to = numberOf(node, 'to', 1)
  if (value.kind === 'activation') {
    if (to === 1 || to === 11) return value
    return cannot(node, 'casts a computed tensor to integers', { to })
  }
  lowering.spend(node, value.data.length)
  const integer = to !== 1 && to !== 11 && to !== 10
  return { ...value, integer, data: integer ? Array.from(value.data, Math.trunc) : value.data }
}
