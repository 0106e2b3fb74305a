/** The wiring of each operator that slides a window. Prover and verifier both build it. */

import type { Conv2d, MaxPool, SumPool } from '../../circuit/architecture.ts'
import { axisBits, NO_PADDING, splitPoint, windowAxes } from '../../circuit/axes.ts'
import type { NodePlan } from '../../circuit/plan.ts'
import type { Ext } from '../../field/extension.ts'
import * as ext from '../../field/extension.ts'
import { eqTable, type Point } from '../../field/multilinear.ts'
import type { RowContext } from './rowContext.ts'
import type { Wiring } from './wiring.ts'

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
