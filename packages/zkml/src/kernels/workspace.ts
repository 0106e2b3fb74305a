/** Kernels with their memory, and the crossing between TypeScript's elements and the heap's. */
import type { Ext } from '../field/extension.ts'
import type { Arena } from './arena.ts'
import type { Kernels } from './kernels.ts'
import { extFromMontgomery, extToMontgomery } from './montgomery.ts'

export class Workspace {
  readonly kernels: Kernels
  readonly arena: Arena

  constructor(kernels: Kernels, arena: Arena) {
    this.kernels = kernels
    this.arena = arena
  }

  /** A list of extension elements on the heap. */
  list(values: readonly Ext[]): number {
    const pointer = this.arena.words(5 * Math.max(1, values.length))
    this.arena.view(pointer, 5 * values.length).set(values.flat())
    return pointer
  }

  /** A list in Montgomery form. */
  montgomeryList(values: readonly Ext[]): number {
    return this.list(values.map(extToMontgomery))
  }

  readList(pointer: number, count: number): Ext[] {
    const words = this.arena.view(pointer, 5 * count)
    return Array.from({ length: count }, (_, i) => [...words.subarray(5 * i, 5 * i + 5)] as unknown as Ext)
  }

  readMontgomeryList(pointer: number, count: number): Ext[] {
    return this.readList(pointer, count).map(extFromMontgomery)
  }

  /** A plain vector of n, plane by plane. */
  vector(values: readonly Ext[]): number {
    const n = values.length
    const pointer = this.arena.words(5 * n)
    const words = this.arena.view(pointer, 5 * n)
    for (const [i, value] of values.entries())
      for (let plane = 0; plane < 5; plane++) words[plane * n + i] = value[plane] as number
    return pointer
  }

  /** The first n elements of a vector. */
  readVector(pointer: number, stride: number, n: number): Ext[] {
    const words = this.arena.view(pointer, 4 * stride + n)
    return Array.from({ length: n }, (_, i): Ext => {
      const at = (plane: number) => words[plane * stride + i] as number
      return [at(0), at(1), at(2), at(3), at(4)]
    })
  }

  /** scale·eq(point, i) into a vector that starts at `out`; Montgomery form. */
  expandEq(out: number, stride: number, point: readonly Ext[], scale: Ext): void {
    const mark = this.arena.mark()
    const list = this.montgomeryList(point)
    const words = this.arena.view(out, 4 * stride + 1)
    for (const [plane, word] of extToMontgomery(scale).entries()) words[plane * stride] = word
    this.kernels.expandEq(out, stride, 0, point.length, list)
    this.arena.release(mark)
  }
}
