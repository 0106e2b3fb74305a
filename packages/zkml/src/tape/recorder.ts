/**
 * Writes a verification down: as a program, the gates that it consists of, and as a tape, the value of each. It is told of
 * every operation of the extension by the field itself, and of the rest by the reader and the transcript that stand in
 * for the verifier's own. For one model the program is the same whatever is verified.
 */

import type { Ext, Watcher } from '../field/extension.ts'
import * as ext from '../field/extension.ts'
import { encodeGate, type Gate, type GateMembers } from './gates.ts'
import { bitsOf } from './wordTree.ts'

export class Recorder implements Watcher {
  #program: Uint8Array = new Uint8Array(32 * 1024)
  #tape: Uint8Array = new Uint8Array(32 * 1024)
  #count = 0
  /** Gates that do not hold. */
  readonly violated: number[] = []
  /** Where a value stands, by the object that it is in the verifier. */
  readonly #places = new Map<object, number>()
  readonly #constants = new Map<string, number>()

  get program(): Uint8Array {
    return this.#program.slice(0, 32 * this.#count)
  }

  get tape(): Uint8Array {
    return this.#tape.slice(0, 32 * this.#count)
  }

  /** Values that stand in a run already. */
  words(first: number, count: number): Uint8Array {
    return this.#tape.slice(32 * first, 32 * (first + count))
  }

  /** Adds a gate with its value. @returns its index */
  gate(gate: Gate, members: GateMembers = {}, value?: Uint8Array | Ext | number): number {
    const at = 32 * this.#count
    if (at === this.#tape.length) {
      this.#program = doubled(this.#program)
      this.#tape = doubled(this.#tape)
    }
    encodeGate(gate, members, this.#program.subarray(at, at + 32))
    const word = this.#tape.subarray(at, at + 32)
    if (value instanceof Uint8Array) word.set(value)
    else if (typeof value === 'number') new DataView(word.buffer, word.byteOffset, 32).setUint32(28, value)
    else if (value !== undefined) writeExt(word, value)
    return this.#count++
  }

  /** The same for a value that the verifier knows by an object. */
  put(gate: Gate, members: GateMembers, value: Uint8Array | Ext): number {
    const at = this.gate(gate, members, value)
    this.#places.set(value, at)
    return at
  }

  /** A gate that says what must hold. */
  check(gate: Gate, members: GateMembers, holds: boolean): void {
    const at = this.gate(gate, members)
    if (!holds) this.violated.push(at)
  }

  /** Fills up so that a run of `count` values may follow. @returns where it begins */
  align(count: number): number {
    const size = 2 ** bitsOf(count)
    while (this.#count % size !== 0) this.gate('none')
    return this.#count
  }

  /** Says by which object the verifier knows a value. */
  name(object: object, at: number): void {
    this.#places.set(object, at)
  }

  /** Where the value stands; one that was never seen is a constant of the program. */
  placeOf(value: Ext | Uint8Array): number {
    const place = this.#places.get(value)
    if (place !== undefined) return place
    if (value instanceof Uint8Array) throw new TypeError('these bytes are no value of the tape')
    const key = value.join(' ')
    const known = this.#constants.get(key)
    if (known !== undefined) return known
    const at = this.gate('constant', {}, value)
    writeExt(this.#program.subarray(32 * at, 32 * at + 32), value)
    this.#constants.set(key, at)
    return at
  }

  /** The values as a run, which some gates want. */
  copies(values: readonly Ext[]): number {
    const places = values.map((value) => this.placeOf(value))
    const first = this.align(values.length)
    for (const [at, a] of places.entries()) this.gate('copy', { a }, values[at] as Ext)
    return first
  }

  added(result: Ext, a: Ext, b: Ext): void {
    this.put('add', { a: this.placeOf(a), b: this.placeOf(b) }, result)
  }

  subtracted(result: Ext, a: Ext, b: Ext): void {
    this.put('subtract', { a: this.placeOf(a), b: this.placeOf(b) }, result)
  }

  multiplied(result: Ext, a: Ext, b: Ext): void {
    this.put('multiply', { a: this.placeOf(a), b: this.placeOf(b) }, result)
  }

  scaled(result: Ext, a: Ext, k: number): void {
    this.put('scale', { a: this.placeOf(a), c: k }, result)
  }

  mustEqual(a: Ext, b: Ext): void {
    this.check('equal', { a: this.placeOf(a), b: this.placeOf(b) }, ext.same(a, b))
  }

  mustDiffer(a: Ext, b: Ext): void {
    this.check('differ', { a: this.placeOf(a), b: this.placeOf(b) }, !ext.same(a, b))
  }
}

/** Five coefficients of four bytes, that of 1 first, at the end of a word. */
export function writeExt(word: Uint8Array, value: Ext): void {
  const view = new DataView(word.buffer, word.byteOffset, 32)
  for (const [at, coefficient] of value.entries()) view.setUint32(12 + 4 * at, coefficient)
}

function doubled(words: Uint8Array): Uint8Array {
  const larger = new Uint8Array(2 * words.length)
  larger.set(words)
  return larger
}
