/** The weights that a side of a claim stands for, written out. */
import { BIAS_DIGITS } from '../circuit/plan.ts'
import type { Ext } from '../field/extension.ts'
import * as ext from '../field/extension.ts'
import { eqTable } from '../field/multilinear.ts'
import type { Side } from './claims.ts'

/** 1, 256, 256², 256³: what the digits of a bias stand for. */
export const DIGIT_WEIGHTS: readonly Ext[] = Array.from({ length: BIAS_DIGITS }, (_, at) =>
  ext.fromInteger(256 ** at),
)

/** A side's weights, scaled: one a column, or one a row. Past the last unit there is no multiplier, so no weight. */
export function sideTable(side: Side, scale: Ext = ext.ONE): Ext[] {
  if (side.kind === 'point') return eqTable(side.point, scale)
  if (side.kind === 'digits') return DIGIT_WEIGHTS.map((weight) => ext.mul(weight, scale))
  const { point, multipliers, group } = side
  let table = eqTable(point, scale)
  if (multipliers !== undefined)
    table = table.map((weight, unit) => ext.scale(weight, multipliers[unit] ?? 0))
  if (group.length === 0) return table
  const groups = eqTable(group)
  const unitBits = point.length - group.length
  return table.map((weight, unit) => ext.mul(weight, groups[Math.floor(unit / 2 ** unitBits)] as Ext))
}
