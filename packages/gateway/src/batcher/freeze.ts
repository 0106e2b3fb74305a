import { buildBatch, MAX_AGE_SECONDS, MAX_BATCH_RECEIPTS } from '@assay/protocol'
import { expireReceipts, highestHeight, insertBatch, outboxLoad, takeOutbox } from '@assay/store'
import type { Context } from '../context.ts'
import type { BatchLimits } from '../limits.ts'

/** Time that a commit needs to be mined; a receipt closer to its greatest age would make its whole batch invalid. */
const COMMIT_MARGIN_SECONDS = 300n

/**
 * Turns the outbox into batches whose bytes never change again. The database holds a batch whole before the chain hears
 * of it; heights start above whatever the chain knows, also where an older database was lost.
 */
export function createFreezer(context: Context, limits: BatchLimits): () => Promise<void> {
  const { database, chain, committer, deployment } = context
  const size = Math.min(limits.maxReceipts, MAX_BATCH_RECEIPTS)
  let waiting = 0
  context.metrics.gauge('outbox_receipts', 'Receipts that wait for a batch.', () => waiting)
  return async () => {
    for (;;) {
      const load = await outboxLoad(database)
      waiting = load.waiting
      if (load.waiting === 0 || (load.waiting < size && load.oldestMs < limits.maxDelayMs)) return
      const onChain = await chain.lastHeight()
      const batch = await database.transaction(async (transaction) => {
        const taken = await takeOutbox(transaction, size)
        const oldest = BigInt(Math.floor(Date.now() / 1000)) - MAX_AGE_SECONDS + COMMIT_MARGIN_SECONDS
        const stale = taken.filter((signed) => signed.receipt.issuedAt < oldest)
        if (stale.length > 0) {
          await expireReceipts(
            transaction,
            stale.map((signed) => signed.receipt.requestId),
          )
          context.log('receipts_expired', { count: stale.length })
        }
        const receipts = taken.filter((signed) => signed.receipt.issuedAt >= oldest)
        if (receipts.length === 0) return undefined
        let height = await highestHeight(transaction, committer)
        if (onChain > height) height = onChain
        height += 1n
        const built = buildBatch({ deployment, committer, height, receipts })
        await insertBatch(transaction, built)
        return built
      })
      if (batch === undefined) continue
      const { height, count, sum } = batch.header
      context.metrics.count('batches_total', 'frozen')
      context.log('batch_frozen', { batchId: batch.batchId, height, count, sum })
    }
  }
}
