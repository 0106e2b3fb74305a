/** Every kernel in plain TypeScript: slow, and easy to read against its definition in `kernels.ts`. */
import { hashLeaf, hashNode } from '../commitment/merkle.ts'
import * as field from '../field/babyBear.ts'
import type { Ext } from '../field/extension.ts'
import * as ext from '../field/extension.ts'
import { encodeMessage } from '../field/ntt.ts'
import type { Kernels } from './kernels.ts'
import { fromMontgomery, mulMontgomery, toMontgomery } from './montgomery.ts'

export function scalarKernels(memory: WebAssembly.Memory): Kernels {
  const words = (pointer: number, count: number) => new Uint32Array(memory.buffer, pointer, count)
  const all = () => new Uint32Array(memory.buffer)
  const load = (vector: number, stride: number, i: number): Ext => {
    const heap = all()
    return [0, 1, 2, 3, 4].map((plane) => heap[vector / 4 + plane * stride + i] as number) as unknown as Ext
  }
  const store = (vector: number, stride: number, i: number, value: Ext) => {
    const heap = all()
    for (const [plane, word] of value.entries()) heap[vector / 4 + plane * stride + i] = word
  }
  const item = (list: number, i: number): Ext => load(list + 20 * i, 1, 0)
  const put = (list: number, i: number, value: Ext) => store(list + 20 * i, 1, 0, value)
  /** a·b/2^32. */
  const mul = (a: Ext, b: Ext): Ext => ext.scale(ext.mul(a, b), fromMontgomery(1))
  const signed = (byte: number) => (byte << 24) >> 24

  return {
    expandEq(out, stride, from, variables, point) {
      for (let t = from; t < variables; t++) {
        for (let i = 0; i < 2 ** t; i++) {
          const value = load(out, stride, i)
          const high = mul(value, item(point, t - from))
          store(out, stride, i + 2 ** t, high)
          store(out, stride, i, ext.sub(value, high))
        }
      }
    },

    addVector(a, strideA, b, strideB, n) {
      for (let i = 0; i < n; i++) store(a, strideA, i, ext.add(load(a, strideA, i), load(b, strideB, i)))
    },

    foldRowsInt8(matrix, rows, columns, weights, out) {
      const bytes = new Int8Array(memory.buffer, matrix, rows * columns)
      for (let j = 0; j < columns; j++) {
        let sum = ext.ZERO
        for (let i = 0; i < rows; i++)
          sum = ext.add(sum, ext.scale(item(weights, i), field.fromInteger(bytes[i * columns + j] as number)))
        store(out, columns, j, sum)
      }
    },

    dotRowsInt8(matrix, rows, columns, weights, out) {
      const bytes = new Uint8Array(memory.buffer, matrix, rows * columns)
      for (let i = 0; i < rows; i++) {
        let sum = ext.ZERO
        for (let j = 0; j < columns; j++) {
          const weight = field.fromInteger(signed(bytes[i * columns + j] as number))
          sum = ext.add(sum, ext.scale(load(weights, columns, j), weight))
        }
        put(out, i, sum)
      }
    },

    foldRowsWords(matrix, rows, columns, weights, out) {
      const entries = words(matrix, rows * columns)
      for (let j = 0; j < columns; j++) {
        let sum = ext.ZERO
        for (let i = 0; i < rows; i++)
          sum = ext.add(sum, ext.scale(item(weights, i), fromMontgomery(entries[i * columns + j] as number)))
        store(out, columns, j, sum)
      }
    },

    dotWords(column, n, weights, stride, out) {
      const entries = words(column, n)
      let sum = ext.ZERO
      for (let i = 0; i < n; i++)
        sum = ext.add(sum, ext.scale(load(weights, stride, i), fromMontgomery(entries[i] as number)))
      put(out, 0, sum)
    },

    encodeRows(messages, rows, rowBits, blowupBits, _roots, _scratch, out) {
      for (let i = 0; i < rows; i++) {
        const word = encodeMessage(words(messages + 4 * i * 2 ** rowBits, 2 ** rowBits), blowupBits)
        const columns = words(out, rows * word.length)
        for (const [j, value] of word.entries()) columns[j * rows + i] = value
      }
    },

    hashLeaves(columns, count, rows, out) {
      for (let j = 0; j < count; j++) {
        const column = new Uint8Array(memory.buffer, columns + 4 * rows * j, 4 * rows)
        new Uint8Array(memory.buffer, out + 32 * j, 32).set(hashLeaf(column))
      }
    },

    hashNodes(hashes, count, out) {
      const hash = (index: number) => new Uint8Array(memory.buffer, hashes + 32 * index, 32)
      for (let j = 0; j < count; j++)
        new Uint8Array(memory.buffer, out + 32 * j, 32).set(hashNode(hash(2 * j), hash(2 * j + 1)))
    },

    lookupLeaves(first, second, n, base, beta, out, stride) {
      const [a, b] = [words(first, n), words(second, n)]
      const [start, factor] = [item(base, 0), item(beta, 0)]
      for (let i = 0; i < n; i++) {
        const weighted = ext.scale(factor, fromMontgomery(b[i] as number))
        const taken = ext.add(ext.fromBase(toMontgomery(a[i] as number)), weighted)
        store(out, stride, i, ext.sub(start, taken))
      }
    },

    toMontgomery(plain, n, out) {
      const [from, to] = [words(plain, n), words(out, n)]
      for (let i = 0; i < n; i++) to[i] = toMontgomery(from[i] as number)
    },

    joinFractions(p, q, n, outP, outQ) {
      const half = n / 2
      for (let i = 0; i < half; i++) {
        const [p0, p1] = [load(p, n, i), load(p, n, i + half)]
        const [q0, q1] = [load(q, n, i), load(q, n, i + half)]
        store(outP, half, i, ext.add(mul(p0, q1), mul(p1, q0)))
        store(outQ, half, i, mul(q0, q1))
      }
    },

    fractionRound(p0, p1, q0, q1, stride, n, weights, weightsStride, lambda, out) {
      const factor = item(lambda, 0)
      const summand = (children: readonly Ext[]) => {
        const [a0, a1, b0, b1] = children as [Ext, Ext, Ext, Ext]
        return ext.add(mul(b1, ext.add(a0, mul(factor, b0))), mul(a1, b0))
      }
      let [atZero, leading] = [ext.ZERO, ext.ZERO]
      for (let i = 0; i < n / 2; i++) {
        const weight = load(weights, weightsStride, i)
        const lows = [p0, p1, q0, q1].map((vector) => load(vector, stride, i))
        const highs = [p0, p1, q0, q1].map((vector) => load(vector, stride, i + n / 2))
        const steps = highs.map((high, at) => ext.sub(high, lows[at] as Ext))
        atZero = ext.add(atZero, mul(weight, summand(lows)))
        leading = ext.add(leading, mul(weight, summand(steps)))
      }
      put(out, 0, atZero)
      put(out, 1, leading)
    },

    foldHalves(vector, stride, n, challenge) {
      const factor = item(challenge, 0)
      for (let i = 0; i < n / 2; i++) {
        const low = load(vector, stride, i)
        const step = ext.sub(load(vector, stride, i + n / 2), low)
        store(vector, stride, i, ext.add(low, mul(factor, step)))
      }
    },

    addHalves(vector, stride, n) {
      for (let i = 0; i < n / 2; i++)
        store(vector, stride, i, ext.add(load(vector, stride, i), load(vector, stride, i + n / 2)))
    },

    productRound(a, strideA, b, strideB, n, out) {
      let [atZero, leading] = [ext.ZERO, ext.ZERO]
      for (let i = 0; i < n / 2; i++) {
        const [a0, b0] = [load(a, strideA, i), load(b, strideB, i)]
        const stepA = ext.sub(load(a, strideA, i + n / 2), a0)
        const stepB = ext.sub(load(b, strideB, i + n / 2), b0)
        atZero = ext.add(atZero, mul(a0, b0))
        leading = ext.add(leading, mul(stepA, stepB))
      }
      put(out, 0, atZero)
      put(out, 1, leading)
    },

    productRoundWords(a, b, strideB, n, out) {
      const column = words(a, n)
      let [atZero, leading] = [ext.ZERO, ext.ZERO]
      for (let i = 0; i < n / 2; i++) {
        const [low, high] = [column[i] as number, column[i + n / 2] as number]
        const b0 = load(b, strideB, i)
        const stepB = ext.sub(load(b, strideB, i + n / 2), b0)
        atZero = ext.add(atZero, ext.scale(b0, fromMontgomery(low)))
        leading = ext.add(leading, ext.scale(stepB, fromMontgomery(field.sub(high, low))))
      }
      put(out, 0, atZero)
      put(out, 1, leading)
    },

    foldWords(column, n, challenge, out, stride) {
      const values = words(column, n)
      const factor = item(challenge, 0)
      for (let i = 0; i < n / 2; i++) {
        const [low, high] = [values[i] as number, values[i + n / 2] as number]
        const step = ext.scale(factor, mulMontgomery(1, field.sub(high, low)))
        store(out, stride, i, ext.add(ext.fromBase(low), step))
      }
    },
  }
}
