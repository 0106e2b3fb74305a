/** Accumulators at the row, without columns of their own. */

import type { NodePlan, ValueIndex } from '../../circuit/plan.ts'
import { ZkmlError } from '../../errors.ts'
import { inverse } from '../../field/babyBear.ts'
import type { Ext } from '../../field/extension.ts'
import * as ext from '../../field/extension.ts'

/**
 * The accumulator at the row: the public output, or (remainder + 2^shift·(target − zeroPoint) − 2^(shift−1)) over the
 * multiplier, which is linear in the committed columns and so needs no column of its own.
 */
export function accumulatorAt({ accumulator }: NodePlan, evaluations: readonly (Ext | undefined)[]): Ext {
  if (accumulator === undefined)
    throw new ZkmlError('bad_architecture', 'a node without sums has no accumulator')
  if (accumulator.kind === 'output') return evaluations[accumulator.value] as Ext
  const { multiplier, shift, zeroPoint } = accumulator.requantise
  const scaled = (value: ValueIndex, factor: number) =>
    ext.scale(evaluations[value] as Ext, ext.fromInteger(factor)[0])
  let total = scaled(accumulator.target, 2 ** shift)
  total = ext.sub(total, ext.fromInteger(2 ** shift * zeroPoint + roundingTerm(shift)))
  let weight = 1
  for (const limb of accumulator.limbs) {
    total = ext.add(total, scaled(limb.value, weight))
    weight *= 2 ** limb.bits
  }
  return ext.scale(total, inverse(multiplier))
}

/** Half of the divisor, so that flooring rounds half up; nothing where nothing is divided. */
export function roundingTerm(shift: number): number {
  return shift === 0 ? 0 : 2 ** (shift - 1)
}
