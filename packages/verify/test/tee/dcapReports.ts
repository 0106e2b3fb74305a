/** Simulated quotes and their collateral, changed here and there, and what the verifier finds of them. */
import assert from 'node:assert/strict'
import {
  DCAP_STEPS,
  type DcapCollateral,
  type DcapReport,
  type VerifyDcapParameters,
  verifyDcap,
} from '../../src/index.ts'
import { type DcapChanges, type SimulatedDcap, simulateDcap } from './simulatedDcap.ts'

export const DAY = 86_400
export const good = simulateDcap()
export const enclave = simulateDcap({ kind: 'sgx' })

export type Overrides = {
  quote?: Uint8Array
  collateral?: Partial<DcapCollateral>
  parameters?: Partial<VerifyDcapParameters>
}

export function report(made: SimulatedDcap, { quote, collateral, parameters }: Overrides = {}): DcapReport {
  const found = verifyDcap(
    quote ?? made.quote,
    { ...made.collateral, ...collateral },
    { ...made.parameters, ...parameters },
  )
  assert.deepEqual(
    found.steps.map(({ name }) => name),
    DCAP_STEPS,
  )
  assert.equal(found.ok, found.attestation !== undefined)
  return found
}

/** `step: code` of everything that failed. */
export const failuresOf = (found: DcapReport) =>
  found.steps.filter((step) => step.outcome === 'failed').map((step) => `${step.name}: ${step.code}`)

export const failures = (made: SimulatedDcap, overrides?: Overrides) => failuresOf(report(made, overrides))
export const changed = (changes: DcapChanges, overrides?: Overrides) =>
  failures(simulateDcap(changes), overrides)

export const flipped = (bytes: Uint8Array, at: number, mask = 1) =>
  bytes.map((byte, index) => (index === at ? byte ^ mask : byte))

export const allOf = (svn: number) => new Array<number>(16).fill(svn)

export function level(svn: number, tdxSvn = 0) {
  return {
    tcb: {
      sgxtcbcomponents: allOf(svn).map((value) => ({ svn: value })),
      pcesvn: 11,
      tdxtcbcomponents: allOf(tdxSvn).map((value) => ({ svn: value })),
    },
    tcbDate: '2025-03-13T00:00:00Z',
    tcbStatus: 'UpToDate',
  }
}
