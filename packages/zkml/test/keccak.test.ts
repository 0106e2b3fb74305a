/** The hash of the verifier in Node, compiled, and that of browsers, in JavaScript, are one. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bytesToHex } from '@noble/hashes/utils.js'
import fc from 'fast-check'
import { keccak256 as compiled } from '../src/keccak/node.ts'
import { keccak256 as portable } from '../src/keccak/portable.ts'

/** Bytes that Keccak-256 takes in at once. */
const RATE = 136

test('Keccak team, KeccakKAT: the empty message', () => {
  const wanted = 'c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470'
  for (const hash of [compiled, portable]) assert.equal(bytesToHex(hash(new Uint8Array())), wanted)
})

test('both give one hash of every length around a block, and of any bytes', () => {
  for (let length = 0; length <= 3 * RATE + 1; length++) {
    const data = Uint8Array.from({ length }, (_, at) => (at * 31 + length) % 256)
    assert.deepEqual(compiled(data), portable(data), `${length} bytes`)
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40_000 }), (data) => {
      assert.deepEqual(compiled(data), portable(data))
    }),
    { numRuns: 300 },
  )
})

test('a hash stays what it was when the next one is made, and a part of a buffer is no more than that part', () => {
  const buffer = Uint8Array.from({ length: 300 }, (_, at) => at % 256)
  const first = compiled(buffer.subarray(10, 200))
  const kept = first.slice()
  compiled(buffer)
  assert.deepEqual(first, kept)
  assert.deepEqual(first, portable(buffer.slice(10, 200)))
})
