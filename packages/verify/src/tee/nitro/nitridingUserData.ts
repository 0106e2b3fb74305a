import { bytesToHex, type Hex } from 'viem'
import { parseCoseSign1 } from './cose.ts'
import { parseNitroPayload } from './nitroDocument.ts'

/** `sha256:` ‖ 32 bytes ‖ `;sha256:` ‖ 32 bytes: what the nitriding daemon writes into every document. */
const PREFIX = new TextEncoder().encode('sha256:')
const SEPARATOR = new TextEncoder().encode(';sha256:')
const HASH_BYTES = 32
const SECOND = PREFIX.length + HASH_BYTES + SEPARATOR.length

const startsWith = (bytes: Uint8Array, prefix: Uint8Array, at: number): boolean =>
  prefix.every((byte, index) => bytes[at + index] === byte)

/** The two hashes in user data of that form; undefined where it has another. */
export function splitNitridingUserData(
  userData: Uint8Array | undefined,
): { tlsKeyHash: Uint8Array; appKeyHash: Uint8Array } | undefined {
  if (userData === undefined || userData.length !== SECOND + HASH_BYTES) return undefined
  if (!startsWith(userData, PREFIX, 0) || !startsWith(userData, SEPARATOR, PREFIX.length + HASH_BYTES)) {
    return undefined
  }
  return {
    tlsKeyHash: userData.subarray(PREFIX.length, PREFIX.length + HASH_BYTES),
    appKeyHash: userData.subarray(SECOND),
  }
}

/** Reads the hashes from a document of nitriding's, and believes nothing of it. Undefined where it is none. */
export function readNitridingUserData(
  document: Uint8Array,
): { tlsKeyHash: Hex; appKeyHash: Hex } | undefined {
  try {
    const found = splitNitridingUserData(parseNitroPayload(parseCoseSign1(document).payload).userData)
    if (found === undefined) return undefined
    return { tlsKeyHash: bytesToHex(found.tlsKeyHash), appKeyHash: bytesToHex(found.appKeyHash) }
  } catch {
    return undefined
  }
}
