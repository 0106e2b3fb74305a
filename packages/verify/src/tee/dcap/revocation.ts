import type { Problem } from '../checklist.ts'
import type { Certificate } from '../x509/certificate.ts'
import { listIssuedBy, type RevocationList } from '../x509/crl.ts'
import type { DcapCode } from './steps.ts'

/** First thing by which this list is not the issuer's at `now` (Unix seconds), or undefined. */
export function listProblem(
  list: RevocationList,
  issuer: Certificate,
  now: bigint,
): Problem<DcapCode> | undefined {
  if (list.issuer !== issuer.subject) {
    return { code: 'crl_issuer_differs', reason: 'the list was issued under another name' }
  }
  if (now < list.thisUpdate || now > list.nextUpdate) {
    const reason = `the list holds from ${list.thisUpdate} to ${list.nextUpdate}, not at ${now}`
    return { code: 'crl_not_valid_then', reason }
  }
  return listIssuedBy(list, issuer)
    ? undefined
    : { code: 'crl_forged', reason: 'the issuer did not sign the list, or may not' }
}

/** The first certificate that the list revokes; each must be of the list's issuer. */
export function revokedAmong(
  list: RevocationList,
  certificates: readonly Certificate[],
): Certificate | undefined {
  return certificates.find(({ issuer, serial }) => issuer === list.issuer && list.revoked.has(serial))
}
