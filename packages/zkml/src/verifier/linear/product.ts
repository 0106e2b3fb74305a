/** Dense layers, and the products inside convolutions: Thaler's matrix multiplication (CRYPTO 2013). */

import { axisBits } from '../../circuit/axes.ts'
import type { NodePlan, ValueIndex, WeightBlock } from '../../circuit/plan.ts'
import { ZkmlError } from '../../errors.ts'
import type { Ext } from '../../field/extension.ts'
import * as ext from '../../field/extension.ts'
import type { Point } from '../../field/multilinear.ts'
import { verifySumcheck } from '../../sumcheck/verifySumcheck.ts'
import type { ProofReader } from '../../transcript/proofReader.ts'
import { accumulatorAt } from './accumulator.ts'
import type { RowContext } from './rowContext.ts'
import { type Units, unitSide, unitsOf } from './units.ts'

/** The prover states Σ multiplier·bias at the row's channels; the claim goes to the model's commitment. */
export function receiveBias(
  reader: ProofReader,
  { claims }: RowContext,
  block: WeightBlock,
  units: Units,
): Ext {
  const [bias] = reader.exts('linear/bias', 1) as [Ext]
  claims.weights.push({
    block,
    low: { kind: 'digits' },
    high: unitSide(units, []),
    value: bias,
  })
  return bias
}

/**
 * Σ over columns of W(units, column)·X(column) for the input seen as X; gives X's claim. Under groups each group of units
 * has columns of its own in X, and the sum is over those too: Σ over groups of eq(units, group)·W(units, group, column)·
 * X(group, column), where eq goes with the weights, whose claim then has it among its rows' weights.
 */
export function verifyProduct(
  reader: ProofReader,
  { claims }: RowContext,
  block: WeightBlock,
  units: Units,
  sum: Ext,
): { point: Point; value: Ext } {
  const reduced = verifySumcheck(reader, 'linear/product', sum, block.lowBits + units.groupBits)
  const point = reduced.point.toReversed()
  const [weight, value] = reader.exts('linear/factors', 2) as [Ext, Ext]
  if (!ext.equals(ext.mul(weight, value), reduced.claim))
    throw new ZkmlError('invalid_proof', 'a matrix product does not match its factors')
  claims.weights.push({
    block,
    low: { kind: 'point', point: point.slice(0, block.lowBits) },
    high: unitSide(units, point.slice(block.lowBits)),
    value: weight,
  })
  return { point, value }
}

export function verifyDense(
  reader: ProofReader,
  context: RowContext,
  planned: NodePlan,
  input: number,
): void {
  const { weights, bias, output } = planned as NodePlan & { weights: WeightBlock; bias: WeightBlock }
  const units = unitsOf(planned, context.row.slice(0, axisBits(output).channels))
  const sum = ext.sub(accumulatorAt(planned, context.evaluations), receiveBias(reader, context, bias, units))
  const { point, value } = verifyProduct(reader, context, weights, units, sum)
  // The factor is x − zeroPoint; the column holds x.
  const column = context.plan.tensorValues[input] as ValueIndex
  const shifted = ext.add(value, ext.fromInteger(planned.input.zeroPoint))
  context.claims.columns.push({ column, point, value: shifted })
}
