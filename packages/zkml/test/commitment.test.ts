import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Commitment, commit, openColumns, rowWeights } from '../src/commitment/commit.ts'
import { hashLeaf, hashNode } from '../src/commitment/merkle.ts'
import { commitmentShape, openingBits } from '../src/commitment/shape.ts'
import { verifyColumns, verifyCombinedRow } from '../src/commitment/verifyOpening.ts'
import { P } from '../src/field/babyBear.ts'
import type { Ext } from '../src/field/extension.ts'
import * as ext from '../src/field/extension.ts'
import { evaluateIntegers } from '../src/field/multilinear.ts'
import { createWorkspace } from '../src/kernels/wasmKernels.ts'
import { ProofReader } from '../src/transcript/proofReader.ts'
import { encodeElements, ProofWriter } from '../src/transcript/proofWriter.ts'
import { Transcript } from '../src/transcript/transcript.ts'
import { randomIntegers } from './support/models.ts'

const work = createWorkspace()
const shape = commitmentShape(1000)
const random = randomIntegers(21)
const values = Array.from({ length: shape.rows * 2 ** shape.rowBits }, () => random(0, P - 1))
const matrix = work.arena.words(values.length)
work.arena.view(matrix, values.length).set(values)
const committed = commit(work, shape, () => matrix)
const positions = 2 ** (shape.rowBits + shape.blowupBits)

function openingPoint(root: Uint8Array): { transcript: Transcript; point: Ext[] } {
  const transcript = new Transcript('commitment test')
  transcript.absorb('root', root)
  return { transcript, point: transcript.challenges('point', openingBits(shape)) }
}

/** Opens a commitment; `row` may replace the combined row. */
function open(commitment: Commitment, row: (honest: Ext[]) => Ext[] = (honest) => honest): Uint8Array {
  const { transcript, point } = openingPoint(commitment.root)
  const writer = new ProofWriter(transcript)
  const out = work.arena.words(5 * 2 ** shape.rowBits)
  const weights = work.montgomeryList(rowWeights(shape, point))
  work.kernels.foldRowsWords(matrix, shape.rows, 2 ** shape.rowBits, weights, out)
  writer.exts('test/row', row(work.readVector(out, 2 ** shape.rowBits, 2 ** shape.rowBits)))
  openColumns(work, writer, 'test', commitment)
  return writer.bytes()
}

function check(commitment: Commitment, bytes: Uint8Array, value?: Ext): void {
  const { transcript, point } = openingPoint(commitment.root)
  const reader = new ProofReader(bytes, transcript)
  const truth = value ?? evaluateIntegers(values, point)
  const opening = { label: 'test', shape, root: commitment.root, point, value: truth }
  verifyCombinedRow(reader, opening, verifyColumns)()
  reader.end()
}

/** The same tree over columns that somebody changed before hashing. */
function recommitted(change: (columns: Uint32Array) => void): Commitment {
  const size = positions * shape.rows
  const columns = work.arena.words(size)
  work.arena.view(columns, size).set(work.arena.view(committed.columns, size))
  change(work.arena.view(columns, size))
  const levels = committed.levels.map((_, height) =>
    work.arena.allocate(32 * Math.max(1, positions >> height)),
  )
  work.kernels.hashLeaves(columns, positions, shape.rows, levels[0] as number)
  for (let height = 0; height + 1 < levels.length; height++)
    work.kernels.hashNodes(levels[height] as number, positions >> (height + 1), levels[height + 1] as number)
  const root = work.arena.bytes(levels.at(-1) as number, 32).slice()
  return { shape, columns, levels, root }
}

const refused = { code: 'invalid_proof' }

test('an honest opening is accepted, and no other value is', () => {
  check(committed, open(committed))
  assert.throws(() => check(committed, open(committed), ext.ONE), refused)
})

test('the tree is the one that leaves and nodes define', () => {
  let level = Array.from({ length: positions }, (_, at) =>
    hashLeaf(encodeElements(work.arena.view(committed.columns + 4 * shape.rows * at, shape.rows))),
  )
  while (level.length > 1)
    level = Array.from({ length: level.length / 2 }, (_, at) =>
      hashNode(level[2 * at] as Uint8Array, level[2 * at + 1] as Uint8Array),
    )
  assert.deepEqual(level[0], committed.root)
})

test('a leaf never hashes like a node, nor like a leaf of another height', () => {
  const bytes = new Uint8Array(64)
  const hashes = [
    hashLeaf(bytes),
    hashNode(bytes.subarray(0, 32), bytes.subarray(32)),
    hashLeaf(bytes.subarray(0, 60)),
  ]
  assert.equal(new Set(hashes.map((hash) => hash.join())).size, 3)
})

test('an altered row combination is refused, even one that gives the same value', () => {
  const { point } = openingPoint(committed.root)
  assert.throws(
    () =>
      check(
        committed,
        open(committed, (row) => row.with(3, ext.ONE)),
      ),
    refused,
  )
  // Add (1 − x) at 1 and subtract x at 0 in the first coordinate: eq-weighted, the changes cancel.
  const x = point[0] as Ext
  const cancelling = (row: Ext[]) =>
    row.with(0, ext.add(row[0] as Ext, x)).with(1, ext.sub(row[1] as Ext, ext.sub(ext.ONE, x)))
  assert.throws(() => check(committed, open(committed, cancelling)), { ...refused, message: /column/ })
})

test('columns that are not in the tree are refused', () => {
  const bytes = open(committed)
  const start = 20 * 2 ** shape.rowBits
  for (let at = start; at < bytes.length; at += 333) {
    const changed = bytes.slice()
    changed[at] = (changed[at] as number) ^ 1
    assert.throws(() => check(committed, changed), { name: 'ZkmlError' })
  }
})

test('columns exchanged with one another are refused', () => {
  const bytes = open(committed)
  const [start, size] = [20 * 2 ** shape.rowBits, 4 * shape.rows]
  const changed = bytes.slice()
  changed.set(bytes.subarray(start, start + size), start + size)
  changed.set(bytes.subarray(start + size, start + 2 * size), start)
  assert.throws(() => check(committed, changed), refused)
})

test('a matrix whose rows are no codewords is refused at half the distance', () => {
  // One entry of a row changed in every column but 9 of 16: the nearest codeword is out of reach.
  const far = recommitted((columns) => {
    for (let at = 0; at < positions; at++)
      if (at % 16 < 7) columns[at * shape.rows] = ((columns[at * shape.rows] as number) + 1) % P
  })
  assert.throws(() => check(far, open(far)), refused)
})

test('queries are drawn from the whole codeword, as many as the shape says, duplicates merged', () => {
  const drawn = new Transcript('queries').indices('q', shape.queries, shape.rowBits + shape.blowupBits)
  assert.equal(drawn.length, shape.queries)
  assert.ok(drawn.every((index) => index >= 0 && index < positions))
  assert.ok(Math.max(...drawn) > positions / 2)
})
