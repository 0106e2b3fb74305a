// Sumchecks and lookups over vectors whose lengths (n, and n/2 where halves are joined) are multiples of four.

import { broadcast, clear, extAdd, extMul, extScale, extSub, REGISTER, sumLanes } from './extension'
import { add, mul, R_SQUARED, sub } from './field'

// Registers of the kernels below.
const A = memory.data(80, 16)
const B = memory.data(80, 16)
const C = memory.data(80, 16)
const D = memory.data(80, 16)
const E = memory.data(80, 16)
const F = memory.data(80, 16)
const SUM_AT_ZERO = memory.data(80, 16)
const SUM_LEADING = memory.data(80, 16)

/** from ≥ 2. */
export function expandEq(out: usize, stride: usize, from: i32, variables: i32, point: usize): void {
  const s = stride << 2
  for (let t = from; t < variables; t++) {
    broadcast(A, point + 20 * (t - from))
    const size: usize = (<usize>1) << (t + 2)
    for (let low = out, end = out + size; low < end; low += 16) {
      extMul(low + size, s, low, s, A, REGISTER)
      extSub(low, s, low, s, low + size, s)
    }
  }
}

export function addVector(a: usize, strideA: usize, b: usize, strideB: usize, n: usize): void {
  for (let i: usize = 0; i < 4 * n; i += 16)
    extAdd(a + i, strideA << 2, a + i, strideA << 2, b + i, strideB << 2)
}

export function toMontgomery(words: usize, n: usize, out: usize): void {
  const factor = i32x4.splat(R_SQUARED)
  for (let i: usize = 0; i < 4 * n; i += 16) v128.store(out + i, mul(v128.load(words + i), factor))
}

export function lookupLeaves(
  first: usize,
  second: usize,
  n: usize,
  base: usize,
  beta: usize,
  out: usize,
  stride: usize,
): void {
  const factor = i32x4.splat(R_SQUARED)
  broadcast(A, base)
  broadcast(B, beta)
  for (let i: usize = 0; i < 4 * n; i += 16) {
    extScale(C, B, REGISTER, v128.load(second + i))
    v128.store(C, add(v128.load(C), mul(v128.load(first + i), factor)))
    extSub(out + i, stride << 2, A, REGISTER, C, REGISTER)
  }
}

export function joinFractions(p: usize, q: usize, n: usize, outP: usize, outQ: usize): void {
  const half = n << 1
  const s = n << 2
  for (let i: usize = 0; i < half; i += 16) {
    extMul(A, REGISTER, p + i, s, q + half + i, s)
    extMul(B, REGISTER, p + half + i, s, q + i, s)
    extAdd(outP + i, half, A, REGISTER, B, REGISTER)
    extMul(outQ + i, half, q + i, s, q + half + i, s)
  }
}

/** register C = weight·((p₀ + lambda·q₀)·q₁ + p₁·q₀); lambda is in register F. Uses A and B. */
function summand(p0: usize, p1: usize, q0: usize, q1: usize, s: usize, weight: usize, sw: usize): void {
  extMul(A, REGISTER, q0, s, F, REGISTER)
  extAdd(A, REGISTER, A, REGISTER, p0, s)
  extMul(A, REGISTER, A, REGISTER, q1, s)
  extMul(B, REGISTER, p1, s, q0, s)
  extAdd(A, REGISTER, A, REGISTER, B, REGISTER)
  extMul(C, REGISTER, A, REGISTER, weight, sw)
}

// Differences of the four children between the halves.
const P0 = memory.data(80, 16)
const P1 = memory.data(80, 16)
const Q0 = memory.data(80, 16)
const Q1 = memory.data(80, 16)

export function fractionRound(
  p0: usize,
  p1: usize,
  q0: usize,
  q1: usize,
  stride: usize,
  n: usize,
  weights: usize,
  weightsStride: usize,
  lambda: usize,
  out: usize,
): void {
  const s = stride << 2
  const sw = weightsStride << 2
  const half = n << 1
  broadcast(F, lambda)
  clear(SUM_AT_ZERO)
  clear(SUM_LEADING)
  for (let i: usize = 0; i < half; i += 16) {
    summand(p0 + i, p1 + i, q0 + i, q1 + i, s, weights + i, sw)
    extAdd(SUM_AT_ZERO, REGISTER, SUM_AT_ZERO, REGISTER, C, REGISTER)
    extSub(P0, REGISTER, p0 + half + i, s, p0 + i, s)
    extSub(P1, REGISTER, p1 + half + i, s, p1 + i, s)
    extSub(Q0, REGISTER, q0 + half + i, s, q0 + i, s)
    extSub(Q1, REGISTER, q1 + half + i, s, q1 + i, s)
    summand(P0, P1, Q0, Q1, REGISTER, weights + i, sw)
    extAdd(SUM_LEADING, REGISTER, SUM_LEADING, REGISTER, C, REGISTER)
  }
  sumLanes(out, SUM_AT_ZERO)
  sumLanes(out + 20, SUM_LEADING)
}

export function foldHalves(vector: usize, stride: usize, n: usize, challenge: usize): void {
  const s = stride << 2
  const half = n << 1
  broadcast(D, challenge)
  for (let low = vector, end = vector + half; low < end; low += 16) {
    extSub(E, REGISTER, low + half, s, low, s)
    extMul(E, REGISTER, E, REGISTER, D, REGISTER)
    extAdd(low, s, low, s, E, REGISTER)
  }
}

export function addHalves(vector: usize, stride: usize, n: usize): void {
  const s = stride << 2
  const half = n << 1
  for (let low = vector, end = vector + half; low < end; low += 16) extAdd(low, s, low, s, low + half, s)
}

export function productRound(a: usize, strideA: usize, b: usize, strideB: usize, n: usize, out: usize): void {
  const sa = strideA << 2
  const sb = strideB << 2
  const half = n << 1
  clear(SUM_AT_ZERO)
  clear(SUM_LEADING)
  for (let i: usize = 0; i < half; i += 16) {
    extMul(C, REGISTER, a + i, sa, b + i, sb)
    extAdd(SUM_AT_ZERO, REGISTER, SUM_AT_ZERO, REGISTER, C, REGISTER)
    extSub(A, REGISTER, a + half + i, sa, a + i, sa)
    extSub(B, REGISTER, b + half + i, sb, b + i, sb)
    extMul(C, REGISTER, A, REGISTER, B, REGISTER)
    extAdd(SUM_LEADING, REGISTER, SUM_LEADING, REGISTER, C, REGISTER)
  }
  sumLanes(out, SUM_AT_ZERO)
  sumLanes(out + 20, SUM_LEADING)
}

export function productRoundWords(a: usize, b: usize, strideB: usize, n: usize, out: usize): void {
  const sb = strideB << 2
  const half = n << 1
  clear(SUM_AT_ZERO)
  clear(SUM_LEADING)
  for (let i: usize = 0; i < half; i += 16) {
    const low = v128.load(a + i)
    extScale(C, b + i, sb, low)
    extAdd(SUM_AT_ZERO, REGISTER, SUM_AT_ZERO, REGISTER, C, REGISTER)
    extSub(B, REGISTER, b + half + i, sb, b + i, sb)
    extScale(C, B, REGISTER, sub(v128.load(a + half + i), low))
    extAdd(SUM_LEADING, REGISTER, SUM_LEADING, REGISTER, C, REGISTER)
  }
  sumLanes(out, SUM_AT_ZERO)
  sumLanes(out + 20, SUM_LEADING)
}

export function foldWords(words: usize, n: usize, challenge: usize, out: usize, stride: usize): void {
  const half = n << 1
  broadcast(D, challenge)
  for (let i: usize = 0; i < half; i += 16) {
    const low = v128.load(words + i)
    extScale(C, D, REGISTER, sub(v128.load(words + half + i), low))
    v128.store(C, add(v128.load(C), low))
    for (let plane: usize = 0; plane < 5; plane++)
      v128.store(out + i + 4 * plane * stride, v128.load(C + 16 * plane))
  }
}

export function dotWords(column: usize, n: usize, weights: usize, stride: usize, out: usize): void {
  clear(SUM_AT_ZERO)
  for (let i: usize = 0; i < 4 * n; i += 16) {
    extScale(C, weights + i, stride << 2, v128.load(column + i))
    extAdd(SUM_AT_ZERO, REGISTER, SUM_AT_ZERO, REGISTER, C, REGISTER)
  }
  sumLanes(out, SUM_AT_ZERO)
}
