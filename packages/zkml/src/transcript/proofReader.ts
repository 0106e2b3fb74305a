/**
 * The verifier's end of the conversation: reads the proof once, front to back, absorbing what the prover said. A proof
 * has no length fields at all; the plan and the transcript say how many bytes each part takes, so every proof has one
 * encoding and nothing is allocated on its word.
 */

import { ZkmlError } from '../errors.ts'
import { isCanonical } from '../field/babyBear.ts'
import { DEGREE, type Ext } from '../field/extension.ts'
import type { Transcript } from './transcript.ts'

export class ProofReader {
  readonly transcript: Transcript
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #at = 0

  constructor(bytes: Uint8Array, transcript: Transcript) {
    this.transcript = transcript
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  /** The next bytes, not absorbed. */
  take(length: number): Uint8Array {
    if (this.#at + length > this.#bytes.length)
      throw new ZkmlError('malformed_proof', 'the proof ends too early', { at: this.#at, wanted: length })
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }

  /** `count` base-field elements as little-endian words, each below p, not absorbed. */
  elements(count: number): Uint32Array {
    const start = this.#at
    this.take(4 * count)
    const words = new Uint32Array(count)
    for (let i = 0; i < count; i++) {
      const word = this.#view.getUint32(start + 4 * i, true)
      if (!isCanonical(word))
        throw new ZkmlError('malformed_proof', 'an element is not below p', { at: start + 4 * i })
      words[i] = word
    }
    return words
  }

  /** A hash that the prover sends, absorbed. */
  hash(label: string): Uint8Array {
    const bytes = this.take(32)
    this.transcript.absorb(label, bytes)
    return bytes
  }

  /** `count` extension elements that the prover sends, absorbed as one item. */
  exts(label: string, count: number): Ext[] {
    const start = this.#at
    const words = this.elements(DEGREE * count)
    this.transcript.absorb(label, this.#bytes.subarray(start, this.#at))
    return Array.from(
      { length: count },
      (_, i) => [...words.subarray(DEGREE * i, DEGREE * i + DEGREE)] as unknown as Ext,
    )
  }

  /** Nothing may be left over. */
  end(): void {
    if (this.#at !== this.#bytes.length)
      throw new ZkmlError('malformed_proof', 'bytes are left over after the proof', {
        left: this.#bytes.length - this.#at,
      })
  }
}
