import type { Base64 } from './base64.ts'

/** Node's own, ten times as fast: a gateway reads and writes a payment and a receipt at every request. */
export const codec: Base64 = {
  encode: (bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64'),
  // A copy of its own: a small Buffer shares its memory with others.
  decode: (text) => new Uint8Array(Buffer.from(text, 'base64')),
}
