/**
 * Lookup tables. Each is a pair of columns over 2^bits rows, most described by where they bend, so that the verifier
 * evaluates their multilinear extension in O(bits) instead of reading them.
 */

import type { Ext } from '../field/extension.ts'
import * as ext from '../field/extension.ts'
import { eqIndex, evaluateIntegers, type Point } from '../field/multilinear.ts'

/**
 * `range`: (v, 0) for 0 ≤ v < 2^bits. `clamp`: (v, min(high, max(low, v))) for −2^(bits−1) ≤ v < 2^(bits−1). `map`: (v,
 * values[v + 128]) for an int8 v, the only table that the verifier reads value by value.
 */
export type Table =
  | { kind: 'range'; bits: number }
  | { kind: 'clamp'; bits: number; low: number; high: number }
  | { kind: 'map'; bits: 8; values: readonly number[] }

/** First and second entry of a row, as integers. */
export function tableRow(table: Table, row: number): [number, number] {
  if (table.kind === 'range') return [row, 0]
  const value = row - 2 ** (table.bits - 1)
  if (table.kind === 'map') return [value, table.values[row] as number]
  return [value, Math.min(table.high, Math.max(table.low, value))]
}

/** Both columns written out. */
export function tableColumns(table: Table): [Int32Array, Int32Array] {
  const [first, second] = [new Int32Array(2 ** table.bits), new Int32Array(2 ** table.bits)]
  for (let row = 0; row < first.length; row++) {
    const [a, b] = tableRow(table, row)
    first[row] = a
    second[row] = b
  }
  return [first, second]
}

/** The row that holds a first entry, or undefined where the table does not reach. */
export function rowOf(table: Table, value: number): number | undefined {
  const row = table.kind === 'range' ? value : value + 2 ** (table.bits - 1)
  return row >= 0 && row < 2 ** table.bits ? row : undefined
}

/** Multilinear extensions of both columns at a point. */
export function evaluateTable(table: Table, point: Point): [Ext, Ext] {
  const rows = 2 ** table.bits
  if (table.kind === 'range') return [linearOver(point, 0, rows, 0, 1), ext.ZERO]
  const half = rows / 2
  if (table.kind === 'map')
    return [linearOver(point, 0, rows, -half, 1), evaluateIntegers(table.values, point)]
  const low = table.low + half
  const high = table.high + half
  return [
    linearOver(point, 0, rows, -half, 1),
    ext.sum([
      linearOver(point, 0, low, table.low, 0),
      linearOver(point, low, high, -half, 1),
      linearOver(point, high, rows, table.high, 0),
    ]),
  ]
}

/**
 * Σ over from ≤ i < to of eq(point, i)·(constant + slope·i), by cutting the interval into aligned dyadic blocks: over
 * one block the index is a fixed prefix and free low bits, and the sum of eq·i is linear in the coordinates.
 */
function linearOver(point: Point, from: number, to: number, constant: number, slope: number): Ext {
  let total = ext.ZERO
  let start = from
  while (start < to) {
    let bits = 0
    while (start % 2 ** (bits + 1) === 0 && start + 2 ** (bits + 1) <= to) bits++
    const low = point.slice(0, bits)
    let value = ext.fromInteger(constant + slope * start)
    for (const [bit, x] of low.entries())
      value = ext.add(value, ext.scale(x, ext.fromInteger(slope * 2 ** bit)[0]))
    total = ext.add(total, ext.mul(value, eqIndex(point.slice(bits), start / 2 ** bits)))
    start += 2 ** bits
  }
  return total
}
