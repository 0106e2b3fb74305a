/**
 * QuantizeLinear and DequantizeLinear (the QDQ format): around a computed tensor they give its int8 scale, which then
 * needs no calibration; around constants they are computed.
 */

import type { Range } from '../../../circuit/encoding.ts'
import type { OnnxNode } from '../../onnx/onnxModel.ts'
import type { Constant, Lowering, Value } from '../lowering.ts'
import { cannot, numberOf } from '../nodeParts.ts'

export function lowerQuantize(lowering: Lowering, node: OnnxNode): Value {
  const value = lowering.value(node, 0)
  if (value.kind === 'constant') {
    // The bounds are int8's unless the zero point is a uint8, which int8 cannot hold.
    const by = scaling(lowering, node, value)
    return {
      ...value,
      integer: true,
      data: Array.from(value.data, (x, at) => Math.round(x / by.scale(at)) + by.zeroPoint(at)),
    }
  }
  const { range } = rangeOf(lowering, node)
  const settled = lowering.read(node, lowering.activation(node, 0))
  const target = lowering.nodes[settled.tensor - 1]
  if (settled.tensor === 0) lowering.inputRange = range
  else if (target !== undefined) target.range = range
  return { ...settled, quantised: range }
}

export function lowerDequantize(lowering: Lowering, node: OnnxNode): Value {
  const value = lowering.value(node, 0)
  if (value.kind === 'constant') {
    const by = scaling(lowering, node, value)
    return {
      ...value,
      integer: false,
      data: Float32Array.from(value.data, (q, at) => by.scale(at) * (q - by.zeroPoint(at))),
    }
  }
  if (value.quantised === undefined)
    return cannot(
      node,
      'dequantises a tensor that nothing has quantised',
      {},
      'give the model a float32 input',
    )
  return { ...value, quantised: undefined }
}

/** Scale and zero point of a computed tensor, as int8: a uint8 zero point is 128 higher. */
function rangeOf(lowering: Lowering, node: OnnxNode): { range: Range } {
  const scale = lowering.constant(node, 1)
  const zeroPoint = lowering.optional(node, 2)
  if (scale.data.length !== 1) return cannot(node, 'has a scale a channel on a computed tensor')
  const unsigned = (zeroPoint?.elementType ?? UINT8) === UINT8
  const range = {
    scale: scale.data[0] as number,
    zeroPoint: (zeroPoint?.data[0] ?? 0) - (unsigned ? 128 : 0),
  }
  const outside =
    !Number.isInteger(range.zeroPoint) || Math.abs(range.zeroPoint) > 128 || range.zeroPoint > 127
  if (!(range.scale > 0) || outside)
    return cannot(node, 'has a scale or zero point that int8 cannot hold', range)
  return { range }
}

const UINT8 = 2

/** Scale and zero point of each of a constant's numbers, along the node's axis. */
function scaling(lowering: Lowering, node: OnnxNode, value: Constant) {
  lowering.spend(node, value.data.length)
  const [scale, zeroPoint] = [lowering.constant(node, 1), lowering.optional(node, 2)]
  const given = numberOf(node, 'axis', 1)
  const axis = given < 0 ? given + value.dims.length : given
  const inner = value.dims.slice(axis + 1).reduce((a, b) => a * b, 1)
  const side = value.dims[axis] ?? 1
  for (const { data } of [scale, zeroPoint].filter((list) => list !== undefined))
    if (data.length !== 1 && data.length !== side)
      cannot(node, 'has scales or zero points that do not fit its axis', { axis, side, scales: data.length })
  if (Array.from(scale.data).some((x) => !(x > 0))) cannot(node, 'has a scale that is not positive')
  const pick = (list: ArrayLike<number>, at: number) =>
    list[list.length === 1 ? 0 : Math.floor(at / inner) % side] as number
  return {
    scale: (at: number) => pick(scale.data, at),
    zeroPoint: (at: number) => (zeroPoint === undefined ? 0 : pick(zeroPoint.data, at)),
  }
}
