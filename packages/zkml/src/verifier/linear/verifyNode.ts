/**
 * The linear half of a node: its accumulators at a random row, reduced to claims about its input and its weights.
 * Thaler's matrix multiplication (CRYPTO 2013) for dense layers; for windows one more sumcheck, over the image.
 */
import type { Conv2d, MaxPool, SumPool } from '../../circuit/architecture.ts'
import { axisBits, NO_PADDING, splitPoint, windowAxes } from '../../circuit/axes.ts'
import type { NodePlan, Plan, ValueIndex, WeightBlock } from '../../circuit/plan.ts'
import { ZkmlError } from '../../errors.ts'
import { inverse } from '../../field/babyBear.ts'
import type { Ext } from '../../field/extension.ts'
import * as ext from '../../field/extension.ts'
import { eqTable, type Point } from '../../field/multilinear.ts'
import { verifySumcheck } from '../../sumcheck/verifySumcheck.ts'
import type { ProofReader } from '../../transcript/proofReader.ts'
import type { Claims } from '../claims.ts'
import { evaluateWiring, type Wiring } from './wiring.ts'

/** What the linear checks stand on: the common random row, and every column's evaluation there. */
export type RowContext = {
  plan: Plan
  /** The point of the leaves; a column of 2^b rows is evaluated at its first b coordinates. */
  row: Point
  evaluations: readonly (Ext | undefined)[]
  claims: Claims
}

/** @throws ZkmlError invalid_proof */
export function verifyNode(reader: ProofReader, context: RowContext, planned: NodePlan): void {
  switch (planned.node.op) {
    case 'dense':
      verifyDense(reader, context, planned, planned.node.input)
      break
    case 'conv2d':
      verifyConv2d(reader, context, planned, planned.node)
      break
    case 'sumPool':
      verifySumPool(reader, context, planned, planned.node)
      break
    case 'maxPool':
      verifyMaxPool(reader, context, planned, planned.node)
      break
    case 'combine':
      verifyCombine(context, planned)
      break
  }
}

/**
 * The accumulator at the row: the public output, or (remainder + 2^shift·(target − zeroPoint) − 2^(shift−1)) over the
 * multiplier, which is linear in the committed columns and so needs no column of its own.
 */
export function accumulatorAt({ accumulator }: NodePlan, evaluations: readonly (Ext | undefined)[]): Ext {
  if (accumulator === undefined) throw new ZkmlError('bad_architecture', 'a max-pooling has no accumulator')
  if (accumulator.kind === 'output') return evaluations[accumulator.value] as Ext
  const { multiplier, shift, zeroPoint } = accumulator.requantise
  const scaled = (value: ValueIndex, factor: number) =>
    ext.scale(evaluations[value] as Ext, ext.fromInteger(factor)[0])
  let total = scaled(accumulator.target, 2 ** shift)
  total = ext.sub(total, ext.fromInteger(2 ** shift * zeroPoint + roundingTerm(shift)))
  let weight = 1
  for (const limb of accumulator.limbs) {
    total = ext.add(total, scaled(limb.value, weight))
    weight *= 2 ** limb.bits
  }
  return ext.scale(total, inverse(multiplier))
}

/** Half of the divisor, so that flooring rounds half up; nothing where nothing is divided. */
export function roundingTerm(shift: number): number {
  return shift === 0 ? 0 : 2 ** (shift - 1)
}

/** The prover states the bias at the row's channels; the claim goes to the model's commitment. */
function receiveBias(reader: ProofReader, { claims }: RowContext, block: WeightBlock, channel: Point): Ext {
  const [bias] = reader.exts('linear/bias', 1) as [Ext]
  claims.weights.push({
    block,
    low: { kind: 'digits' },
    high: { kind: 'point', point: channel },
    value: bias,
  })
  return bias
}

/** Σ over columns of W(channel, column)·X(column) for the input seen as X; gives X's claim. */
function verifyProduct(
  reader: ProofReader,
  { claims }: RowContext,
  block: WeightBlock,
  channel: Point,
  sum: Ext,
): { point: Point; value: Ext } {
  const reduced = verifySumcheck(reader, 'linear/product', sum, block.lowBits)
  const point = reduced.point.toReversed()
  const [weight, value] = reader.exts('linear/factors', 2) as [Ext, Ext]
  if (!ext.equals(ext.mul(weight, value), reduced.claim))
    throw new ZkmlError('invalid_proof', 'a matrix product does not match its factors')
  claims.weights.push({
    block,
    low: { kind: 'point', point },
    high: { kind: 'point', point: channel },
    value: weight,
  })
  return { point, value }
}

function verifyDense(reader: ProofReader, context: RowContext, planned: NodePlan, input: number): void {
  const { weights, bias, output } = planned as NodePlan & { weights: WeightBlock; bias: WeightBlock }
  const channel = context.row.slice(0, axisBits(output).channels)
  const sum = ext.sub(
    accumulatorAt(planned, context.evaluations),
    receiveBias(reader, context, bias, channel),
  )
  const { point, value } = verifyProduct(reader, context, weights, channel, sum)
  // The factor is x − zeroPoint; the column holds x.
  const column = context.plan.tensorValues[input] as ValueIndex
  const shifted = ext.add(value, ext.fromInteger(planned.input.zeroPoint))
  context.claims.columns.push({ column, point, value: shifted })
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

function verifyConv2d(reader: ProofReader, context: RowContext, planned: NodePlan, node: Conv2d): void {
  const { weights, bias, input, output } = planned as NodePlan & { weights: WeightBlock; bias: WeightBlock }
  const at = splitPoint(axisBits(output), context.row)
  const sum = ext.sub(
    accumulatorAt(planned, context.evaluations),
    receiveBias(reader, context, bias, at.channel),
  )
  const patch = verifyProduct(reader, context, weights, at.channel, sum)
  verifyWiring(
    reader,
    context,
    node.input,
    convolutionWiring(node, input, output, context.row, patch.point),
    input.zeroPoint,
    patch.value,
  )
}

/** The image as the patches see it: X(ci, ky, kx) at a point over the patch's index. */
export function convolutionWiring(
  node: Conv2d,
  input: NodePlan['input'],
  output: NodePlan['output'],
  row: Point,
  patch: Point,
): Wiring {
  const at = splitPoint(axisBits(output), row)
  const { channels: _, ...window } = axisBits({ ...node.window, channels: 1 })
  const offset = splitPoint({ ...window, channels: axisBits(input).channels }, patch)
  // Offsets that only pad the window see nothing.
  const kernelX = eqTable(offset.x).slice(0, node.window.width)
  const kernelY = eqTable(offset.y).slice(0, node.window.height)
  const axes = windowAxes(input, output, node.window, node.padding, kernelX, kernelY)
  return { input, ...axes, at: { x: at.x, y: at.y, channel: offset.channel } }
}

function verifySumPool(reader: ProofReader, context: RowContext, planned: NodePlan, node: SumPool): void {
  const wiring = poolingWiring(planned, node, context.row, ext.ONE, ext.ONE)
  const sum = accumulatorAt(planned, context.evaluations)
  verifyWiring(reader, context, node.input, wiring, planned.input.zeroPoint, sum)
}

/** Position (ky, kx) of the window weighs acrossX^kx·acrossY^ky. */
export function poolingWiring(
  { input, output }: NodePlan,
  node: SumPool | MaxPool,
  row: Point,
  acrossX: Ext,
  acrossY: Ext,
): Wiring {
  const { width, height } = node.window
  const kernelX = ext.powers(acrossX, width)
  const kernelY = ext.powers(acrossY, height)
  const axes = windowAxes(input, output, node.window, NO_PADDING, kernelX, kernelY)
  return { input, ...axes, at: splitPoint(axisBits(output), row) }
}

/** All views of a max-pooling's input at once, under random weights of their positions. */
function verifyMaxPool(reader: ProofReader, context: RowContext, planned: NodePlan, node: MaxPool): void {
  const acrossX = reader.transcript.challenge('maxPool/x')
  const acrossY = reader.transcript.challenge('maxPool/y')
  const wiring = poolingWiring(planned, node, context.row, acrossX, acrossY)
  verifyWiring(reader, context, node.input, wiring, 0, windowSum(context, planned, node, acrossX, acrossY))
}

/** Σ acrossX^kx·acrossY^ky·view(ky, kx) at the row. */
export function windowSum(
  { evaluations }: Pick<RowContext, 'evaluations'>,
  { windows }: NodePlan,
  node: MaxPool,
  acrossX: Ext,
  acrossY: Ext,
): Ext {
  const kernelX = ext.powers(acrossX, node.window.width)
  const kernelY = ext.powers(acrossY, node.window.height)
  return ext.sum(
    windows.map((value, at) => {
      const weight = ext.mul(
        kernelX[at % node.window.width] as Ext,
        kernelY[Math.floor(at / node.window.width)] as Ext,
      )
      return ext.mul(weight, evaluations[value] as Ext)
    }),
  )
}

/** A combination of tensors of one shape holds row by row: nothing is left to reduce. */
function verifyCombine({ plan, evaluations }: RowContext, planned: NodePlan): void {
  if (planned.node.op !== 'combine') return
  let sum = ext.ZERO
  for (const { input, multiplier } of planned.node.terms) {
    const value = evaluations[plan.tensorValues[input] as ValueIndex] as Ext
    const centred = ext.sub(value, ext.fromInteger(plan.tensors[input]?.zeroPoint ?? 0))
    sum = ext.add(sum, ext.scale(centred, ext.fromInteger(multiplier)[0]))
  }
  if (!ext.equals(sum, accumulatorAt(planned, evaluations)))
    throw new ZkmlError('invalid_proof', 'a combination does not match its terms')
}
