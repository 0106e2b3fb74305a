import { codec } from '#base64'
import { AssayError } from '../errors.ts'

// One character class: a repeated group overflows the matcher's stack on texts of a few megabytes.
const STANDARD = /^[A-Za-z0-9+/]*={0,2}$/

/** What runtimes do themselves; which texts are taken is decided here. */
export type Base64 = {
  encode(bytes: Uint8Array): string
  /** Of padded base64, or of what looks like it. */
  decode(text: string): Uint8Array
}

/** RFC 4648 §4 base64 with padding. */
export function toBase64(bytes: Uint8Array): string {
  return codec.encode(bytes)
}

/** Strict inverse of `toBase64`. @throws AssayError `malformed` | `non_canonical` */
export function fromBase64(text: string): Uint8Array {
  if (text.length % 4 !== 0 || !STANDARD.test(text)) {
    throw new AssayError('The text is not padded base64.', { code: 'malformed' })
  }
  const bytes = codec.decode(text)
  if (toBase64(bytes) !== text) throw new AssayError('The base64 has stray bits.', { code: 'non_canonical' })
  return bytes
}

/** RFC 4648 §5 base64url without padding. */
export function toBase64Url(bytes: Uint8Array): string {
  return toBase64(bytes).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
}

/** Strict inverse of `toBase64Url`. @throws AssayError `malformed` | `non_canonical` */
export function fromBase64Url(text: string): Uint8Array {
  if (!/^[A-Za-z0-9_-]*$/.test(text))
    throw new AssayError('The text is not base64url.', { code: 'malformed' })
  const padded = text.replaceAll('-', '+').replaceAll('_', '/')
  return fromBase64(padded + '='.repeat((4 - (padded.length % 4)) % 4))
}
