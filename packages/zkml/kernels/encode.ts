// Reed–Solomon encoding: decimation in frequency, output bit-reversed, as field/ntt.ts does it.
import { add, mul, sub } from './field'

/** Rows encoded together, so that the transposed writes fill half a cache line. */
const BATCH: usize = 8

/**
 * `stages` holds the Montgomery roots of every stage one after another, the largest first: n/2, n/4, …, 1 of them.
 * `scratch` holds BATCH codewords. rowBits is at least 3.
 */
export function encodeRows(
  messages: usize,
  rows: usize,
  rowBits: i32,
  blowupBits: i32,
  stages: usize,
  scratch: usize,
  out: usize,
): void {
  const size: usize = (<usize>1) << rowBits
  const n: usize = size << blowupBits
  for (let start: usize = 0; start < rows; start += BATCH) {
    const count = min(BATCH, rows - start)
    for (let row: usize = 0; row < count; row++)
      encodeRow(messages + 4 * (start + row) * size, size, n, stages, scratch + 4 * row * n)
    for (let j: usize = 0; j < n; j++) {
      const to = out + 4 * (j * rows + start)
      for (let row: usize = 0; row < count; row++)
        store<u32>(to + 4 * row, load<u32>(scratch + 4 * (row * n + j)))
    }
  }
}

function encodeRow(message: usize, size: usize, n: usize, stages: usize, word: usize): void {
  memory.copy(word, message, 4 * size)
  let roots = stages
  let half = n >> 1
  // While the message is shorter than half a block, the other half is zero: (x, 0) becomes (x, x·root).
  for (; half >= size; roots += 4 * half, half >>= 1) {
    for (let start: usize = 0; start < n; start += 2 * half) {
      const low = word + 4 * start
      for (let i: usize = 0; i < 4 * size; i += 16)
        v128.store(low + 4 * half + i, mul(v128.load(low + i), v128.load(roots + i)))
    }
  }
  for (; half >= 4; roots += 4 * half, half >>= 1) {
    for (let start: usize = 0; start < n; start += 2 * half) {
      const low = word + 4 * start
      const high = low + 4 * half
      for (let i: usize = 0; i < 4 * half; i += 16) {
        const a = v128.load(low + i)
        const b = v128.load(high + i)
        v128.store(low + i, add(a, b))
        v128.store(high + i, mul(sub(a, b), v128.load(roots + i)))
      }
    }
  }
  lastStages(word, n, roots)
}

/** The stages of half-size 2 and 1, inside vectors. */
function lastStages(word: usize, n: usize, roots: usize): void {
  const pair = v128.load64_splat(roots)
  for (let i: usize = 0; i < 4 * n; i += 32) {
    const a = v128.load(word + i)
    const b = v128.load(word + i + 16)
    const low = v128.shuffle<i32>(a, b, 0, 1, 4, 5)
    const high = v128.shuffle<i32>(a, b, 2, 3, 6, 7)
    const sums = add(low, high)
    const differences = mul(sub(low, high), pair)
    // Lanes: sums s0 s1 | t0 t1, differences likewise, of a and of b.
    const even = v128.shuffle<i32>(sums, differences, 0, 4, 2, 6)
    const odd = v128.shuffle<i32>(sums, differences, 1, 5, 3, 7)
    const x = add(even, odd)
    const y = sub(even, odd)
    v128.store(word + i, v128.shuffle<i32>(x, y, 0, 4, 1, 5))
    v128.store(word + i + 16, v128.shuffle<i32>(x, y, 2, 6, 3, 7))
  }
}
