import { concatBytes, RECEIPT_COMMENT } from '@assay/protocol'

const MARKER = new TextEncoder().encode(RECEIPT_COMMENT)
const LINE_FEED = 0x0a
const NOTHING = new Uint8Array(0)

/** The end of a stream: the receipt's text and the terminal event with its blank line. */
export type StreamEnd = { receipt: string; terminal: Uint8Array; held: Uint8Array }

/**
 * Lets a stream's bytes through as they come and holds them from the first line that starts with `: assay-receipt `.
 * Only the few bytes at the start of a line that may yet become that mark wait for their successor; chunk borders
 * change nothing.
 */
export class ReceiptGate {
  #atLineStart = true
  /** Start of a line that is still a prefix of the mark. */
  #pending: Uint8Array = NOTHING
  #held: Uint8Array[] | undefined

  /** Bytes that may go out now. */
  push(chunk: Uint8Array): Uint8Array {
    if (this.#held !== undefined) {
      this.#held.push(chunk)
      return NOTHING
    }
    const bytes = this.#pending.length === 0 ? chunk : concatBytes([this.#pending, chunk])
    this.#pending = NOTHING
    let at = 0
    while (at < bytes.length) {
      if (this.#atLineStart) {
        const match = compareToMarker(bytes, at)
        if (match === 'whole') {
          this.#held = [bytes.subarray(at)]
          return bytes.subarray(0, at)
        }
        if (match === 'prefix') {
          this.#pending = bytes.slice(at)
          return bytes.subarray(0, at)
        }
      }
      const lineFeed = bytes.indexOf(LINE_FEED, at)
      this.#atLineStart = lineFeed !== -1
      if (lineFeed === -1) break
      at = lineFeed + 1
    }
    return bytes
  }

  /** Bytes that wait because the stream ended, or may yet end, inside a line that looked like the mark. */
  takePending(): Uint8Array {
    const pending = this.#pending
    this.#pending = NOTHING
    return pending
  }

  get heldBytes(): number {
    return this.#held?.reduce((length, chunk) => length + chunk.length, 0) ?? 0
  }

  /** The held end, as soon as the receipt's line and the event behind it are complete; bytes after that are not part of the answer. */
  end(): StreamEnd | undefined {
    if (this.#held === undefined) return undefined
    const bytes = concatBytes(this.#held)
    this.#held = [bytes]
    const lineEnd = bytes.indexOf(LINE_FEED)
    if (lineEnd === -1) return undefined
    for (let at = lineEnd + 1; at + 1 < bytes.length; at++) {
      if (bytes[at] !== LINE_FEED || bytes[at + 1] !== LINE_FEED) continue
      return {
        receipt: new TextDecoder().decode(bytes.subarray(MARKER.length, lineEnd)),
        terminal: bytes.subarray(lineEnd + 1, at + 2),
        held: bytes.subarray(0, at + 2),
      }
    }
    return undefined
  }
}

function compareToMarker(bytes: Uint8Array, at: number): 'whole' | 'prefix' | 'none' {
  const length = Math.min(MARKER.length, bytes.length - at)
  for (let index = 0; index < length; index++) if (bytes[at + index] !== MARKER[index]) return 'none'
  return length === MARKER.length ? 'whole' : 'prefix'
}
