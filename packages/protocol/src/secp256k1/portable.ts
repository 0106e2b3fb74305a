import { secp256k1 as noble } from '@noble/curves/secp256k1.js'
import type { Secp256k1 } from './secp256k1.ts'

/** Plain JavaScript, for browsers and every other runtime. */
export const secp256k1: Secp256k1 = {
  recover(digest, compact, recoveryId) {
    try {
      const signature = noble.Signature.fromBytes(compact, 'compact').addRecoveryBit(recoveryId)
      return signature.recoverPublicKey(digest).toBytes(false)
    } catch {
      return null
    }
  },
  sign(digest, privateKey) {
    const bytes = noble.sign(digest, privateKey, { prehash: false, format: 'recovered', lowS: true })
    return { signature: bytes.subarray(1), recoveryId: bytes[0] as 0 | 1 }
  },
}
