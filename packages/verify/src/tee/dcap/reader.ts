import { bytesToHex, type Hex } from 'viem'

export class QuoteError extends Error {}

/** Takes fields from the front of bytes; a field that is not wholly there is an error, never a short one. */
export class Reader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get offset(): number {
    return this.#at
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  /** @throws QuoteError */
  bytes(length: number, what: string): Uint8Array {
    if (length > this.left) {
      throw new QuoteError(`${what} needs ${length} bytes, ${this.left} are left`)
    }
    const field = this.#bytes.subarray(this.#at, this.#at + length)
    this.#at += length
    return field
  }

  hex(length: number, what: string): Hex {
    return bytesToHex(this.bytes(length, what))
  }

  /** Little-endian, as all numbers of a quote. */
  uint16(what: string): number {
    const [low = 0, high = 0] = this.bytes(2, what)
    return low | (high << 8)
  }

  uint32(what: string): number {
    return this.uint16(what) + this.uint16(what) * 0x10000
  }

  zeros(length: number, what: string): void {
    if (this.bytes(length, what).some((byte) => byte !== 0)) throw new QuoteError(`${what} is not zero`)
  }
}
