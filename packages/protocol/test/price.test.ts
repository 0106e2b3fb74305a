/** docs/spec.md §10 and the price rules of §4. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { priceOf, quoteMaximum } from '../src/index.ts'

const amount = fc.bigInt({ min: 0n, max: 10n ** 24n })
const row = fc.record({ perCall: amount, inputPrice: amount, outputPrice: amount })

test('a price is per call plus per unit, exactly', () => {
  const prices = { perCall: 5n, inputPrice: 2n, outputPrice: 3n }
  assert.equal(priceOf(prices, { inputUnits: 10n, outputUnits: 7n, failed: false }), 46n)
  assert.equal(quoteMaximum(prices, 100, 16), 5n + 2n * 164n + 3n * 16n)
})

test('what failed or yielded nothing costs nothing', () => {
  fc.assert(
    fc.property(row, fc.bigInt({ min: 0n, max: 10n ** 6n }), (row, units) => {
      assert.equal(priceOf(row, { inputUnits: units, outputUnits: units, failed: true }), 0n)
      assert.equal(priceOf(row, { inputUnits: units, outputUnits: 0n, failed: false }), 0n)
    }),
  )
})

test('no answer within its limits costs more than the quote', () => {
  const bytes = fc.nat({ max: 1_000_000 })
  const limit = fc.integer({ min: 1, max: 1_000_000 })
  const share = fc.double({ min: 0, max: 1, noNaN: true })
  fc.assert(
    fc.property(row, bytes, limit, share, share, (row, bytes, limit, input, output) => {
      const usage = {
        inputUnits: BigInt(Math.floor((bytes + 64) * input)),
        outputUnits: BigInt(Math.floor(limit * output)),
        failed: false,
      }
      assert.ok(priceOf(row, usage) <= quoteMaximum(row, bytes, limit))
    }),
  )
})

test('the quote is tight: the longest answer costs all of it, one unit more costs more', () => {
  fc.assert(
    fc.property(row, fc.nat({ max: 10_000 }), fc.integer({ min: 1, max: 10_000 }), (row, bytes, limit) => {
      const usage = { inputUnits: BigInt(bytes) + 64n, outputUnits: BigInt(limit), failed: false }
      assert.equal(priceOf(row, usage), quoteMaximum(row, bytes, limit))
      fc.pre(row.outputPrice > 0n)
      assert.ok(
        priceOf(row, { ...usage, outputUnits: usage.outputUnits + 1n }) > quoteMaximum(row, bytes, limit),
      )
    }),
  )
})
