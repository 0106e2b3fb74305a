/** The rules an architecture keeps. Everything behind this check may index without looking. */
import {
  type Architecture,
  type Conv2d,
  channelsSeen,
  inputsOf,
  type Multipliers,
  type Node,
  type Requantise,
  type Shape,
  type Window,
} from './architecture.ts'
import { contractedShape } from './checkContract.ts'
import { fail, integer } from './checks.ts'
import {
  largestWithoutWeights,
  MAX_ACCUMULATOR,
  MAX_DECOMPOSITION_BITS,
  MAX_REACH,
  neededReach,
} from './reach.ts'

export const LIMITS = {
  nodes: 256,
  /** Values of one tensor, padded. */
  tensor: 2 ** 22,
  /** Weights of one node, padded. */
  weights: 2 ** 26,
  side: 4096,
  window: 16,
  terms: 8,
  /** Offsets of one combination. */
  offsets: 2 ** 16,
  /** Units of one node that have multipliers. */
  multipliers: 2 ** 16,
} as const

/** A tensor of the circuit: its shape, and the zero point of its int8 values. */
export type Tensor = Shape & { zeroPoint: number }

function checkShape(shape: Shape, facts: Record<string, unknown>): void {
  integer('channels', shape.channels, 1, LIMITS.tensor, facts)
  integer('height', shape.height, 1, LIMITS.side, facts)
  integer('width', shape.width, 1, LIMITS.side, facts)
  const padded = [shape.channels, shape.height, shape.width].reduce((size, side) => size * pad(side), 1)
  if (padded > LIMITS.tensor)
    fail(`a tensor holds at most ${LIMITS.tensor} values, padded`, { ...facts, padded })
}

function checkRequantise(requantise: Requantise, facts: Record<string, unknown>): void {
  const { multiplier, shift, zeroPoint, low, high, reach } = requantise
  integer('multiplier', multiplier, 1, 2 ** 15, facts)
  integer('shift', shift, 0, 24, facts)
  integer('zeroPoint', zeroPoint, -128, 127, facts)
  integer('low', low, -128, 127, facts)
  integer('high', high, low, 127, facts)
  integer('reach', reach, 8, MAX_REACH, facts)
  // The decomposition 2^shift·(target − zeroPoint) + remainder then spans less than p/2 on either side of zero: it is
  // unique modulo p. See docs/zkml.md, "Requantisation".
  if (shift + reach > MAX_DECOMPOSITION_BITS)
    fail(`shift + reach must not exceed ${MAX_DECOMPOSITION_BITS}`, { ...facts, shift, reach })
}

function checkWindow(window: Window, facts: Record<string, unknown>): void {
  integer('window.height', window.height, 1, LIMITS.side, facts)
  integer('window.width', window.width, 1, LIMITS.side, facts)
  integer('window.strideY', window.strideY, 1, LIMITS.side, facts)
  integer('window.strideX', window.strideX, 1, LIMITS.side, facts)
}

/** Channels of a group are powers of two, so that a channel's index is its group's and its own, bit beside bit. */
function checkGroups(node: Conv2d, input: Shape, facts: Record<string, unknown>): void {
  if (node.groups === undefined) return
  integer('groups', node.groups, 2, LIMITS.tensor, facts)
  for (const channels of [input.channels, node.channels]) {
    const each = channels / node.groups
    if (!Number.isInteger(each) || each !== pad(each))
      fail('a group must have a power of two of channels', { ...facts, groups: node.groups, channels })
  }
}

function checkMultipliers(
  multipliers: Multipliers | undefined,
  units: number,
  facts: Record<string, unknown>,
): void {
  if (multipliers === undefined) return
  if (multipliers.length !== units || units > LIMITS.multipliers)
    fail(`there must be one multiplier a unit, for at most ${LIMITS.multipliers} units`, {
      ...facts,
      units,
      multipliers: multipliers.length,
    })
  for (const multiplier of multipliers) integer('multiplier', multiplier, 1, 2 ** 15, facts)
}

function checkOffsets(
  offsets: readonly number[] | undefined,
  { channels, height, width }: Shape,
  facts: Record<string, unknown>,
): void {
  if (offsets === undefined) return
  if (offsets.length !== channels * height * width || offsets.length > LIMITS.offsets)
    fail(`there must be one offset a value, for at most ${LIMITS.offsets} values`, {
      ...facts,
      offsets: offsets.length,
    })
  for (const offset of offsets) integer('offset', offset, -MAX_ACCUMULATOR, MAX_ACCUMULATOR, facts)
}

/** Positions of a window along one side; refuses a window that fits nowhere. */
function positions(side: number, window: number, stride: number, facts: Record<string, unknown>): number {
  if (window > side) fail('the window is larger than the padded input', { ...facts, side, window })
  return Math.floor((side - window) / stride) + 1
}

function outputOf(node: Node, tensors: readonly Tensor[], facts: Record<string, unknown>): Tensor {
  const input = tensors[inputsOf(node)[0] as number] as Tensor
  switch (node.op) {
    case 'dense': {
      integer('units', node.units, 1, LIMITS.tensor, facts)
      checkMultipliers(node.multipliers, node.units, facts)
      return { channels: node.units, height: 1, width: 1, zeroPoint: node.requantise?.zeroPoint ?? 0 }
    }
    case 'conv2d': {
      const { window, padding } = node
      checkWindow(window, facts)
      if (window.height > LIMITS.window || window.width > LIMITS.window)
        fail(`a convolution window has sides of at most ${LIMITS.window}`, facts)
      for (const side of ['top', 'left', 'bottom', 'right'] as const)
        integer(`padding.${side}`, padding[side], 0, LIMITS.window - 1, facts)
      integer('channels', node.channels, 1, LIMITS.tensor, facts)
      checkGroups(node, input, facts)
      checkMultipliers(node.multipliers, node.channels, facts)
      const height = input.height + padding.top + padding.bottom
      const width = input.width + padding.left + padding.right
      return {
        channels: node.channels,
        height: positions(height, window.height, window.strideY, facts),
        width: positions(width, window.width, window.strideX, facts),
        zeroPoint: node.requantise?.zeroPoint ?? 0,
      }
    }
    case 'sumPool':
    case 'maxPool': {
      checkWindow(node.window, facts)
      if (node.op === 'maxPool')
        integer(
          'values of a max-pooling window',
          node.window.height * node.window.width,
          2,
          LIMITS.window,
          facts,
        )
      return {
        channels: input.channels,
        height: positions(input.height, node.window.height, node.window.strideY, facts),
        width: positions(input.width, node.window.width, node.window.strideX, facts),
        zeroPoint: node.op === 'maxPool' ? input.zeroPoint : node.requantise.zeroPoint,
      }
    }
    case 'map': {
      integer('zeroPoint', node.zeroPoint, -128, 127, facts)
      if (node.values.length !== 256) fail('a map has 256 values', { ...facts, values: node.values.length })
      for (const value of node.values) integer('value', value, -128, 127, facts)
      return { ...input, zeroPoint: node.zeroPoint }
    }
    case 'combine': {
      integer('terms', node.terms.length, 1, LIMITS.terms, facts)
      for (const term of node.terms) {
        integer('multiplier', term.multiplier, -(2 ** 20), 2 ** 20, facts)
        const other = tensors[term.input] as Tensor
        const fits = (['channels', 'height', 'width'] as const).every(
          (side) => other[side] === input[side] || other[side] === 1,
        )
        if (!fits) fail('combined tensors must have the shape of the first, or sides of 1', facts)
      }
      checkOffsets(node.offsets, input, facts)
      return { ...input, zeroPoint: node.requantise.zeroPoint }
    }
    case 'contract': {
      const shape = contractedShape(node, tensors, facts)
      return { ...shape, zeroPoint: node.requantise.zeroPoint }
    }
  }
}

/** Weights of a node, padded. */
function weightsOf(node: Node, tensors: readonly Tensor[]): number {
  if (node.op === 'dense') return pad(node.units) * layoutSize(tensors[node.input] as Tensor)
  if (node.op !== 'conv2d') return 0
  const patch = { ...node.window, channels: channelsSeen(node, tensors[node.input] as Tensor) }
  return pad(node.channels) * layoutSize(patch)
}

/** A node without weights must reach as far as its inputs can drive it; with weights, `makeModel` sees to it. */
function checkReach(node: Node, tensors: readonly Tensor[], facts: Record<string, unknown>): void {
  if (node.op !== 'combine' && node.op !== 'sumPool' && node.op !== 'contract') return
  const largest = largestWithoutWeights(node, tensors)
  const needed = neededReach(node.requantise, largest)
  if (largest > MAX_ACCUMULATOR) fail('an accumulator could leave the field', { ...facts, largest })
  if (node.requantise.reach < needed)
    fail('the reach is smaller than the inputs can drive the target', { ...facts, needed })
}

/**
 * Checks every rule and gives the tensors, the input first. Whoever is still to compute the reaches says so.
 * @throws ZkmlError bad_architecture
 */
export function checkArchitecture(architecture: Architecture, reaches?: 'reaches unknown'): Tensor[] {
  const { input, nodes } = architecture
  checkShape(input, { tensor: 0 })
  integer('zeroPoint', input.zeroPoint, -128, 127, { tensor: 0 })
  integer('nodes', nodes.length, 1, LIMITS.nodes, {})
  const tensors: Tensor[] = [input]
  const read = new Set<number>()
  for (const [index, node] of nodes.entries()) {
    const facts = { node: index, op: node.op }
    for (const tensor of inputsOf(node)) {
      integer('input', tensor, 0, index, facts)
      read.add(tensor)
      const source = nodes[tensor - 1]
      if (source !== undefined && 'requantise' in source && source.requantise === null)
        fail('an accumulator can only be the output', facts)
    }
    if ('requantise' in node && node.requantise !== null) checkRequantise(node.requantise, facts)
    const output = outputOf(node, tensors, facts)
    checkShape(output, facts)
    if (weightsOf(node, tensors) > LIMITS.weights)
      fail(`a node holds at most ${LIMITS.weights} weights, padded`, facts)
    if (reaches === undefined) checkReach(node, tensors, facts)
    tensors.push(output)
  }
  for (let tensor = 0; tensor < nodes.length; tensor++)
    if (!read.has(tensor)) fail('every tensor but the last must be read by a node', { tensor })
  if (read.has(nodes.length)) fail('the last node must not be read', {})
  return tensors
}

/** Smallest power of two not below a side. */
export function pad(side: number): number {
  return 2 ** Math.ceil(Math.log2(side))
}

/** Values of a tensor when each side is padded to a power of two. */
export function layoutSize(shape: Shape): number {
  return pad(shape.channels) * pad(shape.height) * pad(shape.width)
}
