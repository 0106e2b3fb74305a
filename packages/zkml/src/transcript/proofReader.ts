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
  #at = 0

  constructor(bytes: Uint8Array, transcript: Transcript) {
    this.transcript = transcript
    this.#bytes = bytes
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
    return this.#decode(this.take(4 * count))
  }

  #decode(bytes: Uint8Array): Uint32Array {
    const words = decodeElements(bytes)
    for (const [at, word] of words.entries()) {
      if (!isCanonical(word))
        throw new ZkmlError('malformed_proof', 'an element is not below p', {
          at: this.#at - bytes.length + 4 * at,
        })
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
    const bytes = this.take(4 * DEGREE * count)
    const words = this.#decode(bytes)
    this.transcript.absorb(label, bytes)
    return asExts(words)
  }

  /** Nothing may be left over. */
  end(): void {
    if (this.#at !== this.#bytes.length)
      throw new ZkmlError('malformed_proof', 'bytes are left over after the proof', {
        left: this.#bytes.length - this.#at,
      })
  }
}

/** Little-endian words, canonical or not. */
export function decodeElements(bytes: Uint8Array): Uint32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const words = new Uint32Array(bytes.length / 4)
  for (let at = 0; at < words.length; at++) words[at] = view.getUint32(4 * at, true)
  return words
}

export function asExts(words: Uint32Array): Ext[] {
  return Array.from(
    { length: words.length / DEGREE },
    (_, at) => [...words.subarray(DEGREE * at, DEGREE * at + DEGREE)] as unknown as Ext,
  )
}
