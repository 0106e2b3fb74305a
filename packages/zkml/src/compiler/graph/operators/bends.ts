/** Functions of straight lines: Relu and Clip bound a requantisation, a leaky Relu is a sum of two. */
import type { OnnxNode } from '../../onnx/onnxModel.ts'
import type { Clamp } from '../floatGraph.ts'
import type { Activation, Constant, Lowering, Value } from '../lowering.ts'
import { cannot, numberOf } from '../nodeParts.ts'

function addClamp(lowering: Lowering, node: OnnxNode, value: Activation, clamp: Clamp): Activation {
  const settled = lowering.read(node, value)
  const shape = lowering.shapeOf(settled.tensor)
  const clamped = lowering.add(node.name, { op: 'clamp', input: settled.tensor }, shape, value.dims)
  const last = lowering.nodes.at(-1)
  if (last !== undefined) last.clamp = clamp
  return { ...clamped, order: settled.order }
}

export function lowerRelu(lowering: Lowering, node: OnnxNode): Value {
  return addClamp(lowering, node, lowering.activation(node, 0), { low: 0, high: Number.POSITIVE_INFINITY })
}

export function lowerClip(lowering: Lowering, node: OnnxNode): Value {
  const bound = (at: number, name: string, open: number) => {
    if (lowering.opset < 11) return numberOf(node, name, open)
    return (lowering.optional(node, at)?.data[0] as number | undefined) ?? open
  }
  const [low, high] = [bound(1, 'min', Number.NEGATIVE_INFINITY), bound(2, 'max', Number.POSITIVE_INFINITY)]
  if (!(low < high)) return cannot(node, 'clips to an empty range', { min: low, max: high })
  return addClamp(lowering, node, lowering.activation(node, 0), { low, high })
}

/** slope·x + (1 − slope)·max(0, x). */
export function lowerLeakyRelu(lowering: Lowering, node: OnnxNode): Value {
  const slope =
    node.op === 'PRelu' ? scalarOf(node, lowering.constant(node, 1)) : numberOf(node, 'alpha', 0.01)
  const value = lowering.activation(node, 0)
  const positive = addClamp(lowering, node, value, { low: 0, high: Number.POSITIVE_INFINITY })
  const settled = lowering.read(node, value)
  const terms = [
    { input: settled.tensor, factor: slope },
    { input: positive.tensor, factor: 1 - slope },
  ]
  const shape = lowering.shapeOf(settled.tensor)
  return { ...lowering.add(node.name, { op: 'combine', terms }, shape, value.dims), order: positive.order }
}

function scalarOf(node: OnnxNode, { data }: Constant): number {
  const first = data[0] as number
  if (data.length === 0 || Array.from(data).some((x) => x !== first))
    return cannot(node, 'has a slope a channel', {}, 'use one slope for all channels')
  return first
}
