/** Pools: averages are sums over windows, maxima chains of windows of at most sixteen values. */

import type { Padding, Shape, Window } from '../../../circuit/architecture.ts'
import { NO_PADDING } from '../../../circuit/axes.ts'
import { LIMITS } from '../../../circuit/checkArchitecture.ts'
import type { OnnxNode } from '../../onnx/onnxModel.ts'
import type { FloatTensor } from '../floatGraph.ts'
import { type AxisPlace, orderOf } from '../layout.ts'
import { type Activation, type Lowering, shapeOf, type Value } from '../lowering.ts'
import { cannot, numberOf, numbersOf } from '../nodeParts.ts'
import { slidingWindow } from '../slidingWindow.ts'
import { addTokenMean, readLaid, readTokens } from './tokens.ts'
import { addPad } from './weighted.ts'

function readImage(lowering: Lowering, node: OnnxNode): Activation {
  const source = lowering.activation(node, 0)
  if (source.dims.length < 3)
    return cannot(node, 'pools a tensor without an image', { dims: source.dims.join('×') })
  return lowering.read(node, source, shapeOf(node, source.dims))
}

const isPadded = (padding: Padding) => Object.values(padding).some((side) => side > 0)

export function lowerPool(lowering: Lowering, node: OnnxNode): Value {
  const source = readImage(lowering, node)
  const flat = source.dims.length === 3
  const geometry = slidingWindow(
    node,
    lowering.shapeOf(source.tensor),
    numbersOf(node, 'kernel_shape') ?? [],
    flat,
  )
  if (numbersOf(node, 'dilations')?.some((by) => by !== 1) === true)
    return cannot(node, 'pools a dilated window')
  const { window, padding } = geometry
  const maximum = node.op === 'MaxPool'
  let input = source
  if (isPadded(padding)) {
    if (maximum && !isNonNegative(lowering, source.tensor))
      return cannot(
        node,
        'pads a maximum over values that can be negative',
        {},
        'put the Relu in front of the MaxPool: the largest value stays the same, and a border of zeros never wins',
      )
    if (!maximum && numberOf(node, 'count_include_pad', 0) === 0)
      return cannot(
        node,
        'averages over windows of different sizes at the border',
        {},
        'export it with count_include_pad=1, or without padding',
      )
    input = addPad(lowering, node, source, padding)
  }
  const pooled = maximum
    ? addMaxima(lowering, node, input, window)
    : addAverage(lowering, node, input, window)
  return flat ? { ...pooled, dims: [1, pooled.dims[1] as number, geometry.width] } : pooled
}

export function lowerGlobalPool(lowering: Lowering, node: OnnxNode): Value {
  const source = readImage(lowering, node)
  const { height, width } = lowering.shapeOf(source.tensor)
  const window = { height, width, strideY: 1, strideX: 1 }
  const pooled =
    node.op === 'GlobalMaxPool'
      ? addMaxima(lowering, node, source, window)
      : addAverage(lowering, node, source, window)
  return { ...pooled, dims: [1, pooled.dims[1] as number, ...source.dims.slice(2).map(() => 1)] }
}

/** The mean over rows, columns or both, or over the features of each token. */
export function lowerReduceMean(lowering: Lowering, node: OnnxNode): Value {
  const value = lowering.activation(node, 0)
  const rank = value.dims.length
  const listed = numbersOf(node, 'axes') ?? Array.from(lowering.optional(node, 1)?.data ?? [])
  const axes = listed.map((axis) => (axis < 0 ? axis + rank : axis))
  const kept = numberOf(node, 'keepdims', 1) !== 0
  const mean =
    axes.length === 1 && axes[0] === rank - 1 && !isImage(lowering, value)
      ? addTokenMean(lowering, node.name, readTokens(lowering, node, value))
      : addImageMean(lowering, node, value, axes)
  return kept ? mean : { ...mean, dims: mean.dims.filter((_, axis) => !axes.includes(axis)) }
}

/** Whether a value is the model's input or a tensor in its own order, [1, channels, …]. */
const isImage = (lowering: Lowering, { tensor, order, dims }: Activation) =>
  order === null && (dims[1] === lowering.shapeOf(tensor).channels || !lowering.inputIsRead)

function addImageMean(
  lowering: Lowering,
  node: OnnxNode,
  value: Activation,
  axes: readonly number[],
): Activation {
  const read = isImage(lowering, value) && value.dims.length >= 3 ? readImage(lowering, node) : value
  const source = readLaid(lowering, node, read)
  const shape = lowering.shapeOf(source.tensor)
  const along = axes.map((axis) => source.places[axis]?.place)
  if (along.length === 0 || along.some((place) => place !== 'row' && place !== 'column' && place !== 'none'))
    return cannot(
      node,
      'averages over axes that the circuit cannot sum over',
      { axes: axes.join(', '), dims: value.dims.join('×') },
      'the circuit averages over rows, columns or both, or over the features of a sequence (its last axis)',
    )
  const window = {
    height: along.includes('row') ? shape.height : 1,
    width: along.includes('column') ? shape.width : 1,
    strideY: 1,
    strideX: 1,
  }
  const pooled = addAverage(lowering, node, source, window)
  const dims = source.dims.map((side, axis) => (axes.includes(axis) ? 1 : side))
  const places = source.places.map((at, axis): AxisPlace => (axes.includes(axis) ? { place: 'none' } : at))
  return { ...pooled, dims, order: orderOf(dims, places, lowering.shapeOf(pooled.tensor)) }
}

function slid({ channels, height, width }: Shape, window: Window): Shape {
  return {
    channels,
    height: Math.floor((height - window.height) / window.strideY) + 1,
    width: Math.floor((width - window.width) / window.strideX) + 1,
  }
}

export function addAverage(
  lowering: Lowering,
  node: OnnxNode,
  input: Activation,
  window: Window,
): Activation {
  const shape = slid(lowering.shapeOf(input.tensor), window)
  return lowering.add(node.name, { op: 'averagePool', input: input.tensor, window }, shape)
}

/** The circuit's maxima are over at most sixteen values: larger windows go along one axis after the other. */
export function addMaxima(lowering: Lowering, node: OnnxNode, input: Activation, window: Window): Activation {
  const { height, width, strideY, strideX } = window
  if (height * width === 1 && strideX * strideY === 1) return input
  if (height * width > 1 && height * width <= LIMITS.window) return addMaximum(lowering, node, input, window)
  const along = alongAxis(lowering, node, input, { length: width, stride: strideX }, 'x')
  return alongAxis(lowering, node, along, { length: height, stride: strideY }, 'y')
}

function addMaximum(lowering: Lowering, node: OnnxNode, input: Activation, window: Window): Activation {
  const shape = slid(lowering.shapeOf(input.tensor), window)
  return lowering.add(node.name, { op: 'maxPool', input: input.tensor, window }, shape)
}

function alongAxis(
  lowering: Lowering,
  node: OnnxNode,
  input: Activation,
  { length, stride }: { length: number; stride: number },
  axis: 'x' | 'y',
): Activation {
  const turned = (by: number, step: number): Window =>
    axis === 'x'
      ? { height: 1, width: by, strideY: 1, strideX: step }
      : { height: by, width: 1, strideY: step, strideX: 1 }
  if (length === 1 && stride === 1) return input
  if (length > 1 && length <= LIMITS.window) return addMaximum(lowering, node, input, turned(length, stride))
  const { height, width } = lowering.shapeOf(input.tensor)
  const side = axis === 'x' ? width : height
  if (length !== side)
    return cannot(node, `takes maxima over windows longer than ${LIMITS.window} values`, { length, stride })
  // A global maximum: windows that cover the side, overlapping where they must, then the maximum of those.
  let best = { window: 2, stride: 1 }
  for (let by = 2; by <= LIMITS.window; by++)
    for (let step = 1; step <= by; step++)
      if ((side - by) % step === 0 && step >= best.stride) best = { window: by, stride: step }
  const shorter = addMaximum(lowering, node, input, turned(best.window, best.stride))
  const left = (side - best.window) / best.stride + 1
  return alongAxis(lowering, node, shorter, { length: left, stride: 1 }, axis)
}

/** Whether no value of a tensor can be below zero, by the operators it comes from. */
function isNonNegative(lowering: Lowering, tensor: FloatTensor): boolean {
  const node = lowering.nodes[tensor - 1]
  if (node === undefined) return false
  if ((node.clamp?.low ?? Number.NEGATIVE_INFINITY) >= 0) return true
  return (node.op === 'maxPool' || node.op === 'averagePool') && isNonNegative(lowering, node.input)
}

/** A border of zeros. */
export function lowerPad(lowering: Lowering, node: OnnxNode): Value {
  const source = readImage(lowering, node)
  const pads = numbersOf(node, 'pads') ?? Array.from(lowering.constant(node, 1).data)
  const rank = source.dims.length
  const mode = node.attributes.get('mode')
  const value = lowering.optional(node, 2)?.data[0] ?? numberOf(node, 'value', 0)
  const bad =
    pads.length !== 2 * rank || pads.some((x) => !Number.isInteger(x) || x < 0 || x >= LIMITS.window)
  if (
    bad ||
    value !== 0 ||
    (mode?.kind === 'text' && mode.value !== 'constant') ||
    pads[0] ||
    pads[1] ||
    pads[rank] ||
    pads[rank + 1]
  )
    return cannot(
      node,
      'pads in a way that the circuit does not',
      { pads: pads.join(', ') },
      'pad images with zeros, by at most 15',
    )
  const [top, left] = rank === 3 ? [0, pads[2]] : [pads[2], pads[3]]
  const [bottom, right] = rank === 3 ? [0, pads[5]] : [pads[6], pads[7]]
  const padding = { ...NO_PADDING, top, left, bottom, right } as Padding
  if (!isPadded(padding)) return source
  const padded = addPad(lowering, node, source, padding)
  return rank === 3 ? { ...padded, dims: [1, padded.dims[1] as number, padded.dims[3] as number] } : padded
}
