/** Many claims about one commitment become one, by a random combination and one sumcheck over the whole index. */

import type { Plan } from '../circuit/plan.ts'
import { openingBits } from '../commitment/shape.ts'
import { ZkmlError } from '../errors.ts'
import type { Ext } from '../field/extension.ts'
import * as ext from '../field/extension.ts'
import { eq, eqIndex, eqTable, type Point } from '../field/multilinear.ts'
import { verifySumcheck } from '../sumcheck/verifySumcheck.ts'
import type { ProofReader } from '../transcript/proofReader.ts'
import type { ColumnClaim, Side, WeightClaim } from './claims.ts'
import { DIGIT_WEIGHTS } from './sideTable.ts'

/** What the commitment must open to. */
export type ReducedClaim = { point: Point; value: Ext }

/** Claims about committed columns; variables are bound from the last to the first. @throws ZkmlError invalid_proof */
export function reduceColumnClaims(
  reader: ProofReader,
  plan: Plan,
  claims: readonly ColumnClaim[],
): ReducedClaim {
  const weights = ext.powers(reader.transcript.challenge('columns/combine'), claims.length)
  const sum = ext.sum(claims.map((claim, at) => ext.mul(weights[at] as Ext, claim.value)))
  const reduced = verifySumcheck(reader, 'columns/round', sum, openingBits(plan.witness))
  const point = reduced.point.toReversed()
  const combined = ext.sum(
    claims.map((claim, at) => ext.mul(weights[at] as Ext, columnWeightAt(plan, claim, point))),
  )
  return finish(reader, 'columns', point, combined, reduced.claim)
}

/** eq of the claim's point over the column's place in the witness, as a multilinear over the whole witness. */
function columnWeightAt(plan: Plan, { column, point: at }: ColumnClaim, point: Point): Ext {
  const value = plan.values[column]
  if (value?.kind !== 'committed')
    throw new ZkmlError('invalid_proof', 'a claim is about no committed column')
  const place = eqIndex(point.slice(value.bits), value.offset / 2 ** value.bits)
  return ext.mul(place, eq(at, point.slice(0, value.bits)))
}

/**
 * Claims about weight blocks; variables are bound from the first to the last, so that the prover can fold each matrix
 * column side first, at one pass over the weights.
 */
export function reduceWeightClaims(
  reader: ProofReader,
  plan: Plan,
  claims: readonly WeightClaim[],
): ReducedClaim {
  const weights = ext.powers(reader.transcript.challenge('weights/combine'), claims.length)
  const sum = ext.sum(claims.map((claim, at) => ext.mul(weights[at] as Ext, claim.value)))
  const { point, claim } = verifySumcheck(reader, 'weights/round', sum, openingBits(plan.weights))
  const combined = ext.sum(
    claims.map(({ block, low, high }, at) => {
      const { lowBits, highBits, offset } = block
      const place = eqIndex(point.slice(lowBits + highBits), offset / 2 ** (lowBits + highBits))
      const rows = sideAt(high, point.slice(lowBits, lowBits + highBits))
      return ext.mul(ext.mul(weights[at] as Ext, place), ext.mul(rows, sideAt(low, point.slice(0, lowBits))))
    }),
  )
  return finish(reader, 'weights', point, combined, claim)
}

/** Multilinear extension of a side's weights. */
function sideAt(side: Side, point: Point): Ext {
  if (side.kind === 'point') return eq(side.point, point)
  if (side.kind === 'units') return unitsAt(side, point)
  const table = eqTable(point)
  return ext.sum(DIGIT_WEIGHTS.map((weight, at) => ext.mul(weight, table[at] as Ext)))
}

/**
 * Σ over units of multiplier·eq(row, unit)·eq(group, unit's group)·eq(point, unit). The three eq are products over the
 * unit's bits, so they are one table, of two factors a bit; without multipliers not even that.
 */
function unitsAt({ point: row, multipliers, group }: Extract<Side, { kind: 'units' }>, point: Point): Ext {
  const not = (x: Ext) => ext.sub(ext.ONE, x)
  const factors = row.map((x, bit): [Ext, Ext] => {
    const y = point[bit] as Ext
    const [zero, one] = [ext.mul(not(x), not(y)), ext.mul(x, y)]
    const g = group[bit - (row.length - group.length)]
    return g === undefined ? [zero, one] : [ext.mul(zero, not(g)), ext.mul(one, g)]
  })
  if (multipliers === undefined)
    return factors.reduce((product, [zero, one]) => ext.mul(product, ext.add(zero, one)), ext.ONE)
  let table: Ext[] = [ext.ONE]
  for (const [zero, one] of factors)
    table = [...table.map((weight) => ext.mul(weight, zero)), ...table.map((weight) => ext.mul(weight, one))]
  return ext.sum(multipliers.map((multiplier, unit) => ext.scale(table[unit] as Ext, multiplier)))
}

/** The prover states the committed multilinear at the point; its product with the weights must be the last claim. */
function finish(reader: ProofReader, label: string, point: Point, weight: Ext, claim: Ext): ReducedClaim {
  const [value] = reader.exts(`${label}/value`, 1) as [Ext]
  if (!ext.equals(ext.mul(value, weight), claim))
    throw new ZkmlError('invalid_proof', 'combined claims do not match the commitment', { label })
  return { point, value }
}
