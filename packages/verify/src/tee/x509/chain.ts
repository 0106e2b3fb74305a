import type { Certificate } from './certificate.ts'

/**
 * First thing wrong with the links of a chain, or undefined: issuer, signature, CA flag, pathLen and keyCertSign
 * (RFC 5280 §6.1), without times. Index 0 is the root, the last is the leaf, of which only the link is checked. The root's
 * signature of itself is not: a root is trusted because its bytes are approved, and would say nothing else by signing them.
 */
export function linksProblem(chain: readonly Certificate[]): string | undefined {
  const last = chain.length - 1
  if (last < 1) return 'the chain has no leaf'
  for (let at = 0; at < last; at++) {
    const issuer = chain[at] as Certificate
    const subject = chain[at + 1] as Certificate
    if (subject.issuer !== issuer.subject) return `certificate ${at + 1} was not issued by the one before it`
    if (issuer.constraints?.isCa !== true) return `certificate ${at} is not a CA`
    if (!issuer.keyCertSign) return `certificate ${at} may not sign certificates`
    // Intermediates between this one and the leaf.
    const below = last - at - 1
    if (issuer.constraints.pathLength !== undefined && below > issuer.constraints.pathLength) {
      return `certificate ${at} allows ${issuer.constraints.pathLength} intermediates, ${below} follow`
    }
    if (!signedBy(subject, issuer)) return `the signature of certificate ${at + 1} does not hold`
  }
  return undefined
}

/** Whether `issuer`'s key signed this certificate or revocation list. */
export function signedBy(
  signed: Pick<Certificate, 'tbs' | 'signature' | 'signedWith'>,
  issuer: Certificate,
): boolean {
  return (
    signed.signedWith === issuer.keyScheme &&
    signed.signedWith.verify(issuer.publicKey, signed.tbs, signed.signature)
  )
}

/** First certificate that does not hold at time `at` (Unix seconds), or undefined. */
export function validityProblem(chain: readonly Certificate[], at: bigint): string | undefined {
  for (const [index, certificate] of chain.entries()) {
    if (at < certificate.notBefore || at > certificate.notAfter) {
      return `certificate ${index} holds from ${certificate.notBefore} to ${certificate.notAfter}, the document says ${at}`
    }
  }
  return undefined
}
