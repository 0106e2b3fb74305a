/** RFC 4648 §4, §5 and §10; §3.5 asks that stray bits be refused. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { codec as node } from '../src/base64/node.ts'
import { codec as portable } from '../src/base64/portable.ts'
import { AssayError, fromBase64, fromBase64Url, toBase64, toBase64Url } from '../src/index.ts'

test('RFC 4648 §10 vectors', () => {
  const vectors = {
    '': '',
    f: 'Zg==',
    fo: 'Zm8=',
    foo: 'Zm9v',
    foob: 'Zm9vYg==',
    fooba: 'Zm9vYmE=',
    foobar: 'Zm9vYmFy',
  }
  for (const [plain, encoded] of Object.entries(vectors)) {
    const bytes = new TextEncoder().encode(plain)
    assert.equal(toBase64(bytes), encoded)
    assert.deepEqual(fromBase64(encoded), bytes)
    assert.equal(toBase64Url(bytes), encoded.replaceAll('=', ''))
  }
  assert.equal(toBase64Url(Uint8Array.of(0xfb, 0xff)), '-_8')
})

test('agrees with Node on every byte string, both alphabets', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      assert.equal(toBase64(bytes), Buffer.from(bytes).toString('base64'))
      assert.equal(toBase64Url(bytes), Buffer.from(bytes).toString('base64url'))
      assert.deepEqual(fromBase64(toBase64(bytes)), bytes)
      assert.deepEqual(fromBase64Url(toBase64Url(bytes)), bytes)
    }),
  )
})

test('browsers and Node read and write the same', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 70_000 }), (bytes) => {
      const text = portable.encode(bytes)
      assert.equal(node.encode(bytes), text)
      assert.deepEqual(portable.decode(text), bytes)
      assert.deepEqual(node.decode(text), bytes)
    }),
  )
})

test('one byte string has one text: padding, stray bits, blanks and the other alphabet are refused', () => {
  for (const text of [
    'A',
    'AA',
    'AA=',
    'AAA',
    '=',
    '====',
    'A===',
    'AAA=AAA=',
    'AAAA=',
    'AA AA',
    'AAA\n',
    'AA-_',
    'é===',
  ]) {
    assert.throws(
      () => fromBase64(text),
      (error) => error instanceof AssayError && error.code === 'malformed',
      text,
    )
  }
  for (const text of ['AB==', 'AAB=']) {
    assert.throws(
      () => fromBase64(text),
      (error) => error instanceof AssayError && error.code === 'non_canonical',
      text,
    )
  }
  for (const text of ['AA==', 'AA+/', 'A', 'AAAAA', ' AAA', 'AB', 'AAB']) {
    assert.throws(() => fromBase64Url(text), AssayError, text)
  }
})

test('a body of many megabytes passes', () => {
  const bytes = new Uint8Array(9_000_001).fill(0xa7)
  assert.equal(Buffer.compare(fromBase64(toBase64(bytes)), bytes), 0)
})
