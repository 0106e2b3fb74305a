import type { Problem } from '../checklist.ts'
import { type Certificate, parseCertificate } from '../x509/certificate.ts'
import { linksProblem } from '../x509/chain.ts'
import { ECDSA_P384 } from '../x509/scheme.ts'
import type { NitroPayload } from './nitroDocument.ts'

/** Longest life of a leaf certificate, seconds: AWS gives 3 h; more would widen the window of a stolen instance key. */
const MAX_LEAF_SECONDS = 4n * 3600n

export type NitroChainCode =
  | 'chain_broken' // a link does not hold
  | 'leaf_is_ca' // a certificate authority must not sign documents
  | 'leaf_may_not_sign' // without digitalSignature
  | 'leaf_lives_long' // more than 4 h

/** Root, regional, zonal, instance, leaf: the payload's bundle and, behind it, its certificate. @throws Error */
export function readNitroChain({ cabundle, certificate }: NitroPayload): Certificate[] {
  return [...cabundle, certificate].map((bytes) => parseCertificate(bytes, [ECDSA_P384]))
}

/** First thing wrong with the links of a Nitro chain or with its leaf; without times. */
export function nitroChainProblem(chain: readonly Certificate[]): Problem<NitroChainCode> | undefined {
  const links = linksProblem(chain)
  if (links !== undefined) return { code: 'chain_broken', reason: links }
  const leaf = chain[chain.length - 1] as Certificate
  if (leaf.constraints?.isCa === true || leaf.keyCertSign) {
    return { code: 'leaf_is_ca', reason: 'the leaf is a certificate authority' }
  }
  if (!leaf.digitalSignature) {
    return { code: 'leaf_may_not_sign', reason: 'the leaf may not sign documents' }
  }
  return leaf.notAfter - leaf.notBefore > MAX_LEAF_SECONDS
    ? { code: 'leaf_lives_long', reason: 'the leaf lives longer than 4 h' }
    : undefined
}
