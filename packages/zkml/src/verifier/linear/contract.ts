/** Products of two computed tensors: Thaler's matrix multiplication (CRYPTO 2013), neither side fixed. */

import type { Contract } from '../../circuit/architecture.ts'
import {
  type Block,
  blockCoordinates,
  type Contraction,
  type Coordinates,
  contractionOf,
  cutPoint,
  freeBits,
  joinCoordinates,
  ofKind,
  outputCoordinates,
  summedBlocks,
} from '../../circuit/contraction.ts'
import type { NodePlan, Plan, ValueIndex } from '../../circuit/plan.ts'
import { ZkmlError } from '../../errors.ts'
import type { Ext } from '../../field/extension.ts'
import * as ext from '../../field/extension.ts'
import type { Point } from '../../field/multilinear.ts'
import { verifyEqSumcheck, verifySumcheck } from '../../sumcheck/verifySumcheck.ts'
import type { ProofReader } from '../../transcript/proofReader.ts'
import { accumulatorAt } from './accumulator.ts'
import type { RowContext } from './rowContext.ts'

/** What both sides know of a contraction at the row. */
export type ContractionAtRow = {
  node: Contract
  contraction: Contraction
  /** The indices that the output has. */
  known: Coordinates
  shared: readonly number[]
  /** The row's coordinates of the shared indices, the first lowest. */
  weights: Point
  blocks: readonly Block[]
}

export function contractionAtRow({ plan, row }: RowContext, node: Contract): ContractionAtRow {
  const shapeOf = (input: number) => plan.tensors[input] as Plan['tensors'][number]
  const contraction = contractionOf(node, shapeOf(node.left.input), shapeOf(node.right.input))
  const known = new Map(outputCoordinates(contraction, node.output, row))
  const shared = ofKind(contraction, 'shared')
  const weights = shared.flatMap((index) => [...(known.get(index) as Point)])
  return { node, contraction, known, shared, weights, blocks: summedBlocks(contraction) }
}

/**
 * Σ over shared and summed indices of eq(row, shared)·left·right is the accumulator, block by block of the sum: the
 * shared indices are bound first, eq's factor supplied here, then the summed ones. Each block leaves a claim an operand.
 */
export function verifyContract(
  reader: ProofReader,
  context: RowContext,
  planned: NodePlan,
  node: Contract,
): void {
  const at = contractionAtRow(context, node)
  const total = accumulatorAt(planned, context.evaluations)
  // One block is the whole sum; of several, the prover states each.
  const sums = at.blocks.length === 1 ? [total] : reader.exts('contract/blocks', at.blocks.length)
  if (!ext.equals(ext.sum(sums), total))
    throw new ZkmlError('invalid_proof', 'the parts of a contraction do not add up to its accumulator')
  for (const [part, block] of at.blocks.entries()) {
    const shared = verifyEqSumcheck(reader, 'contract/shared', sums[part] as Ext, at.weights)
    const summed = verifySumcheck(reader, 'contract/summed', shared.claim, freeBits(block))
    const [left, right] = reader.exts('contract/factors', 2) as [Ext, Ext]
    if (!ext.equals(ext.mul(left, right), summed.claim))
      throw new ZkmlError('invalid_proof', 'a contraction does not match its operands')
    claimOperands(context, at, block, shared.point, summed.point.toReversed(), left, right)
  }
}

/** The factors are x − zeroPoint; the columns hold x. */
export function claimOperands(
  { plan, claims }: RowContext,
  { node, contraction, known, shared }: ContractionAtRow,
  block: Block,
  sharedPoint: Point,
  summedPoint: Point,
  left: Ext,
  right: Ext,
): void {
  const coordinates = new Map([
    ...known,
    ...cutPoint(contraction, shared, sharedPoint),
    ...blockCoordinates(contraction, block, summedPoint),
  ])
  for (const [{ input, indices }, factor] of [
    [node.left, left],
    [node.right, right],
  ] as const) {
    claims.columns.push({
      column: plan.tensorValues[input] as ValueIndex,
      point: joinCoordinates(indices, coordinates),
      value: ext.add(factor, ext.fromInteger(plan.tensors[input]?.zeroPoint ?? 0)),
    })
  }
}
