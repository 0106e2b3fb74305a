// The degree-5 extension, four elements at a time. An operand is a pointer and the bytes between its planes, so it may
// lie in a vector on the heap or in a register: five v128 in a row, 16 bytes apart.
import { add, centre, mul, reduceSigned, sub } from './field'

/** Bytes between the planes of a register. */
export const REGISTER: usize = 16

/** (x0·y0 + … + x4·y4)/2^32 for centred words: the sum stays below 5p²/4 < 2^63, so it is reduced once. */
// @ts-expect-error: decorator
@inline
function dot5(
  x0: v128, y0: v128, x1: v128, y1: v128, x2: v128, y2: v128, x3: v128, y3: v128, x4: v128, y4: v128,
): v128 {
  let low = i64x2.extmul_low_i32x4_s(x0, y0)
  let high = i64x2.extmul_high_i32x4_s(x0, y0)
  low = i64x2.add(low, i64x2.extmul_low_i32x4_s(x1, y1))
  high = i64x2.add(high, i64x2.extmul_high_i32x4_s(x1, y1))
  low = i64x2.add(low, i64x2.extmul_low_i32x4_s(x2, y2))
  high = i64x2.add(high, i64x2.extmul_high_i32x4_s(x2, y2))
  low = i64x2.add(low, i64x2.extmul_low_i32x4_s(x3, y3))
  high = i64x2.add(high, i64x2.extmul_high_i32x4_s(x3, y3))
  low = i64x2.add(low, i64x2.extmul_low_i32x4_s(x4, y4))
  high = i64x2.add(high, i64x2.extmul_high_i32x4_s(x4, y4))
  return reduceSigned(low, high)
}

/** out = a·b/2^32, with X^5 = 2: coefficients that wrap use 2b. */
export function extMul(out: usize, so: usize, a: usize, sa: usize, b: usize, sb: usize): void {
  const a0 = centre(v128.load(a))
  const a1 = centre(v128.load(a + sa))
  const a2 = centre(v128.load(a + 2 * sa))
  const a3 = centre(v128.load(a + 3 * sa))
  const a4 = centre(v128.load(a + 4 * sa))
  const w1 = v128.load(b + sb)
  const w2 = v128.load(b + 2 * sb)
  const w3 = v128.load(b + 3 * sb)
  const w4 = v128.load(b + 4 * sb)
  const b0 = centre(v128.load(b))
  const b1 = centre(w1)
  const b2 = centre(w2)
  const b3 = centre(w3)
  const b4 = centre(w4)
  const d1 = centre(add(w1, w1))
  const d2 = centre(add(w2, w2))
  const d3 = centre(add(w3, w3))
  const d4 = centre(add(w4, w4))
  v128.store(out, dot5(a0, b0, a1, d4, a2, d3, a3, d2, a4, d1))
  v128.store(out + so, dot5(a0, b1, a1, b0, a2, d4, a3, d3, a4, d2))
  v128.store(out + 2 * so, dot5(a0, b2, a1, b1, a2, b0, a3, d4, a4, d3))
  v128.store(out + 3 * so, dot5(a0, b3, a1, b2, a2, b1, a3, b0, a4, d4))
  v128.store(out + 4 * so, dot5(a0, b4, a1, b3, a2, b2, a3, b1, a4, b0))
}

// @ts-expect-error: decorator
@inline
export function extAdd(out: usize, so: usize, a: usize, sa: usize, b: usize, sb: usize): void {
  v128.store(out, add(v128.load(a), v128.load(b)))
  v128.store(out + so, add(v128.load(a + sa), v128.load(b + sb)))
  v128.store(out + 2 * so, add(v128.load(a + 2 * sa), v128.load(b + 2 * sb)))
  v128.store(out + 3 * so, add(v128.load(a + 3 * sa), v128.load(b + 3 * sb)))
  v128.store(out + 4 * so, add(v128.load(a + 4 * sa), v128.load(b + 4 * sb)))
}

// @ts-expect-error: decorator
@inline
export function extSub(out: usize, so: usize, a: usize, sa: usize, b: usize, sb: usize): void {
  v128.store(out, sub(v128.load(a), v128.load(b)))
  v128.store(out + so, sub(v128.load(a + sa), v128.load(b + sb)))
  v128.store(out + 2 * so, sub(v128.load(a + 2 * sa), v128.load(b + 2 * sb)))
  v128.store(out + 3 * so, sub(v128.load(a + 3 * sa), v128.load(b + 3 * sb)))
  v128.store(out + 4 * so, sub(v128.load(a + 4 * sa), v128.load(b + 4 * sb)))
}

/** register = a·word/2^32, four words of the base field. */
// @ts-expect-error: decorator
@inline
export function extScale(out: usize, a: usize, sa: usize, words: v128): void {
  v128.store(out, mul(v128.load(a), words))
  v128.store(out + 16, mul(v128.load(a + sa), words))
  v128.store(out + 32, mul(v128.load(a + 2 * sa), words))
  v128.store(out + 48, mul(v128.load(a + 3 * sa), words))
  v128.store(out + 64, mul(v128.load(a + 4 * sa), words))
}

/** register = the same list element in all four lanes. */
export function broadcast(out: usize, element: usize): void {
  for (let plane: usize = 0; plane < 5; plane++)
    v128.store(out + 16 * plane, v128.load32_splat(element + 4 * plane))
}

export function clear(register: usize): void {
  for (let plane: usize = 0; plane < 5; plane++) v128.store(register + 16 * plane, i32x4.splat(0))
}

/** List element = the sum of a register's four lanes. */
export function sumLanes(out: usize, register: usize): void {
  for (let plane: usize = 0; plane < 5; plane++) {
    const lanes = v128.load(register + 16 * plane)
    const pairs = add(lanes, v128.shuffle<i32>(lanes, lanes, 2, 3, 0, 1))
    const total = add(pairs, v128.shuffle<i32>(pairs, pairs, 1, 0, 3, 2))
    store<u32>(out + 4 * plane, i32x4.extract_lane(total, 0))
  }
}
