/** Small sumchecks over plain arrays, where a kernel would not pay. */

import type { Ext } from '../field/extension.ts'
import * as ext from '../field/extension.ts'
import { eqTable, type Point } from '../field/multilinear.ts'
import type { ProofWriter } from '../transcript/proofWriter.ts'

/** Σ a[i]·b[i] over the cube: binds the variables from the last to the first. `point` is in index order. */
export function proveProductSum(
  writer: ProofWriter,
  label: string,
  a: readonly Ext[],
  b: readonly Ext[],
): { point: Ext[]; a: Ext; b: Ext } {
  let [left, right] = [a, b]
  const point: Ext[] = []
  while (left.length > 1) {
    const half = left.length / 2
    let [atZero, atOne, leading] = [ext.ZERO, ext.ZERO, ext.ZERO]
    for (let i = 0; i < half; i++) {
      const [a0, a1] = [left[i] as Ext, left[i + half] as Ext]
      const [b0, b1] = [right[i] as Ext, right[i + half] as Ext]
      atZero = ext.add(atZero, ext.mul(a0, b0))
      atOne = ext.add(atOne, ext.mul(a1, b1))
      leading = ext.add(leading, ext.mul(ext.sub(a1, a0), ext.sub(b1, b0)))
    }
    writer.exts(label, [atZero, atOne, leading])
    const challenge = writer.transcript.challenge(label)
    left = foldLast(left, challenge)
    right = foldLast(right, challenge)
    point.unshift(challenge)
  }
  return { point, a: left[0] as Ext, b: right[0] as Ext }
}

/**
 * Σ eq(weights, high bits of i)·a[i]·b[i], the prover's side of `verifyEqSumcheck`: binds the high bits, from the last to the
 * first, and leaves both tables over the low bits. `point` is in index order.
 */
export function proveEqProductSum(
  writer: ProofWriter,
  label: string,
  a: readonly Ext[],
  b: readonly Ext[],
  weights: Point,
): { point: Ext[]; a: readonly Ext[]; b: readonly Ext[] } {
  let [left, right] = [a, b]
  const inner = a.length / 2 ** weights.length
  const point: Ext[] = []
  for (let bound = weights.length - 1; bound >= 0; bound--) {
    const eq = eqTable(weights.slice(0, bound))
    const half = left.length / 2
    let [atZero, atOne, leading] = [ext.ZERO, ext.ZERO, ext.ZERO]
    for (let i = 0; i < half; i++) {
      const weight = eq[Math.floor(i / inner)] as Ext
      const [a0, a1] = [left[i] as Ext, left[i + half] as Ext]
      const [b0, b1] = [ext.mul(weight, right[i] as Ext), ext.mul(weight, right[i + half] as Ext)]
      atZero = ext.add(atZero, ext.mul(a0, b0))
      atOne = ext.add(atOne, ext.mul(a1, b1))
      leading = ext.add(leading, ext.mul(ext.sub(a1, a0), ext.sub(b1, b0)))
    }
    writer.exts(label, [atZero, atOne, leading])
    const challenge = writer.transcript.challenge(label)
    left = foldLast(left, challenge)
    right = foldLast(right, challenge)
    point.unshift(challenge)
  }
  return { point, a: left, b: right }
}

/** Binds the highest variable of a table. */
function foldLast(table: readonly Ext[], challenge: Ext): Ext[] {
  const half = table.length / 2
  return Array.from({ length: half }, (_, i) => fold(table[i] as Ext, table[i + half] as Ext, challenge))
}

/** low + challenge·(high − low). */
export function fold(low: Ext, high: Ext, challenge: Ext): Ext {
  return ext.add(low, ext.mul(challenge, ext.sub(high, low)))
}
