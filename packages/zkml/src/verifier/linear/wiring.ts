/**
 * How a window slides over an image, as weights over the image's values:
 *   G(c, Y, X) = eq(channel, c) · V(Y) · V(X),  V(Y) = Σ kernel[k]·eq(position, y) over y·stride + k − padding = Y.
 * It is a product over the axes, so its multilinear extension is evaluated axis by axis, in O(side·window) products.
 */
import { type Axis, axisBits, splitPoint } from '../../circuit/axes.ts'
import type { Tensor } from '../../circuit/checkArchitecture.ts'
import type { Ext } from '../../field/extension.ts'
import * as ext from '../../field/extension.ts'
import { eq, eqTable, type Point } from '../../field/multilinear.ts'

/** The axes of a window over `input`, and the point over the output's columns, rows and channels it is folded with. */
export type Wiring = { input: Tensor; x: Axis; y: Axis; at: { x: Point; y: Point; channel: Point } }

/** V over an axis padded to 2^bits, from the point of the output position. */
export function axisWeights(axis: Axis, position: Point, bits: number): Ext[] {
  const weights: Ext[] = new Array(2 ** bits).fill(ext.ZERO)
  const positions = eqTable(position)
  for (let y = 0; y < axis.outputSide; y++) {
    for (const [k, weight] of axis.kernel.entries()) {
      const at = y * axis.stride + k - axis.padding
      if (at < 0 || at >= axis.inputSide) continue
      weights[at] = ext.add(weights[at] as Ext, ext.mul(weight, positions[y] as Ext))
    }
  }
  return weights
}

/** The multilinear extension of G at a point over the input's index. */
export function evaluateWiring({ input, x, y, at }: Wiring, point: Point): Ext {
  const bits = axisBits(input)
  const target = splitPoint(bits, point)
  const columns = evaluateTable(axisWeights(x, at.x, bits.width), target.x)
  const rows = evaluateTable(axisWeights(y, at.y, bits.height), target.y)
  return ext.mul(eq(at.channel, target.channel), ext.mul(columns, rows))
}

function evaluateTable(values: readonly Ext[], point: Point): Ext {
  const weights = eqTable(point)
  return ext.sum(values.map((value, at) => ext.mul(value, weights[at] as Ext)))
}
