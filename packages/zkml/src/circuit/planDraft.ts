/** What a plan needs, collected node by node, before anything has its place. */

import type { Table } from '../lookup/tables.ts'
import type { MapValues, Requantise } from './architecture.ts'
import { limbWidths } from './limbs.ts'
import type { Accumulator, Form, Lookup, Value, ValueIndex } from './plan.ts'

/** Collects values, tables and lookups while the nodes are walked. */
export class Draft {
  readonly values: { kind: Value['kind']; bits: number }[] = []
  readonly tables: { table: Table; multiplicities: ValueIndex }[] = []
  readonly lookups: Omit<Lookup, 'offset'>[] = []
  #tableOf = new Map<string, number>()

  value(kind: Value['kind'], bits: number): ValueIndex {
    return this.values.push({ kind, bits }) - 1
  }

  lookUp(table: Table, bits: number, first: Form, second: Form): void {
    this.lookups.push({ table: this.#use(table), bits, first, second })
  }

  #use(table: Table): number {
    const key = JSON.stringify(table)
    const known = this.#tableOf.get(key)
    if (known !== undefined) return known
    const index = this.tables.push({ table, multiplicities: this.value('committed', table.bits) }) - 1
    this.#tableOf.set(key, index)
    return index
  }
}

export function planRequantise(
  draft: Draft,
  requantise: Requantise,
  bits: number,
  output: ValueIndex,
  limbWidth: number,
): Accumulator {
  const target = draft.value('committed', bits)
  const { low, high, reach, shift } = requantise
  draft.lookUp({ kind: 'clamp', bits: reach + 1, low, high }, bits, single(target), single(output))
  const limbs = limbWidths(shift, limbWidth).map((width) => ({
    value: draft.value('committed', bits),
    bits: width,
  }))
  for (const limb of limbs)
    draft.lookUp({ kind: 'range', bits: limb.bits }, bits, single(limb.value), NOTHING)
  return { kind: 'requantised', requantise, target, limbs }
}

/** Input and output, row by row, are in the table of the function. */
export function planMap(
  draft: Draft,
  { values }: MapValues,
  bits: number,
  input: ValueIndex,
  output: ValueIndex,
): void {
  draft.lookUp({ kind: 'map', bits: 8, values }, bits, single(input), single(output))
}

/** Every value is int8; an input that the verifier does not see has nobody else to say so. */
export function planInt8(draft: Draft, bits: number, value: ValueIndex): void {
  draft.lookUp({ kind: 'clamp', bits: 8, low: -128, high: 127 }, bits, single(value), single(value))
}

/** m₀ = x₀ and mₖ = mₖ₋₁ + max(0, xₖ − mₖ₋₁): a chain of lookups in one table of differences. */
export function planMaxima(draft: Draft, positions: number, bits: number, output: ValueIndex) {
  const windows = Array.from({ length: positions }, () => draft.value('window', bits))
  const maxima = Array.from({ length: positions - 1 }, (_, at) =>
    at === positions - 2 ? output : draft.value('committed', bits),
  )
  for (const [at, maximum] of maxima.entries()) {
    const before = at === 0 ? (windows[0] as ValueIndex) : (maxima[at - 1] as ValueIndex)
    const table: Table = { kind: 'clamp', bits: 9, low: 0, high: 255 }
    draft.lookUp(table, bits, difference(windows[at + 1] as ValueIndex, before), difference(maximum, before))
  }
  return { windows, maxima }
}

const single = (value: ValueIndex): Form => ({ constant: 0, terms: [{ value, coefficient: 1 }] })
const difference = (a: ValueIndex, b: ValueIndex): Form => ({
  constant: 0,
  terms: [
    { value: a, coefficient: 1 },
    { value: b, coefficient: -1 },
  ],
})
const NOTHING: Form = { constant: 0, terms: [] }
