/** Some positions of a codeword without the rest of it, for a verifier that looks at a hundred of many thousands. */
import { add, mul, sub } from './babyBear.ts'
import { rootTable } from './ntt.ts'

/** A block of the transform in progress, and which of the wanted positions, from..to of the list, lie in it. */
type Block = { start: number; from: number; to: number }

/**
 * The codeword of `encodeMessage` at `positions` (ascending). Every stage cuts each block in two, and only the halves
 * that hold a wanted position are computed.
 */
export function encodeAt(
  message: ArrayLike<number>,
  blowupBits: number,
  positions: ArrayLike<number>,
): number[] {
  const word = new Int32Array(message.length * 2 ** blowupBits)
  word.set(message)
  const roots = rootTable(Math.round(Math.log2(word.length)))
  /** Entries at the start of a block that may differ from zero. */
  let filled = message.length
  let blocks: Block[] = [{ start: 0, from: 0, to: positions.length }]
  for (let half = word.length >> 1, step = 1; half >= 1; half >>= 1, step *= 2) {
    const next: Block[] = []
    for (const { start, from, to } of blocks) {
      let cut = from
      while (cut < to && (positions[cut] as number) < start + half) cut++
      const [lower, upper] = [cut > from, cut < to]
      const count = Math.min(filled, half)
      if (filled <= half) {
        if (upper) spread(word, start, half, count, roots, step)
      } else if (upper) butterflies(word, start, half, roots, step)
      else addHalves(word, start, half)
      if (lower) next.push({ start, from, to: cut })
      if (upper) next.push({ start: start + half, from: cut, to })
    }
    blocks = next
    filled = Math.min(filled, half)
  }
  return Array.from(positions, (position) => word[position] as number)
}

/** (low, 0) becomes (low, low·root), for the `count` entries that are filled. */
function spread(
  word: Int32Array,
  start: number,
  half: number,
  count: number,
  roots: Int32Array,
  step: number,
): void {
  for (let i = 0; i < count; i++)
    word[start + half + i] = mul(word[start + i] as number, roots[i * step] as number)
}

/** (low, high) becomes (low + high, (low − high)·root). */
function butterflies(word: Int32Array, start: number, half: number, roots: Int32Array, step: number): void {
  for (let i = start, root = 0; i < start + half; i++, root += step) {
    const low = word[i] as number
    const high = word[i + half] as number
    word[i] = add(low, high)
    word[i + half] = mul(sub(low, high), roots[root] as number)
  }
}

/** Only the lower half of what `butterflies` gives. */
function addHalves(word: Int32Array, start: number, half: number): void {
  for (let i = start; i < start + half; i++) word[i] = add(word[i] as number, word[i + half] as number)
}
