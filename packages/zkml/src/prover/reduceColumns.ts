/** The prover's side of `reduceColumnClaims`: one sumcheck over the whole witness, on the kernels. */
import type { Plan } from '../circuit/plan.ts'
import { openingBits } from '../commitment/shape.ts'
import type { Ext } from '../field/extension.ts'
import * as ext from '../field/extension.ts'
import type { Workspace } from '../kernels/workspace.ts'
import type { ProofWriter } from '../transcript/proofWriter.ts'
import type { ColumnClaim } from '../verifier/claims.ts'
import { proveWordsSum } from './proveWordsSum.ts'

/** `witness` holds 2^openingBits plain words. Gives the point at which the witness is to be opened. */
export function proveColumnClaims(
  work: Workspace,
  writer: ProofWriter,
  plan: Plan,
  witness: number,
  claims: readonly ColumnClaim[],
): Ext[] {
  const { arena } = work
  const mark = arena.mark()
  const weights = ext.powers(writer.transcript.challenge('columns/combine'), claims.length)
  const size = 2 ** openingBits(plan.witness)
  const eq = claimWeights(work, plan, claims, weights, size)
  const sum = ext.sum(claims.map(({ value }, at) => ext.mul(weights[at] as Ext, value)))
  const { point, value } = proveWordsSum(work, writer, 'columns/round', witness, eq, size, sum)
  writer.exts('columns/value', [value])
  arena.release(mark)
  return point
}

/** Σ over claims of their weight times eq of their point, each over its column's place. */
function claimWeights(
  work: Workspace,
  plan: Plan,
  claims: readonly ColumnClaim[],
  weights: readonly Ext[],
  size: number,
): number {
  const { arena, kernels } = work
  const eq = arena.zeroVector(size)
  const mark = arena.mark()
  const scratch = arena.words(5 * size)
  const seen = new Set<number>()
  for (const [at, { column, point }] of claims.entries()) {
    const value = plan.values[column]
    if (value?.kind !== 'committed') throw new TypeError('a claim is about no committed column')
    const place = eq + 4 * value.offset
    const rows = 2 ** value.bits
    if (seen.has(column)) {
      work.expandEq(scratch, rows, point, weights[at] as Ext)
      kernels.addVector(place, size, scratch, rows, rows)
    } else work.expandEq(place, size, point, weights[at] as Ext)
    seen.add(column)
  }
  arena.release(mark)
  return eq
}
