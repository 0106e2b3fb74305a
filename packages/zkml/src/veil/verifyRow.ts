/** A commitment that hides, opened at a point: its combined row is masked, and the value it gives stays under its pad. */

import { openingBits } from '../commitment/shape.ts'
import type { Committed } from '../commitment/verifyOpening.ts'
import { ZkmlError } from '../errors.ts'
import type { Ext } from '../field/extension.ts'
import * as ext from '../field/extension.ts'
import { eqTable, type Point } from '../field/multilinear.ts'
import type { VeiledShape } from './shape.ts'
import type { VeiledReader } from './veiledReader.ts'

export type VeiledOpening = {
  label: string
  shape: VeiledShape
  root: Uint8Array
  point: Point
  value: Ext
  /** Which of the commitment's openings this is. */
  use: number
}

/** "The rows of the matrix under these weights are this row." */
export type MaskedRow = { committed: Committed; weights: Ext[]; row: Ext[] }

/**
 * The prover says y₀ = ⟨u₀, eq⟩ of its mask u₀, then shows u₀ + c·Σ eq·row for a random c; that must give y₀ + c·value.
 * Under the watch of a trace the comparison becomes a constraint. Gives what the columns are to be checked against.
 */
export function verifyVeiledRow(reader: VeiledReader, opening: VeiledOpening): MaskedRow {
  const { label, shape, root, point, value, use } = opening
  const { rowBits } = shape.values
  const [mask] = reader.exts(`${label}/mask`, 1) as [Ext]
  const factor = reader.transcript.challenge(`${label}/mix`)
  const row = reader.clear(`${label}/row`, shape.dimension)
  const columnWeights = eqTable(point.slice(0, rowBits))
  const shown = ext.sum(columnWeights.map((weight, at) => ext.mul(row[at] as Ext, weight)))
  if (!ext.equals(shown, ext.add(mask, ext.mul(factor, value))))
    throw new ZkmlError('invalid_proof', 'the masked row does not give the value claimed', { label })
  return {
    committed: { label, shape: shape.matrix, root },
    weights: matrixWeights(shape, use, point, factor),
    row: filledUp(row, shape),
  }
}

/** A point of a commitment whose rows are longer than what it holds: nothing lies at the further indices. */
export function widened(point: Point, { values }: VeiledShape): Point {
  const missing = Math.max(0, openingBits(values) - point.length)
  return [...point, ...Array.from({ length: missing }, () => ext.ZERO)]
}

/** c·eq for rows of values, the powers of X for the five rows of this opening's mask, nothing for the others. */
function matrixWeights(shape: VeiledShape, use: number, point: Point, factor: Ext): Ext[] {
  const { rows, rowBits } = shape.values
  const weights = eqTable(point.slice(rowBits), factor).slice(0, rows)
  const masks = Array.from({ length: shape.openings }, (_, opening) =>
    ext.UNITS.map((unit) => (opening === use ? unit : ext.ZERO)),
  )
  return [...weights, ...masks.flat()]
}

/** Coefficients past the code's dimension are zero. */
export function filledUp(row: readonly Ext[], { matrix }: Pick<VeiledShape, 'matrix'>): Ext[] {
  return [...row, ...Array.from({ length: 2 ** matrix.rowBits - row.length }, () => ext.ZERO)]
}
