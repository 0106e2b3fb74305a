import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as field from '../src/field/babyBear.ts'
import { rootOfUnity } from '../src/field/babyBear.ts'
import type { Kernels } from '../src/kernels/kernels.ts'
import { toMontgomery } from '../src/kernels/montgomery.ts'
import { createWorkspace } from '../src/kernels/wasmKernels.ts'
import type { Workspace } from '../src/kernels/workspace.ts'
import { randomIntegers, scalarWorkspace } from './support/models.ts'

/** Words at the ends of the range beside random ones. */
const EDGES = [0, 1, field.P - 1, (field.P - 1) / 2, (field.P + 1) / 2]

type Heap = {
  /** Random words, compared afterwards: some kernels work in place. */
  words(count: number): number
  bytes(count: number): number
  put(values: readonly number[]): number
  /** Zeroed words, compared afterwards. */
  output(count: number): number
  /** Words that a kernel may leave in any state. */
  scratch(count: number): number
}

/** Runs one kernel in both implementations on the same heap contents and compares everything it may have written. */
function sameResult(name: string, seed: number, call: (kernels: Kernels, heap: Heap) => void): void {
  const results = [createWorkspace(), scalarWorkspace()].map((work: Workspace) => {
    const random = randomIntegers(seed)
    const regions: [number, number][] = []
    const heap: Heap = {
      words(count) {
        const pointer = work.arena.words(count)
        const view = work.arena.view(pointer, count)
        for (let i = 0; i < count; i++)
          view[i] = random(0, 3) === 0 ? (EDGES[random(0, 4)] as number) : random(0, field.P - 1)
        regions.push([pointer, count])
        return pointer
      },
      bytes(count) {
        const pointer = work.arena.allocate(count)
        const view = work.arena.bytes(pointer, count)
        for (let i = 0; i < count; i++) view[i] = random(0, 3) === 0 ? 0x80 : random(0, 255)
        return pointer
      },
      put(values) {
        const pointer = work.arena.words(values.length)
        work.arena.view(pointer, values.length).set(values)
        return pointer
      },
      scratch: (count) => work.arena.words(count),
      output(count) {
        const pointer = work.arena.words(count)
        work.arena.view(pointer, count).fill(0)
        regions.push([pointer, count])
        return pointer
      },
    }
    call(work.kernels, heap)
    return regions.map(([pointer, count]) => [...work.arena.view(pointer, count)])
  })
  assert.deepEqual(results[0], results[1], name)
}

for (const n of [1, 2, 4, 8, 16, 64, 256]) {
  const stride = n + 4 * (n % 8)
  test(`vectors of ${n}: both implementations agree`, () => {
    const vector = (heap: Heap) => heap.words(5 * stride)
    const bits = Math.log2(n)
    for (let from = 0; from <= bits; from++)
      sameResult('expandEq', n, (k, h) => k.expandEq(vector(h), stride, from, bits, h.words(5 * (bits + 1))))
    sameResult('addVector', n, (k, h) => k.addVector(vector(h), stride, vector(h), stride, n))
    sameResult('dotWords', n, (k, h) => k.dotWords(h.words(n), n, vector(h), stride, h.output(5)))
    sameResult('toMontgomery', n, (k, h) => k.toMontgomery(h.words(n), n, h.output(n)))
    sameResult('lookupLeaves', n, (k, h) =>
      k.lookupLeaves(h.words(n), h.words(n), n, h.words(5), h.words(5), vector(h), stride),
    )
    if (n === 1) return
    sameResult('joinFractions', n, (k, h) =>
      k.joinFractions(h.words(5 * n), h.words(5 * n), n, h.output(2.5 * n), h.output(2.5 * n)),
    )
    sameResult('fractionRound', n, (k, h) =>
      k.fractionRound(
        vector(h),
        vector(h),
        vector(h),
        vector(h),
        stride,
        n,
        vector(h),
        stride,
        h.words(5),
        h.output(10),
      ),
    )
    sameResult('foldHalves', n, (k, h) => k.foldHalves(vector(h), stride, n, h.words(5)))
    sameResult('addHalves', n, (k, h) => k.addHalves(vector(h), stride, n))
    sameResult('productRound', n, (k, h) =>
      k.productRound(vector(h), stride, vector(h), stride, n, h.output(10)),
    )
    sameResult('productRoundWords', n, (k, h) =>
      k.productRoundWords(h.words(n), vector(h), stride, n, h.output(10)),
    )
    sameResult('foldWords', n, (k, h) => k.foldWords(h.words(n), n, h.words(5), vector(h), stride))
  })
}

for (const [rows, columns] of [
  [1, 4],
  [3, 4],
  [2, 8],
  [257, 16],
  [600, 8],
  [3, 2056],
] as const) {
  test(`a matrix of ${rows} × ${columns}: both implementations agree`, () => {
    const matrix = (h: Heap) => h.bytes(rows * columns)
    sameResult('foldRowsInt8', 5, (k, h) =>
      k.foldRowsInt8(matrix(h), rows, columns, h.words(5 * rows), h.output(5 * columns)),
    )
    sameResult('dotRowsInt8', 6, (k, h) =>
      k.dotRowsInt8(matrix(h), rows, columns, h.words(5 * columns), h.output(5 * rows)),
    )
    sameResult('foldRowsWords', 7, (k, h) =>
      k.foldRowsWords(h.words(rows * columns), rows, columns, h.words(5 * rows), h.output(5 * columns)),
    )
  })
}

/** Montgomery roots of every stage of an encoding, as the kernel wants them. */
function stageRoots(depth: number): number[] {
  const stages: number[] = []
  for (let bits = depth; bits > 0; bits--) {
    let power = toMontgomery(1)
    for (let i = 0; i < 2 ** (bits - 1); i++, power = field.mul(power, rootOfUnity(bits))) stages.push(power)
  }
  return stages
}

for (const [rows, rowBits] of [
  [1, 4],
  [9, 5],
  [34, 6],
  [35, 4],
] as const) {
  test(`${rows} rows of 2^${rowBits}: codewords and hashes agree`, () => {
    const positions = 2 ** (rowBits + 3)
    sameResult('encodeRows', rows, (k, h) => {
      const messages = h.words(rows * 2 ** rowBits)
      const [roots, scratch] = [h.put(stageRoots(rowBits + 3)), h.scratch(8 * positions)]
      k.encodeRows(messages, rows, rowBits, 3, roots, scratch, h.output(rows * positions))
    })
    sameResult('hashLeaves', rows, (k, h) => k.hashLeaves(h.words(rows * 16), 16, rows, h.output(8 * 16)))
    for (const count of [1, 2, 8])
      sameResult('hashNodes', count, (k, h) => k.hashNodes(h.words(16 * count), count, h.output(8 * count)))
  })
}
