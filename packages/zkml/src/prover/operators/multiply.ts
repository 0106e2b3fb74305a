/** Dense layers on integers. */

import type { Node } from '../../circuit/architecture.ts'
import type { Model } from '../../circuit/model.ts'
import { BIAS_DIGITS, type NodePlan, type WeightBlock } from '../../circuit/plan.ts'

export function multiply(model: Model, planned: NodePlan, input: Int32Array): Int32Array {
  const { weights, bias } = planned as { weights: WeightBlock; bias: WeightBlock }
  const accumulators = biases(model, bias)
  const centred = Int16Array.from(input, (x) => x - planned.input.zeroPoint)
  const { units, multipliers } = planned.node as Extract<Node, { op: 'dense' }>
  for (let unit = 0; unit < units; unit++) {
    const start = weights.offset + unit * centred.length
    let sum = 0
    for (let j = 0; j < centred.length; j++)
      sum += (model.layout[start + j] as number) * (centred[j] as number)
    accumulators[unit] = (multipliers?.[unit] ?? 1) * ((accumulators[unit] as number) + sum)
  }
  return accumulators
}

export function biases({ layout }: Model, { highBits, offset }: WeightBlock): Int32Array {
  return Int32Array.from({ length: 2 ** highBits }, (_, unit) => {
    let value = 0
    for (let digit = BIAS_DIGITS - 1; digit >= 0; digit--)
      value = value * 256 + (layout[offset + unit * BIAS_DIGITS + digit] as number)
    return value
  })
}
