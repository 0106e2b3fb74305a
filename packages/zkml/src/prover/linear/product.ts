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
import { DIGIT_WEIGHTS } from '../../verifier/reduceClaims.ts'
import { proveProductSum } from '../proverSumcheck.ts'
import { proveWordsSum } from '../proveWordsSum.ts'
import { storeIntegers } from '../storeIntegers.ts'
import type { ProverContext } from './proverContext.ts'

export function proveDense(
  work: Workspace,
  writer: ProofWriter,
  context: ProverContext,
  planned: NodePlan,
  input: number,
): void {
  const { weights, bias, output } = planned as NodePlan & { weights: WeightBlock; bias: WeightBlock }
  const channel = context.row.slice(0, axisBits(output).channels)
  const stated = sendBias(work, writer, context, bias, channel)
  const sum = ext.sub(accumulatorAt(planned, context.evaluations), stated)
  const column = context.plan.tensorValues[input] as ValueIndex
  const values = context.columns[column] as Int32Array

  const mark = work.arena.mark()
  const folded = work.vector(foldBlock(work, context, weights, channel))
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

  claimFactors(writer, context, weights, channel, point, factors.weight, factors.value)
  const value = ext.add(factors.value, ext.fromInteger(planned.input.zeroPoint))
  context.claims.columns.push({ column, point, value })
}

export function sendBias(
  work: Workspace,
  writer: ProofWriter,
  context: ProverContext,
  block: WeightBlock,
  channel: Point,
): Ext {
  const digits = foldBlock(work, context, block, channel)
  const bias = ext.sum(digits.map((digit, at) => ext.mul(digit, DIGIT_WEIGHTS[at] as Ext)))
  writer.exts('linear/bias', [bias])
  const high = { kind: 'point', point: channel } as const
  context.claims.weights.push({ block, low: { kind: 'digits' }, high, value: bias })
  return bias
}

/** States both factors at the end of a product's sumcheck, and claims the weights' one. */
function claimFactors(
  writer: ProofWriter,
  { claims }: ProverContext,
  block: WeightBlock,
  channel: Point,
  point: Point,
  weight: Ext,
  value: Ext,
): void {
  writer.exts('linear/factors', [weight, value])
  claims.weights.push({
    block,
    low: { kind: 'point', point },
    high: { kind: 'point', point: channel },
    value: weight,
  })
}

/** Σ over columns of folded weights times the patches that a convolution sees. */
export function proveProduct(
  work: Workspace,
  writer: ProofWriter,
  context: ProverContext,
  block: WeightBlock,
  channel: Point,
  seen: readonly Ext[],
): { point: Point; value: Ext } {
  const folded = foldBlock(work, context, block, channel)
  const { point, a: weight, b: value } = proveProductSum(writer, 'linear/product', folded, seen)
  claimFactors(writer, context, block, channel, point, weight, value)
  return { point, value }
}

/** A tensor's column minus its zero point, as field elements. */
export function centred(context: ProverContext, input: number): number[] {
  const column = context.columns[context.plan.tensorValues[input] as ValueIndex] as Int32Array
  const zeroPoint = context.plan.tensors[input]?.zeroPoint ?? 0
  return Array.from(column, (x) => field.fromInteger(x - zeroPoint))
}

/** A block's rows folded with eq(channel): one extension element a column, in one pass over the weights. */
function foldBlock(work: Workspace, context: ProverContext, block: WeightBlock, channel: Point): Ext[] {
  const { arena, kernels } = work
  const mark = arena.mark()
  const [rows, columns] = [2 ** block.highBits, 2 ** block.lowBits]
  const weights = work.list(eqTable(channel))
  const out = arena.words(5 * columns)
  kernels.foldRowsInt8(context.weights + block.offset, rows, columns, weights, out)
  const folded = work.readVector(out, columns, columns)
  arena.release(mark)
  context.folded.set(block, folded)
  return folded
}
