/** The prover's side of `verifier/linear/product.ts`. */

import { axisBits } from '../../circuit/axes.ts'
import type { NodePlan, ValueIndex, WeightBlock } from '../../circuit/plan.ts'
import * as field from '../../field/babyBear.ts'
import type { Ext } from '../../field/extension.ts'
import * as ext from '../../field/extension.ts'
import { eqTable, type Point } from '../../field/multilinear.ts'
import type { Workspace } from '../../kernels/workspace.ts'
import type { ProofWriter } from '../../transcript/proofWriter.ts'
import { DIGIT_WEIGHTS } from '../../verifier/reduceClaims.ts'
import { proveProductSum } from '../proverSumcheck.ts'
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
  sendBias(work, writer, context, bias, channel)
  const seen = centred(context, input).map(ext.fromBase)
  const { point, value } = proveProduct(work, writer, context, weights, channel, seen)
  const column = context.plan.tensorValues[input] as ValueIndex
  context.claims.columns.push({
    column,
    point,
    value: ext.add(value, ext.fromInteger(planned.input.zeroPoint)),
  })
}

export function sendBias(
  work: Workspace,
  writer: ProofWriter,
  context: ProverContext,
  block: WeightBlock,
  channel: Point,
): void {
  const digits = foldBlock(work, context, block, channel)
  const bias = ext.sum(digits.map((digit, at) => ext.mul(digit, DIGIT_WEIGHTS[at] as Ext)))
  writer.exts('linear/bias', [bias])
  const high = { kind: 'point', point: channel } as const
  context.claims.weights.push({ block, low: { kind: 'digits' }, high, value: bias })
}

/** Σ over columns of folded weights times the input as the layer sees it. */
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
  writer.exts('linear/factors', [weight, value])
  const [low, high] = [{ kind: 'point', point } as const, { kind: 'point', point: channel } as const]
  context.claims.weights.push({ block, low, high, value: weight })
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
