import type { Hex } from 'viem'
import type { Random } from './random.ts'

const WORD = 64
const SMALL = Array.from({ length: 6 }, (_, at) => word(BigInt(at)))
const EDGES = [word(2n ** 256n - 1n), word(2n ** 128n - 1n), word(2n ** 64n - 1n), word(1n << 255n)]

function word(value: bigint): string {
  return BigInt.asUintN(256, value).toString(16).padStart(WORD, '0')
}

/** Every 32-byte word of a proof: each member of its structs is one, or some. */
export function wordsOf(proof: Hex): string[] {
  return proof.slice(2).match(/.{64}/g) ?? []
}

type Change = (words: string[], random: Random, dictionary: readonly string[]) => void

/** Ways to make another proof of one: of fields, of the places that offsets name, of lengths and of orders. */
const CHANGES: readonly Change[] = [
  // A hash, an address or a number of another proof.
  (words, random, dictionary) => {
    words[random.below(words.length)] = random.pick(dictionary)
  },
  (words, random, dictionary) => {
    words[random.below(words.length)] = random.pick(dictionary)
  },
  // One more or one less: an index, a time, a price, a height.
  (words, random) => {
    const at = random.below(words.length)
    words[at] = word(BigInt(`0x${words[at]}`) + (random.chance(0.5) ? 1n : -1n))
  },
  (words, random) => {
    words[random.below(words.length)] = random.pick(SMALL)
  },
  (words, random) => {
    words[random.below(words.length)] = random.pick(EDGES)
  },
  (words, random) => {
    const [a, b] = [random.below(words.length), random.below(words.length)]
    const kept = words[a] as string
    words[a] = words[b] as string
    words[b] = kept
  },
  (words, random) => {
    const at = random.below(words.length)
    const bit = 1n << BigInt(random.below(256))
    words[at] = word(BigInt(`0x${words[at]}`) ^ bit)
  },
  (words, random) => {
    words.length = random.below(words.length) + 1
  },
  (words, random) => {
    const at = random.below(words.length)
    words.splice(at, random.chance(0.5) ? 1 : 0, words[random.below(words.length)] as string)
  },
]

/** The proof with one to three changes. */
export function mutate(proof: Hex, random: Random, dictionary: readonly string[]): Hex {
  const words = wordsOf(proof)
  const tail = proof.slice(2 + words.length * WORD)
  for (let left = 1 + random.below(3); left > 0 && words.length > 0; left--) {
    random.pick(CHANGES)(words, random, dictionary)
  }
  return `0x${words.join('')}${tail}`
}
