/**
 * Operators along the last axis of a sequence, [1, tokens, features]: features lie along the circuit's channels, tokens along
 * its rows, so that a product with fixed weights is a convolution over one value.
 */
import { NO_PADDING } from '../../../circuit/axes.ts'
import type { OnnxNode } from '../../onnx/onnxModel.ts'
import { type AxisPlace, isAllChannels, layoutOf, orderOf } from '../layout.ts'
import { type Activation, type Constant, type Lowering, sizeOf, type Value } from '../lowering.ts'
import { cannot, numberOf } from '../nodeParts.ts'
import { transposed } from './views.ts'

/** A tensor of the graph that a value lies in, and how its axes lie there. */
export type Laid = Activation & { places: readonly AxisPlace[] }

/** A value as it lies, whatever its order. @throws ZkmlError cannot_compile where its axes are not the circuit's */
export function readLaid(lowering: Lowering, node: OnnxNode, value: Activation): Laid {
  const settled = lowering.read(node, value)
  const places = layoutOf(settled, lowering.shapeOf(settled.tensor))
  if (places !== undefined) return { ...settled, places }
  return cannot(
    node,
    'reads a tensor whose axes do not lie along the circuit’s',
    { dims: value.dims.join('×') },
    'a Reshape may split features into heads and join them again; it must not mix tokens with features',
  )
}

/** A value whose last axis is all channels: the model’s input is laid out so, if this is its first reader. */
export function readTokens(lowering: Lowering, node: OnnxNode, value: Activation): Laid {
  const rank = value.dims.length
  if (value.tensor === 0 && !lowering.inputIsRead && rank >= 3 && rank <= 4) layInput(lowering, node, value)
  const laid = readLaid(lowering, node, value)
  const features = value.dims.at(-1) as number
  if (isAllChannels(laid.places.at(-1), features, lowering.shapeOf(laid.tensor))) return laid
  return cannot(
    node,
    'works along an axis that does not lie along the circuit’s channels',
    { dims: value.dims.join('×') },
    'features must be the last axis of the sequence, [1, tokens, features], from the model’s input on',
  )
}

/** Lays the unread input with its last axis in front of the others, as channels are. */
function layInput(lowering: Lowering, node: OnnxNode, value: Activation): void {
  const { dims } = value
  const image = dims.slice(1, -1)
  const shape = { channels: dims.at(-1) as number, height: image[0] ?? 1, width: image[1] ?? 1 }
  lowering.spend(node, 8 * sizeOf(dims))
  const front = [0, dims.length - 1, ...image.map((_, at) => at + 1)]
  lowering.read(node, transposed(value, front) as Activation, shape)
}

/** A layer that gives each token new features from its own. `weights` in the order unit, feature. */
function addTokenLayer(
  lowering: Lowering,
  name: string,
  { tensor, dims, places }: Laid,
  units: number,
  weights: Float32Array,
): Laid {
  const { height, width } = lowering.shapeOf(tensor)
  const operator = {
    op: 'conv',
    input: tensor,
    units,
    weights,
    bias: new Float32Array(units),
    window: { height: 1, width: 1, strideY: 1, strideX: 1 },
    padding: NO_PADDING,
    groups: 1,
  } as const
  const shape = { channels: units, height, width }
  const own = [...dims.slice(0, -1), units]
  const lying = [...places.slice(0, -1), featuresPlace(units)]
  const added = lowering.add(name, operator, shape, own)
  return { ...added, order: orderOf(own, lying, shape), places: lying }
}

const featuresPlace = (units: number): AxisPlace =>
  units === 1 ? { place: 'none' } : { place: 'channel', step: 1 }

/** x·W along the last axis. */
export function lowerTokenProduct(lowering: Lowering, node: OnnxNode, { dims, data }: Constant): Value {
  const value = readTokens(lowering, node, lowering.activation(node, 0))
  const features = value.dims.at(-1) as number
  const [inner, units] = dims
  if (dims.length !== 2 || inner !== features || units === undefined)
    return cannot(node, 'multiplies by weights that do not fit its features', {
      input: value.dims.join('×'),
      weights: dims.join('×'),
    })
  lowering.spend(node, units * features + sizeOf(value.dims))
  const weights = new Float32Array(units * features)
  for (let from = 0; from < features; from++)
    for (let unit = 0; unit < units; unit++)
      weights[unit * features + from] = data[from * units + unit] as number
  return addTokenLayer(lowering, node.name, value, units, weights)
}

/** The mean of each token's features. */
export function addTokenMean(lowering: Lowering, name: string, value: Laid): Laid {
  const features = value.dims.at(-1) as number
  return addTokenLayer(lowering, name, value, 1, new Float32Array(features).fill(1 / features))
}

/**
 * Joins tensors along the axis that is their channels: each copied to its own channels by a layer of ones and zeros, and
 * all added up.
 */
export function lowerJoin(lowering: Lowering, node: OnnxNode): Value {
  const rank = lowering.value(node, 0).dims.length
  const axis = numberOf(node, 'axis', 1)
  const last = (axis < 0 ? axis + rank : axis) === rank - 1
  const parts = node.inputs.map((_, at) => lowering.activation(node, at))
  const laid = parts.map((part) =>
    last ? readTokens(lowering, node, part) : readChannelsFirst(lowering, node, part),
  )
  const features = laid.map(({ dims }) => dims.at(-1) as number)
  const total = features.reduce((sum, own) => sum + own, 0)
  lowering.spend(
    node,
    features.reduce((sum, own) => sum + own * total, 0),
  )
  let before = 0
  const copies = laid.map((part, at) => {
    const own = features[at] as number
    const weights = new Float32Array(total * own)
    for (let feature = 0; feature < own; feature++) weights[(before + feature) * own + feature] = 1
    before += own
    return addTokenLayer(lowering, node.name, part, total, weights)
  })
  const first = copies[0] as Laid
  const shape = lowering.shapeOf(first.tensor)
  if (
    copies.some(
      (copy) => copy.dims.join() !== first.dims.join() || copy.order?.join() !== first.order?.join(),
    )
  )
    return cannot(node, 'joins tensors that differ along other axes', {
      shapes: parts.map(({ dims }) => dims.join('×')).join(', '),
    })
  const terms = copies.map(({ tensor }) => ({ input: tensor, factor: 1 }))
  const sum = { ...lowering.add(node.name, { op: 'combine', terms }, shape, first.dims), order: first.order }
  return last ? sum : transposed(sum, [0, rank - 1, ...first.dims.slice(1, -1).map((_, at) => at + 1)])
}

/** An image, [1, channels, …], seen with its channels last. */
function readChannelsFirst(lowering: Lowering, node: OnnxNode, value: Activation): Laid {
  const { dims } = value
  if (numberOf(node, 'axis', 1) !== 1 || dims.length < 2)
    return cannot(node, 'joins tensors along an axis that is not their channels', { dims: dims.join('×') })
  const rest = dims.slice(2).map((_, at) => at + 2)
  return readTokens(lowering, node, transposed(value, [0, ...rest, 1]) as Activation)
}
