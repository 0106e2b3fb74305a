/**
 * Reads a proof as it is, true or false: what it states goes on the tape, and whether it is canonical is a gate. What a
 * short proof lacks is zero, so that every proof of a model, and none at all, leads through the same program.
 */
import { isCanonical } from '../field/babyBear.ts'
import { DEGREE, type Ext } from '../field/extension.ts'
import { asExts, decodeElements, ProofReader } from '../transcript/proofReader.ts'
import type { Recorder } from './recorder.ts'
import type { RecordingTranscript } from './recordingTranscript.ts'

export class RecordingReader extends ProofReader {
  readonly #recorder: Recorder
  readonly #proof: Uint8Array
  #at = 0

  constructor(proof: Uint8Array, transcript: RecordingTranscript, recorder: Recorder) {
    super(proof, transcript)
    this.#proof = proof
    this.#recorder = recorder
  }

  override take(length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    bytes.set(this.#proof.subarray(this.#at, this.#at + length))
    this.#at += length
    return bytes
  }

  /** Words that may not be canonical. */
  override elements(count: number): Uint32Array {
    return decodeElements(this.take(4 * count))
  }

  override hash(label: string): Uint8Array {
    const bytes = this.take(32)
    this.#recorder.put('word', {}, bytes)
    this.transcript.absorb(label, bytes)
    return bytes
  }

  override exts(label: string, count: number): Ext[] {
    const bytes = this.take(4 * DEGREE * count)
    const values = asExts(decodeElements(bytes))
    this.#recorder.name(bytes, this.#recorder.align(count))
    for (const value of values) {
      const at = this.#recorder.put('element', {}, value)
      if (!value.every(isCanonical)) this.#recorder.violated.push(at)
    }
    this.transcript.absorb(label, bytes)
    return values
  }
}
