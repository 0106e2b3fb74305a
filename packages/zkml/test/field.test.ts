import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import * as field from '../src/field/babyBear.ts'
import { encodeAt } from '../src/field/encodeAt.ts'
import * as ext from '../src/field/extension.ts'
import { eq, eqIndex, eqTable, evaluateIntegers } from '../src/field/multilinear.ts'
import { encodeMessage } from '../src/field/ntt.ts'
import { evaluateTable, type Table, tableRow } from '../src/lookup/tables.ts'

const element = fc.oneof(
  fc.integer({ min: 0, max: field.P - 1 }),
  fc.constantFrom(0, 1, field.P - 1, (field.P - 1) / 2, (field.P + 1) / 2),
)
const extElement = fc.tuple(element, element, element, element, element)
const point = (bits: number) => fc.array(extElement, { minLength: bits, maxLength: bits })

test('base field: arithmetic agrees with BigInt', () => {
  const p = BigInt(field.P)
  fc.assert(
    fc.property(element, element, (a, b) => {
      assert.equal(BigInt(field.mul(a, b)), (BigInt(a) * BigInt(b)) % p)
      assert.equal(BigInt(field.add(a, b)), (BigInt(a) + BigInt(b)) % p)
      assert.equal(BigInt(field.sub(a, b)), (BigInt(a) - BigInt(b) + p) % p)
      if (a !== 0) assert.equal(field.mul(a, field.inverse(a)), 1)
      const nine = 9 * a
      for (const sum of [nine, 16 * a, nine + b, field.P, 9 * field.P])
        assert.equal(field.reduceSum(sum), sum % field.P)
    }),
    { numRuns: 5000 },
  )
})

test('p is prime, and X^5 − 2 is irreducible: 5 divides p − 1 and 2 is no fifth power', () => {
  for (let divisor = 2; divisor * divisor <= field.P; divisor++) assert.notEqual(field.P % divisor, 0)
  assert.equal((field.P - 1) % 5, 0)
  assert.notEqual(field.power(2, (field.P - 1) / 5), 1)
})

test('roots of unity have the order they claim', () => {
  for (let bits = 1; bits <= 27; bits++) {
    const root = field.rootOfUnity(bits)
    assert.equal(field.power(root, 2 ** (bits - 1)), field.P - 1)
  }
})

test('extension: a product is the product of polynomials modulo X^5 − 2, and inverses invert', () => {
  const p = BigInt(field.P)
  fc.assert(
    fc.property(extElement, extElement, (a, b) => {
      const wide = new Array<bigint>(9).fill(0n)
      for (let i = 0; i < 5; i++)
        for (let j = 0; j < 5; j++)
          wide[i + j] = (wide[i + j] as bigint) + BigInt(a[i] as number) * BigInt(b[j] as number)
      const expected = [0, 1, 2, 3, 4].map((i) =>
        Number(((wide[i] as bigint) + 2n * (wide[i + 5] ?? 0n)) % p),
      )
      assert.deepEqual([...ext.mul(a, b)], expected)
      if (!ext.isZero(a)) assert.deepEqual(ext.mul(a, ext.inverse(a)), ext.ONE)
    }),
    { numRuns: 500 },
  )
})

test('eq over an index, a point and a table say the same', () => {
  fc.assert(
    fc.property(point(4), fc.integer({ min: 0, max: 15 }), (at, index) => {
      const corner = [0, 1, 2, 3].map((bit) => ((index >> bit) & 1 ? ext.ONE : ext.ZERO))
      assert.deepEqual(eqIndex(at, index), eqTable(at)[index])
      assert.deepEqual(eq(at, corner), eqTable(at)[index])
    }),
    { numRuns: 50 },
  )
})

test('integers with a constant rest extend as if written out', () => {
  fc.assert(
    fc.property(point(3), fc.array(fc.integer({ min: -128, max: 127 }), { maxLength: 8 }), (at, values) => {
      const full = [...values, ...new Array<number>(8 - values.length).fill(-5)]
      assert.deepEqual(evaluateIntegers(values, at, -5), evaluateIntegers(full, at))
    }),
    { numRuns: 50 },
  )
})

test('tables evaluate by their bends as by their rows', () => {
  const tables: Table[] = [
    { kind: 'range', bits: 1 },
    { kind: 'range', bits: 6 },
    { kind: 'clamp', bits: 9, low: 0, high: 255 },
    { kind: 'clamp', bits: 9, low: -128, high: 127 },
    { kind: 'clamp', bits: 10, low: -5, high: -5 },
  ]
  for (const table of tables) {
    const rows = Array.from({ length: 2 ** table.bits }, (_, row) => tableRow(table, row))
    fc.assert(
      fc.property(point(table.bits), (at) => {
        const [first, second] = evaluateTable(table, at)
        assert.deepEqual(
          first,
          evaluateIntegers(
            rows.map(([a]) => a),
            at,
          ),
        )
        assert.deepEqual(
          second,
          evaluateIntegers(
            rows.map(([, b]) => b),
            at,
          ),
        )
      }),
      { numRuns: 3 },
    )
  }
})

test('a codeword is the polynomial at every power of ω, bit-reversed, and its parts are its parts', () => {
  const message = [5, 0, field.P - 1, 123456789]
  const word = encodeMessage(message, 3)
  const omega = field.rootOfUnity(5)
  for (let i = 0; i < 32; i++) {
    const reversed = [0, 1, 2, 3, 4].reduce((sum, bit) => sum + (((i >> bit) & 1) << (4 - bit)), 0)
    const x = field.power(omega, reversed)
    const value = message.reduceRight((sum, coefficient) => field.add(field.mul(sum, x), coefficient), 0)
    assert.equal(word[i], value)
  }
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.integer({ min: 0, max: 127 }), { minLength: 1 }),
      fc.array(element, { minLength: 16, maxLength: 16 }),
      (positions, values) => {
        const whole = encodeMessage(values, 3)
        const ascending = positions.sort((a, b) => a - b)
        assert.deepEqual(
          encodeAt(values, 3, ascending),
          ascending.map((at) => whole[at]),
        )
      },
    ),
  )
})
