/** Where masks come from: a secret seed for a model, the machine's own randomness for a proof. */
import { shake256 } from '@noble/hashes/sha3.js'
import { utf8ToBytes } from '@noble/hashes/utils.js'
import { P } from '../../field/babyBear.ts'
import { DEGREE, type Ext } from '../../field/extension.ts'
import { asExts } from '../../transcript/proofReader.ts'

/** Uniform elements of the base field. A purpose is asked for once, or a mask would be used twice. */
export type Randomness = (purpose: string, count: number) => Uint32Array

export const SEED_BYTES = 32
/** What `getRandomValues` gives at once. */
const MOST_BYTES = 65_536

/** Fresh randomness of this machine, for one proof. */
export function freshRandomness(): Randomness {
  return onePurposeEach(() => (bytes) => crypto.getRandomValues(new Uint8Array(Math.min(bytes, MOST_BYTES))))
}

/** SHAKE256(seed ‖ purpose), a stream for each purpose. */
export function seededRandomness(seed: Uint8Array): Randomness {
  if (seed.length !== SEED_BYTES) throw new RangeError(`a seed has ${SEED_BYTES} bytes`)
  return onePurposeEach((purpose) => {
    const stream = shake256.create({}).update(seed).update(utf8ToBytes(purpose))
    return (bytes) => stream.xof(bytes)
  })
}

function onePurposeEach(streamOf: (purpose: string) => (bytes: number) => Uint8Array): Randomness {
  const asked = new Set<string>()
  return (purpose, count) => {
    if (asked.has(purpose)) throw new Error(`the masks of ${purpose} have been used`)
    asked.add(purpose)
    return elementsOf(streamOf(purpose), count)
  }
}

/** Little-endian words less their highest bit, those not below p left out: fifteen of sixteen stay. */
function elementsOf(stream: (bytes: number) => Uint8Array, count: number): Uint32Array {
  const elements = new Uint32Array(count)
  for (let filled = 0; filled < count; ) {
    const bytes = stream(4 * Math.ceil((count - filled) * (16 / 15) + 8))
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    for (let at = 0; at + 4 <= bytes.length && filled < count; at += 4) {
      const word = view.getUint32(at, true) & 0x7fffffff
      if (word < P) elements[filled++] = word
    }
  }
  return elements
}

/** Uniform elements of the extension. */
export function randomExts(random: Randomness, purpose: string, count: number): Ext[] {
  return asExts(random(purpose, DEGREE * count))
}
