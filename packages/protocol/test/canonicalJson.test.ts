/** RFC 8785 (JCS), as far as objects, arrays, strings, booleans and safe integers go. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { AssayError, canonicalJson, canonicalJsonBytes, type Json, parseCanonicalJson } from '../src/index.ts'

const parse = (text: string) => parseCanonicalJson(new TextEncoder().encode(text), 1_000_000)
const code = (expected: string) => (error: unknown) => error instanceof AssayError && error.code === expected

test('RFC 8785 §3.2.3: names sort by UTF-16 code units', () => {
  const value = {
    '\u20ac': 'Euro Sign',
    '\r': 'Carriage Return',
    '\ufb33': 'Hebrew Letter Dalet With Dagesh',
    '1': 'One',
    '\ud83d\ude00': 'Emoji: Grinning Face',
    '\u0080': 'Control',
    '\u00f6': 'Latin Small Letter O With Diaeresis',
  }
  assert.equal(
    canonicalJson(value),
    '{"\\r":"Carriage Return","1":"One","\u0080":"Control","ö":"Latin Small Letter O With Diaeresis",' +
      '"€":"Euro Sign","😀":"Emoji: Grinning Face","\ufb33":"Hebrew Letter Dalet With Dagesh"}',
  )
})

test('RFC 8785 §3.2.2.2: strings carry the shortest escapes', () => {
  assert.equal(canonicalJson('€$\u000f\nA\'B"\\\\"/'), '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"')
  assert.equal(canonicalJson('\b\t\f\u0000\u007f\u2028'), '"\\b\\t\\f\\u0000\u007f\u2028"')
})

test('RFC 8785 §3.2.1 and §3.2.4: no whitespace, UTF-8', () => {
  assert.equal(
    canonicalJson({ b: [1, true, {}], a: { d: false, c: [] } }),
    '{"a":{"c":[],"d":false},"b":[1,true,{}]}',
  )
  assert.deepEqual([...canonicalJsonBytes('é')], [0x22, 0xc3, 0xa9, 0x22])
})

for (const [name, text] of Object.entries({
  'a duplicate name': '{"a":1,"a":1}',
  'unsorted names': '{"b":1,"a":1}',
  'a space': '{"a": 1}',
  'a trailing line feed': '{"a":1}\n',
  'an escaped letter': '"\\u0041"',
  'an escaped solidus': '"\\/"',
  'upper-case escape digits': '"\\u000F"',
  'a long escape where a short one exists': '"\\u000a"',
  'an integer with a fraction': '1.0',
  'an integer with an exponent': '1e3',
  'a number too precise to be itself': '9007199254740990.1',
})) {
  test(`a parser rejects ${name}`, () => assert.throws(() => parse(text), code('non_canonical')))
}

for (const [name, text] of Object.entries({
  'a float': '1.5',
  'an unsafe integer': '9007199254740992',
  'a negative zero': '-0',
  'a null': '{"a":null}',
  'a lone surrogate in a value': '"\\ud800"',
  'a lone surrogate in a name': '{"\\ud800":1}',
  'a byte order mark': '\ufeff{}',
  'no text at all': '',
  'half a document': '{"a":1',
  'an absurd depth': '['.repeat(100_000) + ']'.repeat(100_000),
})) {
  test(`a parser rejects ${name}`, () => assert.throws(() => parse(text), code('malformed')))
}

test('a parser rejects bytes that are not UTF-8, and more bytes than it was told to read', () => {
  assert.throws(() => parseCanonicalJson(Uint8Array.of(0x22, 0xff, 0x22), 10), code('malformed'))
  assert.throws(() => parseCanonicalJson(Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22), 10), code('malformed'))
  assert.throws(() => parseCanonicalJson(new TextEncoder().encode('[1,2,3]'), 6), code('malformed'))
})

const text = fc.string({ unit: 'grapheme' })
const json = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    text,
    fc.boolean(),
    fc.maxSafeInteger().map((integer) => (integer === 0 ? 0 : integer)),
    fc.array(tie('value') as fc.Arbitrary<Json>, { maxLength: 5 }),
    fc.dictionary(text, tie('value') as fc.Arbitrary<Json>, { maxKeys: 5, noNullPrototype: true }),
  ),
})).value as fc.Arbitrary<Json>

test('whatever is written canonically is read back as the same value and the same bytes', () => {
  fc.assert(
    fc.property(json, (value) => {
      const bytes = canonicalJsonBytes(value)
      const read = parseCanonicalJson(bytes, 1_000_000)
      assert.deepEqual(read, JSON.parse(JSON.stringify(value)))
      assert.deepEqual(canonicalJsonBytes(read), bytes)
    }),
  )
})

test('any other JSON text of a value is refused', () => {
  fc.assert(
    fc.property(json, fc.constantFrom(' ', '\t', '\n', '\r'), (value, blank) => {
      const text = canonicalJson(value)
      assert.throws(() => parse(text + blank), code('non_canonical'))
      assert.throws(() => parse(blank + text), code('non_canonical'))
    }),
  )
})

test('arbitrary bytes never escape as another kind of error', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      try {
        parseCanonicalJson(bytes, 30)
      } catch (error) {
        assert.ok(error instanceof AssayError)
      }
    }),
  )
})
