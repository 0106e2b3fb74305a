import type { Problem } from '../checklist.ts'
import { verifyP256 } from '../x509/scheme.ts'
import { type IntelChain, leafOf } from './chains.ts'
import { readQeIdentity } from './qeIdentity.ts'
import type { DcapCode } from './steps.ts'
import { readTcbInfo } from './tcbInfo.ts'
import type { Verification } from './verification.ts'

/** Whether the chain's leaf signed this text. */
function isSigned(text: string, signature: Uint8Array, chain: IntelChain): boolean {
  return verifyP256(leafOf(chain).publicKey, new TextEncoder().encode(text), signature, 'compact')
}

/** Problem of a document of Intel's that does not hold at `now`, or undefined. */
function windowProblem(
  { issueDate, nextUpdate }: { issueDate: bigint; nextUpdate: bigint },
  now: bigint,
  code: DcapCode,
): Problem<DcapCode> | undefined {
  if (issueDate <= now && now <= nextUpdate) return undefined
  return { code, reason: `it holds from ${issueDate} to ${nextUpdate}, not at ${now}` }
}

/** TCB info and QE identity: what Intel signed, read only once it is known that Intel signed it, in its window. */
export function checkCollateral({ list, found, collateral, now }: Verification): void {
  list.check('tcbInfo', () => {
    if (!isSigned(collateral.tcbInfo, collateral.tcbInfoSignature, found.tcbInfoChain)) {
      return { code: 'tcb_info_forged', reason: 'Intel did not sign this TCB info' }
    }
    found.tcbInfo = readTcbInfo(collateral.tcbInfo)
    return windowProblem(found.tcbInfo, now, 'tcb_info_not_valid_then')
  })
  list.check('qeIdentity', () => {
    if (!isSigned(collateral.qeIdentity, collateral.qeIdentitySignature, found.qeIdentityChain)) {
      return { code: 'qe_identity_forged', reason: 'Intel did not sign this QE identity' }
    }
    found.qeIdentity = readQeIdentity(collateral.qeIdentity)
    return windowProblem(found.qeIdentity, now, 'qe_identity_not_valid_then')
  })
}
