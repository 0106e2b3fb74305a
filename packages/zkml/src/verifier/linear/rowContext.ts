/** What the checks of all nodes share. */

import type { Plan } from '../../circuit/plan.ts'
import type { Ext } from '../../field/extension.ts'
import type { Point } from '../../field/multilinear.ts'
import type { Claims } from '../claims.ts'

/** What the linear checks stand on: the common random row, and every column's evaluation there. */
export type RowContext = {
  plan: Plan
  /** The point of the leaves; a column of 2^b rows is evaluated at its first b coordinates. */
  row: Point
  evaluations: readonly (Ext | undefined)[]
  claims: Claims
}
