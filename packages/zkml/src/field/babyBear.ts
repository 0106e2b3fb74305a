/**
 * The prime field of BabyBear, p = 15·2^27 + 1. Elements are numbers in [0, p); 27 bits of two-adicity give Reed–Solomon
 * codes by NTT, and two products fit a 64-bit accumulator in the kernels.
 */
export const P = 2_013_265_921
/** Largest k for which the multiplicative group has a subgroup of order 2^k. */
const TWO_ADICITY = 27
/** 31 generates the multiplicative group, so 31^15 has order 2^27. */
const GENERATOR = 31
const INVERSE_OF_P = 1 / P

/**
 * Sum of two elements. Without a branch, since which way it would go is a coin toss: s >> 31 is −1 where p must be added
 * back, and `| 0` keeps the arithmetic in 32-bit integers.
 */
export function add(a: number, b: number): number {
  const sum = (a + b - P) | 0
  return (sum + (P & (sum >> 31))) | 0
}

/** Difference of two elements. */
export function sub(a: number, b: number): number {
  const difference = (a - b) | 0
  return (difference + (P & (difference >> 31))) | 0
}

/**
 * Product of two elements. The quotient in doubles is off by at most one, and only when the remainder is within 2^10 of 0
 * or p, so the remainder, which `Math.imul` gives modulo 2^32, is read without ambiguity: between −2^10 and p + 2^10.
 */
export function mul(a: number, b: number): number {
  const quotient = (a * b * INVERSE_OF_P) | 0
  const remainder = (Math.imul(a, b) - Math.imul(quotient, P)) | 0
  const positive = (remainder + (P & (remainder >> 31))) | 0
  return positive >= P ? positive - P : positive
}

/** A sum of at most sixteen elements, brought below p: quotients this small are exact but for a multiple of p itself. */
export function reduceSum(sum: number): number {
  const rest = sum - ((sum * INVERSE_OF_P) | 0) * P
  return rest >= P ? rest - P : rest
}

/** a^exponent; the exponent is a non-negative safe integer. */
export function power(a: number, exponent: number): number {
  let result = 1
  let base = a
  for (let rest = exponent; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result = mul(result, base)
    base = mul(base, base)
  }
  return result
}

/** Multiplicative inverse by Fermat; the inverse of zero does not exist and is refused. */
export function inverse(a: number): number {
  if (a === 0) throw new RangeError('zero has no inverse')
  return power(a, P - 2)
}

/** The element that a safe integer stands for. */
export function fromInteger(value: number): number {
  const remainder = value % P
  return remainder < 0 ? remainder + P : remainder
}

/** Whether a number is the canonical form of an element. */
export function isCanonical(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < P
}

/** An element of order exactly 2^logOrder. */
export function rootOfUnity(logOrder: number): number {
  if (logOrder > TWO_ADICITY) throw new RangeError(`no subgroup of order 2^${logOrder}`)
  return power(GENERATOR, 15 * 2 ** (TWO_ADICITY - logOrder))
}
