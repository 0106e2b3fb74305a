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

/** Sum of two elements. */
export function add(a: number, b: number): number {
  const sum = a + b
  return sum >= P ? sum - P : sum
}

/** Difference of two elements. */
export function sub(a: number, b: number): number {
  const difference = a - b
  return difference < 0 ? difference + P : difference
}

/**
 * Product of two elements in doubles: the quotient is off by at most one, and only when the remainder is within 2^10 of
 * 0 or p, so the remainder, which `Math.imul` gives modulo 2^32, is read without ambiguity and corrected once.
 */
export function mul(a: number, b: number): number {
  const quotient = (a * b * INVERSE_OF_P) | 0
  const remainder = (Math.imul(a, b) - Math.imul(quotient, P)) | 0
  if (remainder < 0) return remainder + P
  return remainder >= P ? remainder - P : remainder
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
