/**
 * The Fiat–Shamir transcript: a Keccak-256 chain over everything that both sides have said. Every item is absorbed with
 * its label and its length, so that no two different conversations give one string (docs/zkml.md, "Transcript").
 */
import { keccak_256 } from '@noble/hashes/sha3.js'
import { utf8ToBytes } from '@noble/hashes/utils.js'
import { P } from '../field/babyBear.ts'
import type { Ext } from '../field/extension.ts'

const ABSORB = 0
const CHALLENGE = 1
const ABSORB_LONG = 2
/** Data beyond this, bytes, is absorbed as the hashes of its pieces: 256 extension elements, what one replayed step holds. */
const PIECE = 5120

export class Transcript {
  #state: Uint8Array

  constructor(protocol: string) {
    this.#state = keccak_256(utf8ToBytes(protocol))
  }

  /**
   * state ← keccak(state ‖ 0 ‖ |label| ‖ label ‖ |data| ‖ data), lengths as one and four bytes. Of data longer than a piece
   * its pieces' hashes are absorbed instead, under 2 for 0, so that no step of a replay needs more than a piece at a time.
   */
  absorb(label: string, data: Uint8Array): void {
    if (data.length <= PIECE) {
      this.#absorb(ABSORB, label, data)
      return
    }
    const hashes = new Uint8Array(32 * Math.ceil(data.length / PIECE))
    for (let at = 0; at * PIECE < data.length; at++)
      hashes.set(keccak_256(data.subarray(at * PIECE, (at + 1) * PIECE)), 32 * at)
    this.#absorb(ABSORB_LONG, label, hashes)
  }

  #absorb(kind: number, label: string, data: Uint8Array): void {
    const name = utf8ToBytes(label)
    const message = new Uint8Array(38 + name.length + data.length)
    const view = new DataView(message.buffer)
    message.set(this.#state)
    view.setUint8(32, kind)
    view.setUint8(33, name.length)
    message.set(name, 34)
    view.setUint32(34 + name.length, data.length)
    message.set(data, 38 + name.length)
    this.#state = keccak_256(message)
  }

  /** state ← keccak(state ‖ 1 ‖ |label| ‖ label); the new state is also the 32 bytes of randomness. */
  #squeeze(label: string): Uint8Array {
    const name = utf8ToBytes(label)
    const message = new Uint8Array(34 + name.length)
    message.set(this.#state)
    message[32] = CHALLENGE
    message[33] = name.length
    message.set(name, 34)
    this.#state = keccak_256(message)
    return this.#state
  }

  /**
   * A challenge in the extension: five 48-bit numbers modulo p. No element is more than (1 + 2^-17)^5 times as likely
   * as under the uniform distribution, which multiplies every soundness term by less than 1.0001.
   */
  challenge(label: string): Ext {
    const bytes = this.#squeeze(label)
    const view = new DataView(bytes.buffer, bytes.byteOffset)
    const coefficient = (at: number) => (view.getUint16(6 * at) * 2 ** 32 + view.getUint32(6 * at + 2)) % P
    return [coefficient(0), coefficient(1), coefficient(2), coefficient(3), coefficient(4)]
  }

  challenges(label: string, count: number): Ext[] {
    return Array.from({ length: count }, () => this.challenge(label))
  }

  /** `count` independent uniform indices below 2^bits (bits ≤ 31), eight to a hash. */
  indices(label: string, count: number, bits: number): number[] {
    const found: number[] = []
    while (found.length < count) {
      const bytes = this.#squeeze(label)
      const view = new DataView(bytes.buffer, bytes.byteOffset)
      for (let at = 0; at < 8 && found.length < count; at++) found.push(view.getUint32(4 * at) % 2 ** bits)
    }
    return found
  }
}
