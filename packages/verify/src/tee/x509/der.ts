import { bytesToHex, type Hex } from 'viem'

/** One DER element (X.690). `bytes` is the whole element, `content` its contents. */
export type Der = { tag: number; content: Uint8Array; bytes: Uint8Array }

export class DerError extends Error {}

/** Reads one element at `offset`: low tag numbers, definite minimal lengths (X.690 §10.1), nothing else. */
function readElement(bytes: Uint8Array, offset: number): Der {
  const tag = bytes[offset]
  const first = bytes[offset + 1]
  if (tag === undefined || first === undefined) throw new DerError('truncated element')
  if ((tag & 0x1f) === 0x1f) throw new DerError('high tag number')
  let length = first
  let start = offset + 2
  if (first >= 0x80) {
    const octets = first & 0x7f
    if (octets === 0 || octets > 3) throw new DerError('indefinite or oversized length')
    length = 0
    for (let at = 0; at < octets; at++) length = (length << 8) | (bytes[start + at] ?? 0)
    start += octets
    if (length < (octets === 1 ? 0x80 : 2 ** (8 * (octets - 1))))
      throw new DerError('length not in minimal form')
  }
  const end = start + length
  if (end > bytes.length) throw new DerError('truncated element')
  return { tag, content: bytes.subarray(start, end), bytes: bytes.subarray(offset, end) }
}

/** Reads bytes that are exactly one element of this tag. */
export function readDer(bytes: Uint8Array, tag: number): Der {
  const element = readElement(bytes, 0)
  if (element.tag !== tag) throw new DerError(`tag ${element.tag} where ${tag} belongs`)
  if (element.bytes.length !== bytes.length) throw new DerError('trailing bytes')
  return element
}

/** Elements inside a constructed element, at most `max`. */
export function readChildren(parent: Der, max = 64): Der[] {
  const children: Der[] = []
  let offset = 0
  while (offset < parent.content.length) {
    if (children.length === max) throw new DerError(`more than ${max} members`)
    const child = readElement(parent.content, offset)
    children.push(child)
    offset += child.bytes.length
  }
  return children
}

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  enumerated: 0x0a,
  sequence: 0x30,
  set: 0x31,
  version: 0xa0,
  crlExtensions: 0xa0,
  extensions: 0xa3,
} as const

/** The element, if it is there and of this tag. */
export function expectTag(element: Der | undefined, tag: number, what: string): Der {
  if (element === undefined || element.tag !== tag) throw new DerError(`${what} is missing`)
  return element
}

/** Contents of a BIT STRING of whole octets. */
export function octetsOfBitString(element: Der): Uint8Array {
  if (element.content[0] !== 0) throw new DerError('bit string of partial octets')
  return element.content.subarray(1)
}

/** Contents of an INTEGER in minimal form (X.690 §8.3.2), so that equal numbers are equal strings. */
export function readInteger(element: Der): Hex {
  const { tag, content } = element
  const [first, second] = content
  if (tag !== TAG.integer || first === undefined) throw new DerError('not an integer')
  if (second !== undefined && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80))) {
    throw new DerError('integer not in minimal form')
  }
  return bytesToHex(content)
}

/** Non-negative INTEGER small enough for a number; minimal form (X.690 §8.3.2). */
export function readSmallInteger(element: Der): number {
  const { content } = element
  if (element.tag !== TAG.integer || content.length === 0 || content.length > 3) {
    throw new DerError('not a small integer')
  }
  if ((content[0] as number) >= 0x80) throw new DerError('negative integer')
  if (content.length > 1 && content[0] === 0 && (content[1] as number) < 0x80) {
    throw new DerError('integer not in minimal form')
  }
  return content.reduce((value, byte) => value * 256 + byte, 0)
}

/** UTCTime or GeneralizedTime in the forms of RFC 5280 §4.1.2.5, as Unix seconds. */
export function readTime(element: Der): bigint {
  const text = String.fromCharCode(...element.content)
  const short = element.tag === TAG.utcTime && /^\d{12}Z$/.test(text)
  const long = element.tag === TAG.generalizedTime && /^\d{14}Z$/.test(text)
  if (!short && !long) throw new DerError('not a time of RFC 5280')
  const digits = short ? (Number(text.slice(0, 2)) >= 50 ? `19${text}` : `20${text}`) : text
  const part = (from: number, to: number) => digits.slice(from, to)
  const iso = `${part(0, 4)}-${part(4, 6)}-${part(6, 8)}T${part(8, 10)}:${part(10, 12)}:${part(12, 14)}.000Z`
  const milliseconds = Date.parse(iso)
  // Date.parse lets some days roll over (31 February); the round trip does not.
  if (Number.isNaN(milliseconds) || new Date(milliseconds).toISOString() !== iso) {
    throw new DerError('not a date')
  }
  return BigInt(milliseconds / 1000)
}
