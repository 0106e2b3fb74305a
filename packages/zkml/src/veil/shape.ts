/**
 * Dimensions of a commitment that hides what it holds (Ligero's zero knowledge, CCS 2017 §4.6). Behind the 2^rowBits
 * values of a row stand random coefficients, as many as columns may ever be opened, so the opened entries of a row are
 * uniform whatever its values are. Five more rows an opening mask the combined row, and four random words salt each leaf.
 */
import { type CommitmentShape, missPerQuery } from '../commitment/shape.ts'
import { DEGREE } from '../field/extension.ts'

export type VeiledShape = {
  /** What claims are about: rows of 2^rowBits values. */
  values: CommitmentShape
  /** What is encoded: the rows of values, five a mask, then the salt; messages of 2^rowBits words, zero past `dimension`. */
  matrix: CommitmentShape
  /** Coefficients of a row that are not zero by definition: its values, then its random ones. */
  dimension: number
  /** How often it may be opened. */
  openings: number
}

/** Random words behind every leaf: 124 bits, or what a column holds could be guessed from its hash. */
export const SALT_WORDS = 4
/** Each of at most four commitments may fail with at most this probability, so that all together stay below 2^-100. */
const VEILED_BITS = 102.1
/** Codes are searched from rate 1/2 to 1/8. */
const BLOWUPS = [1, 2, 3] as const
const ROW_BITS = Array.from({ length: 13 }, (_, at) => at + 4)

export const bitsFor = (count: number): number => Math.ceil(Math.log2(count))

/**
 * The fewest queries that catch a lie, where each query asks for `openings` more random coefficients and so
 * makes the code longer; undefined where that never ends.
 */
export function queriesFor(dimensionOf: (queries: number) => number, length: number): number | undefined {
  let queries = 1
  for (;;) {
    const dimension = dimensionOf(queries)
    if (2 * dimension > length) return undefined
    const wanted = Math.ceil(VEILED_BITS / -Math.log2(missPerQuery(dimension, length)))
    if (wanted <= queries) return queries
    queries = wanted
  }
}

/** Bytes of the columns and about those of their paths. */
export function columnBytes(rows: number, lengthBits: number, queries: number): number {
  return queries * (4 * rows + 32 * Math.max(0, lengthBits - Math.floor(Math.log2(queries))))
}

/** The candidate with the fewest bytes. */
export function smallest<T extends { bytes: number }>(candidates: readonly T[]): T {
  return candidates.reduce((a, b) => (b.bytes < a.bytes ? b : a))
}

/** The shape with the smallest opening, for `length` values that may be opened `openings` times. */
export function veiledShape(length: number, openings: number): VeiledShape {
  const candidates = ROW_BITS.flatMap((rowBits) =>
    BLOWUPS.flatMap((blowup) => {
      // The message is as long as the next power of two; masks may fill up to all of it.
      const shapes: (VeiledShape & { bytes: number })[] = []
      for (let messageBits = rowBits + 1; messageBits <= rowBits + 12; messageBits++) {
        const dimensionOf = (queries: number) => 2 ** rowBits + openings * queries
        const lengthBits = messageBits + blowup
        const queries = queriesFor(dimensionOf, 2 ** lengthBits)
        if (queries === undefined || bitsFor(dimensionOf(queries)) !== messageBits) continue
        const rows = Math.ceil(length / 2 ** rowBits)
        const matrixRows = rows + DEGREE * openings + SALT_WORDS
        const dimension = dimensionOf(queries)
        shapes.push({
          values: { length, rows, rowBits, blowupBits: lengthBits - rowBits, queries },
          matrix: { length, rows: matrixRows, rowBits: messageBits, blowupBits: blowup, queries },
          dimension,
          openings,
          bytes: 20 * dimension + columnBytes(matrixRows, lengthBits, queries),
        })
      }
      return shapes
    }),
  )
  const { bytes: _, ...best } = smallest(candidates)
  return best
}
