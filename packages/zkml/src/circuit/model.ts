/** A model with its weights, laid out as the commitment wants them: all int8, every side padded to a power of two. */
import { ZkmlError } from '../errors.ts'
import {
  type Architecture,
  type Conv2d,
  channelsSeen,
  type Dense,
  type Node,
  type Requantise,
} from './architecture.ts'
import { checkArchitecture, pad, type Tensor } from './checkArchitecture.ts'
import { BIAS_DIGITS, type NodePlan, type Plan, type WeightBlock } from './plan.ts'
import { planCircuit } from './planCircuit.ts'
import {
  farthest,
  largestWithoutWeights,
  MAX_ACCUMULATOR,
  MAX_DECOMPOSITION_BITS,
  MAX_REACH,
  neededReach,
} from './reach.ts'

/** Weights and biases of one dense or convolution node, in the order unit, channel, row, column. */
export type Parameters = { weights: Int8Array; bias: Int32Array }

export type Model = {
  plan: Plan
  /** One entry a node; undefined where a node has no weights. */
  parameters: readonly (Parameters | undefined)[]
  /** The committed values, as the plan's weight blocks lie. */
  layout: Int8Array
}

/** An architecture whose requantisations do not yet know how far their targets reach. */
type Draft<T> = T extends { requantise: infer R }
  ? Omit<T, 'requantise'> & { requantise: R extends Requantise ? Omit<R, 'reach'> : R }
  : T
export type NodeDraft = Draft<Node>
export type ArchitectureDraft = Omit<Architecture, 'nodes'> & { nodes: readonly NodeDraft[] }

/**
 * Completes an architecture with the reach of every requantisation, worst case over all int8 inputs, and lays its
 * weights out. @throws ZkmlError bad_architecture, or bad_model where weights have the wrong size or an accumulator
 * could leave the range in which field arithmetic is integer arithmetic
 */
export function makeModel(draft: ArchitectureDraft, parameters: readonly (Parameters | undefined)[]): Model {
  // A first pass, all reaches unknown, gives the tensors, on which the bounds depend.
  const guess = { ...draft, nodes: draft.nodes.map((node) => withReach(node, 8)) }
  const tensors = checkArchitecture(guess, 'reaches unknown')
  const nodes = draft.nodes.map((node, index) => {
    const complete = guess.nodes[index] as Node
    checkParameters(complete, tensors, index, parameters[index])
    return withReach(node, reachOf(complete, tensors, index, parameters[index]))
  })
  const plan = planCircuit({ ...draft, nodes })
  const layout = new Int8Array(plan.weights.rows * 2 ** plan.weights.rowBits)
  for (const [index, node] of plan.nodes.entries()) {
    const own = parameters[index]
    if (own !== undefined) layOutNode(layout, node, own)
  }
  return { plan, parameters, layout }
}

function withReach(node: NodeDraft, reach: number): Node {
  if (!('requantise' in node) || node.requantise === null) return node as Node
  return { ...node, requantise: { ...node.requantise, reach } } as Node
}

/** Sides of a node's weights: units × (channels × height × width); undefined where it has none. */
export function weightSides(
  node: Node,
  tensors: readonly Tensor[],
): { units: number; patch: number } | undefined {
  if (node.op !== 'dense' && node.op !== 'conv2d') return undefined
  const { channels, height, width } = tensors[node.input] as Tensor
  if (node.op === 'dense') return { units: node.units, patch: channels * height * width }
  const seen = channelsSeen(node, { channels, height, width })
  return { units: node.channels, patch: seen * node.window.height * node.window.width }
}

function checkParameters(
  node: Node,
  tensors: readonly Tensor[],
  index: number,
  own: Parameters | undefined,
): void {
  const sides = weightSides(node, tensors)
  const wanted = sides === undefined ? 0 : sides.units * sides.patch
  const found = own?.weights.length ?? 0
  if (wanted !== found || (own?.bias.length ?? 0) !== (sides?.units ?? 0))
    throw new ZkmlError('bad_model', 'a node has weights of the wrong size', {
      node: index,
      wanted,
      found,
      biases: own?.bias.length ?? 0,
    })
}

/** Largest |accumulator| over all int8 inputs. */
function largestAccumulator(node: Node, tensors: readonly Tensor[], own: Parameters | undefined): number {
  if (node.op === 'maxPool' || node.op === 'map') return 0
  if (node.op === 'combine' || node.op === 'sumPool' || node.op === 'contract')
    return largestWithoutWeights(node, tensors)
  const { weights, bias } = own as Parameters
  const patch = weights.length / bias.length
  const reach = farthest(tensors[node.input] as Tensor)
  let largest = 0
  for (const [unit, start] of bias.entries()) {
    let weight = 0
    for (let at = unit * patch; at < (unit + 1) * patch; at++) weight += Math.abs(weights[at] as number)
    const multiplier = (node as Dense | Conv2d).multipliers?.[unit] ?? 1
    largest = Math.max(largest, multiplier * (Math.abs(start) + weight * reach))
  }
  return largest
}

function reachOf(node: Node, tensors: readonly Tensor[], index: number, own: Parameters | undefined): number {
  const largest = largestAccumulator(node, tensors, own)
  if (largest > MAX_ACCUMULATOR)
    throw new ZkmlError('bad_model', 'an accumulator could leave the field', { node: index, largest })
  if (!('requantise' in node) || node.requantise === null) return 8
  const reach = neededReach(node.requantise, largest)
  const { multiplier, shift } = node.requantise
  if (shift + reach > MAX_DECOMPOSITION_BITS || reach > MAX_REACH)
    throw new ZkmlError(
      'bad_model',
      'an accumulator times its multiplier could leave the field',
      { node: index, largest, multiplier, shift, reach },
      'use a smaller multiplier with a smaller shift, or split the layer',
    )
  return reach
}

function layOutNode(layout: Int8Array, node: NodePlan, { weights, bias }: Parameters): void {
  const matrix = node.weights as WeightBlock
  const channels = node.node.op === 'conv2d' ? channelsSeen(node.node, node.input) : node.input.channels
  const patch = weights.length / bias.length
  const window = node.node.op === 'conv2d' ? node.node.window : node.input
  const padded = [pad(window.height), pad(window.width)] as const
  for (let unit = 0; unit < bias.length; unit++) {
    let from = unit * patch
    const row = matrix.offset + unit * 2 ** matrix.lowBits
    for (let c = 0; c < channels; c++) {
      for (let y = 0; y < window.height; y++) {
        const to = row + (c * padded[0] + y) * padded[1]
        for (let x = 0; x < window.width; x++) layout[to + x] = weights[from++] as number
      }
    }
  }
  const digits = node.bias as WeightBlock
  for (const [unit, value] of bias.entries()) {
    for (const [at, digit] of balancedDigits(value).entries())
      layout[digits.offset + unit * BIAS_DIGITS + at] = digit
  }
}

/** Digits in −128 … 127 with Σ digit·256^i = value. @throws ZkmlError bad_model past the largest four such digits */
function balancedDigits(value: number): number[] {
  const digits: number[] = []
  let rest = value
  for (let at = 0; at < BIAS_DIGITS; at++) {
    const digit = (rest << 24) >> 24
    digits.push(digit)
    rest = (rest - digit) / 256
  }
  if (rest !== 0) throw new ZkmlError('bad_model', 'a bias is too large for its digits', { value })
  return digits
}
