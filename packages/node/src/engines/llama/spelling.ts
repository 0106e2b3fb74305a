import type { TokenLogprob } from '../engine.ts'

/**
 * Deals out log-probabilities with the text that their tokens spell: a token whose end is still held back, as it may be
 * a stop text's beginning, waits for it, and is not told at all where the stop text cut it.
 */
export function createSpelling(): {
  add: (entry: TokenLogprob) => void
  /** The tokens that are out whole now. @param isLast nothing follows, and nothing was cut off */
  take: (text: string, isLast: boolean) => TokenLogprob[]
} {
  const waiting: TokenLogprob[] = []
  /** Bytes that are out and belong to no token that was told. */
  let out = 0
  return {
    add: (entry) => void waiting.push(entry),
    take(text, isLast) {
      if (isLast) return waiting.splice(0)
      out += Buffer.byteLength(text)
      let count = 0
      for (const { bytes } of waiting) {
        if (bytes.length > out) break
        out -= bytes.length
        count++
      }
      return waiting.splice(0, count)
    },
  }
}
