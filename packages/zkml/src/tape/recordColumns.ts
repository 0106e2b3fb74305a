/**
 * The check of opened columns as gates, one set a query: also where two queries ask for one column, so that the program
 * does not depend on which. What the proof states once, a column or a sibling, stands here as often as it is needed.
 */
import { hashLeaf, hashNode, rootFromLeaves } from '../commitment/merkle.ts'
import type { Opening } from '../commitment/verifyOpening.ts'
import { add, isCanonical, mul, power, rootOfUnity } from '../field/babyBear.ts'
import type { Ext } from '../field/extension.ts'
import * as ext from '../field/extension.ts'
import { eqTable } from '../field/multilinear.ts'
import { encodeElements } from '../transcript/proofWriter.ts'
import { RUN } from './gates.ts'
import type { Recorder } from './recorder.ts'
import type { RecordingReader } from './recordingReader.ts'
import type { RecordingTranscript } from './recordingTranscript.ts'

/** Elements of the base field, or integers, that one word holds. */
export const LANES = 8

export function recordColumns(
  recorder: Recorder,
  reader: RecordingReader,
  { label, shape, root, point }: Opening,
  row: readonly Ext[],
): void {
  const depth = shape.rowBits + shape.blowupBits
  const weights = eqTable(point.slice(shape.rowBits)).slice(0, shape.rows)
  const pieces: { first: number; values: Ext[] }[] = []
  for (let from = 0; from < shape.rows; from += RUN) {
    const values = weights.slice(from, from + RUN)
    pieces.push({ first: recorder.copies(values), values })
  }
  const drawn = (reader.transcript as RecordingTranscript).drawIndices(
    `${label}/queries`,
    shape.queries,
    depth,
  )
  const { columns, nodes } = readOpened(
    reader,
    shape.rows,
    depth,
    drawn.map(({ index }) => index),
  )
  const rowAt = recorder.placeOf(row[0] as Ext)
  const rootAt = recorder.placeOf(root)
  for (const { index, at } of drawn) {
    const column = columns.get(index) as Uint32Array
    const columnAt = recordWords(recorder, column)
    const combined = ext.sum(
      pieces.map(({ first, values }, piece) => {
        const part = column.subarray(piece * RUN, piece * RUN + values.length)
        const sum = dot(part, values)
        const a = columnAt + (piece * RUN) / LANES
        recorder.put('dotBases', { a, b: first, n: values.length }, sum)
        return sum
      }),
    )
    ext.equals(combined, recordCodeword(recorder, row, rowAt, depth, index, at))
    const siblings = Array.from({ length: depth }, (_, height) => {
      const sibling = Math.floor(index / 2 ** height) ^ 1
      return nodes.get(`${height} ${sibling}`) as Uint8Array
    })
    const siblingsAt = recorder.align(depth)
    for (const sibling of siblings) recorder.gate('word', {}, sibling)
    const found = siblings.reduce(
      (hash, sibling, height) =>
        Math.floor(index / 2 ** height) % 2 === 0 ? hashNode(hash, sibling) : hashNode(sibling, hash),
      hashLeaf(encodeElements(column)),
    )
    recorder.check(
      'opening',
      { a: at, b: columnAt, n: shape.rows, m: depth, c: siblingsAt, d: rootAt },
      found.every((byte, place) => byte === root[place]),
    )
  }
}

/** Columns and nodes of the tree as the proof states them: each once, whatever the queries. */
function readOpened(reader: RecordingReader, rows: number, depth: number, drawn: readonly number[]) {
  const indices = [...new Set(drawn)].sort((a, b) => a - b)
  const columns = new Map(indices.map((index) => [index, reader.elements(rows)]))
  const nodes = new Map<string, Uint8Array>()
  rootFromLeaves(
    reader,
    depth,
    indices,
    indices.map((index) => hashLeaf(encodeElements(columns.get(index) as Uint32Array))),
    (height, index, hash) => nodes.set(`${height} ${index}`, hash),
  )
  return { columns, nodes }
}

/** Elements of the base field, eight a word. */
function recordWords(recorder: Recorder, elements: Uint32Array): number {
  const words = Math.ceil(elements.length / LANES)
  const first = recorder.align(words)
  for (let word = 0; word < words; word++) {
    const lanes = elements.subarray(LANES * word, LANES * (word + 1))
    const bytes = new Uint8Array(32)
    const view = new DataView(bytes.buffer)
    for (const [lane, element] of lanes.entries()) view.setUint32(4 * lane, element)
    const at = recorder.gate('bases', { n: lanes.length }, bytes)
    if (!lanes.every(isCanonical)) recorder.violated.push(at)
  }
  return first
}

/** The codeword of the row at a position: the polynomial with the row's elements, at that root of unity. */
function recordCodeword(
  recorder: Recorder,
  row: readonly Ext[],
  rowAt: number,
  depth: number,
  index: number,
  indexAt: number,
): Ext {
  const root = power(rootOfUnity(depth), reversed(index, depth))
  const x = ext.fromBase(root)
  const a = recorder.put('root', { a: indexAt, m: depth }, x)
  const parts: Ext[] = []
  for (let from = 0; from < row.length; from += RUN) {
    const elements = row.slice(from, from + RUN)
    const part = horner(elements, root)
    recorder.put('powers', { a, b: rowAt + from, n: elements.length }, part)
    parts.push(part)
  }
  let step = x
  for (let bits = 1; parts.length > 1 && 2 ** bits <= RUN; bits++) step = ext.mul(step, step)
  return parts.reduceRight((sum, part) => ext.add(ext.mul(sum, step), part))
}

/** Σ element·weight, untold: one gate says it all. */
export function dot(elements: ArrayLike<number>, weights: readonly Ext[]): Ext {
  const sum = [0, 0, 0, 0, 0]
  for (const [at, weight] of weights.entries())
    for (const [plane, coefficient] of weight.entries())
      sum[plane] = add(sum[plane] as number, mul(elements[at] as number, coefficient))
  return sum as unknown as Ext
}

/** Σ element·x^j, untold. */
export function horner(elements: readonly Ext[], x: number): Ext {
  const sum = [0, 0, 0, 0, 0]
  for (const element of elements.toReversed())
    for (const [plane, coefficient] of element.entries())
      sum[plane] = add(mul(sum[plane] as number, x), coefficient)
  return sum as unknown as Ext
}

/** The index with its bits in the other order: codewords are listed so. */
export function reversed(index: number, bits: number): number {
  let turned = 0
  for (let bit = 0; bit < bits; bit++)
    if (Math.floor(index / 2 ** bit) % 2 === 1) turned += 2 ** (bits - 1 - bit)
  return turned
}
