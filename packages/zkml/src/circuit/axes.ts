/** A tensor's index is channel, row, column, each padded to a power of two: its bits are width's, height's, channels'. */
import type { Ext } from '../field/extension.ts'
import type { Point } from '../field/multilinear.ts'
import type { Padding, Shape, Window } from './architecture.ts'

export type AxisBits = { width: number; height: number; channels: number }

/** log2 of a side padded to a power of two. */
export function bitsOf(side: number): number {
  return 32 - Math.clz32(side - 1)
}

export function axisBits(shape: Shape): AxisBits {
  return { width: bitsOf(shape.width), height: bitsOf(shape.height), channels: bitsOf(shape.channels) }
}

/** Cuts a point over a tensor's index into its axes. */
export function splitPoint(bits: AxisBits, point: Point): { x: Point; y: Point; channel: Point } {
  const image = bits.width + bits.height
  return {
    x: point.slice(0, bits.width),
    y: point.slice(bits.width, image),
    channel: point.slice(image, image + bits.channels),
  }
}

/** One axis of a sliding window: its true sides, and the weight of each offset inside the window. */
export type Axis = {
  inputSide: number
  outputSide: number
  stride: number
  padding: number
  kernel: readonly Ext[]
}

export const NO_PADDING: Padding = { top: 0, left: 0, bottom: 0, right: 0 }

/** Both axes of a window sliding over `input`, weighted by the given kernels. */
export function windowAxes(
  input: Shape,
  output: Shape,
  window: Window,
  padding: Padding,
  kernelX: readonly Ext[],
  kernelY: readonly Ext[],
): { x: Axis; y: Axis } {
  return {
    x: {
      inputSide: input.width,
      outputSide: output.width,
      stride: window.strideX,
      padding: padding.left,
      kernel: kernelX,
    },
    y: {
      inputSide: input.height,
      outputSide: output.height,
      stride: window.strideY,
      padding: padding.top,
      kernel: kernelY,
    },
  }
}
