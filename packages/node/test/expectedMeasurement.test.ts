import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nitroMeasurement, snpMeasurement, tdxMeasurement } from '@assay/protocol'
import type { Hex } from 'viem'
import { expectedMeasurement } from '../src/enclaves/expectedMeasurement.ts'

const hex = (digits: string, bytes: number): Hex => `0x${digits.repeat(bytes)}`
const of = (value: unknown) => expectedMeasurement(JSON.stringify(value))

test('what the build tools of the platforms print becomes the measurement that evidence will show', () => {
  const [a, b, c, d] = ['0a', '0b', '0c', '0d'].map((digits) => hex(digits, 48)) as [Hex, Hex, Hex, Hex]
  const pcrs = { HashAlgorithm: 'Sha384 { ... }', PCR0: a.slice(2), PCR1: b.slice(2), PCR2: c.slice(2) }
  assert.deepEqual(of({ Measurements: pcrs }), { kind: 'nitro', measurement: nitroMeasurement(a, b, c) })
  assert.equal(of({ measurement: a }).measurement, snpMeasurement(a, hex('00', 32)))
  assert.equal(of({ measurement: a, host_data: hex('07', 32) }).measurement, snpMeasurement(a, hex('07', 32)))
  const tdx = { mrtd: a, rtmr0: b, rtmr1: c, rtmr2: d }
  assert.equal(of(tdx).measurement, tdxMeasurement(a, hex('00', 48), [b, c, d, hex('00', 48)]))
  assert.equal(of({ ...tdx, mr_config_id: b, rtmr3: a }).measurement, tdxMeasurement(a, b, [b, c, d, a]))
})

test('anything else is refused with what is wrong', () => {
  for (const text of ['', '[]', 'null', '{}', '{"PCR0":"00"}', '{"measurement":7}', '{"mrtd":"zz"}']) {
    assert.throws(() => expectedMeasurement(text), { code: 'malformed' }, text)
  }
})
