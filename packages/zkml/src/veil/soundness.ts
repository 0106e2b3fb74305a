/** The chance that a false statement passes a proof that hides: the terms of the steps, and those of what hides them. */
import { missPerQuery } from '../commitment/shape.ts'
import { addUp, overField, type Soundness, type SoundnessTerm, termsOfSteps } from '../soundness/soundness.ts'
import { constraintCount } from './constraints.ts'
import type { PadShape } from './padShape.ts'
import type { VeiledShape } from './shape.ts'
import type { VeiledCircuit } from './statement.ts'
import type { Counts } from './trace.ts'

export function veiledSoundness(
  { plan, witness, weights, input }: VeiledCircuit,
  counts: Counts,
  pads: PadShape,
): Soundness {
  return addUp([
    ...termsOfSteps(plan),
    // A mask's value is said before the challenge that mixes it with the row's: one of |F| hides that either is false.
    overField('openings: a mask hides a false value', 3),
    // A product and its triple: a false one is forgiven by one e.
    overField('pads: products of what is hidden', counts.products),
    // A polynomial in γ without constant term but the mask's.
    overField('pads: constraints under one challenge', constraintCount(counts)),
    ...veiledTerms('witness', witness),
    ...veiledTerms('weights', weights),
    ...(input === undefined ? [] : veiledTerms('input', input)),
    ...padTerms(counts, pads),
  ])
}

/** Tensor weights over the rows, and a line from the mask (BCIKS 2020/654 Thm 4.1, Diamond–Posen 2023/630). */
function veiledTerms(name: string, { values, matrix, dimension }: VeiledShape): SoundnessTerm[] {
  const folds = Math.max(1, Math.ceil(Math.log2(values.rows)))
  const length = 2 ** (matrix.rowBits + matrix.blowupBits)
  return [
    overField(`${name}: combination hides a distant word`, 2 * (folds + 1) * length),
    columnsTerm(name, matrix.queries, dimension, length),
  ]
}

/** Powers of one challenge over rows, of another over constraints: curves (BCIKS 2020/654 Thm 1.5), and one code for all. */
function padTerms(counts: Counts, { matrix, rows, productDimension }: PadShape): SoundnessTerm[] {
  const length = 2 ** (matrix.rowBits + matrix.blowupBits)
  return [
    overField('pads: combination hides a distant word', 2 * (rows + constraintCount(counts)) * length),
    columnsTerm('pads', matrix.queries, productDimension, length),
  ]
}

function columnsTerm(name: string, queries: number, dimension: number, length: number): SoundnessTerm {
  return {
    name: `${name}: ${queries} columns miss a lie`,
    bits: -queries * Math.log2(missPerQuery(dimension, length)),
  }
}
