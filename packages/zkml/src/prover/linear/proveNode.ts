/** The prover's side of `verifier/linear/verifyNode.ts`. */
import type { Conv2d, MaxPool, SumPool } from '../../circuit/architecture.ts'
import { axisBits, splitPoint } from '../../circuit/axes.ts'
import type { NodePlan, ValueIndex, WeightBlock } from '../../circuit/plan.ts'
import * as field from '../../field/babyBear.ts'
import type { Ext } from '../../field/extension.ts'
import * as ext from '../../field/extension.ts'
import { eqTable, type Point } from '../../field/multilinear.ts'
import { extToMontgomery } from '../../kernels/montgomery.ts'
import type { Workspace } from '../../kernels/workspace.ts'
import type { ProofWriter } from '../../transcript/proofWriter.ts'
import type { RowContext } from '../../verifier/linear/verifyNode.ts'
import {
  accumulatorAt,
  convolutionWiring,
  poolingWiring,
  windowSum,
} from '../../verifier/linear/verifyNode.ts'
import { axisWeights, type Wiring } from '../../verifier/linear/wiring.ts'
import { DIGIT_WEIGHTS } from '../../verifier/reduceClaims.ts'
import type { Columns } from '../execute.ts'
import { proveProductSum } from '../proverSumcheck.ts'
import { proveWordsSum } from '../proveWordsSum.ts'
import { storeIntegers } from '../storeIntegers.ts'

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
  else if (node.op === 'sumPool') proveSumPool(work, writer, context, planned, node)
  else if (node.op === 'maxPool') proveMaxPool(work, writer, context, planned, node)
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
  proveWiring(work, writer, context, node.input, wiring, input.zeroPoint, patch.value)
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
    const folded = Array.from({ length: node.window.width }, (_, kx) =>
      Array.from({ length: input.height }, (_, fromY) => along(kx, fromY)),
    )
    for (let ky = 0; ky < kernelHeight; ky++) {
      for (let kx = 0; kx < kernelWidth; kx++) {
        let sum = ext.ZERO
        // Offsets that only pad the window see nothing.
        if (ky >= node.window.height || kx >= node.window.width) {
          patches.push(sum)
          continue
        }
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

function proveSumPool(
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

function proveMaxPool(
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
