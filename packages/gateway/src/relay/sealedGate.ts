import { concatBytes, readVarint } from '@assay/protocol'

/** Bytes before the first chunk: the nonce of the answer (draft-ietf-ohai-chunked-ohttp §6.2, for our suite). */
const NONCE_BYTES = 16
const NOTHING = new Uint8Array(0)

/**
 * Lets an encrypted answer through chunk by chunk and holds it from its last chunk on, which alone makes it complete.
 * Chunks are told apart by their lengths, which stand outside the encryption; a last one has the length 0.
 */
export class SealedGate {
  #pending: Uint8Array = NOTHING
  #started = false
  #held = false

  /** Bytes that may go out now. @throws AssayError where a length is none */
  push(bytes: Uint8Array): Uint8Array {
    this.#pending = concatBytes([this.#pending, bytes])
    let at = 0
    if (!this.#started) {
      if (this.#pending.length < NONCE_BYTES) return NOTHING
      this.#started = true
      at = NONCE_BYTES
    }
    while (!this.#held) {
      const length = readVarint(this.#pending.subarray(at), 'a chunk')
      if (length === undefined) break
      if (length.value === 0) this.#held = true
      else if (this.#pending.length < at + length.length + length.value) break
      else at += length.length + length.value
    }
    const open = this.#pending.subarray(0, at)
    this.#pending = this.#pending.slice(at)
    return open
  }

  /** What was held, once the answer has ended; undefined where it ended too soon. */
  end(): Uint8Array | undefined {
    return this.#held ? this.#pending : undefined
  }
}
