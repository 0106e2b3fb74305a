/** The prover's end of the conversation: what `ProofReader` reads, written and absorbed in the same order. */
import type { Ext } from '../field/extension.ts'
import type { Transcript } from './transcript.ts'

export class ProofWriter {
  readonly transcript: Transcript
  readonly #parts: Uint8Array[] = []

  constructor(transcript: Transcript) {
    this.transcript = transcript
  }

  /** Bytes not absorbed. */
  put(bytes: Uint8Array): void {
    this.#parts.push(bytes)
  }

  hash(label: string, bytes: Uint8Array): void {
    this.put(bytes)
    this.transcript.absorb(label, bytes)
  }

  exts(label: string, values: readonly Ext[]): void {
    const bytes = encodeExts(values)
    this.put(bytes)
    this.transcript.absorb(label, bytes)
  }

  bytes(): Uint8Array {
    const proof = new Uint8Array(this.#parts.reduce((size, part) => size + part.length, 0))
    let at = 0
    for (const part of this.#parts) {
      proof.set(part, at)
      at += part.length
    }
    return proof
  }
}

/** Base-field elements as little-endian words. */
export function encodeElements(elements: ArrayLike<number>): Uint8Array {
  const bytes = new Uint8Array(4 * elements.length)
  const view = new DataView(bytes.buffer)
  for (let i = 0; i < elements.length; i++) view.setUint32(4 * i, elements[i] as number, true)
  return bytes
}

function encodeExts(values: readonly Ext[]): Uint8Array {
  return encodeElements(values.flat())
}
