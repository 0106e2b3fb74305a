/** An image as a convolution's patches see it, folded over all output positions. */

import type { Conv2d } from '../../circuit/architecture.ts'
import { axisBits, splitPoint } from '../../circuit/axes.ts'
import type { NodePlan } from '../../circuit/plan.ts'
import type { Ext } from '../../field/extension.ts'
import * as ext from '../../field/extension.ts'
import { eqTable } from '../../field/multilinear.ts'
import { centred } from './product.ts'
import type { ProverContext } from './proverContext.ts'

/**
 * X(ci, ky, kx) = Σ over output positions of eq(position)·(x − zeroPoint) under that offset of the window: first along
 * each image row, then across rows, so that the cost is the image times one side of the window, not the whole window.
 */
export function foldPatches(context: ProverContext, { input, output }: NodePlan, node: Conv2d): Ext[] {
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
