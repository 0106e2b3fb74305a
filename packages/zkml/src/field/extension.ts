/**
 * The degree-5 extension F_p[X]/(X^5 − 2), where challenges live: 2^154.5 elements, so that no term but the column
 * queries matters to the soundness. X^5 − 2 is irreducible because 5 divides p − 1 and 2 is no fifth power (a test
 * computes it).
 */
import * as base from './babyBear.ts'

/** Coefficients of 1, X, X², X³, X⁴, each canonical. */
export type Ext = readonly [number, number, number, number, number]

export const DEGREE = 5
/** Bits of one extension element's field size, rounded down: log2(p^5) = 154.53. */
export const FIELD_BITS = DEGREE * Math.log2(base.P)
export const ZERO: Ext = [0, 0, 0, 0, 0]
export const ONE: Ext = [1, 0, 0, 0, 0]
/** 1, X, X², X³, X⁴. */
export const UNITS: readonly Ext[] = [ONE, [0, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 1]]

/** Told of every operation and comparison while a check is recorded (src/tape); otherwise there is none. */
export type Watcher = {
  added(result: Ext, a: Ext, b: Ext): void
  subtracted(result: Ext, a: Ext, b: Ext): void
  multiplied(result: Ext, a: Ext, b: Ext): void
  scaled(result: Ext, a: Ext, k: number): void
  /** What must be so is written down, and is so for whoever asks. */
  mustEqual(a: Ext, b: Ext): void
  mustDiffer(a: Ext, b: Ext): void
}
let watcher: Watcher | undefined

/** What is computed while `run` runs, which must not wait for anything, is told to `by`. */
export function watched<T>(by: Watcher, run: () => T): T {
  watcher = by
  try {
    return run()
  } finally {
    watcher = undefined
  }
}

/** An element of the base field seen in the extension. */
export function fromBase(a: number): Ext {
  return [a, 0, 0, 0, 0]
}

/** The element that a safe integer stands for. */
export function fromInteger(value: number): Ext {
  return fromBase(base.fromInteger(value))
}

export function add(a: Ext, b: Ext): Ext {
  const sum: Ext = [
    base.add(a[0], b[0]),
    base.add(a[1], b[1]),
    base.add(a[2], b[2]),
    base.add(a[3], b[3]),
    base.add(a[4], b[4]),
  ]
  watcher?.added(sum, a, b)
  return sum
}

export function sub(a: Ext, b: Ext): Ext {
  const difference: Ext = [
    base.sub(a[0], b[0]),
    base.sub(a[1], b[1]),
    base.sub(a[2], b[2]),
    base.sub(a[3], b[3]),
    base.sub(a[4], b[4]),
  ]
  watcher?.subtracted(difference, a, b)
  return difference
}

/** Product with an element of the base field. */
export function scale(a: Ext, k: number): Ext {
  const product: Ext = [
    base.mul(a[0], k),
    base.mul(a[1], k),
    base.mul(a[2], k),
    base.mul(a[3], k),
    base.mul(a[4], k),
  ]
  watcher?.scaled(product, a, k)
  return product
}

/** Product: schoolbook, with X^5 = 2. */
export function mul(a: Ext, b: Ext): Ext {
  const m = base.mul
  const [a0, a1, a2, a3, a4] = a
  const [b0, b1, b2, b3, b4] = b
  const product: Ext = [
    base.reduceSum(m(a0, b0) + 2 * (m(a1, b4) + m(a2, b3) + m(a3, b2) + m(a4, b1))),
    base.reduceSum(m(a0, b1) + m(a1, b0) + 2 * (m(a2, b4) + m(a3, b3) + m(a4, b2))),
    base.reduceSum(m(a0, b2) + m(a1, b1) + m(a2, b0) + 2 * (m(a3, b4) + m(a4, b3))),
    base.reduceSum(m(a0, b3) + m(a1, b2) + m(a2, b1) + m(a3, b0) + 2 * m(a4, b4)),
    base.reduceSum(m(a0, b4) + m(a1, b3) + m(a2, b2) + m(a3, b1) + m(a4, b0)),
  ]
  watcher?.multiplied(product, a, b)
  return product
}

export function equals(a: Ext, b: Ext): boolean {
  if (watcher !== undefined) {
    watcher.mustEqual(a, b)
    return true
  }
  return same(a, b)
}

export function differs(a: Ext, b: Ext): boolean {
  if (watcher !== undefined) {
    watcher.mustDiffer(a, b)
    return true
  }
  return !same(a, b)
}

export function same(a: Ext, b: Ext): boolean {
  return a[0] === b[0] && a[1] === b[1] && a[2] === b[2] && a[3] === b[3] && a[4] === b[4]
}

export function isZero(a: Ext): boolean {
  return same(a, ZERO)
}

/** X^(p^k) = FROBENIUS^k·X with FROBENIUS = 2^((p−1)/5), a primitive fifth root of unity. */
const FROBENIUS = base.power(2, (base.P - 1) / DEGREE)

/** a^(p^k): coefficient i is multiplied by FROBENIUS^(i·k). */
function frobenius(a: Ext, k: number): Ext {
  const root = base.power(FROBENIUS, k)
  const coefficients = a.map((coefficient, i) => base.mul(coefficient, base.power(root, i)))
  return coefficients as unknown as Ext
}

/** Inverse by the norm (Itoh–Tsujii): the product of the four conjugates over the norm, which is in the base field. */
export function inverse(a: Ext): Ext {
  if (isZero(a)) throw new RangeError('zero has no inverse')
  const half = mul(frobenius(a, 1), frobenius(a, 2))
  const conjugates = mul(half, frobenius(half, 2))
  const norm = mul(a, conjugates)[0]
  return scale(conjugates, base.inverse(norm))
}

/** The first `count` powers 1, a, a², … */
export function powers(a: Ext, count: number): Ext[] {
  const list: Ext[] = []
  for (let at = 0, power = ONE; at < count; at++, power = mul(power, a)) list.push(power)
  return list
}

/** Sum of a list. */
export function sum(list: readonly Ext[]): Ext {
  return list.reduce<Ext>(add, ZERO)
}
