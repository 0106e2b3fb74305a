import { type Batch, NO_GRANT, type RowKey } from './batch.ts'
import { type Sibling, type SumNode, siblingsOf } from './merkleSum.ts'

/** A row under a grant as `SpendingGrants.settle` takes it: Solidity's `RowItem`. */
export type GrantRow = { key: RowKey; top: SumNode; rowSiblings: Sibling[]; groupSiblings: Sibling[] }

/** The rows of a batch that deposits pay for, in file order, each with its way to the root. */
export function grantRows(batch: Pick<Batch, 'groups' | 'groupLevels'>): GrantRow[] {
  return batch.groups.flatMap((group, groupIndex) =>
    group.rows.flatMap(({ node, payer, grantId, modelId, priceVersion, top }, rowIndex) => {
      if (grantId === NO_GRANT) return []
      const rowSiblings = siblingsOf(group.levels, rowIndex)
      const groupSiblings = siblingsOf(batch.groupLevels, groupIndex)
      return [{ key: { node, payer, grantId, modelId, priceVersion }, top, rowSiblings, groupSiblings }]
    }),
  )
}
