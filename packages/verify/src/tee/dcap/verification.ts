import type { Checklist, Problem } from '../checklist.ts'
import type { TrustedRoot } from '../trustedRoot.ts'
import type { RevocationList } from '../x509/crl.ts'
import type { IntelChain } from './chains.ts'
import type { DcapCollateral } from './collateral.ts'
import type { PckPlatform } from './pckExtension.ts'
import type { QeIdentity } from './qeIdentity.ts'
import type { Quote } from './quote.ts'
import type { DcapCode, DcapStepName } from './steps.ts'
import type { TcbInfo, TcbLevel } from './tcbInfo.ts'
import type { TcbVerdict } from './tcbStatus.ts'

/** What the checks have read so far. A check may read what an earlier one filled, since the list stops at the first failure. */
export type Found = {
  quote: Quote
  pckChain: IntelChain
  tcbInfoChain: IntelChain
  qeIdentityChain: IntelChain
  /** The PCK CA, as the issuer of its revocation list. */
  pckCrlChain: IntelChain
  rootCrl: RevocationList
  pckCrl: RevocationList
  tcbInfo: TcbInfo
  qeIdentity: QeIdentity
  platform: PckPlatform
  /** TDX only. */
  module: TcbVerdict | undefined
  level: TcbLevel
  /** Platform, module and quoting enclave together. */
  verdict: TcbVerdict
}

/** One verification under way: what was asked, and what was found. */
export type Verification = {
  list: Checklist<DcapStepName, DcapCode>
  collateral: DcapCollateral
  roots: readonly TrustedRoot[]
  /** Unix seconds. */
  now: bigint
  found: Found
}

/** A problem of this code, where there is a reason. */
export function problemOf(code: DcapCode, reason: string | undefined): Problem<DcapCode> | undefined {
  return reason === undefined ? undefined : { code, reason }
}
