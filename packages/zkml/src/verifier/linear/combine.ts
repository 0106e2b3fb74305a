/** Combinations of tensors. */

import type { Combine } from '../../circuit/architecture.ts'
import { axisBits, splitPoint } from '../../circuit/axes.ts'
import type { Tensor } from '../../circuit/checkArchitecture.ts'
import type { NodePlan, ValueIndex } from '../../circuit/plan.ts'
import { layOutTensor } from '../../circuit/statement.ts'
import { ZkmlError } from '../../errors.ts'
import type { Ext } from '../../field/extension.ts'
import * as ext from '../../field/extension.ts'
import { evaluateIntegers, type Point } from '../../field/multilinear.ts'
import type { ProofReader } from '../../transcript/proofReader.ts'
import { accumulatorAt } from './accumulator.ts'
import type { RowContext } from './rowContext.ts'

/** The row as a term sees it: without the coordinates of sides of 1. Undefined for a term of the output's own shape. */
export function broadcastPoint(output: Tensor, term: Tensor, row: Point): Point | undefined {
  const own = axisBits(term)
  const wide = axisBits(output)
  if (own.width === wide.width && own.height === wide.height && own.channels === wide.channels)
    return undefined
  const at = splitPoint(wide, row)
  return [...at.x.slice(0, own.width), ...at.y.slice(0, own.height), ...at.channel.slice(0, own.channels)]
}

/** A combination holds row by row: nothing is left to reduce but the terms that stand for more than their own values. */
export function verifyCombine(
  reader: ProofReader,
  { plan, row, evaluations, claims }: RowContext,
  planned: NodePlan,
  node: Combine,
): void {
  let sum = offsetsAt(planned, node, row)
  for (const { input, multiplier } of node.terms) {
    const tensor = plan.tensors[input] as Tensor
    const column = plan.tensorValues[input] as ValueIndex
    const point = broadcastPoint(planned.output, tensor, row)
    let value = evaluations[column] as Ext
    if (point !== undefined) {
      ;[value] = reader.exts('combine/broadcast', 1) as [Ext]
      claims.columns.push({ column, point, value })
    }
    const centred = ext.sub(value, ext.fromInteger(tensor.zeroPoint))
    sum = ext.add(sum, ext.scale(centred, ext.fromInteger(multiplier)[0]))
  }
  if (!ext.equals(sum, accumulatorAt(planned, evaluations)))
    throw new ZkmlError('invalid_proof', 'a combination does not match its terms')
}

/** The multilinear extension of the public offsets at the row. */
function offsetsAt({ output }: NodePlan, { offsets }: Combine, row: Point): Ext {
  if (offsets === undefined) return ext.ZERO
  const { width, height, channels } = axisBits(output)
  return evaluateIntegers(layOutTensor(offsets, output, 0), row.slice(0, width + height + channels))
}
