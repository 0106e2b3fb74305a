/**
 * LogUp (Haböck 2022/1530) by the GKR protocol for sums of fractions (Papini–Haböck 2023/1039), verifier's side:
 *   Σ over lookups of 1 / (α − f) = Σ over table rows of m / (α − t),  f = first + β·second + β²·tag.
 * All fractions are leaves of one binary tree; its root must be zero over something that is not zero.
 */

import type { Form, Plan } from '../circuit/plan.ts'
import { ZkmlError } from '../errors.ts'
import type { Ext } from '../field/extension.ts'
import * as ext from '../field/extension.ts'
import { eqIndex, type Point } from '../field/multilinear.ts'
import { verifyEqSumcheck } from '../sumcheck/verifySumcheck.ts'
import type { ProofReader } from '../transcript/proofReader.ts'
import { evaluateTable } from './tables.ts'

export type Fingerprint = { alpha: Ext; beta: Ext }

/** α − (first + β·second + β²·tag). Tags start at 1. */
function fingerprint({ alpha, beta }: Fingerprint, first: Ext, second: Ext, tag: number): Ext {
  const tagged = ext.add(second, ext.scale(beta, tag))
  return ext.sub(alpha, ext.add(first, ext.mul(beta, tagged)))
}

/** A claim about the leaves: the multilinear extensions of numerators and denominators at one point. */
export type LeafClaim = { point: Point; numerator: Ext; denominator: Ext }

/** Walks from the root to the leaves, one sumcheck a layer. @throws ZkmlError invalid_proof */
export function verifyFractionTree(reader: ProofReader, leafBits: number): LeafClaim {
  const { transcript } = reader
  let point: Point = []
  // The root: the two fractions below it, whose sum must vanish. Nonzero denominators there mean none is zero below.
  let halves = reader.exts('fractions/halves', 4)
  const [numerator, denominator] = joinFractions(halves)
  if (!ext.equals(numerator, ext.ZERO))
    throw new ZkmlError('invalid_proof', 'the lookups do not match the tables', { layer: 0 })
  if (!ext.differs(denominator, ext.ZERO))
    throw new ZkmlError('invalid_proof', 'a lookup has a zero denominator', { layer: 0 })
  for (let layer = 1; ; layer++) {
    const [p0, p1, q0, q1] = halves as [Ext, Ext, Ext, Ext]
    const select = transcript.challenge('fractions/select')
    const mix = (low: Ext, high: Ext) => ext.add(low, ext.mul(select, ext.sub(high, low)))
    const claim = { point: [...point, select], numerator: mix(p0, p1), denominator: mix(q0, q1) }
    if (layer === leafBits) return claim
    const lambda = transcript.challenge('fractions/combine')
    const combined = ext.add(claim.numerator, ext.mul(lambda, claim.denominator))
    const reduced = verifyEqSumcheck(reader, 'fractions/round', combined, claim.point)
    halves = reader.exts('fractions/halves', 4)
    const [top, bottom] = joinFractions(halves)
    if (!ext.equals(ext.add(top, ext.mul(lambda, bottom)), reduced.claim))
      throw new ZkmlError('invalid_proof', 'a layer of fractions does not add up', { layer })
    point = reduced.point
  }
}

/** p₀/q₀ + p₁/q₁ = (p₀q₁ + p₁q₀) / q₀q₁, for halves listed as p₀, p₁, q₀, q₁. */
function joinFractions(halves: readonly Ext[]): [Ext, Ext] {
  const [p0, p1, q0, q1] = halves as [Ext, Ext, Ext, Ext]
  return [ext.add(ext.mul(p0, q1), ext.mul(p1, q0)), ext.mul(q0, q1)]
}

/** The multilinear extension of a form, from those of its values. */
function evaluateForm(form: Form, evaluations: readonly (Ext | undefined)[]): Ext {
  let total = ext.fromInteger(form.constant)
  for (const { value, coefficient } of form.terms)
    total = ext.add(total, ext.scale(evaluations[value] as Ext, ext.fromInteger(coefficient)[0]))
  return total
}

/**
 * The leaves as the plan lays them out, evaluated at the claim's point from the evaluations of the columns. Leaves that
 * belong to no block are 0/1. @throws ZkmlError invalid_proof when they differ from the claim
 */
export function checkLeaves(
  plan: Plan,
  keys: Fingerprint,
  claim: LeafClaim,
  evaluations: readonly (Ext | undefined)[],
): void {
  let numerator = ext.ZERO
  let denominator = ext.ZERO
  let covered = ext.ZERO
  const leaf = (bits: number, offset: number, top: Ext, bottom: Ext) => {
    const selector = eqIndex(claim.point.slice(bits), offset / 2 ** bits)
    numerator = ext.add(numerator, ext.mul(selector, top))
    denominator = ext.add(denominator, ext.mul(selector, bottom))
    covered = ext.add(covered, selector)
  }
  for (const { table, bits, offset, first, second } of plan.lookups) {
    const [a, b] = [evaluateForm(first, evaluations), evaluateForm(second, evaluations)]
    leaf(bits, offset, ext.ONE, fingerprint(keys, a, b, table + 1))
  }
  for (const [index, { table, multiplicities, offset }] of plan.tables.entries()) {
    const [a, b] = evaluateTable(table, claim.point.slice(0, table.bits))
    const top = ext.sub(ext.ZERO, evaluations[multiplicities] as Ext)
    leaf(table.bits, offset, top, fingerprint(keys, a, b, index + 1))
  }
  denominator = ext.add(denominator, ext.sub(ext.ONE, covered))
  if (!ext.equals(numerator, claim.numerator) || !ext.equals(denominator, claim.denominator))
    throw new ZkmlError('invalid_proof', 'the columns do not give the leaves that the lookups ended in')
}
