/** A dense layer that copies values: what ends a circuit whose own last operator is none. */
import type { Shape } from '../../circuit/architecture.ts'
import { valuesOf } from '../../circuit/encoding.ts'
import { ZkmlError } from '../../errors.ts'
import type { FloatNode, FloatTensor } from './floatGraph.ts'

/** Weights grow with the square of the values. */
const MOST = 2048

/** @throws ZkmlError cannot_compile */
export function copyLayer(
  name: string,
  input: FloatTensor,
  shape: Shape,
  order: Int32Array | null = null,
): FloatNode {
  const units = valuesOf(shape)
  if (units > MOST)
    throw new ZkmlError(
      'cannot_compile',
      `output ${name} has ${units} values and does not come from a dense layer`,
      { most: MOST },
      'end the model with a Gemm, or with a pool that leaves fewer values',
    )
  const weights = new Float32Array(units * units)
  for (let unit = 0; unit < units; unit++) weights[unit * units + (order?.[unit] ?? unit)] = 1
  return {
    op: 'dense',
    input,
    units,
    weights,
    bias: new Float32Array(units),
    name,
    shape: { channels: units, height: 1, width: 1 },
    clamp: undefined,
    range: undefined,
  }
}
