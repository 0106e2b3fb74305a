// Matrices of int8 weights, and of words, against vectors of extension elements.
//
// An extension coefficient e is centred and cut into two 16-bit limbs, e = low + 2^15·high with 0 ≤ low < 2^15, so that
// the multiply–add of 16-bit pairs does two products a lane. 256 products of at most 2^7·2^15 stay below 2^31.
import { add, mul } from './field'

const P: i64 = 2013265921
/** Rows or column pairs that a 32-bit accumulator takes. */
const BLOCK: usize = 256
const LIMBS: usize = 10

/** Limb `limb` of ten: coefficient limb/2, low or high. */
// @ts-expect-error: decorator
@inline
function limbOf(word: u32, high: bool): i32 {
  const centred = <i32>word > 1006632960 ? <i32>word - 2013265921 : <i32>word
  return high ? centred >> 15 : centred & 0x7fff
}

// @ts-expect-error: decorator
@inline
function canonical(value: i64): u32 {
  const rest = value % P
  return <u32>(rest < 0 ? rest + P : rest)
}

/** Two rows' limbs side by side, ten to a pair of rows; `pairs` is scratch for 40·⌈BLOCK/2⌉ bytes. */
const PAIRS = memory.data(5120, 16)

/**
 * out[j] = Σ weights[i]·matrix[i][j]. Rows are taken in blocks, so that a block's bytes stay in the cache while all
 * columns pass; `columns` is a multiple of four, and out is added to, so it must start at zero.
 */
export function foldRowsInt8(matrix: usize, rows: usize, columns: usize, weights: usize, out: usize): void {
  for (let start: usize = 0; start < rows; start += BLOCK) {
    const count = min(BLOCK, rows - start)
    const pairs = (count + 1) >> 1
    for (let pair: usize = 0; pair < pairs; pair++) {
      for (let limb: usize = 0; limb < LIMBS; limb++) {
        const at = weights + 20 * (start + pair * 2) + 4 * (limb >> 1)
        const first = limbOf(load<u32>(at), (limb & 1) != 0)
        const second = pair * 2 + 1 < count ? limbOf(load<u32>(at + 20), (limb & 1) != 0) : 0
        store<u32>(PAIRS + 40 * pair + 4 * limb, (<u32>second << 16) | (<u32>first & 0xffff))
      }
    }
    const block = matrix + start * columns
    for (let j: usize = 0; j < columns; j += 4) foldFour(block + j, count, columns, out + 4 * j, 4 * columns)
  }
}

/** Four columns of a block of rows. */
function foldFour(block: usize, rows: usize, columns: usize, out: usize, plane: usize): void {
  let s0 = i32x4.splat(0)
  let s1 = i32x4.splat(0)
  let s2 = i32x4.splat(0)
  let s3 = i32x4.splat(0)
  let s4 = i32x4.splat(0)
  let s5 = i32x4.splat(0)
  let s6 = i32x4.splat(0)
  let s7 = i32x4.splat(0)
  let s8 = i32x4.splat(0)
  let s9 = i32x4.splat(0)
  let limbs: usize = PAIRS
  for (let row: usize = 0; row < rows; row += 2, limbs += 40) {
    const first = v128.load32_zero(block + row * columns)
    const second = row + 1 < rows ? v128.load32_zero(block + (row + 1) * columns) : i32x4.splat(0)
    const both = i16x8.extend_low_i8x16_s(
      v128.shuffle<i8>(first, second, 0, 16, 1, 17, 2, 18, 3, 19, 0, 0, 0, 0, 0, 0, 0, 0),
    )
    s0 = i32x4.add(s0, i32x4.dot_i16x8_s(both, v128.load32_splat(limbs)))
    s1 = i32x4.add(s1, i32x4.dot_i16x8_s(both, v128.load32_splat(limbs + 4)))
    s2 = i32x4.add(s2, i32x4.dot_i16x8_s(both, v128.load32_splat(limbs + 8)))
    s3 = i32x4.add(s3, i32x4.dot_i16x8_s(both, v128.load32_splat(limbs + 12)))
    s4 = i32x4.add(s4, i32x4.dot_i16x8_s(both, v128.load32_splat(limbs + 16)))
    s5 = i32x4.add(s5, i32x4.dot_i16x8_s(both, v128.load32_splat(limbs + 20)))
    s6 = i32x4.add(s6, i32x4.dot_i16x8_s(both, v128.load32_splat(limbs + 24)))
    s7 = i32x4.add(s7, i32x4.dot_i16x8_s(both, v128.load32_splat(limbs + 28)))
    s8 = i32x4.add(s8, i32x4.dot_i16x8_s(both, v128.load32_splat(limbs + 32)))
    s9 = i32x4.add(s9, i32x4.dot_i16x8_s(both, v128.load32_splat(limbs + 36)))
  }
  settleFour(out, s0, s1)
  settleFour(out + plane, s2, s3)
  settleFour(out + 2 * plane, s4, s5)
  settleFour(out + 3 * plane, s6, s7)
  settleFour(out + 4 * plane, s8, s9)
}

/** Four words += low + 2^15·high. */
function settleFour(out: usize, low: v128, high: v128): void {
  settle(out, i32x4.extract_lane(low, 0), i32x4.extract_lane(high, 0))
  settle(out + 4, i32x4.extract_lane(low, 1), i32x4.extract_lane(high, 1))
  settle(out + 8, i32x4.extract_lane(low, 2), i32x4.extract_lane(high, 2))
  settle(out + 12, i32x4.extract_lane(low, 3), i32x4.extract_lane(high, 3))
}

// @ts-expect-error: decorator
@inline
function settle(out: usize, low: i32, high: i32): void {
  store<u32>(out, canonical(<i64>load<u32>(out) + <i64>low + (<i64>high << 15)))
}

/**
 * out[i] = Σ weights[j]·matrix[i][j]; columns is a multiple of eight, `limbs` scratch for 20 bytes a column, and out is
 * added to, so it must start at zero.
 */
export function dotRowsInt8(
  matrix: usize, rows: usize, columns: usize, weights: usize, out: usize, limbs: usize,
): void {
  const plane = columns * 2
  for (let limb: usize = 0; limb < LIMBS; limb++) {
    const words = weights + 4 * columns * (limb >> 1)
    for (let j: usize = 0; j < columns; j++)
      store<i16>(limbs + plane * limb + j * 2, <i16>limbOf(load<u32>(words + 4 * j), (limb & 1) != 0))
  }
  for (let row: usize = 0; row < rows; row++) {
    // A lane takes two products of a step of eight columns, so a block is 128 steps.
    for (let start: usize = 0; start < columns; start += 1024)
      dotBlock(matrix + row * columns, start, min(start + 1024, columns), limbs, plane, out + 20 * row)
  }
}

function dotBlock(row: usize, start: usize, end: usize, limbs: usize, plane: usize, out: usize): void {
  let s0 = i32x4.splat(0)
  let s1 = i32x4.splat(0)
  let s2 = i32x4.splat(0)
  let s3 = i32x4.splat(0)
  let s4 = i32x4.splat(0)
  let s5 = i32x4.splat(0)
  let s6 = i32x4.splat(0)
  let s7 = i32x4.splat(0)
  let s8 = i32x4.splat(0)
  let s9 = i32x4.splat(0)
  for (let j = start; j < end; j += 8) {
    const w = v128.load8x8_s(row + j)
    const at = limbs + 2 * j
    s0 = i32x4.add(s0, i32x4.dot_i16x8_s(w, v128.load(at)))
    s1 = i32x4.add(s1, i32x4.dot_i16x8_s(w, v128.load(at + plane)))
    s2 = i32x4.add(s2, i32x4.dot_i16x8_s(w, v128.load(at + 2 * plane)))
    s3 = i32x4.add(s3, i32x4.dot_i16x8_s(w, v128.load(at + 3 * plane)))
    s4 = i32x4.add(s4, i32x4.dot_i16x8_s(w, v128.load(at + 4 * plane)))
    s5 = i32x4.add(s5, i32x4.dot_i16x8_s(w, v128.load(at + 5 * plane)))
    s6 = i32x4.add(s6, i32x4.dot_i16x8_s(w, v128.load(at + 6 * plane)))
    s7 = i32x4.add(s7, i32x4.dot_i16x8_s(w, v128.load(at + 7 * plane)))
    s8 = i32x4.add(s8, i32x4.dot_i16x8_s(w, v128.load(at + 8 * plane)))
    s9 = i32x4.add(s9, i32x4.dot_i16x8_s(w, v128.load(at + 9 * plane)))
  }
  settleSum(out, s0, s1)
  settleSum(out + 4, s2, s3)
  settleSum(out + 8, s4, s5)
  settleSum(out + 12, s6, s7)
  settleSum(out + 16, s8, s9)
}

// @ts-expect-error: decorator
@inline
function total(lanes: v128): i64 {
  return (
    <i64>i32x4.extract_lane(lanes, 0) +
    <i64>i32x4.extract_lane(lanes, 1) +
    <i64>i32x4.extract_lane(lanes, 2) +
    <i64>i32x4.extract_lane(lanes, 3)
  )
}

function settleSum(out: usize, low: v128, high: v128): void {
  store<u32>(out, canonical(<i64>load<u32>(out) + total(low) + (total(high) << 15)))
}

/** out[j] = Σ weights[i]·matrix[i][j]/2^32, words; columns is a multiple of four, out must start at zero. */
export function foldRowsWords(matrix: usize, rows: usize, columns: usize, weights: usize, out: usize): void {
  for (let row: usize = 0; row < rows; row++) {
    const e0 = v128.load32_splat(weights + 20 * row)
    const e1 = v128.load32_splat(weights + 20 * row + 4)
    const e2 = v128.load32_splat(weights + 20 * row + 8)
    const e3 = v128.load32_splat(weights + 20 * row + 12)
    const e4 = v128.load32_splat(weights + 20 * row + 16)
    const from = matrix + 4 * row * columns
    for (let j: usize = 0; j < 4 * columns; j += 16) {
      const word = v128.load(from + j)
      let to = out + j
      v128.store(to, add(v128.load(to), mul(word, e0)))
      to += 4 * columns
      v128.store(to, add(v128.load(to), mul(word, e1)))
      to += 4 * columns
      v128.store(to, add(v128.load(to), mul(word, e2)))
      to += 4 * columns
      v128.store(to, add(v128.load(to), mul(word, e3)))
      to += 4 * columns
      v128.store(to, add(v128.load(to), mul(word, e4)))
    }
  }
}
