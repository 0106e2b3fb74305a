/**
 * The prover's side of `reduceWeightClaims`. The sum is over every weight of the model, but each claim is a product of a
 * row side and a column side, so no block is touched entry by entry: while its columns are bound, its rows stay folded
 * (`proveNode` left them so); one more pass over the weights folds its columns at the bound point, and the rows follow.
 */
import { openingBits } from '../commitment/shape.ts'
import type { Ext } from '../field/extension.ts'
import * as ext from '../field/extension.ts'
import { eqTable, type Point } from '../field/multilinear.ts'
import type { Workspace } from '../kernels/workspace.ts'
import type { ProofWriter } from '../transcript/proofWriter.ts'
import type { WeightClaim } from '../verifier/claims.ts'
import { sideTable } from '../verifier/sideTable.ts'
import type { ProverContext } from './linear/proverContext.ts'
import { fold } from './proverSumcheck.ts'

/** A block whose own variables are not all bound: Σ table[i]·weights[i] is what remains of its claim. */
type Open = { claim: WeightClaim; side: 'columns' | 'rows'; table: Ext[]; weights: Ext[] }

/** One entry of what remains of the whole: the committed value and the claims' weight there. */
type Entry = { value: Ext; weight: Ext }

const NOTHING: Entry = { value: ext.ZERO, weight: ext.ZERO }

/** Gives the point at which the weights are to be opened. Variables are bound from the first to the last. */
export function proveWeightClaims(work: Workspace, writer: ProofWriter, context: ProverContext): Point {
  const { plan, claims, folded } = context
  const combine = ext.powers(writer.transcript.challenge('weights/combine'), claims.weights.length)
  let open = claims.weights.map((claim, at): Open => {
    const weights = sideTable(claim.low, combine[at] as Ext)
    return { claim, side: 'columns', table: folded.get(claim.block) as Ext[], weights }
  })
  /** Blocks all bound, by what is left of their index. */
  let entries = new Map<number, Entry>()
  const point: Ext[] = []
  const rounds = openingBits(plan.weights)
  for (let round = 0; round <= rounds; round++) {
    open = open.flatMap((part) => {
      const current =
        part.side === 'columns' && part.table.length === 1 ? turn(work, context, part, point) : part
      if (current.side === 'columns' || current.table.length > 1) return [current]
      const entry = { value: current.table[0] as Ext, weight: current.weights[0] as Ext }
      entries.set(current.claim.block.offset / 2 ** round, entry)
      return []
    })
    if (round === rounds) break
    const pairs = pairEntries(entries)
    writer.exts('weights/round', roundPolynomial(open, [...pairs.values()]))
    const challenge = writer.transcript.challenge('weights/round')
    point.push(challenge)
    open = open.map((part) => ({
      ...part,
      table: bindFirst(part.table, challenge),
      weights: bindFirst(part.weights, challenge),
    }))
    entries = new Map(
      [...pairs].map(([index, [low, high]]) => [
        index,
        { value: fold(low.value, high.value, challenge), weight: fold(low.weight, high.weight, challenge) },
      ]),
    )
  }
  writer.exts('weights/value', [(entries.get(0) ?? NOTHING).value])
  return point
}

/** From columns to rows: the second pass over the block's weights. */
function turn(work: Workspace, context: ProverContext, { claim, weights }: Open, point: Point): Open {
  const { arena, kernels } = work
  const { block, high } = claim
  const mark = arena.mark()
  const [rows, columns] = [2 ** block.highBits, 2 ** block.lowBits]
  const eq = work.vector(eqTable(point.slice(0, block.lowBits)))
  const out = arena.words(5 * rows)
  kernels.dotRowsInt8(context.weights + block.offset, rows, columns, eq, out)
  const table = work.readList(out, rows)
  arena.release(mark)
  return { claim, side: 'rows', table, weights: sideTable(high, weights[0] as Ext) }
}

function pairEntries(entries: ReadonlyMap<number, Entry>): Map<number, [Entry, Entry]> {
  const pairs = new Map<number, [Entry, Entry]>()
  for (const [index, entry] of entries) {
    const pair = pairs.get(Math.floor(index / 2)) ?? [NOTHING, NOTHING]
    pair[index % 2] = entry
    pairs.set(Math.floor(index / 2), pair)
  }
  return pairs
}

/** Values at 0, at 1 and leading coefficient of what remains, in the first variable. */
function roundPolynomial(open: readonly Open[], pairs: readonly [Entry, Entry][]): [Ext, Ext, Ext] {
  let [atZero, atOne, leading] = [ext.ZERO, ext.ZERO, ext.ZERO]
  const include = (low: Ext, high: Ext, lowWeight: Ext, highWeight: Ext) => {
    atZero = ext.add(atZero, ext.mul(low, lowWeight))
    atOne = ext.add(atOne, ext.mul(high, highWeight))
    leading = ext.add(leading, ext.mul(ext.sub(high, low), ext.sub(highWeight, lowWeight)))
  }
  for (const { table, weights } of open) {
    for (let i = 0; i < table.length; i += 2)
      include(table[i] as Ext, table[i + 1] as Ext, weights[i] as Ext, weights[i + 1] as Ext)
  }
  for (const [low, high] of pairs) include(low.value, high.value, low.weight, high.weight)
  return [atZero, atOne, leading]
}

/** Binds the lowest variable of a table. */
function bindFirst(table: readonly Ext[], challenge: Ext): Ext[] {
  return Array.from({ length: table.length / 2 }, (_, i) =>
    fold(table[2 * i] as Ext, table[2 * i + 1] as Ext, challenge),
  )
}
