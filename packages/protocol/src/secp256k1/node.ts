import { recover, signRecoverable } from 'tiny-secp256k1'
import type { Secp256k1 } from './secp256k1.ts'

/**
 * libsecp256k1 compiled to WebAssembly: recovers a key about five times as fast as JavaScript does. A gateway does that
 * twice a request and a validator once a receipt, so it is most of what verification costs.
 */
export const secp256k1: Secp256k1 = {
  recover: (digest, compact, recoveryId) => recover(digest, compact, recoveryId, false),
  sign: (digest, privateKey) => signRecoverable(digest, privateKey),
}
