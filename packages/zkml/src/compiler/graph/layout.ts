/**
 * How the axes of a tensor as ONNX sees it lie in the circuit's: which runs along rows, which along columns, which along
 * channels and how many channels apart. Reshape and Transpose only change this; the circuit moves nothing.
 */
import type { Shape } from '../../circuit/architecture.ts'
import { type Activation, sizeOf } from './lowering.ts'

/** `channel`: a step of the axis is `step` channels; the others are whole sides. `none`: an axis of one value. */
export type AxisPlace = { place: 'none' } | { place: 'row' | 'column' } | { place: 'channel'; step: number }

/** One an axis of the value's dimensions; undefined where an axis does not run along one of the circuit's. */
export function layoutOf({ dims, order }: Activation, shape: Shape): AxisPlace[] | undefined {
  const strides = stridesOf(dims, order)
  if (strides === undefined) return undefined
  const { height, width } = shape
  const places = dims.map((side, axis): AxisPlace | undefined => {
    const stride = strides[axis] as number
    if (side === 1) return { place: 'none' }
    if (stride === 1 && side === width) return { place: 'column' }
    if (stride === width && side === height) return { place: 'row' }
    const step = stride / (height * width)
    return Number.isInteger(step) && step > 0 ? { place: 'channel', step } : undefined
  })
  return places.includes(undefined) ? undefined : (places as AxisPlace[])
}

/** Steps in the tensor for a step of each axis; undefined where they differ along an axis. */
function stridesOf(dims: readonly number[], order: Int32Array | null): number[] | undefined {
  const natural = dims.map((_, axis) => sizeOf(dims.slice(axis + 1)))
  if (order === null) return natural
  const strides = natural.map((step, axis) =>
    dims[axis] === 1 ? 0 : (order[step] as number) - (order[0] as number),
  )
  if (order[0] !== 0) return undefined
  return order.every((at, i) => at === placeOf(i, dims, strides)) ? strides : undefined
}

function placeOf(i: number, dims: readonly number[], strides: readonly number[]): number {
  let [rest, place] = [i, 0]
  for (let axis = dims.length - 1; axis >= 0; axis--) {
    const side = dims[axis] as number
    place += (rest % side) * (strides[axis] as number)
    rest = Math.floor(rest / side)
  }
  return place
}

/** Values of a tensor between two neighbours along an axis. */
function stepOf(at: AxisPlace, { height, width }: Shape): number {
  if (at.place === 'channel') return at.step * height * width
  if (at.place === 'row') return width
  return at.place === 'column' ? 1 : 0
}

/** The order of a value whose axes lie as told in a tensor of that shape; null where it is the tensor's own. */
export function orderOf(
  dims: readonly number[],
  places: readonly AxisPlace[],
  shape: Shape,
): Int32Array | null {
  const strides = places.map((at) => stepOf(at, shape))
  const order = Int32Array.from({ length: sizeOf(dims) }, (_, i) => placeOf(i, dims, strides))
  return order.every((at, i) => at === i) ? null : order
}

/** Whether two values' axes lie alike; an axis of one value lies like any. Dimensions are aligned at their ends. */
export function liesAlike(wide: readonly AxisPlace[], narrow: readonly AxisPlace[]): boolean {
  const missing = wide.length - narrow.length
  return narrow.every((own, axis) => {
    const other = wide[axis + missing]
    if (own.place === 'none') return true
    if (other === undefined || other.place !== own.place) return false
    return own.place !== 'channel' || own.step === (other as { step: number }).step
  })
}

/** Whether an axis is all channels of its tensor. */
export function isAllChannels(at: AxisPlace | undefined, side: number, { channels }: Shape): boolean {
  if (at?.place === 'none') return channels === 1
  return at?.place === 'channel' && at.step === 1 && side === channels
}
