/** Operators that work value by value: sums, products with constants, normalisation. */
import type { OnnxNode } from '../../onnx/onnxModel.ts'
import { type Activation, type Constant, type Lowering, sizeOf, type Value } from '../lowering.ts'
import { cannot, numberOf } from '../nodeParts.ts'
import { joinFunctions } from './functions.ts'
import { fitTogether, lowerProduct } from './products.ts'
import { readLaid } from './tokens.ts'

/** Σ of two tensors with signs, or a tensor plus a constant. */
export function lowerAdd(lowering: Lowering, node: OnnxNode): Value {
  const joined = joinFunctions(lowering, node)
  if (joined !== undefined) return joined
  const sign = node.op === 'Sub' ? -1 : 1
  const [a, b] = [lowering.value(node, 0), lowering.value(node, 1)]
  if (a.kind === 'constant') {
    const value = lowering.activation(node, 1)
    return affine(
      lowering,
      node,
      value,
      broadcast(lowering, node, SCALAR_ONE, value, sign),
      broadcast(lowering, node, a, value),
    )
  }
  const value = lowering.activation(node, 0)
  if (b.kind === 'constant')
    return affine(lowering, node, value, ONE_FACTOR, broadcast(lowering, node, b, value, sign))
  return addTensors(lowering, node, value, lowering.activation(node, 1), sign)
}

/** Two computed tensors, one of which may have sides of 1 that stand for all. */
function addTensors(lowering: Lowering, node: OnnxNode, a: Activation, b: Activation, sign: number): Value {
  const [first, second] = [lowering.read(node, a), lowering.read(node, b)]
  const alike = first.dims.join() === second.dims.join() && sameOrder(first.order, second.order)
  const terms = [
    { input: first.tensor, factor: 1 },
    { input: second.tensor, factor: sign },
  ]
  if (alike) return addTerms(lowering, node, first, terms)
  const fitted = fitTogether(lowering, readLaid(lowering, node, a), readLaid(lowering, node, b))
  if (fitted === undefined)
    return cannot(
      node,
      'adds tensors of different shapes or orders',
      { first: a.dims.join('×'), second: b.dims.join('×') },
      'each side must be the same, or 1 in one of them',
    )
  return addTerms(
    lowering,
    node,
    fitted.wide,
    fitted.wide.tensor === first.tensor ? terms : terms.toReversed(),
  )
}

function addTerms(
  lowering: Lowering,
  node: OnnxNode,
  { tensor, dims, order }: Activation,
  terms: { input: number; factor: number }[],
): Value {
  return { ...lowering.add(node.name, { op: 'combine', terms }, lowering.shapeOf(tensor), dims), order }
}

/** A constant that is spread out is multiplied, added and reordered as well. */
const SPREAD_COST = 32
const SCALAR_ONE: Constant = { kind: 'constant', dims: [], integer: false, data: [1] }
const ONE_FACTOR = new Float64Array([1])
const NO_OFFSET = new Float64Array([0])

function sameOrder(a: Int32Array | null, b: Int32Array | null): boolean {
  if (a === null || b === null) return a === b
  return a.length === b.length && a.every((at, i) => at === b[i])
}

/** A tensor times another or a constant, or over it. */
export function lowerMul(lowering: Lowering, node: OnnxNode): Value {
  const joined = joinFunctions(lowering, node)
  if (joined !== undefined) return joined
  const [a, b] = [lowering.value(node, 0), lowering.value(node, 1)]
  if (a.kind === 'activation' && b.kind === 'activation')
    return lowerProduct(lowering, node, a, node.op === 'Div' ? reciprocal(lowering, node, b) : b)
  if (node.op === 'Div' && a.kind === 'constant')
    return cannot(node, 'divides a constant by a computed tensor', {}, 'use Reciprocal and a product')
  const value = lowering.activation(node, a.kind === 'activation' ? 0 : 1)
  const factor = broadcast(lowering, node, a.kind === 'constant' ? a : (b as Constant), value)
  const factors = node.op === 'Div' ? factor.map((x) => 1 / x) : factor
  if (factors.some((x) => !Number.isFinite(x))) return cannot(node, 'divides by zero')
  return affine(lowering, node, value, factors, NO_OFFSET)
}

/** 1/x: where calibration never comes near zero, what the table says there is never read. */
function reciprocal(lowering: Lowering, node: OnnxNode, value: Activation): Activation {
  return lowering.postpone(node, value, (x) => 1 / x)
}

export function lowerNeg(lowering: Lowering, node: OnnxNode): Value {
  return affine(lowering, node, lowering.activation(node, 0), new Float64Array([-1]), NO_OFFSET)
}

/** scale·(x − mean)/√(variance + ε) + bias, with the statistics of training. */
export function lowerBatchNormalization(lowering: Lowering, node: OnnxNode): Value {
  const value = lowering.activation(node, 0)
  const [scale, bias, mean, variance] = [1, 2, 3, 4].map((at) => lowering.constant(node, at).data)
  const channels = value.dims[1] ?? 0
  if (numberOf(node, 'training_mode', 0) !== 0)
    return cannot(node, 'is in training mode', {}, 'export the model in evaluation mode')
  const lists = [scale, bias, mean, variance] as ArrayLike<number>[]
  if (lists.some((list) => list.length !== channels))
    return cannot(node, 'has statistics of another size than its channels', { channels })
  const epsilon = numberOf(node, 'epsilon', 1e-5)
  const [gain, shift, centre, spread] = lists as [
    ArrayLike<number>,
    ArrayLike<number>,
    ArrayLike<number>,
    ArrayLike<number>,
  ]
  const factor = Array.from({ length: channels }, (_, c) => {
    const deviation = Math.sqrt((spread[c] as number) + epsilon)
    return (gain[c] as number) / deviation
  })
  if (factor.some((x) => !Number.isFinite(x))) return cannot(node, 'has a variance that is not positive')
  const offset = factor.map((by, c) => (shift[c] as number) - by * (centre[c] as number))
  const dims = [channels, ...value.dims.slice(2).map(() => 1)]
  const constant = (data: number[]): Constant => ({ kind: 'constant', dims, integer: false, data })
  return affine(
    lowering,
    node,
    value,
    broadcast(lowering, node, constant(factor), value),
    broadcast(lowering, node, constant(offset), value),
  )
}

/**
 * A constant in the value's own dimensions, by the rules of ONNX: one number where it is a scalar, one a channel where it
 * differs between channels only, all of them where that cannot be seen, or the input's encoding takes them.
 */
function broadcast(
  lowering: Lowering,
  node: OnnxNode,
  constant: Constant,
  value: Activation,
  sign = 1,
): Float64Array {
  const { data } = constant
  const { dims } = value
  if (data.length === 1) return new Float64Array([sign * (data[0] as number)])
  const aligned = [
    ...new Array<number>(Math.max(0, dims.length - constant.dims.length)).fill(1),
    ...constant.dims,
  ]
  if (aligned.length !== dims.length || aligned.some((side, at) => side !== 1 && side !== dims[at]))
    return cannot(node, 'has a constant that does not fit its tensor', {
      tensor: dims.join('×'),
      constant: constant.dims.join('×'),
    })
  const { channels } = lowering.shapeOf(value.tensor)
  const channelsOnly = aligned.every((side, axis) => side === (axis === 1 ? channels : 1))
  if (channelsOnly && dims[1] === channels && value.order === null && !isEncoding(lowering, value))
    return Float64Array.from(data, (x) => sign * x)
  lowering.spend(node, SPREAD_COST * sizeOf(dims))
  const list = new Float64Array(sizeOf(dims))
  for (let at = 0; at < list.length; at++) {
    let rest = at
    let from = 0
    let stride = 1
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      const side = dims[axis] as number
      const own = aligned[axis] as number
      if (own !== 1) from += (rest % side) * stride
      stride *= own
      rest = Math.floor(rest / side)
    }
    list[at] = sign * (data[from] as number)
  }
  return list
}

/** Before any node has read the input, a product or sum is part of how the input is encoded. */
const isEncoding = (lowering: Lowering, { tensor, pending }: Activation) =>
  tensor === 0 && !lowering.inputIsRead && pending === undefined

function affine(
  lowering: Lowering,
  node: OnnxNode,
  value: Activation,
  factor: Float64Array,
  offset: Float64Array,
): Value {
  if (isEncoding(lowering, value)) {
    const known = value.affine ?? { factor: ONE_FACTOR, offset: NO_OFFSET }
    // What is known lies in the ONNX input's order already; what is new, in the value's.
    const next = place(value, { factor, offset })
    const scaled = zip(known.offset, next.factor, (a, b) => a * b)
    const joined = {
      factor: zip(known.factor, next.factor, (a, b) => a * b),
      offset: zip(scaled, next.offset, (a, b) => a + b),
    }
    return { ...value, affine: joined }
  }
  const settled = lowering.read(node, value)
  const shape = lowering.shapeOf(settled.tensor)
  const image = shape.height * shape.width
  /** One a channel where that is so, else one a value, as they lie. */
  const lying = (list: Float64Array): Float64Array => {
    if (list.length === 1) return new Float64Array(shape.channels).fill(list[0] as number)
    if (list.length === shape.channels && settled.order === null) return list
    const placed = new Float64Array(list.length)
    for (const [at, x] of list.entries()) placed[settled.order?.[at] ?? at] = x
    const perChannel = Float64Array.from({ length: shape.channels }, (_, c) => placed[c * image] as number)
    return placed.every((x, at) => x === perChannel[Math.floor(at / image)]) ? perChannel : placed
  }
  const [factors, offsets] = [lying(factor), lying(offset)]
  if (factors.length !== shape.channels)
    return cannot(
      node,
      'has a factor that differs within a channel',
      {},
      'a constant factor may differ between channels only',
    )
  const add = (input: number, by: Float64Array, to: Float64Array) =>
    lowering.add(node.name, { op: 'affine', input, factor: by, offset: to }, shape, value.dims)
  if (offsets.length === shape.channels)
    return { ...add(settled.tensor, factors, offsets), order: settled.order }
  const ones = new Float64Array(shape.channels).fill(1)
  const scaled = factors.every((x) => x === 1)
    ? settled
    : add(settled.tensor, factors, new Float64Array(shape.channels))
  return { ...add(scaled.tensor, ones, offsets), order: settled.order }
}

function zip(a: Float64Array, b: Float64Array, join: (a: number, b: number) => number): Float64Array {
  const at = (list: Float64Array, i: number) => list[list.length === 1 ? 0 : i] as number
  return Float64Array.from({ length: Math.max(a.length, b.length) }, (_, i) => join(at(a, i), at(b, i)))
}

/** Lists from the value's own order to the ONNX input's, in which they are kept. */
function place(
  { order }: Activation,
  lists: { factor: Float64Array; offset: Float64Array },
): { factor: Float64Array; offset: Float64Array } {
  if (order === null) return lists
  const back = (list: Float64Array) => {
    if (list.length === 1) return list
    const placed = new Float64Array(list.length)
    for (const [at, x] of list.entries()) placed[order[at] as number] = x
    return placed
  }
  return { factor: back(lists.factor), offset: back(lists.offset) }
}
