/** The two implementations behind `#keccak256` must be one function: every hash that parties agree on is one of its. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { bytesToHex, stringToBytes } from 'viem'
import { keccak256 as native } from '../src/keccak256/node.ts'
import { keccak256 as portable } from '../src/keccak256/portable.ts'

test('vectors of the Keccak team: the empty message, and "abc"', () => {
  for (const keccak256 of [native, portable]) {
    const empty = '0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470'
    assert.equal(keccak256(new Uint8Array(0)), empty)
    assert.equal(keccak256('0x'), empty)
    const abc = '0x4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45'
    assert.equal(keccak256(stringToBytes('abc')), abc)
  }
})

test('both say the same of bytes and of hex, around every length of a block and in a view of something longer', () => {
  for (let length = 0; length <= 3 * 136 + 1; length++) {
    const bytes = Uint8Array.from({ length }, (_, at) => (at * 7 + length) & 0xff)
    assert.equal(native(bytes), portable(bytes), `${length} bytes`)
  }
  const sizes = fc.oneof(
    fc.constant({ maxLength: 300 }),
    fc.constant({ minLength: 16_000, maxLength: 40_000 }),
  )
  const inputs = sizes.chain((size) => fc.uint8Array(size))
  fc.assert(
    fc.property(inputs, fc.nat(64), (bytes, from) => {
      const view = bytes.subarray(from)
      assert.equal(native(view), portable(view))
      assert.equal(native(bytesToHex(view)), portable(view))
      assert.equal(native(Buffer.from(bytes).subarray(from)), portable(view))
    }),
    { numRuns: 200 },
  )
})

test('what is no hex is refused by both', () => {
  assert.throws(() => native('0xzz'))
  assert.throws(() => portable('0xzz'))
})
