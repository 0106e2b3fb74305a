import { fromInteger, P } from '../field/babyBear.ts'

/** Integers as words below p, `added` to each. Small ones, which nearly all are, need no division. */
export function storeIntegers(words: Uint32Array, integers: ArrayLike<number>, added = 0): void {
  for (let i = 0; i < integers.length; i++) {
    const value = (integers[i] as number) + added
    words[i] = value >= 0 && value < P ? value : value < 0 && value > -P ? value + P : fromInteger(value)
  }
}
