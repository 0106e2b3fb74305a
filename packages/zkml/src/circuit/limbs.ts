/** How remainders are cut into limbs. */

/** Widths of the limbs of a remainder of `shift` bits, each at most `widest`, as even as can be. */
export function limbWidths(shift: number, widest: number): number[] {
  const count = Math.ceil(shift / widest)
  return Array.from({ length: count }, (_, at) => Math.floor((shift + at) / count))
}

/** The limb width that makes for the fewest leaves: wide limbs need fewer lookups, but larger tables. */
export function cheapestLimbWidth(uses: readonly { size: number; shift: number }[]): number {
  let best = { width: 8, leaves: Number.POSITIVE_INFINITY }
  for (let width = 8; width <= 16; width++) {
    const tables = new Set(uses.flatMap(({ shift }) => limbWidths(shift, width)))
    let leaves = 0
    for (const bits of tables) leaves += 2 * 2 ** bits
    for (const { size, shift } of uses) leaves += size * limbWidths(shift, width).length
    if (leaves < best.leaves) best = { width, leaves }
  }
  return best.width
}
