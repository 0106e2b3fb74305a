import type { webcrypto } from 'node:crypto'
import { encode } from 'cbor2'

/** ES384 of RFC 9053 §2.1, and the label of `alg` in a COSE header (RFC 9052 §3.1). */
const ALG_LABEL = 1
const ES384 = -35

/**
 * COSE_Sign1 (RFC 9052 §4.2) as the Nitro Security Module emits it: an array of four without a tag, the algorithm alone in
 * the protected header, nothing in the unprotected one.
 */
export async function coseSign1(payload: Uint8Array, key: webcrypto.CryptoKey): Promise<Uint8Array> {
  const header = encode(new Map([[ALG_LABEL, ES384]]))
  const toSign = encode(['Signature1', header, new Uint8Array(0), payload])
  // WebCrypto's ECDSA signature is r ‖ s (IEEE P1363), which is COSE's form too.
  const signature = await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-384' }, key, Uint8Array.from(toSign))
  return encode([header, new Map(), payload, new Uint8Array(signature)])
}
