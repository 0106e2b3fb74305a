/** Files of ours: a magic word with the version, then fields in a fixed order, big-endian, each bounded, nothing left over. */
import { ZkmlError } from '../errors.ts'

export class FileWriter {
  readonly #parts: Uint8Array[] = []

  constructor(magic: string) {
    this.bytes(new TextEncoder().encode(magic))
  }

  /** Bytes whose length the reader knows. */
  bytes(bytes: Uint8Array): this {
    this.#parts.push(bytes)
    return this
  }

  /** Bytes behind their length. */
  block(bytes: Uint8Array): this {
    return this.word(bytes.length).bytes(bytes)
  }

  /** An unsigned 32-bit number. */
  word(value: number): this {
    return this.words([value])
  }

  /** 32-bit numbers of either sign, modulo 2^32. */
  words(values: ArrayLike<number>): this {
    const view = new DataView(new ArrayBuffer(4 * values.length))
    for (let at = 0; at < values.length; at++) view.setInt32(4 * at, values[at] as number)
    return this.bytes(new Uint8Array(view.buffer))
  }

  doubles(values: ArrayLike<number>): this {
    const view = new DataView(new ArrayBuffer(8 * values.length))
    for (let at = 0; at < values.length; at++) view.setFloat64(8 * at, values[at] as number)
    return this.bytes(new Uint8Array(view.buffer))
  }

  file(): Uint8Array {
    const file = new Uint8Array(this.#parts.reduce((size, part) => size + part.length, 0))
    let at = 0
    for (const part of this.#parts) {
      file.set(part, at)
      at += part.length
    }
    return file
  }
}

/** Refuses what `FileWriter` would not have written. @throws ZkmlError bad_file */
export class FileReader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array, magic: string, kind: string) {
    this.#bytes = bytes
    const found = bytes.length < magic.length ? '' : String.fromCharCode(...this.bytes(magic.length))
    if (found !== magic)
      this.refuse(`the file is no ${kind} of this version`, 'was it made by another version of assay?')
  }

  refuse(message: string, next?: string): never {
    throw new ZkmlError('bad_file', message, { bytes: this.#bytes.length, at: this.#at }, next)
  }

  bytes(length: number): Uint8Array {
    if (length > this.#bytes.length - this.#at) this.refuse('the file ends too early')
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }

  block(most: number): Uint8Array {
    return this.bytes(this.word(most))
  }

  /** An unsigned 32-bit number, at most `most`. */
  word(most: number): number {
    const [word] = this.words(1)
    const value = (word as number) >>> 0
    if (value > most) this.refuse('a number in the file is too large')
    return value
  }

  words(count: number): Int32Array {
    const bytes = this.bytes(4 * count)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    return Int32Array.from({ length: count }, (_, at) => view.getInt32(4 * at))
  }

  /** Finite doubles; zero has one sign. */
  doubles(count: number): Float64Array {
    const bytes = this.bytes(8 * count)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    const values = Float64Array.from({ length: count }, (_, at) => view.getFloat64(8 * at))
    if (values.some((x) => !Number.isFinite(x) || Object.is(x, -0)))
      this.refuse('a scale in the file is not a finite number')
    return values
  }

  end(): void {
    if (this.#at !== this.#bytes.length) this.refuse('bytes are left over')
  }
}
