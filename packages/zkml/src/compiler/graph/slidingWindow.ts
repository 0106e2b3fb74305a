/** Window, strides and padding of Conv and the pools, as ONNX states them. */
import type { Padding, Shape, Window } from '../../circuit/architecture.ts'
import { LIMITS } from '../../circuit/checkArchitecture.ts'
import type { OnnxNode } from '../onnx/onnxModel.ts'
import { cannot, numberOf, numbersOf, textOf } from './nodeParts.ts'

export type Geometry = { window: Window; padding: Padding; height: number; width: number }

/**
 * The geometry over an image. `kernel` has one side where ONNX's tensor has one (`flat`).
 * @throws ZkmlError cannot_compile
 */
export function slidingWindow(
  node: OnnxNode,
  image: Shape,
  kernel: readonly number[],
  flat: boolean,
): Geometry {
  const count = flat ? 1 : 2
  const whole = (name: string, found: readonly number[] | undefined, fallback: number, sides: number) => {
    const list = found ?? new Array<number>(sides).fill(fallback)
    if (list.length !== sides || list.some((x) => !Number.isInteger(x) || x < 0 || x > LIMITS.side))
      return cannot(node, `has ${name} that do not fit`, { [name]: list.join(', ') })
    return list as number[]
  }
  const both = (list: readonly number[]): [number, number] =>
    flat ? [1, list[0] as number] : [list[0] as number, list[1] as number]
  const [kernelY, kernelX] = both(whole('kernel_shape', kernel, 1, count))
  const [strideY, strideX] = both(whole('strides', numbersOf(node, 'strides'), 1, count))
  const [dilationY, dilationX] = both(whole('dilations', numbersOf(node, 'dilations'), 1, count))
  if (Math.min(kernelY, kernelX, strideY, strideX, dilationY, dilationX) < 1)
    cannot(node, 'has a window or stride of zero')
  const window = {
    height: (kernelY - 1) * dilationY + 1,
    width: (kernelX - 1) * dilationX + 1,
    strideY,
    strideX,
  }
  const auto = textOf(node, 'auto_pad', 'NOTSET')
  const pads = whole('pads', numbersOf(node, 'pads'), 0, 2 * count)
  let padding: Padding
  if (auto === 'NOTSET' || auto === '' || auto === 'VALID') {
    const [top, left, bottom, right] =
      auto === 'VALID' ? [0, 0, 0, 0] : flat ? [0, pads[0], 0, pads[1]] : pads
    padding = { top, left, bottom, right } as Padding
  } else if (auto === 'SAME_UPPER' || auto === 'SAME_LOWER') {
    const [top, bottom] = same(image.height, window.height, strideY, auto === 'SAME_LOWER')
    const [left, right] = same(image.width, window.width, strideX, auto === 'SAME_LOWER')
    padding = { top, left, bottom, right }
  } else return cannot(node, 'pads in a way that is not known', { auto_pad: auto })
  const [tall, wide] = [
    image.height + padding.top + padding.bottom,
    image.width + padding.left + padding.right,
  ]
  if (window.height > tall || window.width > wide)
    cannot(node, 'has a window larger than its padded input', { window: `${window.height}×${window.width}` })
  const uneven = (tall - window.height) % strideY !== 0 || (wide - window.width) % strideX !== 0
  if (numberOf(node, 'ceil_mode', 0) !== 0 && uneven)
    cannot(node, 'rounds its output up (ceil_mode)', {}, 'export it with ceil_mode off, or pad the input')
  return {
    window,
    padding,
    height: Math.floor((tall - window.height) / strideY) + 1,
    width: Math.floor((wide - window.width) / strideX) + 1,
  }
}

/** Padding so that the output has ⌈side / stride⌉ positions. */
function same(side: number, window: number, stride: number, moreBefore: boolean): [number, number] {
  const total = Math.max(0, (Math.ceil(side / stride) - 1) * stride + window - side)
  const half = Math.floor(total / 2)
  return moreBefore ? [total - half, half] : [half, total - half]
}
