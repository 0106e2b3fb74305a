import { Aes128Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from '@hpke/core'
import type { Hex } from 'viem'
import { keccak256 } from '#keccak256'
import { concatBytes } from '../http.ts'
import { ByteReader, malformed } from './varint.ts'

/** DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM (RFC 9180 §7): the suite every implementation has. */
export const KEM_ID = 0x0020
export const KDF_ID = 0x0001
export const AEAD_ID = 0x0001
/** Lengths of the AEAD's key, nonce and tag, of the KEM's shares, and of a response's nonce, bytes. */
export const KEY_BYTES = 16
export const NONCE_BYTES = 12
export const ENC_BYTES = 32
export const TAG_BYTES = 16
export const RESPONSE_NONCE_BYTES = 16

// Marked pure, so that a bundle which encrypts nothing leaves the library out.
export const suite: CipherSuite = /* @__PURE__ */ new CipherSuite({
  kem: /* @__PURE__ */ new DhkemX25519HkdfSha256(),
  kdf: /* @__PURE__ */ new HkdfSha256(),
  aead: /* @__PURE__ */ new Aes128Gcm(),
})

type KemKey = Awaited<ReturnType<typeof suite.kem.importKey>>

/** The enclave's half of the key; it never leaves it. */
export type OhttpKey = {
  /** Key configuration (RFC 9458 §3.1), as clients get it. */
  config: Uint8Array
  keyId: number
  privateKey: KemKey
}

/** What a client needs to encrypt to a key. */
export type OhttpPublicKey = { keyId: number; publicKey: KemKey }

const uint16 = (value: number): Uint8Array => Uint8Array.of(value >> 8, value & 0xff)

/** A new key, as every boot of an enclave makes one. */
export async function createOhttpKey(): Promise<OhttpKey> {
  const { publicKey, privateKey } = await suite.kem.generateKeyPair()
  const raw = new Uint8Array(await suite.kem.serializePublicKey(publicKey))
  const keyId = crypto.getRandomValues(new Uint8Array(1))[0] as number
  return { keyId, privateKey, config: writeKeyConfig(keyId, raw) }
}

function writeKeyConfig(keyId: number, publicKey: Uint8Array): Uint8Array {
  const algorithms = concatBytes([uint16(KDF_ID), uint16(AEAD_ID)])
  return concatBytes([Uint8Array.of(keyId), uint16(KEM_ID), publicKey, uint16(algorithms.length), algorithms])
}

/** What the enclave's binding holds of the key (docs/spec.md §7). */
export function ohttpKeyHash(config: Uint8Array): Hex {
  return keccak256(config)
}

/** Reads one key configuration. @throws AssayError `malformed`, also where it does not offer our suite */
export async function readKeyConfig(config: Uint8Array): Promise<OhttpPublicKey> {
  const reader = new ByteReader(config)
  const number16 = (what: string): number => {
    const [high, low] = reader.take(2, what) as unknown as [number, number]
    return high * 256 + low
  }
  const [keyId] = reader.take(1, 'the key id') as unknown as [number]
  if (number16('the KEM') !== KEM_ID) throw malformed('the key is not of X25519')
  const raw = reader.take(ENC_BYTES, 'the public key')
  const algorithms = new ByteReader(reader.take(number16('the algorithms'), 'the algorithms'))
  if (reader.left > 0) throw malformed('bytes follow the key configuration')
  while (algorithms.left > 0) {
    const [a, b, c, d] = algorithms.take(4, 'an algorithm') as unknown as [number, number, number, number]
    if (a * 256 + b === KDF_ID && c * 256 + d === AEAD_ID) {
      const publicKey = await suite.kem.deserializePublicKey(Uint8Array.from(raw).buffer)
      return { keyId, publicKey }
    }
  }
  throw malformed('the key offers no suite that is spoken here')
}
