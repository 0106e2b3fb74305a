import type { Hex } from 'viem'
import { keccak256 } from '#keccak256'
import { staticEncoder } from './staticEncoder.ts'
import { TAGS } from './tag.ts'

const utf8 = new TextEncoder()

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
  return compareBytes(utf8.encode(a), utf8.encode(b))
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

const WORD = 32
const requestHead = staticEncoder(['bytes32', 'uint256', 'uint256', 'uint256', 'bytes32'])
const responseHead = staticEncoder(['bytes32', 'uint16', 'uint256', 'bytes32'])
const word = staticEncoder(['uint256'])

/** `abi.encode` of a string behind its offset: its length, then its bytes, filled up to whole words. */
function encodeText(text: string): Uint8Array {
  const bytes = utf8.encode(text)
  const encoded = new Uint8Array(WORD + Math.ceil(bytes.length / WORD) * WORD)
  encoded.set(word([bytes.length]))
  encoded.set(bytes, WORD)
  return encoded
}

/** `abi.encode` of strings behind their offset: how many, where each begins, and they themselves. */
function encodeTexts(texts: readonly string[]): Uint8Array {
  const encoded = texts.map(encodeText)
  const starts: Uint8Array[] = []
  let at = texts.length * WORD
  for (const { length } of encoded) {
    starts.push(word([at]))
    at += length
  }
  return concatBytes([word([texts.length]), ...starts, ...encoded])
}

/** docs/spec.md §1: `abi.encode(bytes32, string, string, string[], bytes32)`, hashed. */
export function requestHash(request: HttpRequestBytes): Hex {
  const method = encodeText(request.method)
  const path = encodeText(request.path)
  const first = 5 * WORD
  const head = requestHead([
    TAGS.request,
    first,
    first + method.length,
    first + method.length + path.length,
    keccak256(request.body),
  ])
  return keccak256(concatBytes([head, method, path, encodeTexts(request.headers)]))
}

/** docs/spec.md §2: `abi.encode(bytes32, uint16, string, bytes32)`, hashed. */
export function responseHash(response: HttpResponseBytes): Hex {
  const head = responseHead([TAGS.response, response.status, 4 * WORD, keccak256(response.body)])
  return keccak256(concatBytes([head, encodeText(response.contentType)]))
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
