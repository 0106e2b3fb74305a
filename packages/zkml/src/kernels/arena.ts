/** Bump allocation over one WebAssembly memory: a proof takes what it needs and gives all of it back at once. */
import { ZkmlError } from '../errors.ts'

const PAGE = 65_536
/** SIMD loads are aligned, and a page of slack lets kernels read a whole vector past an end. */
const ALIGNMENT = 64

export class Arena {
  readonly memory: WebAssembly.Memory
  #top: number

  /** `reserved` bytes at the start belong to the kernels' own static data. */
  constructor(memory: WebAssembly.Memory, reserved = PAGE) {
    this.memory = memory
    this.#top = reserved
  }

  /** Zeroed only if fresh: whoever needs zeros says so. */
  allocate(bytes: number): number {
    const start = this.#top
    this.#top = Math.ceil((start + bytes) / ALIGNMENT) * ALIGNMENT
    const missing = this.#top + PAGE - this.memory.buffer.byteLength
    if (missing > 0) this.#grow(Math.ceil(missing / PAGE))
    return start
  }

  #grow(pages: number): void {
    try {
      this.memory.grow(pages)
    } catch {
      throw new ZkmlError(
        'out_of_memory',
        'the proof needs more memory than WebAssembly can address or this machine can give',
        { megabytes: Math.ceil(this.#top / 2 ** 20) },
        'split the model, or prove it where more memory is free',
      )
    }
  }

  words(count: number): number {
    return this.allocate(4 * count)
  }

  /** A vector of n extension elements, all zero. */
  zeroVector(n: number): number {
    const pointer = this.words(5 * n)
    this.view(pointer, 5 * n).fill(0)
    return pointer
  }

  mark(): number {
    return this.#top
  }

  /** Frees everything allocated since the mark. */
  release(mark: number): void {
    this.#top = mark
  }

  /** Words at a pointer. A view dies when the memory grows: take it after the last allocation. */
  view(pointer: number, words: number): Uint32Array {
    return new Uint32Array(this.memory.buffer, pointer, words)
  }

  bytes(pointer: number, count: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, pointer, count)
  }
}
