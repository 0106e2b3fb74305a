/** The sumcheck protocol (Lund–Fortnow–Karloff–Nisan 1992), verifier's side, for quadratic round polynomials. */
import { ZkmlError } from '../errors.ts'
import type { Ext } from '../field/extension.ts'
import * as ext from '../field/extension.ts'
import type { ProofReader } from '../transcript/proofReader.ts'

/**
 * A quadratic by its value at 0, its value at 1 and its leading coefficient ("at infinity"): three elements hold any
 * quadratic and nothing else, so a round has no room for an extra degree.
 */
export type Quadratic = readonly [atZero: Ext, atOne: Ext, leading: Ext]

/** q(x) = q₀ + x·(q₁ − q₀ − lead) + x²·lead. */
export function evaluateQuadratic([atZero, atOne, leading]: Quadratic, x: Ext): Ext {
  const linear = ext.sub(ext.sub(atOne, atZero), leading)
  return ext.add(atZero, ext.mul(x, ext.add(linear, ext.mul(x, leading))))
}

/** What remains to be checked after the rounds: the summand at `point` must equal `claim`. */
export type Reduced = { point: Ext[]; claim: Ext }

/**
 * Reduces "the sum over the cube is `claim`" to one evaluation. Challenges come in the order in which variables are
 * bound. @throws ZkmlError invalid_proof
 */
export function verifySumcheck(reader: ProofReader, label: string, claim: Ext, rounds: number): Reduced {
  const point: Ext[] = []
  let expected = claim
  for (let round = 0; round < rounds; round++) {
    const polynomial = reader.exts(label, 3) as unknown as Quadratic
    if (!ext.equals(ext.add(polynomial[0], polynomial[1]), expected)) refuseRound(label, round)
    const challenge = reader.transcript.challenge(label)
    expected = evaluateQuadratic(polynomial, challenge)
    point.push(challenge)
  }
  return { point, claim: expected }
}

/**
 * The same for Σ eq(weights, x)·h(x), where the prover sends only h's part of each round and the verifier supplies the
 * factor of eq (Gruen 2024/108): round polynomials stay quadratic though the summand is cubic. Binds the variables from
 * the last to the first; `point` is in index order.
 */
export function verifyEqSumcheck(
  reader: ProofReader,
  label: string,
  claim: Ext,
  weights: readonly Ext[],
): Reduced {
  const point: Ext[] = []
  let expected = claim
  for (const weight of weights.toReversed()) {
    const polynomial = reader.exts(label, 3) as unknown as Quadratic
    const atZero = ext.mul(ext.sub(ext.ONE, weight), polynomial[0])
    if (!ext.equals(ext.add(atZero, ext.mul(weight, polynomial[1])), expected))
      refuseRound(label, point.length)
    const challenge = reader.transcript.challenge(label)
    expected = evaluateQuadratic(polynomial, challenge)
    point.unshift(challenge)
  }
  return { point, claim: expected }
}

function refuseRound(label: string, round: number): never {
  throw new ZkmlError('invalid_proof', 'a sumcheck round does not sum to its claim', { label, round })
}
