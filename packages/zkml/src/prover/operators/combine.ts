/** Combinations on integers. */
import type { Combine } from '../../circuit/architecture.ts'
import { axisBits } from '../../circuit/axes.ts'
import { layoutSize, type Tensor } from '../../circuit/checkArchitecture.ts'
import type { Model } from '../../circuit/model.ts'
import type { NodePlan } from '../../circuit/plan.ts'
import { layOutTensor } from '../../circuit/statement.ts'

export function combine(
  { plan }: Model,
  { output }: NodePlan,
  { terms, offsets }: Combine,
  inputs: readonly Int32Array[],
): Int32Array {
  const sums = offsets === undefined ? new Int32Array(layoutSize(output)) : layOutTensor(offsets, output, 0)
  for (const [at, { input, multiplier }] of terms.entries()) {
    const tensor = plan.tensors[input] as Tensor
    const values = inputs[at] as Int32Array
    const place = broadcastPlace(output, tensor)
    for (let i = 0; i < sums.length; i++)
      sums[i] = (sums[i] as number) + multiplier * ((values[place(i)] as number) - tensor.zeroPoint)
  }
  return sums
}

/** Where a term holds what stands at place i of the output: sides of 1 have one place only. */
function broadcastPlace(output: Tensor, term: Tensor): (i: number) => number {
  const [wide, own] = [axisBits(output), axisBits(term)]
  const mask = (bits: number) => 2 ** bits - 1
  return (i) => {
    const x = i & mask(wide.width) & mask(own.width)
    const y = (i >> wide.width) & mask(wide.height) & mask(own.height)
    const c = (i >> (wide.width + wide.height)) & mask(own.channels)
    return (((c << own.height) + y) << own.width) + x
  }
}
