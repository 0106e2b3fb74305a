/** Readers of conversations in which every element is said under a pad. */
import type { Ext } from '../field/extension.ts'
import { ProofReader } from '../transcript/proofReader.ts'
import type { Transcript } from '../transcript/transcript.ts'
import type { Trace } from './trace.ts'

export class VeiledReader extends ProofReader {
  /** Every padded element so far. */
  readonly padded: Ext[] = []
  readonly #trace: Trace

  constructor(bytes: Uint8Array, transcript: Transcript, trace: Trace) {
    super(bytes, transcript)
    this.#trace = trace
  }

  /** Elements of the conversation: what they hide is what the trace is about. */
  override exts(label: string, count: number): Ext[] {
    const values = this.late(label, count)
    for (const value of values) this.#trace.hide(value)
    return values
  }

  /** Padded elements that the trace has nodes for already. */
  late(label: string, count: number): Ext[] {
    const values = super.exts(label, count)
    this.padded.push(...values)
    return values
  }

  /** Elements in the clear. */
  clear(label: string, count: number): Ext[] {
    return super.exts(label, count)
  }
}

/** A conversation of zeros: what it asks is known before anything is said. */
export class BlankReader extends VeiledReader {
  constructor(transcript: Transcript, trace: Trace) {
    super(new Uint8Array(), transcript, trace)
  }

  override take(length: number): Uint8Array {
    return new Uint8Array(length)
  }
}
