/** From a fused float graph and the ranges of its tensors to an architecture with int8 weights. */
import type { TensorIndex } from '../../circuit/architecture.ts'
import { pad } from '../../circuit/checkArchitecture.ts'
import type { Range } from '../../circuit/encoding.ts'
import type { ArchitectureDraft, NodeDraft, Parameters } from '../../circuit/model.ts'
import {
  farthest,
  MAX_ACCUMULATOR,
  MAX_DECOMPOSITION_BITS,
  MAX_REACH,
  neededReach,
} from '../../circuit/reach.ts'
import { ZkmlError } from '../../errors.ts'
import type { FloatConv, FloatGraph, FloatNode } from '../graph/floatGraph.ts'
import { quantiseLogits, quantiseWeights, reachableRange } from './quantiseWeights.ts'

export type Quantised = {
  draft: ArchitectureDraft
  parameters: (Parameters | undefined)[]
  input: Range
  /** What one step of the output is worth, and where zero lies. */
  output: Range
}

/** @throws ZkmlError cannot_compile */
export function quantise({ input, nodes }: FloatGraph, calibrated: readonly Range[]): Quantised {
  const ranges: Range[] = [calibrated[0] as Range]
  const parameters: (Parameters | undefined)[] = []
  // A proof needs a lookup somewhere: a single layer requantises its output, every other network leaves accumulators.
  const looksUp = nodes.slice(0, -1).length > 0
  const drafts = nodes.map((node, index): NodeDraft => {
    const wanted = calibrated[index + 1] as Range
    const isOutput = index === nodes.length - 1 && node.clamp === undefined && looksUp
    const { draft, own, range } = quantiseNode(node, ranges, wanted, isOutput)
    parameters.push(own)
    ranges.push(range)
    return draft
  })
  const own = ranges[0] as Range
  return {
    draft: { input: { ...input.shape, zeroPoint: own.zeroPoint }, nodes: drafts },
    parameters,
    input: own,
    output: ranges.at(-1) as Range,
  }
}

type QuantisedNode = { draft: NodeDraft; own: Parameters | undefined; range: Range }

function quantiseNode(
  node: FloatNode,
  ranges: readonly Range[],
  wanted: Range,
  isOutput: boolean,
): QuantisedNode {
  switch (node.op) {
    case 'dense': {
      const input = node.input as TensorIndex
      if (isOutput) {
        const { step, weights, bias } = quantiseLogits(node, ranges[input] as Range)
        const draft = { op: 'dense', input, units: node.units, requantise: null } as const
        return { draft, own: { weights, bias }, range: { scale: step, zeroPoint: 0 } }
      }
      const source = ranges[input] as Range
      const range = reachableRange(node, source, wanted)
      const { weights, bias, multipliers, shift } = quantiseWeights(node, source, range)
      const requantise = { multiplier: 1, shift, ...bounds(node, range) }
      const draft = { op: 'dense', input, units: node.units, multipliers, requantise } as const
      return { draft, own: { weights, bias }, range }
    }
    case 'conv': {
      const { input, window, padding } = node
      const source = ranges[input] as Range
      const range = reachableRange(node, source, wanted)
      const { weights, bias, multipliers, shift } = quantiseWeights(node, source, range)
      const requantise = { multiplier: 1, shift, ...bounds(node, range) }
      const shape = { op: 'conv2d', input, channels: node.units, window, padding } as const
      const own = { weights, bias }
      const [seen, made] = [
        weights.length / (node.units * window.height * window.width),
        node.units / node.groups,
      ]
      if (node.groups === 1) return { draft: { ...shape, multipliers, requantise }, own, range }
      if (pad(seen) === seen && pad(made) === made)
        return { draft: { ...shape, groups: node.groups, multipliers, requantise }, own, range }
      const spread = { weights: spreadGroups(node, weights, seen), bias }
      return { draft: { ...shape, multipliers, requantise }, own: spread, range }
    }
    case 'averagePool': {
      const { input, window } = node
      const source = ranges[input] as Range
      const count = window.height * window.width
      // The output's scale gives way, so that the division is exact: a multiplier rounded down makes the range no smaller.
      const ratio = source.scale / (Math.max(wanted.scale, source.scale / FINEST) * count)
      const shift = Math.max(0, Math.min(18, Math.ceil(Math.log2(512 / ratio))))
      const multiplier = Math.min(2 ** 15, Math.max(1, Math.floor(ratio * 2 ** shift)))
      const range = { ...wanted, scale: (source.scale * 2 ** shift) / (multiplier * count) }
      const requantise = { multiplier, shift, ...bounds(node, range) }
      return { draft: { op: 'sumPool', input, window, requantise }, own: undefined, range }
    }
    case 'maxPool': {
      const { input, window } = node
      return { draft: { op: 'maxPool', input, window }, own: undefined, range: ranges[input] as Range }
    }
    case 'map':
      return quantiseMap(node, ranges[node.input] as Range, wanted)
    case 'combine':
      return quantiseSum(node, ranges, wanted)
    case 'contract':
      return quantiseProduct(node, ranges, wanted)
    case 'affine':
    case 'clamp':
      throw new TypeError('the graph was not fused')
  }
}

/** Zero point and bounds of a requantisation: the clamp, in steps of the range. */
function bounds({ clamp }: FloatNode, { scale, zeroPoint }: Range) {
  const step = (x: number, open: number) =>
    Number.isFinite(x) ? Math.max(-128, Math.min(127, Math.round(x / scale) + zeroPoint)) : open
  return { zeroPoint, low: step(clamp?.low ?? -Infinity, -128), high: step(clamp?.high ?? Infinity, 127) }
}

/** Weights of all channels in for groups that the circuit cannot take: zeros where a group does not look. */
function spreadGroups({ units, groups, window }: FloatConv, weights: Int8Array, seen: number): Int8Array {
  const area = window.height * window.width
  const spread = new Int8Array(units * seen * groups * area)
  const made = units / groups
  for (let unit = 0; unit < units; unit++) {
    const own = weights.subarray(unit * seen * area, (unit + 1) * seen * area)
    spread.set(own, (unit * seen * groups + Math.floor(unit / made) * seen) * area)
  }
  return spread
}

/** The function at each of the input's 256 values, in steps of the output. */
function quantiseMap(node: Extract<FloatNode, { op: 'map' }>, source: Range, wanted: Range): QuantisedNode {
  const { zeroPoint, low, high } = bounds(node, wanted)
  const values = Array.from({ length: 256 }, (_, at) => {
    const y = node.apply(source.scale * (at - 128 - source.zeroPoint))
    if (Number.isNaN(y))
      throw new ZkmlError(
        'cannot_compile',
        `node ${node.name} is a function that is not defined everywhere in its input's range`,
        { from: source.scale * (-128 - source.zeroPoint), to: source.scale * (127 - source.zeroPoint) },
        'clip its input to where it is defined',
      )
    return Math.min(high, Math.max(low, Math.round(y / wanted.scale) + zeroPoint))
  })
  return { draft: { op: 'map', input: node.input, zeroPoint, values }, own: undefined, range: wanted }
}

/**
 * The product of two tensors' steps is worth factor·scale·scale; the output's scale gives way to a whole number of it over
 * a power of two, so that no error of scales is left.
 */
function quantiseProduct(
  node: Extract<FloatNode, { op: 'contract' }>,
  ranges: readonly Range[],
  calibrated: Range,
): QuantisedNode {
  const [left, right] = [ranges[node.left.input] as Range, ranges[node.right.input] as Range]
  const step = node.factor * left.scale * right.scale
  const largest = node.terms * farthest(left) * farthest(right)
  // A range too fine for the field is made wider, as it is for weights.
  const wanted = { ...calibrated, scale: Math.max(calibrated.scale, (step * largest) / 2 ** 16) }
  for (let shift = 24; shift >= 0; shift--) {
    const multiplier = Math.floor((step / wanted.scale) * 2 ** shift)
    if (multiplier < 1) break
    const range = { ...wanted, scale: (step * 2 ** shift) / multiplier }
    const requantise = { multiplier, shift, ...bounds(node, range) }
    const reach = neededReach(requantise, largest)
    if (multiplier > 2 ** 15 || largest > MAX_ACCUMULATOR) continue
    if (reach > MAX_REACH || shift + reach > MAX_DECOMPOSITION_BITS) continue
    const { groups, left, right, output } = node
    return { draft: { op: 'contract', groups, left, right, output, requantise }, own: undefined, range }
  }
  throw new ZkmlError(
    'cannot_compile',
    `node ${node.name} (contract) sums more products than the field holds`,
    { products: node.terms, scales: `${left.scale}, ${right.scale}`, output: wanted.scale },
    'split the sum: fewer tokens, or smaller heads',
  )
}

/** Output steps in one step of an input: a range so narrow that there were more is noise, and saturates anyway. */
const FINEST = 256

/** Each term's scale over the output's, in steps of 2^−shift. */
function quantiseSum(
  node: Extract<FloatNode, { op: 'combine' }>,
  ranges: readonly Range[],
  calibrated: Range,
): QuantisedNode {
  const steps = node.terms.map(({ input, factor }) => Math.abs(factor) * (ranges[input] as Range).scale)
  const wanted = { ...calibrated, scale: Math.max(calibrated.scale, Math.max(...steps) / FINEST) }
  for (let shift = 18; shift >= 0; shift--) {
    const terms = node.terms.map(({ input, factor }) => ({
      input,
      multiplier: Math.round(((factor * (ranges[input] as Range).scale) / wanted.scale) * 2 ** shift) + 0,
    }))
    const requantise = { multiplier: 1, shift, ...bounds(node, wanted) }
    const offsets =
      node.offsets && Array.from(node.offsets, (x) => Math.round((x / wanted.scale) * 2 ** shift) + 0)
    const offset = (offsets ?? []).reduce((most, x) => Math.max(most, Math.abs(x)), 0)
    const largest = terms.reduce((sum, { multiplier }) => sum + Math.abs(multiplier) * 255, offset)
    const small = terms.every(({ multiplier }) => Math.abs(multiplier) <= 2 ** 20)
    const fits =
      largest <= MAX_ACCUMULATOR && shift + neededReach(requantise, largest) <= MAX_DECOMPOSITION_BITS
    if (small && fits)
      return { draft: { op: 'combine', terms, offsets, requantise }, own: undefined, range: wanted }
  }
  throw new ZkmlError(
    'cannot_compile',
    `node ${node.name} (combine) adds tensors whose scales differ too much`,
    { scales: node.terms.map(({ input }) => ranges[input]?.scale).join(', '), output: wanted.scale },
    'normalise the branches before they are added',
  )
}
