/** A transcript that tells the recorder of every step. */
import { keccak256 } from '#keccak'
import { PROTOCOL } from '../circuit/statement.ts'
import { DEGREE, type Ext } from '../field/extension.ts'
import { PIECE, Transcript } from '../transcript/transcript.ts'
import { RUN } from './gates.ts'
import type { Recorder } from './recorder.ts'

export class RecordingTranscript extends Transcript {
  readonly #recorder: Recorder
  #at: number

  constructor(recorder: Recorder) {
    super(PROTOCOL)
    this.#recorder = recorder
    this.#at = recorder.gate('start', {}, this.state)
  }

  /** @param data known to the recorder by itself: a word, or the first of the elements that it consists of */
  override absorb(label: string, data: Uint8Array): void {
    super.absorb(label, data)
    const [a, b] = [this.#at, this.#recorder.placeOf(data)]
    const elements = data.length / (4 * DEGREE)
    if (data.length === 32) this.#at = this.#recorder.gate('absorbWord', { a, b, label }, this.state)
    else if (elements <= RUN)
      this.#at = this.#recorder.gate('absorb', { a, b, n: elements, label }, this.state)
    else this.#absorbLong(label, data, b)
  }

  #absorbLong(label: string, data: Uint8Array, first: number): void {
    const pieces = Math.ceil(data.length / PIECE)
    const digests = this.#recorder.align(pieces)
    for (let piece = 0; piece < pieces; piece++) {
      const bytes = data.subarray(piece * PIECE, (piece + 1) * PIECE)
      const members = { b: first + piece * RUN, n: bytes.length / (4 * DEGREE) }
      this.#recorder.gate('piece', members, keccak256(bytes))
    }
    this.#at = this.#recorder.gate('absorbLong', { a: this.#at, b: digests, n: pieces, label }, this.state)
  }

  protected override squeeze(label: string): Uint8Array {
    const bytes = super.squeeze(label)
    this.#at = this.#recorder.gate('squeeze', { a: this.#at, label }, bytes)
    return bytes
  }

  override challenge(label: string): Ext {
    const challenge = super.challenge(label)
    this.#recorder.put('challenge', { a: this.#at }, challenge)
    return challenge
  }

  /** Indices as they are drawn, one gate each, and where they stand. */
  drawIndices(label: string, count: number, bits: number): { index: number; at: number }[] {
    const drawn: { index: number; at: number }[] = []
    while (drawn.length < count) {
      const lanes = Math.min(8, count - drawn.length)
      for (const [n, index] of super.indices(label, lanes, bits).entries())
        drawn.push({ index, at: this.#recorder.gate('index', { a: this.#at, n, m: bits }, index) })
    }
    return drawn
  }
}
