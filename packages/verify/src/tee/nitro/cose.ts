import { concatBytes } from '@assay/protocol'
import { type DecodeOptions, decode } from 'cbor2'

/** Strict decoding for documents of strangers; indefinite lengths stay allowed, since real enclaves use them. */
const STRICT: DecodeOptions = {
  rejectDuplicateKeys: true,
  preferMap: true,
  rejectFloats: true,
  rejectUndefined: true,
  ignoreGlobalTags: true,
  maxDepth: 6,
}

/** One CBOR item and nothing behind it. @throws Error where it is not that */
export function decodeStrict(bytes: Uint8Array): unknown {
  try {
    return decode(bytes, STRICT)
  } catch (error) {
    // The library lets a DataView's RangeError or a BigInt's TypeError speak for a length that lies.
    throw new Error(`not CBOR: ${(error as Error).message}`, { cause: error })
  }
}

/** Members of an untagged COSE_Sign1 (RFC 9052 §4.2). */
export type CoseSign1 = {
  protectedHeader: Uint8Array
  unprotectedHeader: unknown
  payload: Uint8Array
  signature: Uint8Array
}

/** @throws Error where the bytes are not an array of bstr, map, bstr, bstr */
export function parseCoseSign1(bytes: Uint8Array): CoseSign1 {
  const parts = decodeStrict(bytes)
  if (!Array.isArray(parts) || parts.length !== 4) throw new Error('not an array of four')
  const [protectedHeader, unprotectedHeader, payload, signature] = parts as unknown[]
  if (
    !(protectedHeader instanceof Uint8Array) ||
    !(payload instanceof Uint8Array) ||
    !(signature instanceof Uint8Array)
  ) {
    throw new Error('not byte strings')
  }
  return { protectedHeader, unprotectedHeader, payload, signature }
}

/** Shortest CBOR head of a byte string (RFC 8949 §3). */
function bytesHead(length: number): Uint8Array {
  if (length < 24) return Uint8Array.of(0x40 + length)
  if (length < 0x100) return Uint8Array.of(0x58, length)
  if (length < 0x10000) return Uint8Array.of(0x59, length >> 8, length & 0xff)
  return Uint8Array.of(0x5a, length >>> 24, (length >>> 16) & 0xff, (length >>> 8) & 0xff, length & 0xff)
}

/** The one encoding of a COSE_Sign1 with an empty unprotected header: shortest heads, definite lengths, no tag. */
export function encodeCoseSign1({ protectedHeader, payload, signature }: CoseSign1): Uint8Array {
  return concatBytes([
    Uint8Array.of(0x84),
    bytesHead(protectedHeader.length),
    protectedHeader,
    Uint8Array.of(0xa0),
    bytesHead(payload.length),
    payload,
    bytesHead(signature.length),
    signature,
  ])
}

/** Sig_structure of RFC 9052 §4.4: ["Signature1", protected, external_aad = empty, payload]. */
export function sigStructure(cose: Pick<CoseSign1, 'protectedHeader' | 'payload'>): Uint8Array {
  const context = new TextEncoder().encode('Signature1')
  return concatBytes([
    Uint8Array.of(0x84, 0x60 + context.length),
    context,
    bytesHead(cose.protectedHeader.length),
    cose.protectedHeader,
    bytesHead(0),
    bytesHead(cose.payload.length),
    cose.payload,
  ])
}
