/**
 * Multilinear extensions. A point lists its coordinates from the least significant bit of the index to the most
 * significant, everywhere in this package.
 */

import type { Ext } from './extension.ts'
import * as ext from './extension.ts'

export type Point = readonly Ext[]

/** eq(point, i) for every i below 2^point.length: the weights with which a multilinear extension sums its values. */
export function eqTable(point: Point, scale: Ext = ext.ONE): Ext[] {
  let table: Ext[] = [scale]
  for (const coordinate of point) {
    const high = table.map((value) => ext.mul(value, coordinate))
    table = [...table.map((value, i) => ext.sub(value, high[i] as Ext)), ...high]
  }
  return table
}

/** eq(a, b) = Π (aᵢbᵢ + (1 − aᵢ)(1 − bᵢ)). */
export function eq(a: Point, b: Point): Ext {
  let product = ext.ONE
  for (const [i, x] of a.entries()) product = ext.mul(product, eqOne(x, b[i] as Ext))
  return product
}

/** xy + (1 − x)(1 − y) = 1 − x − y + 2xy. */
function eqOne(x: Ext, y: Ext): Ext {
  const both = ext.mul(x, y)
  return ext.add(ext.sub(ext.sub(ext.ONE, x), y), ext.add(both, both))
}

/** eq(point, index) for one index, of which the bits above point.length must be zero. */
export function eqIndex(point: Point, index: number): Ext {
  let product = ext.ONE
  for (const [bit, x] of point.entries()) {
    const set = Math.floor(index / 2 ** bit) % 2 === 1
    product = ext.mul(product, set ? x : ext.sub(ext.ONE, x))
  }
  return product
}

/**
 * Multilinear extension, at `point`, of integers laid out from index 0, with `rest` at every index past their end.
 * Costs one product of an extension element by a small integer a value.
 */
export function evaluateIntegers(values: ArrayLike<number>, point: Point, rest = 0): Ext {
  const table = eqTable(point)
  let total = ext.fromInteger(rest)
  for (let i = 0; i < values.length; i++) {
    const difference = (values[i] as number) - rest
    if (difference !== 0) total = ext.add(total, ext.scale(table[i] as Ext, ext.fromInteger(difference)[0]))
  }
  return total
}
