import { concatBytes } from '@assay/protocol'
import { sha256 } from '@noble/hashes/sha2.js'
import { hexToBytes } from 'viem'
import { verifyP256 } from '../x509/scheme.ts'
import { leafOf } from './chains.ts'
import { qeProblem } from './qeIdentity.ts'
import type { Quote } from './quote.ts'
import { isDebug } from './reports.ts'
import { problemOf, type Verification } from './verification.ts'

/** Whether the quoting enclave's report commits to the attestation key: sha256(key ‖ data), then zeros. */
function commitsToKey({ qeReport, attestationKey, qeAuthData }: Quote): boolean {
  const key = sha256(concatBytes([attestationKey, qeAuthData]))
  return hexToBytes(qeReport.reportData).every((byte, at) => byte === (at < 32 ? key[at] : 0))
}

/** From the PCK key over Intel's quoting enclave and its attestation key to the quote. */
export function checkSignatures({ list, found }: Verification): void {
  list.check('qeReport', () => {
    const { qeReportBytes, qeReportSignature } = found.quote
    const { publicKey } = leafOf(found.pckChain)
    const holds = verifyP256(publicKey, qeReportBytes, qeReportSignature, 'compact')
    return problemOf('qe_report_forged', holds ? undefined : 'the PCK key did not sign the QE report')
  })
  list.check('attestationKey', () => {
    const reason = 'the quoting enclave vouches for another attestation key'
    return problemOf('attestation_key_unbound', commitsToKey(found.quote) ? undefined : reason)
  })
  list.check('quotingEnclave', () => {
    const { qeReport, teeType } = found.quote
    if (found.qeIdentity.teeType !== teeType) {
      const reason = `the QE identity is for ${found.qeIdentity.teeType}, the quote for ${teeType}`
      return { code: 'collateral_of_other_tee', reason }
    }
    if (isDebug(qeReport)) {
      return {
        code: 'qe_debug',
        reason: 'the quoting enclave runs in debug mode: its key is open to the host',
      }
    }
    return problemOf('qe_unknown', qeProblem(qeReport, found.qeIdentity))
  })
  list.check('quoteSignature', () => {
    const { attestationKey, signed, signature } = found.quote
    const point = concatBytes([Uint8Array.of(4), attestationKey])
    const holds = verifyP256(point, signed, signature, 'compact')
    return problemOf('quote_forged', holds ? undefined : 'the attestation key did not sign this quote')
  })
}
