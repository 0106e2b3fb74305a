/** The prover's side of `verifyPads.ts`: the commitment to the pads, and its inner product with the weights. */
import type { Commitment } from '../../commitment/commit.ts'
import { inverse, mul } from '../../field/babyBear.ts'
import * as ext from '../../field/extension.ts'
import { DEGREE, type Ext } from '../../field/extension.ts'
import { encodeMessage } from '../../field/ntt.ts'
import type { Workspace } from '../../kernels/workspace.ts'
import type { PadShape } from '../../veil/padShape.ts'
import type { Counts } from '../../veil/trace.ts'
import { weightRows } from '../../veil/verifyPads.ts'
import { blankMessages, commitSalted } from './commitVeiled.ts'
import { type Randomness, randomExts } from './randomness.ts'
import type { VeiledWriter } from './veiledWriter.ts'

/** Rows of coefficients, and the masks of their combination and of their product. */
export type CommittedPads = {
  shape: PadShape
  commitment: Commitment
  rows: Ext[][]
  mask: Ext[]
  productMask: Ext[]
}

export function commitPads(
  work: Workspace,
  shape: PadShape,
  elements: readonly Ext[],
  random: Randomness,
): CommittedPads {
  const { valueBits, dimension, productDimension, matrix } = shape
  const size = 2 ** valueBits
  const hidden = dimension - size
  const tails = randomExts(random, 'pads/rows', shape.rows * hidden)
  const rows = Array.from({ length: shape.rows }, (_, row) => [
    ...Array.from({ length: size }, (_, at) => elements[row * size + at] ?? ext.ZERO),
    ...tails.slice(row * hidden, (row + 1) * hidden),
  ])
  const mask = randomExts(random, 'pads/mask', dimension)
  // The coefficient that carries the inner product is nobody's to change.
  const productMask = randomExts(random, 'pads/product', productDimension).with(size - 1, ext.ZERO)
  const messages = blankMessages(work, matrix)
  for (const [at, coefficients] of [...rows, mask, productMask].entries())
    for (let plane = 0; plane < DEGREE; plane++) {
      const start = messages + 4 * (DEGREE * at + plane) * 2 ** matrix.rowBits
      const words = work.arena.view(start, coefficients.length)
      for (const [place, coefficient] of coefficients.entries()) words[place] = coefficient[plane] as number
    }
  const commitment = commitSalted(work, matrix, messages, random, 'pads')
  return { shape, commitment, rows, mask, productMask }
}

/** Says the masked combination of the rows and the masked product with the weights. */
export function provePads(
  writer: VeiledWriter,
  { shape, rows, mask, productMask }: CommittedPads,
  weights: readonly Ext[],
): void {
  const mix = ext.powers(writer.transcript.challenge('pads/mix'), shape.rows + 1).slice(1)
  const combined = mask.map((entry, at) =>
    rows.reduce((sum, row, index) => ext.add(sum, ext.mul(mix[index] as Ext, row[at] as Ext)), entry),
  )
  writer.clear('pads/row', combined)
  const product = sumOfProducts(weightRows(shape, weights), rows, shape.matrix.rowBits)
  writer.clear(
    'pads/product',
    productMask.map((entry, at) => ext.add(entry, product[at] as Ext)),
  )
}

/** Σ a·b of polynomials whose products have less than 2^bits coefficients, by transforms. */
function sumOfProducts(a: readonly Ext[][], b: readonly Ext[][], bits: number): Ext[] {
  const size = 2 ** bits
  const transformed = (coefficients: readonly Ext[]) =>
    Array.from({ length: DEGREE }, (_, plane) => {
      const message = new Int32Array(size)
      for (const [at, coefficient] of coefficients.entries()) message[at] = coefficient[plane] as number
      return encodeMessage(message, 0)
    })
  const elementAt = (planes: readonly Int32Array[], at: number) =>
    planes.map((plane) => plane[at] as number) as unknown as Ext
  const sums: Ext[] = Array.from({ length: size }, () => ext.ZERO)
  for (const [index, left] of a.entries()) {
    const [x, y] = [transformed(left), transformed(b[index] as Ext[])]
    for (let at = 0; at < size; at++)
      sums[at] = ext.add(sums[at] as Ext, ext.mul(elementAt(x, at), elementAt(y, at)))
  }
  const planes = Array.from({ length: DEGREE }, (_, plane) =>
    interpolate(sums.map((value) => value[plane] as number)),
  )
  return sums.map((_, at) => elementAt(planes, at))
}

/**
 * The coefficients of the polynomial with these values at ω^i, i in bit-reversed order: the transform of the values is
 * size times the coefficients, those past the first in the other direction.
 */
function interpolate(values: readonly number[]): Int32Array {
  const size = values.length
  const places = bitReversed(size)
  const ordered = new Int32Array(size)
  for (const [at, place] of places.entries()) ordered[place] = values[at] as number
  const word = encodeMessage(ordered, 0)
  const scale = inverse(size)
  const coefficients = new Int32Array(size)
  for (const [at, place] of places.entries())
    coefficients[(size - place) % size] = mul(word[at] as number, scale)
  return coefficients
}

/** For each place of a word, which power of ω it belongs to. */
function bitReversed(size: number): Int32Array {
  const places = new Int32Array(size)
  for (let half = size / 2, step = 1; half >= 1; half /= 2, step *= 2)
    for (let at = 0; at < step; at++) places[at + step] = (places[at] as number) + half
  return places
}

/** A pad for each element to be said, then a, b and a·b for each product. */
export function drawPads(random: Randomness, { said, late, products }: Counts): Ext[] {
  const pads = randomExts(random, 'pads/pads', said + late)
  const factors = randomExts(random, 'pads/triples', 2 * products)
  const triples = Array.from({ length: products }, (_, at) => {
    const [a, b] = [factors[2 * at] as Ext, factors[2 * at + 1] as Ext]
    return [a, b, ext.mul(a, b)]
  })
  return [...pads, ...triples.flat()]
}
