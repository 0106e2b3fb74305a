/** Layers that slide a window over an image: one more sumcheck, over the image's values. */

import type { Conv2d, MaxPool, SumPool } from '../../circuit/architecture.ts'
import { axisBits, splitPoint } from '../../circuit/axes.ts'
import type { NodePlan, ValueIndex, WeightBlock } from '../../circuit/plan.ts'
import { ZkmlError } from '../../errors.ts'
import type { Ext } from '../../field/extension.ts'
import * as ext from '../../field/extension.ts'
import { verifySumcheck } from '../../sumcheck/verifySumcheck.ts'
import type { ProofReader } from '../../transcript/proofReader.ts'
import { accumulatorAt } from './accumulator.ts'
import { receiveBias, verifyProduct } from './product.ts'
import type { RowContext } from './rowContext.ts'
import { unitsOf } from './units.ts'
import { convolutionWiring, poolingWiring, windowSum } from './windowWiring.ts'
import { evaluateWiring, type Wiring } from './wiring.ts'

export function verifyConv2d(
  reader: ProofReader,
  context: RowContext,
  planned: NodePlan,
  node: Conv2d,
): void {
  const { weights, bias, input, output } = planned as NodePlan & { weights: WeightBlock; bias: WeightBlock }
  const units = unitsOf(planned, splitPoint(axisBits(output), context.row).channel)
  const sum = ext.sub(accumulatorAt(planned, context.evaluations), receiveBias(reader, context, bias, units))
  const patch = verifyProduct(reader, context, weights, units, sum)
  verifyWiring(
    reader,
    context,
    node.input,
    convolutionWiring(node, input, output, context.row, patch.point),
    input.zeroPoint,
    patch.value,
  )
}

export function verifySumPool(
  reader: ProofReader,
  context: RowContext,
  planned: NodePlan,
  node: SumPool,
): void {
  const wiring = poolingWiring(planned, node, context.row, ext.ONE, ext.ONE)
  const sum = accumulatorAt(planned, context.evaluations)
  verifyWiring(reader, context, node.input, wiring, planned.input.zeroPoint, sum)
}

/** All views of a max-pooling's input at once, under random weights of their positions. */
export function verifyMaxPool(
  reader: ProofReader,
  context: RowContext,
  planned: NodePlan,
  node: MaxPool,
): void {
  const acrossX = reader.transcript.challenge('maxPool/x')
  const acrossY = reader.transcript.challenge('maxPool/y')
  const wiring = poolingWiring(planned, node, context.row, acrossX, acrossY)
  verifyWiring(reader, context, node.input, wiring, 0, windowSum(context, planned, node, acrossX, acrossY))
}

/** "Σ (x(j) − zeroPoint)·G(j) is `sum`", reduced to a claim about x. */
function verifyWiring(
  reader: ProofReader,
  { plan, claims }: RowContext,
  input: number,
  wiring: Wiring,
  zeroPoint: number,
  sum: Ext,
): void {
  const column = plan.tensorValues[input] as ValueIndex
  const reduced = verifySumcheck(reader, 'linear/window', sum, plan.values[column]?.bits ?? 0)
  const point = reduced.point.toReversed()
  const [value] = reader.exts('linear/image', 1) as [Ext]
  const expected = ext.mul(ext.sub(value, ext.fromInteger(zeroPoint)), evaluateWiring(wiring, point))
  if (!ext.equals(expected, reduced.claim))
    throw new ZkmlError('invalid_proof', 'a window does not match the image it slides over')
  claims.columns.push({ column, point, value })
}
