import { AssayError, nitroMeasurement, snpMeasurement, tdxMeasurement } from '@assay/protocol'
import type { Hex } from 'viem'

export type ExpectedMeasurement = { kind: 'nitro' | 'snp' | 'tdx'; measurement: Hex }

const ZERO_48: Hex = `0x${'00'.repeat(48)}`
const ZERO_32: Hex = `0x${'00'.repeat(32)}`

/**
 * The measurement that governance is to approve, from what the platform's own build tool prints as JSON: `nitro-cli
 * build-enclave` (PCR0 to PCR2), `sev-snp-measure` (measurement, and host_data where the host sets one), or `dstack-mr` and
 * its like (mrtd, rtmr0 to rtmr3, and mr_config_id where the host sets one). @throws AssayError `malformed`
 */
export function expectedMeasurement(text: string): ExpectedMeasurement {
  const values = namesOf(text)
  const hex = (name: string, bytes: number, otherwise?: Hex): Hex => {
    const value = values.get(name)
    if (value === undefined && otherwise !== undefined) return otherwise
    const digits = typeof value === 'string' ? value.toLowerCase().replace(/^0x/, '') : ''
    if (/^[0-9a-f]+$/.test(digits) && digits.length === bytes * 2) return `0x${digits}`
    throw odd(`${name} is not ${bytes} bytes of hex`)
  }
  if (values.has('pcr0')) {
    return { kind: 'nitro', measurement: nitroMeasurement(hex('pcr0', 48), hex('pcr1', 48), hex('pcr2', 48)) }
  }
  if (values.has('mrtd')) {
    const rtmrs = [hex('rtmr0', 48), hex('rtmr1', 48), hex('rtmr2', 48), hex('rtmr3', 48, ZERO_48)] as const
    return {
      kind: 'tdx',
      measurement: tdxMeasurement(hex('mrtd', 48), hex('mrconfigid', 48, ZERO_48), rtmrs),
    }
  }
  if (values.has('measurement')) {
    return { kind: 'snp', measurement: snpMeasurement(hex('measurement', 48), hex('hostdata', 32, ZERO_32)) }
  }
  throw odd('it holds none of PCR0, mrtd, measurement')
}

/** Members by their names without case and underscores; those of `Measurements` too, where nitro-cli puts them. */
function namesOf(text: string): Map<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw odd('it is not JSON')
  }
  const inner = (value as { Measurements?: unknown } | null)?.Measurements ?? value
  if (typeof inner !== 'object' || inner === null) throw odd('it is not an object')
  return new Map(
    Object.entries(inner).map(([name, member]) => [name.toLowerCase().replaceAll('_', ''), member]),
  )
}

function odd(reason: string): AssayError {
  return new AssayError('These are not measurements of an image.', {
    code: 'malformed',
    facts: { reason },
    next: 'Give the JSON of nitro-cli, sev-snp-measure or dstack-mr: docs/run-in-tee.md',
  })
}
