/** Claims that the layers leave behind, for the commitments to answer. */
import type { Multipliers } from '../circuit/architecture.ts'
import type { ValueIndex, WeightBlock } from '../circuit/plan.ts'
import type { Ext } from '../field/extension.ts'
import type { Point } from '../field/multilinear.ts'

/** "The multilinear extension of this column at this point is this." */
export type ColumnClaim = { column: ValueIndex; point: Point; value: Ext }

/**
 * Weights of one side of a matrix: eq of a point; the powers of 256 that recompose a bias; or, for units, eq of the row's
 * channels times the unit's multiplier and, under groups, times eq of `group` over the unit's group, its high bits.
 */
export type Side =
  | { kind: 'point'; point: Point }
  | { kind: 'digits' }
  | { kind: 'units'; point: Point; multipliers: Multipliers | undefined; group: Point }

/** "Σ over rows and columns of high[row]·low[column]·block[row][column] is this." */
export type WeightClaim = { block: WeightBlock; low: Side; high: Side; value: Ext }

/** What has been claimed so far, in an order that both sides share. */
export type Claims = { columns: ColumnClaim[]; weights: WeightClaim[] }
