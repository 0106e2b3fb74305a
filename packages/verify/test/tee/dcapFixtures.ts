import { HARDWARE_SGX, HARDWARE_TDX } from '@assay/protocol'
import { hexToBytes } from 'viem'
import { type DcapCollateral, INTEL_ROOT_HASH, readDcapCollateral } from '../../src/index.ts'
import { fixture, fixtureText } from './fixtures.ts'

export const intelRoots = [HARDWARE_SGX, HARDWARE_TDX].map((hardwareType) => ({
  rootHash: INTEL_ROOT_HASH,
  hardwareType,
}))

export const seconds = (iso: string) => BigInt(Date.parse(iso) / 1000)
const file = (name: string) => fixture(`tdx/${name}`)
const json = (name: string): Record<string, unknown> => JSON.parse(fixtureText(`tdx/${name}`))

export type Recorded = { quote: Uint8Array; collateral: DcapCollateral; now: bigint }

/** A recorded quote with its collateral, and a time at which all of that holds. */
export function recorded(name: 'sgx_quote' | 'tdx_quote' | 'tdx_quote_outdated'): Recorded {
  const now = seconds(name === 'tdx_quote_outdated' ? '2026-02-20' : '2025-06-20')
  return { quote: file(name), collateral: readDcapCollateral(json(`${name}_collateral.json`)), now }
}

export const rootCertificate = () => file('intel-sgx-root-ca.der')
export const quoteWithoutCollateral = () => file('tdx_v5.dat')

/** A quote of dstack with the event log that belongs to it. */
export function dstack(name: 'dstack-quote-report' | 'dstack-tdx-lite-getquote') {
  const {
    quote,
    event_log: eventLog,
    report_data: reportData,
  } = json(`${name}.json`) as Record<string, string>
  return {
    quote: hexToBytes(`0x${quote}`),
    eventLog: eventLog as string,
    reportData: `0x${reportData}` as const,
  }
}
