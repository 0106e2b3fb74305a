import type { Certificate } from './x509/certificate.ts'
import { linksProblem } from './x509/chain.ts'

/** Longest life of a leaf certificate, seconds: AWS gives 3 h; more would widen the window of a stolen instance key. */
const MAX_LEAF_SECONDS = 4n * 3600n

/** First thing wrong with the links of a Nitro chain, root first, or undefined; without times. */
export function chainProblem(chain: readonly Certificate[]): string | undefined {
  const links = linksProblem(chain)
  if (links !== undefined) return links
  const leaf = chain[chain.length - 1] as Certificate
  if (leaf.constraints?.isCa === true || leaf.keyCertSign) return 'the leaf is a CA'
  if (!leaf.digitalSignature) return 'the leaf may not sign documents'
  if (leaf.notAfter - leaf.notBefore > MAX_LEAF_SECONDS) return 'the leaf lives longer than 4 h'
  return undefined
}
