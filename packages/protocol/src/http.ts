import { encodeAbiParameters, type Hex, parseAbiParameters } from 'viem'
import { keccak256 } from '#keccak256'
import { TAGS } from './tag.ts'

/** A request as the client sent it, in the form that is hashed. */
export type HttpRequestBytes = {
  method: string
  /** Request target: path plus "?query" if there is one. */
  path: string
  /** Listed headers as sorted `name:value` lines; see `listedHeaders`. */
  headers: readonly string[]
  body: Uint8Array
}

/** A response as the node sent it; a stream's body up to its terminal event, comment lines removed. */
export type HttpResponseBytes = { status: number; contentType: string; body: Uint8Array }

/**
 * Headers that a receipt covers: `anthropic-*` and `x-assay-*`, lower-case, sorted (docs/spec.md §1).
 * Accepts `Headers`, entries, or Node's header record.
 */
export function listedHeaders(
  headers: Iterable<readonly [string, string]> | Record<string, string | readonly string[] | undefined>,
): string[] {
  const entries: Iterable<readonly [string, string | readonly string[] | undefined]> =
    Symbol.iterator in headers
      ? (headers as Iterable<readonly [string, string]>)
      : Object.entries(headers as Record<string, string | readonly string[] | undefined>)
  const values = new Map<string, string[]>()
  for (const [name, value] of entries) {
    const key = name.toLowerCase()
    if (value === undefined || !(key.startsWith('anthropic-') || key.startsWith('x-assay-'))) continue
    const trimmed = (typeof value === 'string' ? [value] : value).map((part) =>
      part.replace(/^[ \t]+|[ \t]+$/g, ''),
    )
    values.set(key, [...(values.get(key) ?? []), ...trimmed])
  }
  return [...values].map(([name, parts]) => `${name}:${parts.join(', ')}`).sort(compareUtf8)
}

function compareUtf8(a: string, b: string): number {
  return compareBytes(new TextEncoder().encode(a), new TextEncoder().encode(b))
}

/** Lexicographic order of two byte strings. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length)
  for (let at = 0; at < length; at++) {
    const difference = (a[at] as number) - (b[at] as number)
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

/** docs/spec.md §1. */
export function requestHash(request: HttpRequestBytes): Hex {
  return keccak256(
    encodeAbiParameters(parseAbiParameters('bytes32, string, string, string[], bytes32'), [
      TAGS.request,
      request.method,
      request.path,
      [...request.headers],
      keccak256(request.body),
    ]),
  )
}

/** docs/spec.md §2. */
export function responseHash(response: HttpResponseBytes): Hex {
  return keccak256(
    encodeAbiParameters(parseAbiParameters('bytes32, uint16, string, bytes32'), [
      TAGS.response,
      response.status,
      response.contentType,
      keccak256(response.body),
    ]),
  )
}

/** Removes every line that starts with ":" together with its line feed; all other bytes stay (docs/spec.md §2). */
export function stripSseComments(stream: Uint8Array): Uint8Array {
  const kept: Uint8Array[] = []
  let start = 0
  while (start < stream.length) {
    const lineFeed = stream.indexOf(0x0a, start)
    const end = lineFeed === -1 ? stream.length : lineFeed + 1
    if (stream[start] !== 0x3a) kept.push(stream.subarray(start, end))
    start = end
  }
  return concatBytes(kept)
}

export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    joined.set(part, at)
    at += part.length
  }
  return joined
}
