/**
 * The Fiat–Shamir transcript: a Keccak-256 chain over everything that both sides have said. Every item is absorbed with
 * its label and its length, so that no two different conversations give one string (docs/zkml.md, "Transcript").
 */

import { utf8ToBytes } from '@noble/hashes/utils.js'
import { keccak256 } from '#keccak'
import { P } from '../field/babyBear.ts'
import type { Ext } from '../field/extension.ts'

const ABSORB = 0
const CHALLENGE = 1
const ABSORB_LONG = 2
/** Data beyond this, bytes, is absorbed as the hashes of its pieces: 128 extension elements, what one step of a dispute holds. */
export const PIECE = 2560

export class Transcript {
  protected state: Uint8Array

  constructor(protocol: string) {
    this.state = keccak256(utf8ToBytes(protocol))
  }

  /**
   * state ← keccak(state ‖ 0 ‖ |label| ‖ label ‖ |data| ‖ data), lengths as one and four bytes. Of data longer than a piece
   * its pieces' hashes are absorbed instead, under 2 for 0, so that no step of a replay needs more than a piece at a time.
   */
  absorb(label: string, data: Uint8Array): void {
    const long = data.length > PIECE
    this.state = absorbed(this.state, long, label, long ? pieceHashes(data, PIECE) : data)
  }

  /** state ← keccak(state ‖ 1 ‖ |label| ‖ label); the new state is also the 32 bytes of randomness. */
  protected squeeze(label: string): Uint8Array {
    this.state = squeezed(this.state, label)
    return this.state
  }

  challenge(label: string): Ext {
    return challengeOf(this.squeeze(label))
  }

  challenges(label: string, count: number): Ext[] {
    return Array.from({ length: count }, () => this.challenge(label))
  }

  /** `count` independent uniform indices below 2^bits (bits ≤ 31), eight to a hash. */
  indices(label: string, count: number, bits: number): number[] {
    const found: number[] = []
    while (found.length < count) {
      const bytes = this.squeeze(label)
      const view = new DataView(bytes.buffer, bytes.byteOffset)
      for (let at = 0; at < 8 && found.length < count; at++) found.push(view.getUint32(4 * at) % 2 ** bits)
    }
    return found
  }
}

/** The state after an item: its data, or where that is long its pieces' hashes. */
export function absorbed(state: Uint8Array, long: boolean, label: string, item: Uint8Array): Uint8Array {
  const name = utf8ToBytes(label)
  const message = new Uint8Array(38 + name.length + item.length)
  const view = new DataView(message.buffer)
  message.set(state)
  view.setUint8(32, long ? ABSORB_LONG : ABSORB)
  view.setUint8(33, name.length)
  message.set(name, 34)
  view.setUint32(34 + name.length, item.length)
  message.set(item, 38 + name.length)
  return keccak256(message)
}

/** The state after randomness was drawn, which it also is. */
export function squeezed(state: Uint8Array, label: string): Uint8Array {
  const name = utf8ToBytes(label)
  const message = new Uint8Array(34 + name.length)
  message.set(state)
  message[32] = CHALLENGE
  message[33] = name.length
  message.set(name, 34)
  return keccak256(message)
}

/**
 * A challenge in the extension: five 48-bit numbers modulo p. No element is more than (1 + 2^-17)^5 times as likely
 * as under the uniform distribution, which multiplies every soundness term by less than 1.0001.
 */
export function challengeOf(randomness: Uint8Array): Ext {
  const view = new DataView(randomness.buffer, randomness.byteOffset)
  const coefficient = (at: number) => (view.getUint16(6 * at) * 2 ** 32 + view.getUint32(6 * at + 2)) % P
  return [coefficient(0), coefficient(1), coefficient(2), coefficient(3), coefficient(4)]
}

/** The hashes of the pieces of long data, joined. */
export function pieceHashes(data: Uint8Array, piece: number): Uint8Array {
  const hashes = new Uint8Array(32 * Math.ceil(data.length / piece))
  for (let at = 0; at * piece < data.length; at++)
    hashes.set(keccak256(data.subarray(at * piece, (at + 1) * piece)), 32 * at)
  return hashes
}
