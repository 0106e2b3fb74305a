import { type Hex, keccak256 } from 'viem'
import { Checklist, type TeeReport } from '../checklist.ts'
import type { TrustedRoot } from '../trustedRoot.ts'
import { checkChains, hardwareTypeOf } from './checkChains.ts'
import { checkCollateral } from './checkCollateral.ts'
import { checkRevocation } from './checkRevocation.ts'
import { checkSignatures } from './checkSignatures.ts'
import { checkTcb } from './checkTcb.ts'
import type { DcapCollateral } from './collateral.ts'
import { compare, type DcapExpectations, measurementOf } from './expectations.ts'
import { type DcapPolicy, DEFAULT_DCAP_POLICY, judge } from './policy.ts'
import { readQuote } from './quote.ts'
import type { EnclaveReport, TdReport } from './reports.ts'
import type { DcapCode, DcapStepName } from './steps.ts'
import type { TcbStatus } from './tcbStatus.ts'
import type { Found, Verification } from './verification.ts'

/** keccak256 of the DER of Intel's production root, "Intel SGX Root CA", serial 22650cd6…, valid to the end of 2049. */
export const INTEL_ROOT_HASH: Hex = '0xa1acc73eb45794fa1734f14d882e91925b6006f79d3bb2460df9d01b333d7009'

export type VerifyDcapParameters = {
  /** Approved roots, each for HARDWARE_TDX or HARDWARE_SGX: approving Intel's root for one says nothing of the other. */
  roots: readonly TrustedRoot[]
  /** Time to judge as of, Unix seconds: certificates, revocation lists and collateral must hold then. */
  now: bigint
  /** Parts of the policy that differ from `DEFAULT_DCAP_POLICY`. */
  policy?: Partial<DcapPolicy> | undefined
  expected?: DcapExpectations | undefined
}

export type DcapAttestation = {
  kind: 'sgx' | 'tdx'
  hardwareType: Hex
  rootHash: Hex
  quoteVersion: 3 | 4 | 5
  /** `tdxMeasurement(…)` or `sgxMeasurement(…)`, as governance approves it. */
  measurement: Hex
  /** All that the hardware states. */
  report: TdReport | EnclaveReport
  /** Platform, TDX module and quoting enclave together. */
  status: TcbStatus
  advisoryIds: readonly string[]
  /** Unix seconds: Intel's date of the TCB level that the platform reaches. */
  tcbDate: bigint
  /** Of the older of TCB info and QE identity. */
  evaluationNumber: number
  fmspc: Hex
  ppid: Hex
  platformInstanceId: Hex | undefined
  /** Unix seconds: last at which this collateral still holds. */
  validUntil: bigint
  /** Identity for de-duplication, keccak256 of header and body: (r, n − s) signs the same, so a quote's bytes are none. */
  payloadHash: Hex
}

export type DcapReport = TeeReport<DcapStepName, DcapCode, DcapAttestation>

/**
 * Verifies an Intel SGX or TDX quote by collateral, as of a time. Pure, bounded, and without exceptions: hostile bytes
 * give a failed step. Nothing is fetched; whoever holds the quote holds the collateral with it.
 */
export function verifyDcap(
  bytes: Uint8Array,
  collateral: DcapCollateral,
  { roots, now, policy, expected = {} }: VerifyDcapParameters,
): DcapReport {
  const list = new Checklist<DcapStepName, DcapCode>()
  const found = {} as Found
  const verification: Verification = { list, collateral, roots, now, found }
  list.check('quoteShape', () => {
    found.quote = readQuote(bytes)
    return undefined
  })
  checkChains(verification)
  checkRevocation(verification)
  checkCollateral(verification)
  checkSignatures(verification)
  checkTcb(verification)
  judge(verification, { ...DEFAULT_DCAP_POLICY, ...policy })
  compare(verification, expected)
  return list.report(() => attestationOf(found))
}

/** Last time at which everything used still holds, Unix seconds. */
function validUntil(found: Found): bigint {
  const { pckChain, tcbInfoChain, qeIdentityChain, pckCrlChain } = found
  const { rootCrl, pckCrl, tcbInfo, qeIdentity } = found
  const ends = [
    ...[pckChain, tcbInfoChain, qeIdentityChain, pckCrlChain].flatMap(({ certificates }) =>
      certificates.map(({ notAfter }) => notAfter),
    ),
    ...[rootCrl, pckCrl, tcbInfo, qeIdentity].map(({ nextUpdate }) => nextUpdate),
  ]
  return ends.sort((a, b) => Number(a - b))[0] as bigint
}

function attestationOf(found: Found): DcapAttestation {
  const { quote, platform, tcbInfo, qeIdentity } = found
  return {
    kind: quote.teeType,
    hardwareType: hardwareTypeOf(quote.teeType),
    rootHash: found.pckChain.rootHash,
    quoteVersion: quote.version,
    measurement: measurementOf(quote.report),
    report: quote.report,
    ...found.verdict,
    tcbDate: found.level.date,
    evaluationNumber: Math.min(tcbInfo.evaluationNumber, qeIdentity.evaluationNumber),
    fmspc: platform.fmspc,
    ppid: platform.ppid,
    platformInstanceId: platform.platformInstanceId,
    validUntil: validUntil(found),
    payloadHash: keccak256(quote.signed),
  }
}
