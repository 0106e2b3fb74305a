/** How large accumulators can get, over all int8 inputs: what keeps field arithmetic integer arithmetic. */
import { P } from '../field/babyBear.ts'
import type { Combine, Contract, Requantise, Shape, SumPool } from './architecture.ts'
import { contractionOf } from './contraction.ts'

/** Accumulators stay below p/2 on either side of zero, so each stands for one field element and back. */
export const MAX_ACCUMULATOR = (P - 1) / 2 - 1

type ZeroPoint = { zeroPoint: number }

/** Largest |x − zeroPoint| of an int8 x. */
export function farthest({ zeroPoint }: ZeroPoint): number {
  return Math.max(127 - zeroPoint, zeroPoint + 128)
}

/** Largest |accumulator| of a node without weights, which follows from the architecture alone. */
export function largestWithoutWeights(
  node: Combine | SumPool | Contract,
  tensors: readonly (Shape & ZeroPoint)[],
): number {
  const tensor = (input: number) => tensors[input] as Shape & ZeroPoint
  if (node.op === 'sumPool') return node.window.height * node.window.width * farthest(tensor(node.input))
  if (node.op === 'contract') {
    const [left, right] = [tensor(node.left.input), tensor(node.right.input)]
    const summed = [...contractionOf(node, left, right).values()].filter(({ kind }) => kind === 'summed')
    return summed.reduce((product, { side }) => product * side, farthest(left) * farthest(right))
  }
  const offset = (node.offsets ?? []).reduce((largest, value) => Math.max(largest, Math.abs(value)), 0)
  return node.terms.reduce(
    (sum, { input, multiplier }) => sum + Math.abs(multiplier) * farthest(tensor(input)),
    offset,
  )
}

/** Smallest reach, from 8 up, with −2^reach ≤ target < 2^reach for every accumulator up to `largest`. */
export function neededReach(
  { multiplier, shift, zeroPoint }: Omit<Requantise, 'reach'>,
  largest: number,
): number {
  const target = Math.abs(zeroPoint) + Math.ceil((largest * multiplier) / 2 ** shift) + 1
  return Math.max(8, Math.ceil(Math.log2(target + 1)))
}

/** Bits of target and remainder together: their decomposition then spans less than p, so it is unique modulo p. */
export const MAX_DECOMPOSITION_BITS = 29
export const MAX_REACH = 18
