import { concatBytes } from '../http.ts'
import { KEY_BYTES, NONCE_BYTES, TAG_BYTES } from './keyConfig.ts'
import { malformed } from './varint.ts'

/** Seals or opens the chunks of one answer, one after another: each has a nonce of its own. */
export type ResponseKeys = {
  seal: (bytes: Uint8Array, aad: Uint8Array) => Promise<Uint8Array>
  /** @throws AssayError `malformed` */
  open: (bytes: Uint8Array, aad: Uint8Array) => Promise<Uint8Array>
}

/**
 * Keys of an answer (RFC 9458 §4.4): from the request's context, so only who sent it can open the answer, and a nonce of
 * the responder's. HKDF's Extract and Expand are one operation in WebCrypto.
 */
export async function responseKeys(
  context: { export: (context: ArrayBuffer, length: number) => Promise<ArrayBuffer> },
  label: string,
  enc: Uint8Array,
  responseNonce: Uint8Array,
): Promise<ResponseKeys> {
  const text = (value: string): Uint8Array<ArrayBuffer> => Uint8Array.from(new TextEncoder().encode(value))
  const secret = await context.export(text(label).buffer, Math.max(KEY_BYTES, NONCE_BYTES))
  const base = await crypto.subtle.importKey('raw', secret, 'HKDF', false, ['deriveBits'])
  const salt = Uint8Array.from(concatBytes([enc, responseNonce]))
  const expand = async (info: string, bytes: number): Promise<Uint8Array<ArrayBuffer>> =>
    new Uint8Array(
      await crypto.subtle.deriveBits(
        { name: 'HKDF', hash: 'SHA-256', salt, info: text(info) },
        base,
        bytes * 8,
      ),
    )
  const key = await crypto.subtle.importKey('raw', await expand('key', KEY_BYTES), 'AES-GCM', false, [
    'encrypt',
    'decrypt',
  ])
  const nonce = await expand('nonce', NONCE_BYTES)
  let counter = 0
  /** The nonce of the next chunk: the answer's own, XOR the counter as a big-endian integer. */
  const next = (aad: Uint8Array) => {
    const iv = nonce.slice()
    const view = new DataView(iv.buffer)
    // 2^32 chunks are more than any bounded answer has.
    view.setUint32(NONCE_BYTES - 4, (view.getUint32(NONCE_BYTES - 4) ^ counter++) >>> 0)
    return { name: 'AES-GCM', iv, additionalData: Uint8Array.from(aad), tagLength: TAG_BYTES * 8 }
  }
  return {
    seal: async (bytes, aad) =>
      new Uint8Array(await crypto.subtle.encrypt(next(aad), key, Uint8Array.from(bytes))),
    open: async (bytes, aad) => {
      try {
        return new Uint8Array(await crypto.subtle.decrypt(next(aad), key, Uint8Array.from(bytes)))
      } catch {
        throw malformed('a chunk does not open')
      }
    },
  }
}
