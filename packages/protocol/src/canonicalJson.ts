import { AssayError } from './errors.ts'

export type Json = string | number | boolean | { [name: string]: Json } | Json[]

/**
 * RFC 8785 over objects, arrays, strings, booleans and safe integers (docs/spec.md §8).
 * @throws AssayError `malformed` for null, floats and lone surrogates.
 */
export function canonicalJson(value: Json): string {
  if (typeof value === 'string') return canonicalString(value)
  if (typeof value === 'boolean') return String(value)
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) {
      throw new AssayError('Canonical JSON holds safe integers only.', {
        code: 'malformed',
        facts: { value },
      })
    }
    return String(value)
  }
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (value === null || typeof value !== 'object') {
    throw new AssayError('Canonical JSON holds no such value.', { code: 'malformed', facts: { value } })
  }
  // RFC 8785 §3.2.3 sorts names by UTF-16 code units, which is what the default sort compares.
  const members = Object.keys(value)
    .sort()
    .map((name) => `${canonicalString(name)}:${canonicalJson(value[name] as Json)}`)
  return `{${members.join(',')}}`
}

/** Names and values alike: I-JSON (RFC 7493 §2.1) has no lone surrogates. */
function canonicalString(text: string): string {
  if (!text.isWellFormed()) throw new AssayError('A string holds a lone surrogate.', { code: 'malformed' })
  return JSON.stringify(text)
}

export function canonicalJsonBytes(value: Json): Uint8Array {
  return new TextEncoder().encode(canonicalJson(value))
}

/** @throws AssayError `malformed` for more than `maxBytes`, or what is no text in UTF-8 */
function decodeText(bytes: Uint8Array, maxBytes: number): string {
  if (bytes.length > maxBytes) {
    throw new AssayError('The document is too large.', {
      code: 'malformed',
      facts: { bytes: bytes.length, maxBytes },
    })
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw new AssayError('The document is not JSON.', { code: 'malformed', cause })
  }
}

/** @throws AssayError `malformed` */
function jsonOf(text: string): Json {
  try {
    return JSON.parse(text) as Json
  } catch (cause) {
    throw new AssayError('The document is not JSON.', { code: 'malformed', cause })
  }
}

/**
 * Parses JSON in whatever form: only for a reader that writes what it read again and compares the bytes itself.
 * @throws AssayError `malformed`
 */
export function parseJson(bytes: Uint8Array, maxBytes: number): Json {
  return jsonOf(decodeText(bytes, maxBytes))
}

/**
 * Parses and insists that the text is the canonical form of what it says: that excludes duplicate names, whitespace,
 * other escapes and floats in one comparison.
 * @param maxBytes bound on the input, bytes.
 * @throws AssayError `malformed` | `non_canonical`
 */
export function parseCanonicalJson(bytes: Uint8Array, maxBytes: number): Json {
  const text = decodeText(bytes, maxBytes)
  const value = jsonOf(text)
  let again: string
  try {
    again = canonicalJson(value)
  } catch (cause) {
    if (cause instanceof RangeError)
      throw new AssayError('The document nests too deeply.', { code: 'malformed' })
    throw cause
  }
  if (again !== text)
    throw new AssayError('The document is not in canonical form.', { code: 'non_canonical' })
  return value
}
