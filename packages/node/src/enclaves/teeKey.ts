import { constants, createHash, createPublicKey, generateKeyPair, sign } from 'node:crypto'
import { promisify } from 'node:util'
import { teeIdOf } from '@assay/protocol/opengradient'
import { bytesToHex, type Hex } from 'viem'

/** The RSA key of OpenGradient's wire format, in an enclave beside the one that signs receipts. It never leaves either. */
export type TeeKey = {
  /** keccak256 of the key. */
  id: Hex
  /** SubjectPublicKeyInfo, DER. */
  der: Uint8Array
  pem: string
  /** What an attestation document says of it: SHA-256 of the DER. */
  attestedHash: Hex
  /** RSASSA-PSS over SHA-256 with a salt of 32 bytes (RFC 8017 §8.1), about a millisecond. */
  sign: (message: Uint8Array) => Uint8Array
}

/** Draws a new key, as every boot does: RSA-2048, exponent 65537. */
export async function createTeeKey(): Promise<TeeKey> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 })
  const publicKey = createPublicKey(privateKey)
  const der = new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }))
  const padding = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }
  return {
    id: teeIdOf(der),
    der,
    pem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    attestedHash: bytesToHex(createHash('sha256').update(der).digest()),
    sign: (message) => new Uint8Array(sign('sha256', message, { key: privateKey, ...padding })),
  }
}
