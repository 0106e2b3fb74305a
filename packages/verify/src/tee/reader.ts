import { bytesToHex, type Hex } from 'viem'

export class ReadError extends Error {}

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

  /** @throws ReadError */
  bytes(length: number, what: string): Uint8Array {
    if (length > this.left) throw new ReadError(`${what} needs ${length} bytes, ${this.left} are left`)
    const field = this.#bytes.subarray(this.#at, this.#at + length)
    this.#at += length
    return field
  }

  hex(length: number, what: string): Hex {
    return bytesToHex(this.bytes(length, what))
  }

  /** Unsigned and little-endian, as all numbers of quotes and of SPDM; of at most six bytes. */
  number(length: number, what: string): number {
    return this.bytes(length, what).reduceRight((value, byte) => value * 256 + byte, 0)
  }

  zeros(length: number, what: string): void {
    if (this.bytes(length, what).some((byte) => byte !== 0)) throw new ReadError(`${what} is not zero`)
  }
}
