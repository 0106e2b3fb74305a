import { p256, p384 } from '@noble/curves/nist.js'
import type { VerifyEcdsa } from './ecdsa.ts'

/** Plain JavaScript, for browsers and every other runtime. */
export const verifyEcdsa: VerifyEcdsa = (curve, publicKey, message, signature) => {
  try {
    const { verify } = curve === 'P-256' ? p256 : p384
    return verify(signature, message, publicKey, { lowS: false, format: 'compact' })
  } catch {
    return false
  }
}
