/** Number-theoretic transforms over BabyBear: Reed–Solomon encoding, in plain TypeScript for the verifier. */
import { add, mul, rootOfUnity, sub } from './babyBear.ts'

/** roots[i] = ω^i for i < 2^(bits−1), ω of order 2^bits. */
function rootTable(bits: number): Float64Array {
  const roots = new Float64Array(2 ** Math.max(0, bits - 1))
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
 */
export function encodeMessage(message: ArrayLike<number>, blowupBits: number): Float64Array {
  const bits = Math.round(Math.log2(message.length)) + blowupBits
  const word = new Float64Array(2 ** bits)
  word.set(message)
  const roots = rootTable(bits)
  for (let half = word.length / 2, step = 1; half >= 1; half /= 2, step *= 2) {
    for (let start = 0; start < word.length; start += 2 * half) {
      for (let i = 0; i < half; i++) {
        const low = word[start + i] as number
        const high = word[start + i + half] as number
        word[start + i] = add(low, high)
        word[start + i + half] = mul(sub(low, high), roots[i * step] as number)
      }
    }
  }
  return word
}
