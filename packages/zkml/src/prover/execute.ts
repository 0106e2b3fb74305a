/**
 * Runs the padded circuit and fills every column of the plan. Padding is computed like everything else: a padded unit
 * has zero weights, a padded position an empty window.
 */
import { inputsOf, type Node, type Padding, type Requantise, type Window } from '../circuit/architecture.ts'
import { axisBits, NO_PADDING } from '../circuit/axes.ts'
import { layoutSize, type Tensor } from '../circuit/checkArchitecture.ts'
import type { Model } from '../circuit/model.ts'
import { BIAS_DIGITS, type NodePlan, type ValueIndex, type WeightBlock } from '../circuit/plan.ts'
import { layOutTensor } from '../circuit/statement.ts'
import { roundingTerm } from '../verifier/linear/verifyNode.ts'

/** The integers of every column, by value index; multiplicities are still to be counted. */
export type Columns = (Int32Array | undefined)[]

export function execute(model: Model, input: ArrayLike<number>): Columns {
  const columns = startColumns(model, input)
  for (const index of model.plan.nodes.keys()) fillNode(model, columns, index)
  return columns
}

/** All columns empty but the input's. */
export function startColumns({ plan }: Model, input: ArrayLike<number>): Columns {
  const columns: Columns = plan.values.map(() => undefined)
  const shape = plan.architecture.input
  columns[plan.tensorValues[0] as ValueIndex] = layOutTensor(input, shape, shape.zeroPoint)
  return columns
}

/** Fills the columns of one node from those of the nodes before it. */
export function fillNode(model: Model, columns: Columns, index: number): void {
  const { plan } = model
  const planned = plan.nodes[index] as NodePlan
  const inputs = inputsOf(planned.node).map(
    (tensor) => columns[plan.tensorValues[tensor] as ValueIndex] as Int32Array,
  )
  if (planned.node.op === 'maxPool') fillMaxima(columns, planned, inputs[0] as Int32Array)
  else {
    const output = plan.tensorValues[index + 1] as ValueIndex
    fillRequantised(columns, planned, output, accumulate(model, planned, inputs))
  }
}

function accumulate(model: Model, planned: NodePlan, inputs: readonly Int32Array[]): Int32Array {
  const { node } = planned
  const input = inputs[0] as Int32Array
  switch (node.op) {
    case 'dense':
      return multiply(model, planned, input)
    case 'conv2d':
      return convolve(model, planned, input)
    case 'sumPool':
      return sumWindows(planned, node.window, input)
    case 'combine': {
      const zeroPoints = node.terms.map((term) => model.plan.tensors[term.input]?.zeroPoint ?? 0)
      return input.map((_, i) =>
        node.terms.reduce(
          (sum, { multiplier }, at) =>
            sum + multiplier * (((inputs[at] as Int32Array)[i] as number) - (zeroPoints[at] as number)),
          0,
        ),
      )
    }
    case 'maxPool':
      throw new TypeError('a max-pooling has no accumulator')
  }
}

function biases({ layout }: Model, { highBits, offset }: WeightBlock): Int32Array {
  return Int32Array.from({ length: 2 ** highBits }, (_, unit) => {
    let value = 0
    for (let digit = BIAS_DIGITS - 1; digit >= 0; digit--)
      value = value * 256 + (layout[offset + unit * BIAS_DIGITS + digit] as number)
    return value
  })
}

function multiply(model: Model, planned: NodePlan, input: Int32Array): Int32Array {
  const { weights, bias } = planned as { weights: WeightBlock; bias: WeightBlock }
  const accumulators = biases(model, bias)
  const centred = Int16Array.from(input, (x) => x - planned.input.zeroPoint)
  const { units } = planned.node as Extract<Node, { op: 'dense' }>
  for (let unit = 0; unit < units; unit++) {
    const start = weights.offset + unit * centred.length
    let sum = 0
    for (let j = 0; j < centred.length; j++)
      sum += (model.layout[start + j] as number) * (centred[j] as number)
    accumulators[unit] = (accumulators[unit] as number) + sum
  }
  return accumulators
}

/** Visits, for every true output position, the true input positions that offset (ky, kx) of its window covers. */
function slide(
  planned: NodePlan,
  window: Window,
  padding: Padding,
  visit: (ky: number, kx: number, from: number, to: number) => void,
): void {
  const { input, output } = planned
  const [inBits, outBits] = [axisBits(input).width, axisBits(output).width]
  for (let ky = 0; ky < window.height; ky++) {
    for (let kx = 0; kx < window.width; kx++) {
      for (let y = 0; y < output.height; y++) {
        const fromY = y * window.strideY + ky - padding.top
        if (fromY < 0 || fromY >= input.height) continue
        for (let x = 0; x < output.width; x++) {
          const fromX = x * window.strideX + kx - padding.left
          if (fromX < 0 || fromX >= input.width) continue
          visit(ky, kx, fromY * 2 ** inBits + fromX, y * 2 ** outBits + x)
        }
      }
    }
  }
}

function imageSize(tensor: Tensor): number {
  const { width, height } = axisBits(tensor)
  return 2 ** (width + height)
}

function convolve(model: Model, planned: NodePlan, input: Int32Array): Int32Array {
  const node = planned.node as Extract<Node, { op: 'conv2d' }>
  const { weights, bias } = planned as { weights: WeightBlock; bias: WeightBlock }
  const offsets = biases(model, bias)
  const [from, to] = [imageSize(planned.input), imageSize(planned.output)]
  const accumulators = new Int32Array(layoutSize(planned.output))
  for (const [unit, start] of offsets.entries()) accumulators.fill(start, unit * to, (unit + 1) * to)
  const centred = input.map((x) => x - planned.input.zeroPoint)
  const taps = axisBits({ ...node.window, channels: 1 })
  for (let co = 0; co < node.channels; co++) {
    for (let ci = 0; ci < planned.input.channels; ci++) {
      for (let ky = 0; ky < node.window.height; ky++) {
        for (let kx = 0; kx < node.window.width; kx++) {
          const tap = (((ci << taps.height) + ky) << taps.width) + kx
          const weight = model.layout[weights.offset + co * 2 ** weights.lowBits + tap] as number
          if (weight === 0) continue
          addShifted(accumulators, co * to, centred, ci * from, weight, planned, node, ky, kx)
        }
      }
    }
  }
  return accumulators
}

/** One channel of the output += weight·(one channel of the input under offset (ky, kx) of the window). */
function addShifted(
  sums: Int32Array,
  sumsStart: number,
  image: Int32Array,
  imageStart: number,
  weight: number,
  { input, output }: NodePlan,
  { window, padding }: Extract<Node, { op: 'conv2d' }>,
  ky: number,
  kx: number,
): void {
  const [inWidth, outWidth] = [2 ** axisBits(input).width, 2 ** axisBits(output).width]
  const { strideX, strideY } = window
  const firstX = Math.max(0, Math.ceil((padding.left - kx) / strideX))
  const lastX = Math.min(output.width - 1, Math.floor((input.width - 1 + padding.left - kx) / strideX))
  for (let y = 0; y < output.height; y++) {
    const fromY = y * strideY + ky - padding.top
    if (fromY < 0 || fromY >= input.height) continue
    const from = imageStart + fromY * inWidth + kx - padding.left
    const to = sumsStart + y * outWidth
    for (let x = firstX; x <= lastX; x++)
      sums[to + x] = (sums[to + x] as number) + weight * (image[from + x * strideX] as number)
  }
}

function sumWindows(planned: NodePlan, window: Window, input: Int32Array): Int32Array {
  const sums = new Int32Array(layoutSize(planned.output))
  const [from, to] = [imageSize(planned.input), imageSize(planned.output)]
  const channels = sums.length / to
  slide(planned, window, NO_PADDING, (_ky, _kx, source, target) => {
    for (let c = 0; c < channels; c++) {
      const at = c * to + target
      sums[at] = (sums[at] as number) + (input[c * from + source] as number) - planned.input.zeroPoint
    }
  })
  return sums
}

function fillMaxima(columns: Columns, planned: NodePlan, input: Int32Array): void {
  const node = planned.node as Extract<Node, { op: 'maxPool' }>
  const size = layoutSize(planned.output)
  const [from, to] = [imageSize(planned.input), imageSize(planned.output)]
  const views = planned.windows.map(() => new Int32Array(size))
  slide(planned, node.window, NO_PADDING, (ky, kx, source, target) => {
    const view = views[ky * node.window.width + kx] as Int32Array
    for (let c = 0; c < size / to; c++) view[c * to + target] = input[c * from + source] as number
  })
  for (const [at, value] of planned.windows.entries()) columns[value] = views[at]
  let running = views[0] as Int32Array
  for (const [at, value] of planned.maxima.entries()) {
    const next = views[at + 1] as Int32Array
    running = running.map((largest, i) => Math.max(largest, next[i] as number))
    columns[value] = running
  }
}

/** Output, target and remainder limbs from the accumulators. */
function fillRequantised(columns: Columns, planned: NodePlan, output: ValueIndex, sums: Int32Array): void {
  const { accumulator } = planned
  if (accumulator?.kind !== 'requantised') {
    columns[output] = sums
    return
  }
  const { target, limbs, requantise } = accumulator
  const targets = new Int32Array(sums.length)
  const outputs = new Int32Array(sums.length)
  const parts = limbs.map(() => new Int32Array(sums.length))
  const { shift } = requantise
  for (let i = 0; i < sums.length; i++) {
    const scaled = (sums[i] as number) * requantise.multiplier + roundingTerm(shift)
    const quotient = Math.floor(scaled / 2 ** shift)
    const wanted = quotient + requantise.zeroPoint
    targets[i] = wanted
    outputs[i] = clamp(wanted, requantise)
    let rest = scaled - quotient * 2 ** shift
    for (const [at, { bits }] of limbs.entries()) {
      const part = parts[at] as Int32Array
      part[i] = rest % 2 ** bits
      rest = Math.floor(rest / 2 ** bits)
    }
  }
  columns[target] = targets
  columns[output] = outputs
  for (const [at, { value }] of limbs.entries()) columns[value] = parts[at]
}

function clamp(value: number, { low, high }: Requantise): number {
  return Math.min(high, Math.max(low, value))
}
