/** The prover's side of `verifier/linear/contract.ts`. */

import type { Contract, Indices } from '../../circuit/architecture.ts'
import {
  type Block,
  type Contraction,
  type Coordinates,
  ofKind,
  shiftsOf,
} from '../../circuit/contraction.ts'
import type { Ext } from '../../field/extension.ts'
import * as ext from '../../field/extension.ts'
import { eqTable, type Point } from '../../field/multilinear.ts'
import type { ProofWriter } from '../../transcript/proofWriter.ts'
import { claimOperands, contractionAtRow } from '../../verifier/linear/contract.ts'
import { proveEqProductSum, proveProductSum } from '../proverSumcheck.ts'
import { centred } from './product.ts'
import type { ProverContext } from './proverContext.ts'

export function proveContract(writer: ProofWriter, context: ProverContext, node: Contract): void {
  const at = contractionAtRow(context, node)
  const { contraction, known, shared, weights } = at
  const tables = at.blocks.map((block) =>
    [node.left, node.right].map(({ input, indices }) =>
      operandTable(centred(context, input), indices, contraction, known, shared, block),
    ),
  )
  if (at.blocks.length > 1) {
    const eq = eqTable(weights)
    writer.exts(
      'contract/blocks',
      tables.map(([left, right]) => weightedSum(left as Ext[], right as Ext[], eq)),
    )
  }
  for (const [part, block] of at.blocks.entries()) {
    const [left, right] = tables[part] as [Ext[], Ext[]]
    const bound = proveEqProductSum(writer, 'contract/shared', left, right, weights)
    const { point, a, b } = proveProductSum(writer, 'contract/summed', bound.a, bound.b)
    writer.exts('contract/factors', [a, b])
    claimOperands(context, at, block, bound.point, point, a, b)
  }
}

/**
 * An operand over the block's summed values (low bits) and the shared ones (high bits), its own indices bound at the row.
 */
function operandTable(
  values: readonly number[],
  indices: Indices,
  contraction: Contraction,
  known: Coordinates,
  shared: readonly number[],
  block: Block,
): Ext[] {
  const shifts = shiftsOf(contraction, indices)
  const shift = (index: number) => shifts.get(index) as number
  const bitsOf = (index: number) => contraction.get(index)?.bits ?? 0
  const start = block.reduce((sum, { index, run }) => sum + run.start * 2 ** shift(index), 0)
  const places = offsets([
    ...block.map(({ index, run }) => ({ bits: run.bits, shift: shift(index) })),
    ...shared.map((index) => ({ bits: bitsOf(index), shift: shift(index) })),
  ])
  const own = [...ofKind(contraction, 'left'), ...ofKind(contraction, 'right')].filter((index) =>
    shifts.has(index),
  )
  const ownPlaces = offsets(own.map((index) => ({ bits: bitsOf(index), shift: shift(index) })))
  const ownWeights = eqTable(own.flatMap((index) => [...(known.get(index) as Point)]))
  return places.map((place) => {
    let sum = ext.ZERO
    for (const [at, offset] of ownPlaces.entries())
      sum = ext.add(sum, ext.scale(ownWeights[at] as Ext, values[start + place + offset] as number))
    return sum
  })
}

/** Where a tensor's values lie as several runs of its index's bits count up, the first run fastest. */
function offsets(runs: readonly { bits: number; shift: number }[]): number[] {
  return runs.reduce<number[]>(
    (places, { bits, shift }) =>
      Array.from({ length: 2 ** bits }, (_, value) => value * 2 ** shift).flatMap((high) =>
        places.map((low) => low + high),
      ),
    [0],
  )
}

/** Σ eq[high bits]·a·b. */
function weightedSum(a: readonly Ext[], b: readonly Ext[], eq: readonly Ext[]): Ext {
  const inner = a.length / eq.length
  return ext.sum(
    eq.map((weight, high) => {
      let sum = ext.ZERO
      for (let i = high * inner; i < (high + 1) * inner; i++)
        sum = ext.add(sum, ext.mul(a[i] as Ext, b[i] as Ext))
      return ext.mul(weight, sum)
    }),
  )
}
