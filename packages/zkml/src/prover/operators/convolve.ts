/** Convolutions on integers. */

import { channelsSeen, type Node } from '../../circuit/architecture.ts'
import { axisBits } from '../../circuit/axes.ts'
import { layoutSize } from '../../circuit/checkArchitecture.ts'
import type { Model } from '../../circuit/model.ts'
import type { NodePlan, WeightBlock } from '../../circuit/plan.ts'
import { biases } from './multiply.ts'
import { imageSize } from './windows.ts'

export function convolve(model: Model, planned: NodePlan, input: Int32Array): Int32Array {
  const node = planned.node as Extract<Node, { op: 'conv2d' }>
  const { weights, bias } = planned as { weights: WeightBlock; bias: WeightBlock }
  const offsets = biases(model, bias)
  const [from, to] = [imageSize(planned.input), imageSize(planned.output)]
  const accumulators = new Int32Array(layoutSize(planned.output))
  for (const [unit, start] of offsets.entries()) accumulators.fill(start, unit * to, (unit + 1) * to)
  const centred = input.map((x) => x - planned.input.zeroPoint)
  const [seen, made] = [channelsSeen(node, planned.input), node.channels / (node.groups ?? 1)]
  const taps = axisBits({ ...node.window, channels: 1 })
  for (let co = 0; co < node.channels; co++) {
    const first = Math.floor(co / made) * seen
    for (let ci = 0; ci < seen; ci++) {
      for (let ky = 0; ky < node.window.height; ky++) {
        for (let kx = 0; kx < node.window.width; kx++) {
          const tap = (((ci << taps.height) + ky) << taps.width) + kx
          const weight = model.layout[weights.offset + co * 2 ** weights.lowBits + tap] as number
          if (weight === 0) continue
          addShifted(accumulators, co * to, centred, (first + ci) * from, weight, planned, node, ky, kx)
        }
      }
    }
    const multiplier = node.multipliers?.[co] ?? 1
    if (multiplier === 1) continue
    for (let at = co * to; at < (co + 1) * to; at++)
      accumulators[at] = multiplier * (accumulators[at] as number)
  }
  return accumulators
}

/** One channel of the output += weight·(one channel of the input under offset (ky, kx) of the window). */
function addShifted(
  sums: Int32Array,
  sumsStart: number,
  image: Int32Array,
  imageStart: number,
  weight: number,
  { input, output }: NodePlan,
  { window, padding }: Extract<Node, { op: 'conv2d' }>,
  ky: number,
  kx: number,
): void {
  const [inWidth, outWidth] = [2 ** axisBits(input).width, 2 ** axisBits(output).width]
  const { strideX, strideY } = window
  const firstX = Math.max(0, Math.ceil((padding.left - kx) / strideX))
  const lastX = Math.min(output.width - 1, Math.floor((input.width - 1 + padding.left - kx) / strideX))
  for (let y = 0; y < output.height; y++) {
    const fromY = y * strideY + ky - padding.top
    if (fromY < 0 || fromY >= input.height) continue
    const from = imageStart + fromY * inWidth + kx - padding.left
    const to = sumsStart + y * outWidth
    for (let x = firstX; x <= lastX; x++)
      sums[to + x] = (sums[to + x] as number) + weight * (image[from + x * strideX] as number)
  }
}
