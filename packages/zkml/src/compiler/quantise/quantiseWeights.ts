/**
 * Weights to int8 with a scale a channel. A channel's accumulator counts in steps of (input scale · weight scale); its
 * multiplier m over 2^shift turns them into steps of the output. Since m is an integer, the weight scale is chosen so that
 *   input scale · weight scale / output scale = m / 2^shift
 * holds exactly, m rounded up from where the largest weight would be 127: no error of scales is left, and the price is at
 * most 1/m of a weight's resolution.
 */

import type { Range } from '../../circuit/encoding.ts'
import type { Parameters } from '../../circuit/model.ts'
import {
  farthest,
  MAX_ACCUMULATOR,
  MAX_DECOMPOSITION_BITS,
  MAX_REACH,
  neededReach,
} from '../../circuit/reach.ts'
import { ZkmlError } from '../../errors.ts'

export type FloatWeights = {
  name: string
  op: string
  units: number
  weights: Float32Array
  bias: Float32Array
}

export type QuantisedWeights = Parameters & {
  multipliers: number[]
  shift: number
  /** Value of one step of each unit's accumulator, before its multiplier. */
  stepOf: (unit: number) => number
}

/** The largest multiplier that is aimed for: 1/64 of a weight's resolution, and a shift that is no longer than needed. */
const FINE_MULTIPLIER = 64

/** Largest |weight| of each unit. */
function largestWeights({ weights, units }: FloatWeights): number[] {
  const patch = weights.length / units
  return Array.from({ length: units }, (_, unit) => {
    let largest = 0
    for (let at = unit * patch; at < (unit + 1) * patch; at++)
      largest = Math.max(largest, Math.abs(weights[at] as number))
    return largest
  })
}

/**
 * The output's range, made wider where calibration saw next to nothing of what the weights can reach (a unit that is always
 * off, say): a step is at least 2^−16 of the largest output, which is what the field can tell apart.
 */
export function reachableRange({ weights, bias, units }: FloatWeights, input: Range, output: Range): Range {
  const patch = weights.length / units
  let largest = 0
  for (let unit = 0; unit < units; unit++) {
    let sum = 0
    for (let at = unit * patch; at < (unit + 1) * patch; at++) sum += Math.abs(weights[at] as number)
    largest = Math.max(largest, sum * input.scale * farthest(input) + Math.abs(bias[unit] as number))
  }
  return { ...output, scale: Math.max(output.scale, largest / 2 ** 16) }
}

/** @throws ZkmlError cannot_compile where no shift keeps the accumulators within the field */
export function quantiseWeights(node: FloatWeights, input: Range, output: Range): QuantisedWeights {
  const ratios = largestWeights(node).map((largest) => (input.scale * (largest / 127)) / output.scale)
  const widest = Math.max(...ratios)
  const wanted = widest === 0 ? 0 : Math.ceil(Math.log2(FINE_MULTIPLIER / widest))
  for (let shift = Math.max(0, Math.min(24, wanted)); shift >= 0; shift--) {
    const multipliers = ratios.map((ratio) => Math.max(1, Math.ceil(ratio * 2 ** shift)))
    const stepOf = (unit: number) => ((multipliers[unit] as number) * output.scale) / 2 ** shift
    const scaled = roundWeights(node, input, (unit) => stepOf(unit) / input.scale)
    if (fits(scaled, multipliers, shift, input, output)) return { ...scaled, multipliers, shift, stepOf }
  }
  throw new ZkmlError(
    'cannot_compile',
    `node ${node.name} (${node.op}) has outputs that can exceed their calibrated range too far for the field`,
    { largestWeight: Math.max(...largestWeights(node)), outputScale: output.scale },
    'calibrate on data with the outputs that occur in use, or train with weight decay',
  )
}

/** One scale for all units, and no multiplier: what an output of accumulators has, so that they can be compared. */
export function quantiseLogits(node: FloatWeights, input: Range): Parameters & { step: number } {
  const scale = Math.max(...largestWeights(node)) / 127 || 1
  const { weights, bias } = roundWeights(node, input, () => scale)
  return { weights, bias, step: scale * input.scale }
}

function roundWeights(
  { weights, bias, units }: FloatWeights,
  input: Range,
  scaleOf: (unit: number) => number,
): Parameters {
  const patch = weights.length / units
  const rounded = new Int8Array(weights.length)
  const biases = new Int32Array(units)
  for (let unit = 0; unit < units; unit++) {
    const scale = scaleOf(unit)
    for (let at = unit * patch; at < (unit + 1) * patch; at++)
      rounded[at] = Math.max(-127, Math.min(127, Math.round((weights[at] as number) / scale)))
    const steps = Math.round((bias[unit] as number) / (scale * input.scale))
    biases[unit] = Math.max(-MAX_ACCUMULATOR, Math.min(MAX_ACCUMULATOR, steps))
  }
  return { weights: rounded, bias: biases }
}

/** The rules that `makeModel` enforces, over all int8 inputs. */
function fits(
  { weights, bias }: Parameters,
  multipliers: readonly number[],
  shift: number,
  input: Range,
  output: Range,
): boolean {
  if (multipliers.some((multiplier) => multiplier > 2 ** 15)) return false
  const patch = weights.length / bias.length
  let largest = 0
  for (const [unit, start] of bias.entries()) {
    let sum = 0
    for (let at = unit * patch; at < (unit + 1) * patch; at++) sum += Math.abs(weights[at] as number)
    largest = Math.max(largest, (multipliers[unit] as number) * (Math.abs(start) + sum * farthest(input)))
  }
  const reach = neededReach(
    { multiplier: 1, shift, zeroPoint: output.zeroPoint, low: -128, high: 127 },
    largest,
  )
  return largest <= MAX_ACCUMULATOR && reach <= MAX_REACH && shift + reach <= MAX_DECOMPOSITION_BITS
}
