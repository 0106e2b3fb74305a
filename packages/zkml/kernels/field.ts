// BabyBear in Montgomery form, four lanes at a time. Words stay in [0, p); src/kernels/kernels.ts has the layouts.

const P: u32 = 2013265921
/** p^-1 mod 2^32: subtracting (t·p^-1 mod 2^32)·p from t clears its low half exactly (Montgomery 1985). */
const P_INVERSE: u32 = 2281701377
/** 2^64 mod p: a Montgomery product with it is x·2^32, the Montgomery form of x. */
export const R_SQUARED: u32 = 1172168163

// @ts-expect-error: decorator
@inline
export function add(a: v128, b: v128): v128 {
  const sum = i32x4.add(a, b)
  return i32x4.min_u(sum, i32x4.sub(sum, i32x4.splat(P)))
}

// @ts-expect-error: decorator
@inline
export function sub(a: v128, b: v128): v128 {
  const difference = i32x4.sub(a, b)
  return i32x4.min_u(difference, i32x4.add(difference, i32x4.splat(P)))
}

/** What Montgomery reduction takes from the top halves of four 64-bit sums (lanes 0 1 and 2 3), below p. */
// @ts-expect-error: decorator
@inline
function cleared(low: v128, high: v128): v128 {
  const bottoms = v128.shuffle<i32>(low, high, 0, 2, 4, 6)
  const factors = i32x4.mul(bottoms, i32x4.splat(P_INVERSE))
  const p = i32x4.splat(P)
  return v128.shuffle<i32>(
    i64x2.extmul_low_i32x4_u(factors, p),
    i64x2.extmul_high_i32x4_u(factors, p),
    1,
    3,
    5,
    7,
  )
}

/** a·b/2^32. */
// @ts-expect-error: decorator
@inline
export function mul(a: v128, b: v128): v128 {
  const low = i64x2.extmul_low_i32x4_u(a, b)
  const high = i64x2.extmul_high_i32x4_u(a, b)
  return sub(v128.shuffle<i32>(low, high, 1, 3, 5, 7), cleared(low, high))
}

/** The representative between −p/2 and p/2, as a signed word. */
// @ts-expect-error: decorator
@inline
export function centre(a: v128): v128 {
  return i32x4.sub(a, v128.and(i32x4.gt_s(a, i32x4.splat((P - 1) / 2)), i32x4.splat(P)))
}

/** Signed 64-bit sums of at most five products of centred words, over 2^32: top halves are within ±p. */
// @ts-expect-error: decorator
@inline
export function reduceSigned(low: v128, high: v128): v128 {
  const tops = v128.shuffle<i32>(low, high, 1, 3, 5, 7)
  const positive = i32x4.add(tops, v128.and(i32x4.shr_s(tops, 31), i32x4.splat(P)))
  return sub(positive, cleared(low, high))
}
