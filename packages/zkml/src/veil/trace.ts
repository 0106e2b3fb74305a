/**
 * What a verification asks of elements that nobody but the prover knows. The field tells of each operation and comparison
 * (`field/extension.ts`), and of those that touch a hidden element a node is kept; so the verifier's own code, run on what
 * was said, gives the constraints on what was meant (Frigo & Shelat 2024/2010 §2), and there is no second verifier.
 */
import { ZkmlError } from '../errors.ts'
import type { Ext, Watcher } from '../field/extension.ts'
import * as ext from '../field/extension.ts'

/** A node, or an element that everybody knows. */
export type Operand = number | Ext

export type Node =
  /** An element that was said under its pad during the conversation. */
  | { op: 'said' }
  /** Of two hidden elements: an element of its own, said afterwards. */
  | { op: 'product'; x: number; y: number }
  /** That a hidden element has an inverse shows that it is not zero. */
  | { op: 'inverse'; of: number }
  | { op: 'sum'; a: Operand; b: Operand }
  | { op: 'difference'; a: Operand; b: Operand }
  | { op: 'scaled'; a: number; by: Ext }

export class Trace implements Watcher {
  readonly nodes: Node[] = []
  /** Elements said during the conversation, in order. */
  readonly said: number[] = []
  /** Products and inverses, in order: said after it. */
  readonly late: number[] = []
  /** Products alone. */
  readonly products: number[] = []
  /** Pairs that must be the same. */
  readonly equalities: [Operand, Operand][] = []
  readonly #nodeOf = new Map<object, number>()

  /** An element that stands for a hidden one from here on. */
  hide(value: Ext): void {
    this.said.push(this.#add({ op: 'said' }, value))
  }

  #add(node: Node, value?: Ext): number {
    const at = this.nodes.push(node) - 1
    if (value !== undefined) this.#nodeOf.set(value, at)
    return at
  }

  #operand(value: Ext): Operand {
    return this.#nodeOf.get(value) ?? value
  }

  added(result: Ext, a: Ext, b: Ext): void {
    this.#join('sum', result, a, b)
  }

  subtracted(result: Ext, a: Ext, b: Ext): void {
    this.#join('difference', result, a, b)
  }

  #join(op: 'sum' | 'difference', result: Ext, a: Ext, b: Ext): void {
    const [left, right] = [this.#operand(a), this.#operand(b)]
    if (typeof left === 'number' || typeof right === 'number') this.#add({ op, a: left, b: right }, result)
  }

  multiplied(result: Ext, a: Ext, b: Ext): void {
    const [x, y] = [this.#operand(a), this.#operand(b)]
    if (typeof x === 'number' && typeof y === 'number') this.#multiply(x, y, result)
    else if (typeof x === 'number') this.#add({ op: 'scaled', a: x, by: y as Ext }, result)
    else if (typeof y === 'number') this.#add({ op: 'scaled', a: y, by: x }, result)
  }

  #multiply(x: number, y: number, result?: Ext): number {
    const at = this.#add({ op: 'product', x, y }, result)
    this.late.push(at)
    this.products.push(at)
    return at
  }

  scaled(result: Ext, a: Ext, k: number): void {
    const at = this.#operand(a)
    if (typeof at === 'number') this.#add({ op: 'scaled', a: at, by: ext.fromBase(k) }, result)
  }

  /** @throws ZkmlError invalid_proof where both are known and differ */
  mustEqual(a: Ext, b: Ext): void {
    const [left, right] = [this.#operand(a), this.#operand(b)]
    if (typeof left === 'number' || typeof right === 'number') this.equalities.push([left, right])
    else if (!ext.same(left, right))
      throw new ZkmlError('invalid_proof', 'two elements that everybody knows are not the same')
  }

  /** @throws ZkmlError invalid_proof where both are known and the same */
  mustDiffer(a: Ext, b: Ext): void {
    const [left, right] = [this.#operand(a), this.#operand(b)]
    if (typeof left !== 'number' && typeof right !== 'number') {
      if (ext.same(left, right))
        throw new ZkmlError('invalid_proof', 'two elements that everybody knows are the same')
      return
    }
    const difference = this.#add({ op: 'difference', a: left, b: right })
    const inverse = this.#add({ op: 'inverse', of: difference })
    this.late.push(inverse)
    this.equalities.push([this.#multiply(difference, inverse), ext.ONE])
  }
}

/** How many elements of each kind the pads are for. */
export type Counts = { said: number; late: number; products: number; equalities: number }

export function countsOf({ said, late, products, equalities }: Trace): Counts {
  return {
    said: said.length,
    late: late.length,
    products: products.length,
    equalities: equalities.length,
  }
}
