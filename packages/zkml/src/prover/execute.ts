/**
 * Runs the padded circuit and fills every column of the plan. Padding is computed like everything else: a padded unit
 * has zero weights, a padded position an empty window.
 */

import { inputsOf, type Requantise } from '../circuit/architecture.ts'
import type { Model } from '../circuit/model.ts'
import type { NodePlan, ValueIndex } from '../circuit/plan.ts'
import { layOutTensor } from '../circuit/statement.ts'
import { roundingTerm } from '../verifier/linear/accumulator.ts'
import type { Columns } from './columns.ts'
import { accumulate } from './operators/accumulate.ts'
import { fillMaxima } from './operators/windows.ts'

export function execute(model: Model, input: ArrayLike<number>): Columns {
  const columns = startColumns(model, input)
  for (const index of model.plan.nodes.keys()) fillNode(model, columns, index)
  return columns
}

/** All columns empty but the input's. */
export function startColumns({ plan }: Model, input: ArrayLike<number>): Columns {
  const columns: Columns = plan.values.map(() => undefined)
  const shape = plan.architecture.input
  columns[plan.tensorValues[0] as ValueIndex] = layOutTensor(input, shape, shape.zeroPoint)
  return columns
}

/** Fills the columns of one node from those of the nodes before it. */
export function fillNode(model: Model, columns: Columns, index: number): void {
  const { plan } = model
  const planned = plan.nodes[index] as NodePlan
  const inputs = inputsOf(planned.node).map(
    (tensor) => columns[plan.tensorValues[tensor] as ValueIndex] as Int32Array,
  )
  if (planned.node.op === 'maxPool') fillMaxima(columns, planned, inputs[0] as Int32Array)
  else if (planned.node.op === 'map') {
    const { values } = planned.node
    const output = plan.tensorValues[index + 1] as ValueIndex
    columns[output] = (inputs[0] as Int32Array).map((x) => values[x + 128] as number)
  } else {
    const output = plan.tensorValues[index + 1] as ValueIndex
    fillRequantised(columns, planned, output, accumulate(model, planned, inputs))
  }
}

/** Output, target and remainder limbs from the accumulators. */
function fillRequantised(columns: Columns, planned: NodePlan, output: ValueIndex, sums: Int32Array): void {
  const { accumulator } = planned
  if (accumulator?.kind !== 'requantised') {
    columns[output] = sums
    return
  }
  const { target, limbs, requantise } = accumulator
  const targets = new Int32Array(sums.length)
  const outputs = new Int32Array(sums.length)
  const parts = limbs.map(() => new Int32Array(sums.length))
  const { shift } = requantise
  for (let i = 0; i < sums.length; i++) {
    const scaled = (sums[i] as number) * requantise.multiplier + roundingTerm(shift)
    const quotient = Math.floor(scaled / 2 ** shift)
    const wanted = quotient + requantise.zeroPoint
    targets[i] = wanted
    outputs[i] = clamp(wanted, requantise)
    let rest = scaled - quotient * 2 ** shift
    for (const [at, { bits }] of limbs.entries()) {
      const part = parts[at] as Int32Array
      part[i] = rest % 2 ** bits
      rest = Math.floor(rest / 2 ** bits)
    }
  }
  columns[target] = targets
  columns[output] = outputs
  for (const [at, { value }] of limbs.entries()) columns[value] = parts[at]
}

function clamp(value: number, { low, high }: Requantise): number {
  return Math.min(high, Math.max(low, value))
}
