/** The prover's side of `verifier/linear/product.ts`. */

import { axisBits } from '../../circuit/axes.ts'
import type { NodePlan, ValueIndex, WeightBlock } from '../../circuit/plan.ts'
import * as field from '../../field/babyBear.ts'
import type { Ext } from '../../field/extension.ts'
import * as ext from '../../field/extension.ts'
import { eqTable, type Point } from '../../field/multilinear.ts'
import type { Workspace } from '../../kernels/workspace.ts'
import type { ProofWriter } from '../../transcript/proofWriter.ts'
import { accumulatorAt } from '../../verifier/linear/accumulator.ts'
import { type Units, unitSide, unitsOf } from '../../verifier/linear/units.ts'
import { DIGIT_WEIGHTS, sideTable } from '../../verifier/sideTable.ts'
import { proveProductSum } from '../proverSumcheck.ts'
import { proveWordsSum } from '../proveWordsSum.ts'
import { storeIntegers } from '../storeIntegers.ts'
import type { ProverContext } from './proverContext.ts'

/** Bytes of one element of a list on the heap. */
const LIST_BYTES = 4 * ext.DEGREE

export function proveDense(
  work: Workspace,
  writer: ProofWriter,
  context: ProverContext,
  planned: NodePlan,
  input: number,
): void {
  const { weights, bias, output } = planned as NodePlan & { weights: WeightBlock; bias: WeightBlock }
  const units = unitsOf(planned, context.row.slice(0, axisBits(output).channels))
  const stated = sendBias(work, writer, context, bias, units)
  const sum = ext.sub(accumulatorAt(planned, context.evaluations), stated)
  const column = context.plan.tensorValues[input] as ValueIndex
  const values = context.columns[column] as Int32Array

  const mark = work.arena.mark()
  const folded = work.vector(foldBlock(work, context, weights, units))
  work.kernels.toMontgomery(folded, ext.DEGREE * values.length, folded)
  const words = work.arena.words(values.length)
  storeIntegers(work.arena.view(words, values.length), values, -planned.input.zeroPoint)
  const { point, ...factors } = proveWordsSum(
    work,
    writer,
    'linear/product',
    words,
    folded,
    values.length,
    sum,
  )
  work.arena.release(mark)

  claimFactors(writer, context, weights, units, point, factors.weight, factors.value)
  const value = ext.add(factors.value, ext.fromInteger(planned.input.zeroPoint))
  context.claims.columns.push({ column, point, value })
}

export function sendBias(
  work: Workspace,
  writer: ProofWriter,
  context: ProverContext,
  block: WeightBlock,
  units: Units,
): Ext {
  const digits = foldBlock(work, context, block, { ...units, groupBits: 0 })
  const bias = ext.sum(digits.map((digit, at) => ext.mul(digit, DIGIT_WEIGHTS[at] as Ext)))
  writer.exts('linear/bias', [bias])
  const high = unitSide(units, [])
  context.claims.weights.push({ block, low: { kind: 'digits' }, high, value: bias })
  return bias
}

/** States both factors at the end of a product's sumcheck, and claims the weights' one. */
function claimFactors(
  writer: ProofWriter,
  { claims, folded }: ProverContext,
  block: WeightBlock,
  units: Units,
  point: Point,
  weight: Ext,
  value: Ext,
): void {
  writer.exts('linear/factors', [weight, value])
  // The groups are bound: what is left of the folded rows is their combination at that point.
  const group = point.slice(block.lowBits)
  if (group.length > 0) folded.set(block, foldGroups(folded.get(block) as Ext[], group, block))
  claims.weights.push({
    block,
    low: { kind: 'point', point: point.slice(0, block.lowBits) },
    high: unitSide(units, group),
    value: weight,
  })
}

/** Σ over columns of folded weights times the patches that a convolution sees. */
export function proveProduct(
  work: Workspace,
  writer: ProofWriter,
  context: ProverContext,
  block: WeightBlock,
  units: Units,
  seen: readonly Ext[],
): { point: Point; value: Ext } {
  const folded = foldBlock(work, context, block, units)
  const { point, a: weight, b: value } = proveProductSum(writer, 'linear/product', folded, seen)
  claimFactors(writer, context, block, units, point, weight, value)
  return { point, value }
}

/** A tensor's column minus its zero point, as field elements. */
export function centred(context: ProverContext, input: number): number[] {
  const column = context.columns[context.plan.tensorValues[input] as ValueIndex] as Int32Array
  const zeroPoint = context.plan.tensors[input]?.zeroPoint ?? 0
  return Array.from(column, (x) => field.fromInteger(x - zeroPoint))
}

/**
 * A block's rows folded with the units' weights: one extension element a column, for each group after the other, in one
 * pass over the weights.
 */
function foldBlock(work: Workspace, context: ProverContext, block: WeightBlock, units: Units): Ext[] {
  const { arena, kernels } = work
  const mark = arena.mark()
  const [rows, columns] = [2 ** (block.highBits - units.groupBits), 2 ** block.lowBits]
  const weights = work.list(sideTable(unitSide(units, [])))
  const out = arena.words(5 * columns)
  const folded: Ext[] = []
  for (let row = 0; row < 2 ** block.highBits; row += rows) {
    const start = context.weights + block.offset + row * columns
    kernels.foldRowsInt8(start, rows, columns, weights + row * LIST_BYTES, out)
    for (const column of work.readVector(out, columns, columns)) folded.push(column)
  }
  arena.release(mark)
  context.folded.set(block, folded)
  return folded
}

/** Σ over groups of eq(point, group)·(the group's columns). */
function foldGroups(folded: readonly Ext[], group: Point, { lowBits }: WeightBlock): Ext[] {
  const columns = 2 ** lowBits
  const weights = eqTable(group)
  return Array.from({ length: columns }, (_, column) =>
    ext.sum(weights.map((weight, at) => ext.mul(weight, folded[at * columns + column] as Ext))),
  )
}
