/** Operators that slide a window, on integers. */

import type { Node, Padding, Window } from '../../circuit/architecture.ts'
import { axisBits, NO_PADDING } from '../../circuit/axes.ts'
import { layoutSize, type Tensor } from '../../circuit/checkArchitecture.ts'
import type { NodePlan } from '../../circuit/plan.ts'
import type { Columns } from '../columns.ts'

export function fillMaxima(columns: Columns, planned: NodePlan, input: Int32Array): void {
  const node = planned.node as Extract<Node, { op: 'maxPool' }>
  const size = layoutSize(planned.output)
  const [from, to] = [imageSize(planned.input), imageSize(planned.output)]
  const views = planned.windows.map(() => new Int32Array(size))
  slide(planned, node.window, NO_PADDING, (ky, kx, source, target) => {
    const view = views[ky * node.window.width + kx] as Int32Array
    for (let c = 0; c < size / to; c++) view[c * to + target] = input[c * from + source] as number
  })
  for (const [at, value] of planned.windows.entries()) columns[value] = views[at]
  let running = views[0] as Int32Array
  for (const [at, value] of planned.maxima.entries()) {
    const next = views[at + 1] as Int32Array
    running = running.map((largest, i) => Math.max(largest, next[i] as number))
    columns[value] = running
  }
}

export function sumWindows(planned: NodePlan, window: Window, input: Int32Array): Int32Array {
  const sums = new Int32Array(layoutSize(planned.output))
  const [from, to] = [imageSize(planned.input), imageSize(planned.output)]
  const channels = sums.length / to
  slide(planned, window, NO_PADDING, (_ky, _kx, source, target) => {
    for (let c = 0; c < channels; c++) {
      const at = c * to + target
      sums[at] = (sums[at] as number) + (input[c * from + source] as number) - planned.input.zeroPoint
    }
  })
  return sums
}

/** Visits, for every true output position, the true input positions that offset (ky, kx) of its window covers. */
function slide(
  planned: NodePlan,
  window: Window,
  padding: Padding,
  visit: (ky: number, kx: number, from: number, to: number) => void,
): void {
  const { input, output } = planned
  const [inBits, outBits] = [axisBits(input).width, axisBits(output).width]
  for (let ky = 0; ky < window.height; ky++) {
    for (let kx = 0; kx < window.width; kx++) {
      for (let y = 0; y < output.height; y++) {
        const fromY = y * window.strideY + ky - padding.top
        if (fromY < 0 || fromY >= input.height) continue
        for (let x = 0; x < output.width; x++) {
          const fromX = x * window.strideX + kx - padding.left
          if (fromX < 0 || fromX >= input.width) continue
          visit(ky, kx, fromY * 2 ** inBits + fromX, y * 2 ** outBits + x)
        }
      }
    }
  }
}

export function imageSize(tensor: Tensor): number {
  const { width, height } = axisBits(tensor)
  return 2 ** (width + height)
}
