/**
 * The dimensions of a tensor commitment: `length` field elements as rows of 2^rowBits, each row a Reed–Solomon codeword
 * of 2^(rowBits + blowupBits), opened in `queries` columns. All follow from the length, so no prover chooses them.
 */
export type CommitmentShape = {
  /** Elements committed; what lies past them in the last row is zero. */
  length: number
  rows: number
  rowBits: number
  blowupBits: number
  queries: number
}

/** Rate 1/8. */
const BLOWUP_BITS = 3
/** Each commitment may fail with at most this probability, so that both together stay below 2^-100. */
const COMMITMENT_BITS = 101.1
const MIN_ROW_BITS = 4
const MAX_ROW_BITS = 16

/**
 * Chance that one query misses a lie, in the unique-decoding regime: a word beyond half the distance, or a wrong row
 * within it, differs in at least e + 1 of n columns, e = ⌊(d − 1)/2⌋, d = n − k + 1 (Ligero §4; Diamond–Posen 2023/630).
 * k is the code's dimension, n its length.
 */
export function missPerQuery(dimension: number, length: number): number {
  const distance = length - dimension + 1
  return 1 - (Math.floor((distance - 1) / 2) + 1) / length
}

/** Bytes an opening takes: the combined row, the columns, and about their Merkle paths. */
function openingBytes(length: number, rowBits: number, queries: number): number {
  const rows = Math.ceil(length / 2 ** rowBits)
  const path = Math.max(0, rowBits + BLOWUP_BITS - Math.floor(Math.log2(queries)))
  return 20 * 2 ** rowBits + queries * (4 * rows + 32 * path)
}

/** The shape with the smallest opening. */
export function commitmentShape(length: number): CommitmentShape {
  const candidates: (CommitmentShape & { bytes: number })[] = []
  for (let rowBits = MIN_ROW_BITS; rowBits <= MAX_ROW_BITS; rowBits++) {
    const miss = missPerQuery(2 ** rowBits, 2 ** (rowBits + BLOWUP_BITS))
    const queries = Math.ceil(COMMITMENT_BITS / -Math.log2(miss))
    const rows = Math.ceil(length / 2 ** rowBits)
    const bytes = openingBytes(length, rowBits, queries)
    candidates.push({ length, rows, rowBits, blowupBits: BLOWUP_BITS, queries, bytes })
  }
  const { bytes: _, ...best } = candidates.reduce((a, b) => (b.bytes < a.bytes ? b : a))
  return best
}

/** Coordinates of the point at which a commitment is opened: the column part first. */
export function openingBits(shape: CommitmentShape): number {
  return shape.rowBits + Math.ceil(Math.log2(shape.rows))
}
