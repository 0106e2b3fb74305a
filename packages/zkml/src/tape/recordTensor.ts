/** The public tensors as gates: their values under the hashes that the receipt commits to, and their extensions. */
import { keccak256 } from '#keccak'
import { layOutTensor, TENSOR_PIECE, type TensorBounds } from '../circuit/statement.ts'
import { fromInteger } from '../field/babyBear.ts'
import type { Ext } from '../field/extension.ts'
import * as ext from '../field/extension.ts'
import { eqTable, type Point } from '../field/multilinear.ts'
import { RUN } from './gates.ts'
import { dot, LANES } from './recordColumns.ts'
import type { Recorder } from './recorder.ts'

const PIECE_WORDS = TENSOR_PIECE / 32

/**
 * Records the values and that they are those of `hash`, which is a value already.
 * @returns their multilinear extension at a point; what lies past them is `rest`
 */
export function recordTensor(
  recorder: Recorder,
  values: ArrayLike<number>,
  { shape, low, high }: TensorBounds,
  hash: Uint8Array,
  rest: number,
): (point: Point) => Ext {
  const count = shape.channels * shape.height * shape.width
  const first = recordWords(recorder, values, count, low, high)
  recordHash(recorder, first, count, recorder.placeOf(hash))
  const places = Array.from(
    layOutTensor(
      Array.from({ length: count }, (_, at) => at + 1),
      shape,
      0,
    ),
  )
  const placeOf = new Array<number>(count)
  for (const [place, value] of places.entries()) if (value > 0) placeOf[value - 1] = place
  return (point) => {
    const table = eqTable(point)
    let total = ext.fromInteger(rest)
    for (let from = 0; from < count; from += RUN) {
      const weights = placeOf.slice(from, from + RUN).map((place) => table[place] as Ext)
      const b = recorder.copies(weights)
      const factors = weights.map((_, at) => fromInteger((values[from + at] as number) - rest))
      const part = dot(factors, weights)
      recorder.put('dotIntegers', { a: first + from / LANES, b, n: weights.length, c: rest }, part)
      total = ext.add(total, part)
    }
    return total
  }
}

/** Values as integers of 32 bits, eight a word. */
function recordWords(
  recorder: Recorder,
  values: ArrayLike<number>,
  count: number,
  low: number,
  high: number,
): number {
  const words = Math.ceil(count / LANES)
  const first = recorder.align(words)
  for (let word = 0; word < words; word++) {
    const n = Math.min(LANES, count - LANES * word)
    const bytes = new Uint8Array(32)
    const view = new DataView(bytes.buffer)
    let holds = true
    for (let lane = 0; lane < n; lane++) {
      const value = values[LANES * word + lane] as number
      view.setInt32(4 * lane, value)
      holds &&= value >= low && value <= high
    }
    const at = recorder.gate('integers', { n, c: low, d: high }, bytes)
    if (!holds) recorder.violated.push(at)
  }
  return first
}

function recordHash(recorder: Recorder, first: number, count: number, a: number): void {
  const words = Math.ceil(count / LANES)
  if (words <= PIECE_WORDS) {
    recorder.check('tensor', { a, b: first, n: words, c: count }, true)
    return
  }
  const pieces = Math.ceil(words / PIECE_WORDS)
  const digests = recorder.align(pieces)
  const all = recorder.words(first, words)
  for (let piece = 0; piece < pieces; piece++) {
    const bytes = all.subarray(piece * TENSOR_PIECE, Math.min((piece + 1) * TENSOR_PIECE, 4 * count))
    const members = { b: first + piece * PIECE_WORDS, n: Math.ceil(bytes.length / 32), c: bytes.length / 4 }
    recorder.gate('tensorPiece', members, keccak256(bytes))
  }
  recorder.check('longTensor', { a, b: digests, n: pieces }, true)
}
