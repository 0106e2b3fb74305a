/** What the proofs of all nodes share. */

import type { WeightBlock } from '../../circuit/plan.ts'
import type { Ext } from '../../field/extension.ts'
import type { RowContext } from '../../verifier/linear/rowContext.ts'
import type { Columns } from '../columns.ts'

export type ProverContext = RowContext & {
  columns: Columns
  /** Where the model's committed int8 values lie on the heap. */
  weights: number
  /** Blocks with their rows folded at the row's channels, kept for the claims about them. */
  folded: Map<WeightBlock, Ext[]>
}
