import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatOpg } from '@assay/protocol'

test('an amount is written with its unit, to the last base unit', () => {
  assert.equal(formatOpg(0n), '0 OPG')
  assert.equal(formatOpg(1n), '0.000000000000000001 OPG')
  assert.equal(formatOpg(141_000_000_000_000n), '0.000141 OPG')
  assert.equal(formatOpg(2n * 10n ** 18n), '2 OPG')
  assert.equal(formatOpg(2n ** 128n - 1n), '340282366920938463463.374607431768211455 OPG')
})
