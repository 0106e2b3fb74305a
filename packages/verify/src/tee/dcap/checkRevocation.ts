import { bytesToHex } from 'viem'
import type { Problem } from '../checklist.ts'
import type { Certificate } from '../x509/certificate.ts'
import { listIssuedBy, parseRevocationList, type RevocationList } from '../x509/crl.ts'
import { ECDSA_P256 } from '../x509/scheme.ts'
import { issuerOfLeaf, leafOf, parsePemChain, rootOf } from './chains.ts'
import { chainProblem } from './checkChains.ts'
import type { DcapCode } from './steps.ts'
import { problemOf, type Verification } from './verification.ts'

/** First thing by which this list is not the issuer's at `now` (Unix seconds), or undefined. */
function listProblem(list: RevocationList, issuer: Certificate, now: bigint): Problem<DcapCode> | undefined {
  if (list.issuer !== issuer.subject) {
    return { code: 'crl_issuer_differs', reason: 'the list was issued under another name' }
  }
  if (now < list.thisUpdate || now > list.nextUpdate) {
    const reason = `the list holds from ${list.thisUpdate} to ${list.nextUpdate}, not at ${now}`
    return { code: 'crl_not_valid_then', reason }
  }
  return problemOf(
    'crl_forged',
    listIssuedBy(list, issuer) ? undefined : 'the issuer did not sign the list, or may not',
  )
}

/** The first certificate that the list revokes, among those of its issuer. */
function revokedBy(list: RevocationList, certificates: readonly Certificate[]): Certificate | undefined {
  return certificates.find(({ issuer, serial }) => issuer === list.issuer && list.revoked.has(serial))
}

/** The root's list and that of the PCK CA: authentic, in their window, and naming none of the certificates used. */
export function checkRevocation(verification: Verification): void {
  const { list, found, collateral, now } = verification
  list.check('rootCrl', () => {
    found.rootCrl = parseRevocationList(collateral.rootCaCrl, [ECDSA_P256])
    return listProblem(found.rootCrl, rootOf(found.pckChain), now)
  })
  list.check('pckCrl', () => {
    found.pckCrlChain = parsePemChain(collateral.pckCrlIssuerChain)
    const issuer = leafOf(found.pckCrlChain)
    const ca = issuerOfLeaf(found.pckChain)
    if (issuer.subject !== ca.subject || bytesToHex(issuer.publicKey) !== bytesToHex(ca.publicKey)) {
      return {
        code: 'crl_issuer_differs',
        reason: 'the list is of another CA than issued the PCK certificate',
      }
    }
    found.pckCrl = parseRevocationList(collateral.pckCrl, [ECDSA_P256])
    return chainProblem(verification, found.pckCrlChain, 'pckCa') ?? listProblem(found.pckCrl, issuer, now)
  })
  list.check('notRevoked', () => {
    const { pckChain, tcbInfoChain, qeIdentityChain, pckCrlChain, rootCrl, pckCrl } = found
    const belowRoot = [issuerOfLeaf(pckChain), ...[tcbInfoChain, qeIdentityChain, pckCrlChain].map(leafOf)]
    const revoked = revokedBy(rootCrl, belowRoot) ?? revokedBy(pckCrl, [leafOf(pckChain)])
    const reason = revoked && `its issuer has revoked certificate ${revoked.serial}`
    return problemOf('certificate_revoked', reason)
  })
}
