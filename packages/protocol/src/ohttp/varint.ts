import { AssayError } from '../errors.ts'

/** Reads what a sender wrote, and no byte more: every length is compared with what is there. */
export class ByteReader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  take(length: number, what: string): Uint8Array {
    if (length > this.left) throw malformed(`${what} ends too soon`)
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }

  /** QUIC's variable-length integer (RFC 9000 §16), at most `max`. */
  varint(max: number, what: string): number {
    const found = readVarint(this.#bytes.subarray(this.#at), what)
    if (found === undefined) throw malformed(`${what} ends too soon`)
    if (found.value > max) throw malformed(`${what} is ${found.value}, at most ${max} is read`)
    this.#at += found.length
    return found.value
  }

  /** Bytes behind their length. */
  prefixed(max: number, what: string): Uint8Array {
    return this.take(this.varint(max, what), what)
  }
}

/** The integer that the bytes begin with; undefined where they end within it. @throws AssayError above 2^53 − 1 */
export function readVarint(bytes: Uint8Array, what: string): { value: number; length: number } | undefined {
  const [first] = bytes
  if (first === undefined) return undefined
  const length = 1 << (first >> 6)
  if (bytes.length < length) return undefined
  let value = first & 0x3f
  for (const byte of bytes.subarray(1, length)) value = value * 256 + byte
  if (!Number.isSafeInteger(value)) throw malformed(`${what} is too large`)
  return { value, length }
}

/** The shortest form. @param value below 2^30 */
export function writeVarint(value: number): Uint8Array {
  if (value < 1 << 6) return Uint8Array.of(value)
  if (value < 1 << 14) return Uint8Array.of(0x40 | (value >> 8), value & 0xff)
  if (value >= 1 << 30) throw malformed(`${value} is too long`)
  return Uint8Array.of(0x80 | (value >> 24), (value >> 16) & 0xff, (value >> 8) & 0xff, value & 0xff)
}

export function malformed(reason: string): AssayError {
  return new AssayError('The encrypted message is not of its form.', { code: 'malformed', facts: { reason } })
}
