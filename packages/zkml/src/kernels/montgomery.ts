/** Montgomery form x·2^32 mod p, in which the kernels multiply; the rest of the package holds plain elements. */
import { inverse, mul, P } from '../field/babyBear.ts'
import type { Ext } from '../field/extension.ts'

const R = 2 ** 32 % P
const R_INVERSE = inverse(R)

export function toMontgomery(value: number): number {
  return mul(value, R)
}

export function fromMontgomery(value: number): number {
  return mul(value, R_INVERSE)
}

/** a·b/2^32. */
export function mulMontgomery(a: number, b: number): number {
  return mul(mul(a, b), R_INVERSE)
}

export function extToMontgomery(value: Ext): Ext {
  return value.map(toMontgomery) as unknown as Ext
}

export function extFromMontgomery(value: Ext): Ext {
  return value.map(fromMontgomery) as unknown as Ext
}
