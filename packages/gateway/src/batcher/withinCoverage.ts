import { type BatchEntry, MAX_BATCH_NODES, receiptExposure } from '@assay/protocol'
import type { Address } from 'viem'

/**
 * Those of the receipts that one batch can hold: in order, as long as what they put at risk is covered by the bond of
 * the committer and of each node, for Settlement refuses a batch of more. The others wait for the next.
 * @param coverage what an operator's bond can carry in all, OPG base units
 */
export function withinCoverage(
  receipts: readonly BatchEntry[],
  committer: Address,
  coverage: ReadonlyMap<Address, bigint>,
): BatchEntry[] {
  const room = new Map(coverage)
  const nodes = new Set<Address>()
  const roomOf = (operator: Address) => room.get(operator) ?? 0n
  return receipts.filter(({ receipt }) => {
    const exposure = receiptExposure(receipt)
    const node = receipt.node.toLowerCase() as Address
    if (!nodes.has(node) && nodes.size === MAX_BATCH_NODES) return false
    // Where the committer runs the node itself, its one bond stands for both.
    const needed = node === committer ? 2n * exposure : exposure
    if (needed > roomOf(committer) || needed > roomOf(node)) return false
    nodes.add(node)
    for (const operator of new Set([committer, node])) room.set(operator, roomOf(operator) - needed)
    return true
  })
}
