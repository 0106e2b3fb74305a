/** The float graph, run plainly: what calibration measures, and what the circuit's accuracy is compared with. */
import type { Indices, Padding, Shape, Window } from '../../circuit/architecture.ts'
import { NO_PADDING } from '../../circuit/axes.ts'
import { sidesOf } from '../../circuit/contraction.ts'
import { arrangeInput, valuesOf } from '../../circuit/encoding.ts'
import type { FloatConv, FloatDense, FloatGraph, FloatNode } from '../graph/floatGraph.ts'

/** Every tensor of the graph, the input first. */
export function runFloat({ input, nodes }: FloatGraph, values: ArrayLike<number>): Float64Array[] {
  const tensors = [arrangeInput(input, values)]
  const shapes: Shape[] = [input.shape]
  for (const node of nodes) {
    const output = runNode(node, tensors, shapes)
    const { clamp } = node
    if (clamp !== undefined)
      for (const [at, x] of output.entries()) output[at] = Math.min(clamp.high, Math.max(clamp.low, x))
    tensors.push(output)
    shapes.push(node.shape)
  }
  return tensors
}

function runNode(node: FloatNode, tensors: readonly Float64Array[], shapes: readonly Shape[]): Float64Array {
  if (node.op === 'combine') return combine(node, tensors, shapes)
  if (node.op === 'contract') return contract(node, tensors, shapes)
  const input = tensors[node.input] as Float64Array
  const shape = shapes[node.input] as Shape
  switch (node.op) {
    case 'dense':
      return multiply(node, input)
    case 'conv':
      return convolve(node, input, shape, node.shape)
    case 'averagePool': {
      const { height, width } = node.window
      const sums = slide(input, shape, node.shape, node.window, NO_PADDING, 0, (sum, x) => sum + x)
      return sums.map((sum) => sum / (height * width))
    }
    case 'maxPool':
      return slide(input, shape, node.shape, node.window, NO_PADDING, Number.NEGATIVE_INFINITY, Math.max)
    case 'map':
      return input.map(node.apply)
    case 'affine':
    case 'clamp':
      throw new TypeError('the graph was not fused')
  }
}

function combine(
  { terms, offsets, shape }: Extract<FloatNode, { op: 'combine' }>,
  tensors: readonly Float64Array[],
  shapes: readonly Shape[],
): Float64Array {
  const sum = new Float64Array(valuesOf(shape))
  if (offsets !== undefined) sum.set(offsets)
  for (const { input, factor } of terms) {
    const values = tensors[input] as Float64Array
    const own = shapes[input] as Shape
    for (let at = 0; at < sum.length; at++) {
      const x = own.width === 1 ? 0 : at % shape.width
      const y = own.height === 1 ? 0 : Math.floor(at / shape.width) % shape.height
      const c = own.channels === 1 ? 0 : Math.floor(at / (shape.width * shape.height))
      sum[at] = (sum[at] as number) + factor * (values[(c * own.height + y) * own.width + x] as number)
    }
  }
  return sum
}

function contract(
  node: Extract<FloatNode, { op: 'contract' }>,
  tensors: readonly Float64Array[],
  shapes: readonly Shape[],
): Float64Array {
  const [left, right] = [node.left, node.right].map(({ input, indices }) => ({
    values: tensors[input] as Float64Array,
    ...stridesAlong(shapes[input] as Shape, indices, node.groups),
  })) as [Operand, Operand]
  const { steps } = stridesAlong(node.shape, node.output, node.groups)
  const sides = new Map([...left.sides, ...right.sides])
  const output = new Float64Array(valuesOf(node.shape))
  const visit = (indices: readonly number[], a: number, b: number, to: number): void => {
    const [index, ...rest] = indices
    if (index === undefined) {
      output[to] =
        (output[to] as number) + node.factor * (left.values[a] as number) * (right.values[b] as number)
      return
    }
    const [da, db, dt] = [left.steps.get(index) ?? 0, right.steps.get(index) ?? 0, steps.get(index) ?? 0]
    for (let at = 0; at < (sides.get(index) as number); at++)
      visit(rest, a + at * da, b + at * db, to + at * dt)
  }
  visit([...sides.keys()], 0, 0, 0)
  return output
}

type Operand = { values: Float64Array; steps: Map<number, number>; sides: Map<number, number> }

/** How far a step of each index goes in a tensor, and how many there are. */
function stridesAlong(shape: Shape, indices: Indices, groups: number) {
  const sides = sidesOf(shape, indices, groups)
  const steps = [sides[1] * sides[2] * sides[3], sides[2] * sides[3], sides[3], 1]
  const along = (list: readonly number[]) =>
    new Map(indices.flatMap((index, axis) => (index === 0 ? [] : [[index, list[axis] as number] as const])))
  return { steps: along(steps), sides: along(sides) }
}

function multiply({ weights, bias, units }: FloatDense, input: Float64Array): Float64Array {
  const output = Float64Array.from(bias)
  for (let unit = 0; unit < units; unit++) {
    const start = unit * input.length
    let sum = 0
    for (let at = 0; at < input.length; at++) sum += (weights[start + at] as number) * (input[at] as number)
    output[unit] = (output[unit] as number) + sum
  }
  return output
}

function convolve(node: FloatConv, input: Float64Array, from: Shape, to: Shape): Float64Array {
  const { window, padding, groups, units, weights } = node
  const [seen, made] = [from.channels / groups, units / groups]
  const [area, image] = [window.height * window.width, to.height * to.width]
  const output = new Float64Array(valuesOf(to))
  for (let unit = 0; unit < units; unit++) {
    output.fill(node.bias[unit] as number, unit * image, (unit + 1) * image)
    for (let channel = 0; channel < seen; channel++) {
      const source = (Math.floor(unit / made) * seen + channel) * from.height * from.width
      for (let tap = 0; tap < area; tap++) {
        const weight = weights[(unit * seen + channel) * area + tap] as number
        if (weight === 0) continue
        const [ky, kx] = [Math.floor(tap / window.width), tap % window.width]
        const firstX = Math.max(0, Math.ceil((padding.left - kx) / window.strideX))
        const lastX = Math.min(
          to.width - 1,
          Math.floor((from.width - 1 + padding.left - kx) / window.strideX),
        )
        for (let y = 0; y < to.height; y++) {
          const fromY = y * window.strideY + ky - padding.top
          if (fromY < 0 || fromY >= from.height) continue
          const row = source + fromY * from.width + kx - padding.left
          for (let x = firstX, at = unit * image + y * to.width + firstX; x <= lastX; x++, at++)
            output[at] = (output[at] as number) + weight * (input[row + x * window.strideX] as number)
        }
      }
    }
  }
  return output
}

function slide(
  input: Float64Array,
  from: Shape,
  to: Shape,
  window: Window,
  padding: Padding,
  start: number,
  join: (a: number, b: number) => number,
): Float64Array {
  const output = new Float64Array(valuesOf(to)).fill(start)
  for (let at = 0; at < output.length; at++) {
    const channel = Math.floor(at / (to.height * to.width))
    const [y, x] = [Math.floor(at / to.width) % to.height, at % to.width]
    for (let ky = 0; ky < window.height; ky++)
      for (let kx = 0; kx < window.width; kx++) {
        const fromY = y * window.strideY + ky - padding.top
        const fromX = x * window.strideX + kx - padding.left
        const value = input[(channel * from.height + fromY) * from.width + fromX] as number
        output[at] = join(output[at] as number, value)
      }
  }
  return output
}
