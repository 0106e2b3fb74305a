import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatOpg, readOpg } from '@assay/protocol'

test('an amount is written with its unit, to the last base unit', () => {
  assert.equal(formatOpg(0n), '0 OPG')
  assert.equal(formatOpg(1n), '0.000000000000000001 OPG')
  assert.equal(formatOpg(141_000_000_000_000n), '0.000141 OPG')
  assert.equal(formatOpg(2n * 10n ** 18n), '2 OPG')
  assert.equal(formatOpg(2n ** 128n - 1n), '340282366920938463463.374607431768211455 OPG')
})

test('OPG amounts are read exactly', () => {
  assert.equal(readOpg('0'), 0n)
  assert.equal(readOpg('1.5'), 1_500_000_000_000_000_000n)
  assert.equal(readOpg('0.000000000000000001'), 1n)
  assert.equal(readOpg('1000000000'), 10n ** 27n)
  for (const text of [
    '',
    '.5',
    '1.',
    '01',
    '+1',
    ' 1',
    '1,5',
    '0.0000000000000000001',
    '0x1',
    '1000000000.1',
  ]) {
    assert.equal(readOpg(text), undefined, text)
  }
})
