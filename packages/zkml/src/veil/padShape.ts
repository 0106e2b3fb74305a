/**
 * Dimensions of the commitment to the pads: rows of 2^valueBits extension elements, five words each, then a mask of the
 * rows' combination, a mask of the product, and salt. The product of two rows is the longest code, so all are tested at
 * its radius.
 */
import type { CommitmentShape } from '../commitment/shape.ts'
import { DEGREE } from '../field/extension.ts'
import { bitsFor, columnBytes, queriesFor, SALT_WORDS, smallest } from './shape.ts'

export type PadShape = {
  matrix: CommitmentShape
  valueBits: number
  /** Rows of extension elements. */
  rows: number
  /** Coefficients of a row: its values and as many random ones as columns are opened. */
  dimension: number
  /** Coefficients of a row times a row of weights. */
  productDimension: number
}

export function padShape(count: number): PadShape {
  const candidates = [5, 6, 7, 8, 9, 10].flatMap((valueBits) =>
    [8, 9, 10, 11, 12, 13, 14].flatMap((lengthBits) => {
      const dimensionOf = (queries: number) => 2 ** valueBits + queries
      const productOf = (queries: number) => dimensionOf(queries) + 2 ** valueBits - 1
      const queries = queriesFor(productOf, 2 ** lengthBits)
      if (queries === undefined) return []
      const rows = Math.ceil(count / 2 ** valueBits)
      const [dimension, productDimension] = [dimensionOf(queries), productOf(queries)]
      const messageBits = bitsFor(productDimension)
      if (messageBits >= lengthBits) return []
      const matrixRows = DEGREE * (rows + 2) + SALT_WORDS
      const matrix: CommitmentShape = {
        length: count,
        rows: matrixRows,
        rowBits: messageBits,
        blowupBits: lengthBits - messageBits,
        queries,
      }
      const bytes = 20 * (dimension + productDimension) + columnBytes(matrixRows, lengthBits, queries)
      return [{ matrix, valueBits, rows, dimension, productDimension, bytes }]
    }),
  )
  const { bytes: _, ...best } = smallest(candidates)
  return best
}
