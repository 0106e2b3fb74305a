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
import { sideTable } from './sideTable.ts'

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
  if (side.kind === 'units' && side.multipliers === undefined && side.group.length === 0)
    return eq(side.point, point)
  const table = eqTable(point)
  return ext.sum(sideTable(side).map((weight, at) => ext.mul(weight, table[at] as Ext)))
}

/** The prover states the committed multilinear at the point; its product with the weights must be the last claim. */
function finish(reader: ProofReader, label: string, point: Point, weight: Ext, claim: Ext): ReducedClaim {
  const [value] = reader.exts(`${label}/value`, 1) as [Ext]
  if (!ext.equals(ext.mul(value, weight), claim))
    throw new ZkmlError('invalid_proof', 'combined claims do not match the commitment', { label })
  return { point, value }
}
