/**
 * "Σ weights·pads is `sum`", for weights that everybody knows: Ligero's test of linear constraints (CCS 2017 §4.2) over
 * coefficients. A row p(X) has the pads as its lowest coefficients; times the weights in reverse order, w(X), the
 * coefficient of X^(2^valueBits − 1) is their inner product, which random coefficients behind the pads do not reach.
 */
import { extensionEncodeAt, verifyTree } from '../commitment/verifyOpening.ts'
import { ZkmlError } from '../errors.ts'
import type { Ext } from '../field/extension.ts'
import * as ext from '../field/extension.ts'
import type { Combined } from './constraints.ts'
import type { PadShape } from './padShape.ts'
import type { VeiledReader } from './veiledReader.ts'
import { filledUp } from './verifyRow.ts'

/** The weights of each row as w(X). */
export function weightRows({ rows, valueBits }: PadShape, weights: readonly Ext[]): Ext[][] {
  const size = 2 ** valueBits
  return Array.from({ length: rows }, (_, row) =>
    Array.from({ length: size }, (_, at) => weights[row * size + size - 1 - at] ?? ext.ZERO),
  )
}

/** @throws ZkmlError malformed_proof or invalid_proof */
export function verifyPads(
  reader: VeiledReader,
  { shape, root }: { shape: PadShape; root: Uint8Array },
  { weights, sum }: Combined,
): () => void {
  const { matrix, rows, valueBits, dimension, productDimension } = shape
  const mix = ext.powers(reader.transcript.challenge('pads/mix'), rows + 1).slice(1)
  const row = reader.clear('pads/row', dimension)
  const product = reader.clear('pads/product', productDimension)
  if (!ext.same(product[2 ** valueBits - 1] as Ext, sum))
    throw new ZkmlError('invalid_proof', 'what was said does not satisfy the checks of the conversation')
  return () =>
    verifyTree(reader, { label: 'pads', shape: matrix, root }, (indices) => {
      const at = (coefficients: readonly Ext[], blowup: number) =>
        extensionEncodeAt(coefficients, blowup, indices)
      const rowWord = at(filledUp(row, shape), matrix.blowupBits)
      const productWord = at(filledUp(product, shape), matrix.blowupBits)
      const weightWords = weightRows(shape, weights).map((coefficients) =>
        at(coefficients, matrix.rowBits + matrix.blowupBits - valueBits),
      )
      return (column, query) => {
        const entry = (index: number) =>
          [...column.subarray(ext.DEGREE * index, ext.DEGREE * (index + 1))] as unknown as Ext
        let [combined, multiplied] = [entry(rows), entry(rows + 1)]
        for (let index = 0; index < rows; index++) {
          const pads = entry(index)
          combined = ext.add(combined, ext.mul(mix[index] as Ext, pads))
          multiplied = ext.add(multiplied, ext.mul(weightWords[index]?.[query] as Ext, pads))
        }
        if (!ext.same(combined, rowWord[query] as Ext))
          throw new ZkmlError('invalid_proof', 'a column of pads does not lie on their combined row')
        if (!ext.same(multiplied, productWord[query] as Ext))
          throw new ZkmlError('invalid_proof', 'a column of pads does not lie on their weighted sum')
      }
    })
}
