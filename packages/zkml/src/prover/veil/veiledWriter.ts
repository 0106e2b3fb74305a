import type { Ext } from '../../field/extension.ts'
import * as ext from '../../field/extension.ts'
import { ProofWriter } from '../../transcript/proofWriter.ts'
import type { Transcript } from '../../transcript/transcript.ts'

/** Says every element plus a pad of its own, in the order of the pads. */
export class VeiledWriter extends ProofWriter {
  readonly #pads: readonly Ext[]
  /** What was meant. */
  readonly meant: Ext[] = []
  /** What was said. */
  readonly padded: Ext[] = []

  constructor(transcript: Transcript, pads: readonly Ext[]) {
    super(transcript)
    this.#pads = pads
  }

  override exts(label: string, values: readonly Ext[]): void {
    const said = values.map((value, at) => {
      const pad = this.#pads[this.padded.length + at]
      if (pad === undefined) throw new RangeError('there is no pad left for what is to be said')
      return ext.add(value, pad)
    })
    this.meant.push(...values)
    this.padded.push(...said)
    super.exts(label, said)
  }

  /** Elements in the clear, which are uniform by themselves. */
  clear(label: string, values: readonly Ext[]): void {
    super.exts(label, values)
  }
}
