/** Combinations of tensors. */

import type { NodePlan, ValueIndex } from '../../circuit/plan.ts'
import { ZkmlError } from '../../errors.ts'
import type { Ext } from '../../field/extension.ts'
import * as ext from '../../field/extension.ts'
import { accumulatorAt } from './accumulator.ts'
import type { RowContext } from './rowContext.ts'

/** A combination of tensors of one shape holds row by row: nothing is left to reduce. */
export function verifyCombine({ plan, evaluations }: RowContext, planned: NodePlan): void {
  if (planned.node.op !== 'combine') return
  let sum = ext.ZERO
  for (const { input, multiplier } of planned.node.terms) {
    const value = evaluations[plan.tensorValues[input] as ValueIndex] as Ext
    const centred = ext.sub(value, ext.fromInteger(plan.tensors[input]?.zeroPoint ?? 0))
    sum = ext.add(sum, ext.scale(centred, ext.fromInteger(multiplier)[0]))
  }
  if (!ext.equals(sum, accumulatorAt(planned, evaluations)))
    throw new ZkmlError('invalid_proof', 'a combination does not match its terms')
}
