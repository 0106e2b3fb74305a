/** Accumulators of a node over its padded output. */
import type { Model } from '../../circuit/model.ts'
import type { NodePlan } from '../../circuit/plan.ts'
import { combine } from './combine.ts'
import { contract } from './contract.ts'
import { convolve } from './convolve.ts'
import { multiply } from './multiply.ts'
import { sumWindows } from './windows.ts'

export function accumulate(model: Model, planned: NodePlan, inputs: readonly Int32Array[]): Int32Array {
  const { node } = planned
  const input = inputs[0] as Int32Array
  switch (node.op) {
    case 'dense':
      return multiply(model, planned, input)
    case 'conv2d':
      return convolve(model, planned, input)
    case 'sumPool':
      return sumWindows(planned, node.window, input)
    case 'combine':
      return combine(model, planned, node, inputs)
    case 'contract':
      return contract(model, node, inputs)
    case 'maxPool':
    case 'map':
      throw new TypeError(`a ${node.op} has no accumulator`)
  }
}
