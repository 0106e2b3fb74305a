import assert from 'node:assert/strict'
import { test } from 'node:test'
import { utc } from '../src/utc.ts'

test('seconds are written as a date, and what no clock shows as a number', () => {
  assert.equal(utc(0n), '1970-01-01T00:00:00Z')
  assert.equal(utc(1_795_279_069n), '2026-11-21T16:37:49Z')
  assert.equal(utc(2n ** 64n - 1n), '18446744073709551615')
})
