/** The prover's side of `verifier/linear/verifyNode.ts`. */
import type { Conv2d, MaxPool, SumPool } from '../../circuit/architecture.ts'
import { axisBits, splitPoint } from '../../circuit/axes.ts'
import type { NodePlan, ValueIndex, WeightBlock } from '../../circuit/plan.ts'
import * as field from '../../field/babyBear.ts'
import type { Ext } from '../../field/extension.ts'
import * as ext from '../../field/extension.ts'
import { eqTable, type Point } from '../../field/multilinear.ts'
import type { Workspace } from '../../kernels/workspace.ts'
import type { ProofWriter } from '../../transcript/proofWriter.ts'
import type { RowContext } from '../../verifier/linear/verifyNode.ts'
import { convolutionWiring, poolingWiring } from '../../verifier/linear/verifyNode.ts'
import { axisWeights, type Wiring } from '../../verifier/linear/wiring.ts'
import { DIGIT_WEIGHTS } from '../../verifier/reduceClaims.ts'
import type { Columns } from '../execute.ts'
import { proveProductSum } from '../proverSumcheck.ts'

export type ProverContext = RowContext & {
  columns: Columns
  /** Where the model's committed int8 values lie on the heap. */
  weights: number
  /** Blocks with their rows folded at the row's channels, kept for the claims about them. */
  folded: Map<WeightBlock, Ext[]>
}

export function proveNode(
  work: Workspace,
  writer: ProofWriter,
  context: ProverContext,
  planned: NodePlan,
): void {
  const { node } = planned
  if (node.op === 'dense') proveDense(work, writer, context, planned, node.input)
  else if (node.op === 'conv2d') proveConv2d(work, writer, context, planned, node)
  else if (node.op === 'sumPool') proveSumPool(writer, context, planned, node)
  else if (node.op === 'maxPool') proveMaxPool(writer, context, planned, node)
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

function sendBias(
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
function proveProduct(
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
function centred(context: ProverContext, input: number): number[] {
  const column = context.columns[context.plan.tensorValues[input] as ValueIndex] as Int32Array
  const zeroPoint = context.plan.tensors[input]?.zeroPoint ?? 0
  return Array.from(column, (x) => field.fromInteger(x - zeroPoint))
}

function proveDense(
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

/** The wiring's weights over the whole input, channel by row by column. */
function wiringTable({ input, x, y, at }: Wiring): Ext[] {
  const bits = axisBits(input)
  const columns = axisWeights(x, at.x, bits.width)
  const rows = axisWeights(y, at.y, bits.height)
  const image = rows.flatMap((row) => columns.map((column) => ext.mul(row, column)))
  return eqTable(at.channel).flatMap((channel) => image.map((weight) => ext.mul(channel, weight)))
}

/** Σ (x(j) − zeroPoint)·G(j). */
function proveWiring(
  writer: ProofWriter,
  context: ProverContext,
  input: number,
  wiring: Wiring,
  zeroPoint: number,
): void {
  const column = context.plan.tensorValues[input] as ValueIndex
  const image = Array.from(context.columns[column] as Int32Array, (x) => ext.fromInteger(x - zeroPoint))
  const { point, a } = proveProductSum(writer, 'linear/window', image, wiringTable(wiring))
  const value = ext.add(a, ext.fromInteger(zeroPoint))
  writer.exts('linear/image', [value])
  context.claims.columns.push({ column, point, value })
}

function proveConv2d(
  work: Workspace,
  writer: ProofWriter,
  context: ProverContext,
  planned: NodePlan,
  node: Conv2d,
): void {
  const { weights, bias, input, output } = planned as NodePlan & { weights: WeightBlock; bias: WeightBlock }
  const { channel } = splitPoint(axisBits(output), context.row)
  sendBias(work, writer, context, bias, channel)
  const patches = foldPatches(context, planned, node)
  const patch = proveProduct(work, writer, context, weights, channel, patches)
  const wiring = convolutionWiring(node, input, output, context.row, patch.point)
  proveWiring(writer, context, node.input, wiring, input.zeroPoint)
}

/**
 * X(ci, ky, kx) = Σ over output positions of eq(position)·(x − zeroPoint) under that offset of the window: first along
 * each image row, then across rows, so that the cost is the image times one side of the window, not the whole window.
 */
function foldPatches(context: ProverContext, { input, output }: NodePlan, node: Conv2d): Ext[] {
  const at = splitPoint(axisBits(output), context.row)
  const [eqX, eqY] = [eqTable(at.x), eqTable(at.y)]
  const bits = axisBits(input)
  const kernel = axisBits({ ...node.window, channels: 1 })
  const [kernelWidth, kernelHeight] = [2 ** kernel.width, 2 ** kernel.height]
  const image = centred(context, node.input)
  const patches: Ext[] = []
  for (let channel = 0; channel < 2 ** bits.channels; channel++) {
    const along = (kx: number, fromY: number): Ext => {
      const start = ((channel << bits.height) + fromY) << bits.width
      let sum = ext.ZERO
      for (let x = 0; x < output.width; x++) {
        const fromX = x * node.window.strideX + kx - node.padding.left
        if (fromX < 0 || fromX >= input.width) continue
        sum = ext.add(sum, ext.scale(eqX[x] as Ext, image[start + fromX] as number))
      }
      return sum
    }
    const folded = Array.from({ length: kernelWidth }, (_, kx) =>
      Array.from({ length: input.height }, (_, fromY) => along(kx, fromY)),
    )
    for (let ky = 0; ky < kernelHeight; ky++) {
      for (let kx = 0; kx < kernelWidth; kx++) {
        let sum = ext.ZERO
        for (let y = 0; y < output.height; y++) {
          const fromY = y * node.window.strideY + ky - node.padding.top
          if (fromY < 0 || fromY >= input.height) continue
          sum = ext.add(sum, ext.mul(eqY[y] as Ext, folded[kx]?.[fromY] as Ext))
        }
        patches.push(sum)
      }
    }
  }
  return patches
}

function proveSumPool(writer: ProofWriter, context: ProverContext, planned: NodePlan, node: SumPool): void {
  const wiring = poolingWiring(planned, node, context.row, ext.ONE, ext.ONE)
  proveWiring(writer, context, node.input, wiring, planned.input.zeroPoint)
}

function proveMaxPool(writer: ProofWriter, context: ProverContext, planned: NodePlan, node: MaxPool): void {
  const acrossX = writer.transcript.challenge('maxPool/x')
  const acrossY = writer.transcript.challenge('maxPool/y')
  proveWiring(writer, context, node.input, poolingWiring(planned, node, context.row, acrossX, acrossY), 0)
}
