/** The prover's side of `verifier/linear/windows.ts`. */

import type { Conv2d, MaxPool, SumPool } from '../../circuit/architecture.ts'
import { axisBits, splitPoint } from '../../circuit/axes.ts'
import type { NodePlan, ValueIndex, WeightBlock } from '../../circuit/plan.ts'
import type { Ext } from '../../field/extension.ts'
import * as ext from '../../field/extension.ts'
import { extToMontgomery } from '../../kernels/montgomery.ts'
import type { Workspace } from '../../kernels/workspace.ts'
import type { ProofWriter } from '../../transcript/proofWriter.ts'
import { accumulatorAt } from '../../verifier/linear/accumulator.ts'
import { unitsOf } from '../../verifier/linear/units.ts'
import { convolutionWiring, poolingWiring, windowSum } from '../../verifier/linear/windowWiring.ts'
import { axisWeights, type Wiring } from '../../verifier/linear/wiring.ts'
import { proveWordsSum } from '../proveWordsSum.ts'
import { storeIntegers } from '../storeIntegers.ts'
import { foldPatches } from './foldPatches.ts'
import { proveProduct, sendBias } from './product.ts'
import type { ProverContext } from './proverContext.ts'

export function proveConv2d(
  work: Workspace,
  writer: ProofWriter,
  context: ProverContext,
  planned: NodePlan,
  node: Conv2d,
): void {
  const { weights, bias, input, output } = planned as NodePlan & { weights: WeightBlock; bias: WeightBlock }
  const { channel } = splitPoint(axisBits(output), context.row)
  const units = unitsOf(planned, channel)
  sendBias(work, writer, context, bias, units)
  const patches = foldPatches(context, planned, node)
  const patch = proveProduct(work, writer, context, weights, units, patches)
  const wiring = convolutionWiring(node, input, output, context.row, patch.point)
  proveWiring(work, writer, context, node.input, wiring, input.zeroPoint, patch.value)
}

export function proveSumPool(
  work: Workspace,
  writer: ProofWriter,
  context: ProverContext,
  planned: NodePlan,
  node: SumPool,
): void {
  const wiring = poolingWiring(planned, node, context.row, ext.ONE, ext.ONE)
  const sum = accumulatorAt(planned, context.evaluations)
  proveWiring(work, writer, context, node.input, wiring, planned.input.zeroPoint, sum)
}

export function proveMaxPool(
  work: Workspace,
  writer: ProofWriter,
  context: ProverContext,
  planned: NodePlan,
  node: MaxPool,
): void {
  const acrossX = writer.transcript.challenge('maxPool/x')
  const acrossY = writer.transcript.challenge('maxPool/y')
  const wiring = poolingWiring(planned, node, context.row, acrossX, acrossY)
  proveWiring(
    work,
    writer,
    context,
    node.input,
    wiring,
    0,
    windowSum(context, planned, node, acrossX, acrossY),
  )
}

/** "Σ (x(j) − zeroPoint)·G(j) is `sum`", proved down to a claim about x. */
function proveWiring(
  work: Workspace,
  writer: ProofWriter,
  context: ProverContext,
  input: number,
  wiring: Wiring,
  zeroPoint: number,
  sum: Ext,
): void {
  const column = context.plan.tensorValues[input] as ValueIndex
  const image = context.columns[column] as Int32Array
  const mark = work.arena.mark()
  const words = work.arena.words(image.length)
  const table = wiringTable(work, wiring)
  storeIntegers(work.arena.view(words, image.length), image, -zeroPoint)
  const proved = proveWordsSum(work, writer, 'linear/window', words, table, image.length, sum)
  work.arena.release(mark)
  const value = ext.add(proved.value, ext.fromInteger(zeroPoint))
  writer.exts('linear/image', [value])
  context.claims.columns.push({ column, point: proved.point, value })
}

/** The wiring's weights over the whole input: the image's in TypeScript, the channels' doublings on the heap. */
function wiringTable(work: Workspace, { input, x, y, at }: Wiring): number {
  const bits = axisBits(input)
  const columns = axisWeights(x, at.x, bits.width)
  const rows = axisWeights(y, at.y, bits.height)
  const image = rows.flatMap((row) => columns.map((column) => ext.mul(row, column)))
  const imageBits = bits.width + bits.height
  const size = 2 ** (imageBits + bits.channels)
  const table = work.arena.words(5 * size)
  const mark = work.arena.mark()
  const channel = work.montgomeryList(at.channel)
  const words = work.arena.view(table, 5 * size)
  for (const [i, weight] of image.map(extToMontgomery).entries())
    for (let plane = 0; plane < ext.DEGREE; plane++) words[plane * size + i] = weight[plane] as number
  work.kernels.expandEq(table, size, imageBits, imageBits + bits.channels, channel)
  work.arena.release(mark)
  return table
}
