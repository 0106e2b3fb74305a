/** Gemm, MatMul and Conv: layers with weights fixed at export. */
import type { Padding } from '../../../circuit/architecture.ts'
import { LIMITS } from '../../../circuit/checkArchitecture.ts'
import { valuesOf } from '../../../circuit/encoding.ts'
import type { OnnxNode } from '../../onnx/onnxModel.ts'
import { type Activation, type Constant, type Lowering, shapeOf, sizeOf, type Value } from '../lowering.ts'
import { cannot, numberOf, numbersOf } from '../nodeParts.ts'
import { slidingWindow } from '../slidingWindow.ts'
import { lowerMatrixProduct } from './products.ts'
import { lowerTokenProduct } from './tokens.ts'

/** Y = alpha·A·B + beta·C. */
export function lowerGemm(lowering: Lowering, node: OnnxNode): Value {
  if (numberOf(node, 'transA', 0) !== 0) return cannot(node, 'transposes its input (transA)')
  const weights = lowering.constant(node, 1)
  const alpha = numberOf(node, 'alpha', 1)
  const dense = denseOf(lowering, node, weights, numberOf(node, 'transB', 0) !== 0, alpha)
  const beta = numberOf(node, 'beta', 1)
  const bias = lowering.optional(node, 2)
  if (bias === undefined) return dense
  const last = lowering.nodes.at(-1)
  if (last?.op !== 'dense' || (bias.data.length !== last.units && bias.data.length !== 1))
    return cannot(node, 'has a bias of another size than its output', { bias: bias.dims.join('×') })
  for (let unit = 0; unit < last.units; unit++)
    last.bias[unit] = beta * (bias.data[bias.data.length === 1 ? 0 : unit] as number)
  return dense
}

export function lowerMatMul(lowering: Lowering, node: OnnxNode): Value {
  const [a, b] = [lowering.value(node, 0), lowering.value(node, 1)]
  if (a.kind === 'constant')
    return cannot(node, 'multiplies a constant by a computed tensor', {}, 'transpose both: (W·x)ᵀ = xᵀ·Wᵀ')
  if (b.kind === 'activation')
    return lowerMatrixProduct(lowering, node, lowering.activation(node, 0), lowering.activation(node, 1))
  if (sizeOf(a.dims) !== a.dims.at(-1)) return lowerTokenProduct(lowering, node, b)
  return denseOf(lowering, node, lowering.constant(node, 1), false, 1)
}

/** Weights are columns of B (or rows, transposed), taken in the order in which the values of the input really lie. */
function denseOf(
  lowering: Lowering,
  node: OnnxNode,
  { dims, data }: Constant,
  transposed: boolean,
  alpha: number,
): Activation {
  const value = lowering.read(node, lowering.activation(node, 0))
  const fanIn = valuesOf(lowering.shapeOf(value.tensor))
  const [inner, units] = transposed ? [dims[1], dims[0]] : [dims[0], dims[1]]
  if (dims.length !== 2 || units === undefined || inner !== fanIn || sizeOf(value.dims) !== value.dims.at(-1))
    return cannot(
      node,
      'multiplies matrices that do not fit one input vector',
      { input: value.dims.join('×'), weights: dims.join('×') },
      'its input must be [1, values] and its weights [values, units]; put a Flatten in front',
    )
  lowering.spend(node, units * fanIn)
  const weights = new Float32Array(units * fanIn)
  for (let from = 0; from < fanIn; from++) {
    const to = value.order?.[from] ?? from
    for (let unit = 0; unit < units; unit++) {
      const at = transposed ? unit * fanIn + from : from * units + unit
      weights[unit * fanIn + to] = alpha * (data[at] as number)
    }
  }
  const bias = new Float32Array(units)
  const operator = { op: 'dense', input: value.tensor, units, weights, bias } as const
  const shape = { channels: units, height: 1, width: 1 }
  return lowering.add(node.name, operator, shape, [...value.dims.slice(0, -1), units])
}

export function lowerConv(lowering: Lowering, node: OnnxNode): Value {
  const source = lowering.activation(node, 0)
  const shape = shapeOf(node, source.dims)
  const value = lowering.read(node, source, shape)
  const kernel = lowering.constant(node, 1)
  const groups = numberOf(node, 'group', 1)
  const [units, seen, ...window] = kernel.dims
  const flat = source.dims.length === 3
  if (
    kernel.dims.length !== source.dims.length ||
    units === undefined ||
    !Number.isInteger(groups) ||
    groups < 1 ||
    units % groups !== 0 ||
    seen === undefined ||
    seen * groups !== shape.channels
  )
    return cannot(node, 'has weights that do not fit its input', {
      input: source.dims.join('×'),
      weights: kernel.dims.join('×'),
      groups,
    })
  const geometry = slidingWindow(node, shape, window, flat)
  const bias = Float32Array.from(lowering.optional(node, 2)?.data ?? new Float32Array(units))
  if (bias.length !== units) return cannot(node, 'has a bias of another size than its output')
  const taps = geometry.window.height * geometry.window.width
  if (geometry.window.height > LIMITS.window || geometry.window.width > LIMITS.window)
    return cannot(node, `has a window with a side of more than ${LIMITS.window}`, {
      window: `${geometry.window.height}×${geometry.window.width}`,
    })
  lowering.spend(node, units * seen * taps)
  const dilated = dilate(kernel, units * seen, window, flat ? [1, ...dilations(node, 1)] : dilations(node, 2))
  const operator = {
    op: 'conv',
    input: value.tensor,
    units,
    weights: dilated,
    bias,
    window: geometry.window,
    padding: geometry.padding,
    groups,
  } as const
  const { height, width } = geometry
  const dims = flat ? [1, units, width] : [1, units, height, width]
  return lowering.add(node.name, operator, { channels: units, height, width }, dims)
}

function dilations(node: OnnxNode, sides: number): readonly number[] {
  return numbersOf(node, 'dilations') ?? new Array<number>(sides).fill(1)
}

/** Writes zeros between the weights, so that a dilated window is an ordinary one. */
function dilate(
  { data }: Constant,
  planes: number,
  window: readonly number[],
  by: readonly number[],
): Float32Array {
  const [height, width] = window.length === 1 ? [1, window[0] as number] : (window as [number, number])
  const [byY, byX] = by as [number, number]
  const [tall, wide] = [(height - 1) * byY + 1, (width - 1) * byX + 1]
  const weights = new Float32Array(planes * tall * wide)
  for (let plane = 0; plane < planes; plane++)
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++)
        weights[(plane * tall + y * byY) * wide + x * byX] = data[(plane * height + y) * width + x] as number
  return weights
}

/** A tensor with a border of zeros, as a convolution that copies each channel. */
export function addPad(lowering: Lowering, node: OnnxNode, input: Activation, padding: Padding): Activation {
  const { channels, height, width } = lowering.shapeOf(input.tensor)
  const operator = {
    op: 'conv',
    input: input.tensor,
    units: channels,
    weights: new Float32Array(channels).fill(1),
    bias: new Float32Array(channels),
    window: { height: 1, width: 1, strideY: 1, strideX: 1 },
    padding,
    groups: channels,
  } as const
  return lowering.add(node.name, operator, {
    channels,
    height: height + padding.top + padding.bottom,
    width: width + padding.left + padding.right,
  })
}
