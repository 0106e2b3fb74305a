/** Mutants of recorded bytes and texts, the same for the same seed, for all parsers of attestation evidence. */

/** Numbers from 0 to 2³²−1 (xorshift32). */
export type Random = () => number

export function randomFrom(seed: number): Random {
  let state = (seed ^ 0x9e3779b9) >>> 0 || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    state >>>= 0
    return state
  }
}

const upTo = (random: Random, limit: number) => (limit <= 0 ? 0 : random() % limit)
const BOUNDARIES = [0x00, 0x01, 0x7f, 0x80, 0x81, 0x82, 0x83, 0x84, 0xfe, 0xff, 0x30, 0x31, 0x02, 0x04, 0xa0]

function splice(bytes: Uint8Array, at: number, removed: number, inserted: Uint8Array): Uint8Array {
  const result = new Uint8Array(bytes.length - removed + inserted.length)
  result.set(bytes.subarray(0, at))
  result.set(inserted, at)
  result.set(bytes.subarray(at + removed), at + inserted.length)
  return result
}

/** One change: of a bit, a byte, a length, a run; or a piece of another document in the place of one of this. */
function mutateOnce(bytes: Uint8Array, corpus: readonly Uint8Array[], random: Random): Uint8Array {
  const at = upTo(random, bytes.length)
  const copy = new Uint8Array(bytes)
  const run = Math.min(1 + upTo(random, 64), bytes.length - at)
  switch (random() % 11) {
    case 0:
    case 1:
      copy[at] = (copy[at] ?? 0) ^ (1 << (random() % 8))
      return copy
    case 2:
      copy[at] = random()
      return copy
    case 3:
      copy[at] = BOUNDARIES[random() % BOUNDARIES.length] as number
      return copy
    case 4: // a length or count, one off
      copy[at] = (copy[at] ?? 0) + (random() % 2 === 0 ? 1 : -1)
      return copy
    case 5: // 16 and 32 bits at once
      for (let index = 0; index < (random() % 2 === 0 ? 2 : 4); index++) copy[at + index] = 0xff
      return copy
    case 6:
      return bytes.slice(0, at)
    case 7:
      return splice(bytes, at, run, new Uint8Array(0))
    case 8:
      return splice(bytes, at, 0, bytes.slice(at, at + run))
    case 9: {
      const other = corpus[random() % corpus.length] as Uint8Array
      const from = upTo(random, other.length)
      return splice(bytes, at, random() % 2 === 0 ? run : 0, other.slice(from, from + run))
    }
    default:
      return splice(
        bytes,
        bytes.length,
        0,
        Uint8Array.from({ length: run }, () => random()),
      )
  }
}

/** One to four changes. */
export function mutate(bytes: Uint8Array, corpus: readonly Uint8Array[], random: Random): Uint8Array {
  let result = bytes
  for (let changes = 1 + (random() % 8 === 0 ? random() % 4 : 0); changes > 0; changes--) {
    result = mutateOnce(result, corpus, random)
  }
  return result
}
