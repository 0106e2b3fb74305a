/** Number-theoretic transforms over BabyBear: Reed–Solomon encoding, in plain TypeScript. */
import { add, mul, rootOfUnity, sub } from './babyBear.ts'

/** roots[i] = ω^i for i < 2^(bits−1), ω of order 2^bits. */
export function rootTable(bits: number): Int32Array {
  const roots = new Int32Array(2 ** Math.max(0, bits - 1))
  const omega = rootOfUnity(bits)
  let power = 1
  for (let i = 0; i < roots.length; i++) {
    roots[i] = power
    power = mul(power, omega)
  }
  return roots
}

/**
 * The codeword of a message: the polynomial whose coefficients are the message, evaluated at ω^i, ω of order
 * 2^(bits + blowupBits), listed with i in bit-reversed order (decimation in frequency needs no permutation so).
 * Int32Array, because elements below 2^31 then need no conversion on their way into a product.
 */
export function encodeMessage(message: ArrayLike<number>, blowupBits: number): Int32Array {
  const size = message.length
  const bits = Math.round(Math.log2(size)) + blowupBits
  const word = new Int32Array(2 ** bits)
  word.set(message)
  const roots = rootTable(bits)
  for (let half = word.length >> 1, step = 1; half >= 1; half >>= 1, step *= 2) {
    for (let start = 0; start < word.length; start += 2 * half) {
      for (let i = start; i < start + half; i++) {
        const [low, high] = [word[i] as number, word[i + half] as number]
        word[i] = add(low, high)
        word[i + half] = mul(sub(low, high), roots[(i - start) * step] as number)
      }
    }
  }
  return word
}
