// Keccak-f[1600] on two states at once, one to each half of a vector (FIPS 202, §3.2; Ethereum's padding).

const ROUND_CONSTANTS: usize = memory.data<u64>([
  0x0000000000000001,
  0x0000000000008082,
  0x800000000000808a,
  0x8000000080008000,
  0x000000000000808b,
  0x0000000080000001,
  0x8000000080008081,
  0x8000000000008009,
  0x000000000000008a,
  0x0000000000000088,
  0x0000000080008009,
  0x000000008000000a,
  0x000000008000808b,
  0x800000000000008b,
  0x8000000000008089,
  0x8000000000008003,
  0x8000000000008002,
  0x8000000000000080,
  0x000000000000800a,
  0x800000008000000a,
  0x8000000080008081,
  0x8000000000008080,
  0x0000000080000001,
  0x8000000080008008,
])

/** 25 lanes of two states. */
const STATE = memory.data(400, 16)

// @ts-expect-error: decorator
@inline
function rotate(lane: v128, by: i32): v128 {
  return v128.or(i64x2.shl(lane, by), i64x2.shr_u(lane, 64 - by))
}

function permute(): void {
  let a0 = v128.load(STATE + 0)
  let a1 = v128.load(STATE + 16)
  let a2 = v128.load(STATE + 32)
  let a3 = v128.load(STATE + 48)
  let a4 = v128.load(STATE + 64)
  let a5 = v128.load(STATE + 80)
  let a6 = v128.load(STATE + 96)
  let a7 = v128.load(STATE + 112)
  let a8 = v128.load(STATE + 128)
  let a9 = v128.load(STATE + 144)
  let a10 = v128.load(STATE + 160)
  let a11 = v128.load(STATE + 176)
  let a12 = v128.load(STATE + 192)
  let a13 = v128.load(STATE + 208)
  let a14 = v128.load(STATE + 224)
  let a15 = v128.load(STATE + 240)
  let a16 = v128.load(STATE + 256)
  let a17 = v128.load(STATE + 272)
  let a18 = v128.load(STATE + 288)
  let a19 = v128.load(STATE + 304)
  let a20 = v128.load(STATE + 320)
  let a21 = v128.load(STATE + 336)
  let a22 = v128.load(STATE + 352)
  let a23 = v128.load(STATE + 368)
  let a24 = v128.load(STATE + 384)
  for (let round: usize = 0; round < 24; round++) {
    const c0 = v128.xor(v128.xor(v128.xor(a0, a5), v128.xor(a10, a15)), a20)
    const c1 = v128.xor(v128.xor(v128.xor(a1, a6), v128.xor(a11, a16)), a21)
    const c2 = v128.xor(v128.xor(v128.xor(a2, a7), v128.xor(a12, a17)), a22)
    const c3 = v128.xor(v128.xor(v128.xor(a3, a8), v128.xor(a13, a18)), a23)
    const c4 = v128.xor(v128.xor(v128.xor(a4, a9), v128.xor(a14, a19)), a24)
    const d0 = v128.xor(c4, rotate(c1, 1))
    const d1 = v128.xor(c0, rotate(c2, 1))
    const d2 = v128.xor(c1, rotate(c3, 1))
    const d3 = v128.xor(c2, rotate(c4, 1))
    const d4 = v128.xor(c3, rotate(c0, 1))
    const b0 = v128.xor(a0, d0)
    const b10 = rotate(v128.xor(a1, d1), 1)
    const b20 = rotate(v128.xor(a2, d2), 62)
    const b5 = rotate(v128.xor(a3, d3), 28)
    const b15 = rotate(v128.xor(a4, d4), 27)
    const b16 = rotate(v128.xor(a5, d0), 36)
    const b1 = rotate(v128.xor(a6, d1), 44)
    const b11 = rotate(v128.xor(a7, d2), 6)
    const b21 = rotate(v128.xor(a8, d3), 55)
    const b6 = rotate(v128.xor(a9, d4), 20)
    const b7 = rotate(v128.xor(a10, d0), 3)
    const b17 = rotate(v128.xor(a11, d1), 10)
    const b2 = rotate(v128.xor(a12, d2), 43)
    const b12 = rotate(v128.xor(a13, d3), 25)
    const b22 = rotate(v128.xor(a14, d4), 39)
    const b23 = rotate(v128.xor(a15, d0), 41)
    const b8 = rotate(v128.xor(a16, d1), 45)
    const b18 = rotate(v128.xor(a17, d2), 15)
    const b3 = rotate(v128.xor(a18, d3), 21)
    const b13 = rotate(v128.xor(a19, d4), 8)
    const b14 = rotate(v128.xor(a20, d0), 18)
    const b24 = rotate(v128.xor(a21, d1), 2)
    const b9 = rotate(v128.xor(a22, d2), 61)
    const b19 = rotate(v128.xor(a23, d3), 56)
    const b4 = rotate(v128.xor(a24, d4), 14)
    a0 = v128.xor(v128.xor(b0, v128.andnot(b2, b1)), v128.load64_splat(ROUND_CONSTANTS + 8 * round))
    a1 = v128.xor(b1, v128.andnot(b3, b2))
    a2 = v128.xor(b2, v128.andnot(b4, b3))
    a3 = v128.xor(b3, v128.andnot(b0, b4))
    a4 = v128.xor(b4, v128.andnot(b1, b0))
    a5 = v128.xor(b5, v128.andnot(b7, b6))
    a6 = v128.xor(b6, v128.andnot(b8, b7))
    a7 = v128.xor(b7, v128.andnot(b9, b8))
    a8 = v128.xor(b8, v128.andnot(b5, b9))
    a9 = v128.xor(b9, v128.andnot(b6, b5))
    a10 = v128.xor(b10, v128.andnot(b12, b11))
    a11 = v128.xor(b11, v128.andnot(b13, b12))
    a12 = v128.xor(b12, v128.andnot(b14, b13))
    a13 = v128.xor(b13, v128.andnot(b10, b14))
    a14 = v128.xor(b14, v128.andnot(b11, b10))
    a15 = v128.xor(b15, v128.andnot(b17, b16))
    a16 = v128.xor(b16, v128.andnot(b18, b17))
    a17 = v128.xor(b17, v128.andnot(b19, b18))
    a18 = v128.xor(b18, v128.andnot(b15, b19))
    a19 = v128.xor(b19, v128.andnot(b16, b15))
    a20 = v128.xor(b20, v128.andnot(b22, b21))
    a21 = v128.xor(b21, v128.andnot(b23, b22))
    a22 = v128.xor(b22, v128.andnot(b24, b23))
    a23 = v128.xor(b23, v128.andnot(b20, b24))
    a24 = v128.xor(b24, v128.andnot(b21, b20))
  }
  v128.store(STATE + 0, a0)
  v128.store(STATE + 16, a1)
  v128.store(STATE + 32, a2)
  v128.store(STATE + 48, a3)
  v128.store(STATE + 64, a4)
  v128.store(STATE + 80, a5)
  v128.store(STATE + 96, a6)
  v128.store(STATE + 112, a7)
  v128.store(STATE + 128, a8)
  v128.store(STATE + 144, a9)
  v128.store(STATE + 160, a10)
  v128.store(STATE + 176, a11)
  v128.store(STATE + 192, a12)
  v128.store(STATE + 208, a13)
  v128.store(STATE + 224, a14)
  v128.store(STATE + 240, a15)
  v128.store(STATE + 256, a16)
  v128.store(STATE + 272, a17)
  v128.store(STATE + 288, a18)
  v128.store(STATE + 304, a19)
  v128.store(STATE + 320, a20)
  v128.store(STATE + 336, a21)
  v128.store(STATE + 352, a22)
  v128.store(STATE + 368, a23)
  v128.store(STATE + 384, a24)
}

/** Lanes of a block: the rate of Keccak-256 is 136 bytes. */
const RATE: usize = 17

// @ts-expect-error: decorator
@inline
function lanes(first: u64, second: u64): v128 {
  return i64x2.replace_lane(i64x2.splat(first), 1, second)
}

// @ts-expect-error: decorator
@inline
function absorb(lane: usize, first: u64, second: u64): void {
  const at = STATE + 16 * lane
  v128.store(at, v128.xor(v128.load(at), lanes(first, second)))
}

function start(): void {
  memory.fill(STATE, 0, 400)
}

/** The first 32 bytes of both states. */
function finish(first: usize, second: usize): void {
  permute()
  for (let lane: usize = 0; lane < 4; lane++) {
    const both = v128.load(STATE + 16 * lane)
    store<u64>(first + 8 * lane, i64x2.extract_lane(both, 0))
    store<u64>(second + 8 * lane, i64x2.extract_lane(both, 1))
  }
}

/** Lane `lane` of a leaf's padded message: prefix, words two by two, then the padding's first bit. */
function leafLane(column: usize, lane: usize, rows: usize): u64 {
  if (lane == 0) return <u64>rows << 32
  const word = (lane - 1) * 2
  if (word + 2 <= rows) return load<u64>(column + 4 * word)
  if (word + 1 == rows) return <u64>load<u32>(column + 4 * word) | (<u64>1 << 32)
  return word == rows ? 1 : 0
}

/** out[j] = keccak(0 ‖ rows ‖ column j), for an even number of columns that lie one after another. */
export function hashLeaves(columns: usize, count: usize, rows: usize, out: usize): void {
  // Prefix, words, and one more lane for padding, in whole blocks.
  const blocks = ((rows >> 1) + 1 + RATE) / RATE
  for (let j: usize = 0; j < count; j += 2) {
    const first = columns + 4 * rows * j
    const second = first + 4 * rows
    start()
    for (let block: usize = 0; block < blocks; block++) {
      if (block > 0) permute()
      for (let lane: usize = 0; lane < RATE; lane++) {
        const at = block * RATE + lane
        absorb(lane, leafLane(first, at, rows), leafLane(second, at, rows))
      }
    }
    absorb(RATE - 1, <u64>1 << 63, <u64>1 << 63)
    finish(out + 32 * j, out + 32 * j + 32)
  }
}

/** out[j] = keccak(1 ‖ 0 ‖ left ‖ right), for an even number of nodes. */
export function hashNodes(hashes: usize, count: usize, out: usize): void {
  for (let j: usize = 0; j < count; j += 2) {
    const first = hashes + 64 * j
    start()
    absorb(0, 1, 1)
    for (let lane: usize = 0; lane < 8; lane++)
      absorb(lane + 1, load<u64>(first + 8 * lane), load<u64>(first + 64 + 8 * lane))
    absorb(9, 1, 1)
    absorb(RATE - 1, <u64>1 << 63, <u64>1 << 63)
    finish(out + 32 * j, out + 32 * j + 32)
  }
}
