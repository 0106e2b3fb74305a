import { sha384 } from '@noble/hashes/sha2.js'
import { bytesToBigInt, numberToBytes } from 'viem'
import { type Der, DerError, expectTag, readChildren, readDer, readInteger, TAG } from './der.ts'
import type { Scheme } from './scheme.ts'

const HASH_BYTES = 48
const SALT_BYTES = 48
/** AMD's roots, the only RSA keys in any chain here. */
const MODULUS_BYTES = 512
const EXPONENT = 65537n

type RsaKey = { modulus: bigint; exponent: bigint }

function readUnsigned(element: Der | undefined): bigint {
  const integer = expectTag(element, TAG.integer, 'RSA integer')
  readInteger(integer)
  if ((integer.content[0] as number) >= 0x80) throw new DerError('negative RSA integer')
  return bytesToBigInt(integer.content)
}

/** RSAPublicKey of RFC 8017 §A.1.1, with a modulus of 4096 bits and the usual exponent. @throws DerError */
function readRsaKey(bytes: Uint8Array): RsaKey {
  const members = readChildren(readDer(bytes, TAG.sequence))
  const modulus = readUnsigned(members[0])
  const exponent = readUnsigned(members[1])
  if (members.length !== 2 || modulus >> 4095n !== 1n || exponent !== EXPONENT) throw new DerError('RSA key')
  return { modulus, exponent }
}

/** MGF1 over SHA-384 (RFC 8017 §B.2.1). */
function mask(seed: Uint8Array, length: number): Uint8Array {
  const out = new Uint8Array(Math.ceil(length / HASH_BYTES) * HASH_BYTES)
  const input = new Uint8Array(seed.length + 4)
  input.set(seed)
  // Ten blocks for the one modulus size accepted, so the counter fits its last byte.
  for (let block = 0; block * HASH_BYTES < length; block++) {
    input[input.length - 1] = block
    out.set(sha384(input), block * HASH_BYTES)
  }
  return out.subarray(0, length)
}

/** base^exponent mod modulus; public values only, so time need not be constant. */
function power(base: bigint, { modulus, exponent }: RsaKey): bigint {
  let result = 1n
  let square = base
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) result = (result * square) % modulus
    square = (square * square) % modulus
  }
  return result
}

/** EMSA-PSS-VERIFY (RFC 8017 §9.1.2) with emBits = 4095: the encoded message's top bit is zero. */
function encodes(encoded: Uint8Array, message: Uint8Array): boolean {
  const hashAt = encoded.length - HASH_BYTES - 1
  const masked = encoded.subarray(0, hashAt)
  const hash = encoded.subarray(hashAt, -1)
  if (encoded[encoded.length - 1] !== 0xbc || ((masked[0] as number) & 0x80) !== 0) return false
  const block = mask(hash, masked.length).map((byte, at) => byte ^ (masked[at] as number))
  block[0] = (block[0] as number) & 0x7f
  const saltAt = block.length - SALT_BYTES
  if (block[saltAt - 1] !== 1 || block.subarray(0, saltAt - 1).some((byte) => byte !== 0)) return false
  const salted = new Uint8Array(8 + HASH_BYTES + SALT_BYTES)
  salted.set(sha384(message), 8)
  salted.set(block.subarray(saltAt), 8 + HASH_BYTES)
  return sha384(salted).every((byte, at) => byte === hash[at])
}

/**
 * RSASSA-PSS-VERIFY (RFC 8017 §8.1.2). Written here because WebCrypto answers only asynchronously, and a pure verifier
 * answers now; it handles public values only, and the tests hold it against node:crypto.
 */
function verifyRsaPss(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  try {
    const key = readRsaKey(publicKey)
    const representative = bytesToBigInt(signature)
    if (signature.length !== MODULUS_BYTES || representative >= key.modulus) return false
    return encodes(numberToBytes(power(representative, key), { size: MODULUS_BYTES }), message)
  } catch {
    return false
  }
}

export const RSA_PSS_SHA384: Scheme = {
  name: 'RSASSA-PSS with SHA-384 on RSA-4096',
  // SHA-384, MGF1 with SHA-384, salt 48 (RFC 4055 §3.1). AMD writes the default trailer out in older certificates and
  // leaves it to default in those of Turin's chips; the hashes' parameters may be NULL or absent (RFC 4055 §2.1).
  signatureAlgorithms: [
    '0x304606092a864886f70d01010a3039a00f300d06096086480165030402020500a11c301a06092a864886f70d010108300d06096086480165030402020500a203020130a303020101',
    '0x304106092a864886f70d01010a3034a00f300d06096086480165030402020500a11c301a06092a864886f70d010108300d06096086480165030402020500a203020130',
    '0x304206092a864886f70d01010a3035a00d300b0609608648016503040202a11a301806092a864886f70d010108300b0609608648016503040202a203020130a303020101',
    '0x303d06092a864886f70d01010a3030a00d300b0609608648016503040202a11a301806092a864886f70d010108300b0609608648016503040202a203020130',
  ],
  keyAlgorithm: '0x300d06092a864886f70d0101010500', // RFC 8017 §A.1
  isKey: (key) => {
    try {
      return readRsaKey(key) !== undefined
    } catch {
      return false
    }
  },
  verify: verifyRsaPss,
}
