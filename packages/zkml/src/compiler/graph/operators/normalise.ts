/**
 * Softmax and LayerNormalization, spelled out in what the circuit has: sums, products of two tensors, and tables for
 * the exponential, the reciprocal and the inverse root. Every step is int8, and so is a quotient: x·(1/y).
 */
import type { Shape, Window } from '../../../circuit/architecture.ts'
import type { OnnxNode } from '../../onnx/onnxModel.ts'
import type { Activation, Lowering, Value } from '../lowering.ts'
import { cannot, numberOf } from '../nodeParts.ts'
import { addAverage, addMaxima } from './pools.ts'
import { addProduct, addSquares } from './products.ts'
import { addTokenMean, type Laid, readLaid, readTokens } from './tokens.ts'

/** e^(x − max) / Σ e^(x − max) along one axis. */
export function lowerSoftmax(lowering: Lowering, node: OnnxNode): Value {
  const value = readLaid(lowering, node, lowering.activation(node, 0))
  const rank = value.dims.length
  const axis = numberOf(node, 'axis', lowering.opset < 13 ? 1 : -1)
  const at = axis < 0 ? axis + rank : axis
  const place = value.places[at]?.place
  if ((lowering.opset < 13 && at !== rank - 1) || (place !== 'row' && place !== 'column'))
    return cannot(
      node,
      'is a Softmax along an axis that the circuit cannot sum over',
      { axis, dims: value.dims.join('×') },
      'it may stand behind a product of two computed matrices, along its last axis, or at the end of the model',
    )
  const side = value.dims[at] as number
  const window: Window =
    place === 'row'
      ? { height: side, width: 1, strideY: 1, strideX: 1 }
      : { height: 1, width: side, strideY: 1, strideX: 1 }
  const largest = addMaxima(lowering, node, value, window)
  const below = addDifference(lowering, node.name, value, largest)
  const shape = lowering.shapeOf(value.tensor)
  const powers = addMap(lowering, node.name, below, shape, Math.exp)
  const mean = addAverage(lowering, node, powers, window)
  // One of the powers is 1, so their sum is at least 1.
  const inverse = addMap(
    lowering,
    node.name,
    mean,
    lowering.shapeOf(mean.tensor),
    (x) => 1 / Math.max(1, side * x),
  )
  return { ...addProduct(lowering, node.name, powers, inverse), dims: value.dims, order: value.order }
}

/** scale·(x − mean)/√(variance + ε) + bias over the features of each token. */
export function lowerLayerNormalization(lowering: Lowering, node: OnnxNode): Value {
  const value = readTokens(lowering, node, lowering.activation(node, 0))
  const rank = value.dims.length
  const features = value.dims.at(-1) as number
  const axis = numberOf(node, 'axis', -1)
  const [scale, bias] = [lowering.constant(node, 1).data, lowering.optional(node, 2)?.data]
  if ((axis < 0 ? axis + rank : axis) !== rank - 1 || scale.length !== features)
    return cannot(node, 'normalises over other axes than the last', { axis, dims: value.dims.join('×') })
  const epsilon = numberOf(node, 'epsilon', 1e-5)
  const mean = addTokenMean(lowering, node.name, value)
  const centred: Laid = { ...addDifference(lowering, node.name, value, mean), places: value.places }
  const variance = addSquares(lowering, node.name, centred, 1 / features)
  const inverse = addMap(
    lowering,
    node.name,
    variance,
    lowering.shapeOf(variance.tensor),
    (x) => 1 / Math.sqrt(Math.max(0, x) + epsilon),
  )
  const normalised = addProduct(lowering, node.name, centred, inverse)
  const factor = Float64Array.from(scale)
  const offset = bias === undefined ? new Float64Array(features) : Float64Array.from(bias)
  const operator = { op: 'affine', input: normalised.tensor, factor, offset } as const
  const shape = lowering.shapeOf(normalised.tensor)
  return { ...lowering.add(node.name, operator, shape, value.dims), order: value.order }
}

/** wide − narrow, where a side of 1 of `narrow` stands for all. */
function addDifference(lowering: Lowering, name: string, wide: Activation, narrow: Activation): Activation {
  const terms = [
    { input: wide.tensor, factor: 1 },
    { input: narrow.tensor, factor: -1 },
  ]
  const added = lowering.add(name, { op: 'combine', terms }, lowering.shapeOf(wide.tensor), wide.dims)
  return { ...added, order: wide.order }
}

function addMap(
  lowering: Lowering,
  name: string,
  { tensor, dims, order }: Activation,
  shape: Shape,
  apply: (x: number) => number,
): Activation {
  return { ...lowering.add(name, { op: 'map', input: tensor, apply }, shape, dims), order }
}
