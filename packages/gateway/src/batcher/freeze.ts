import { type BatchEntry, MAX_AGE_SECONDS, MAX_BATCH_RECEIPTS } from '@assay/protocol'
import {
  expireReceipts,
  highestHeight,
  insertBatch,
  lockHeights,
  outboxLoad,
  type Queryable,
  takeOutbox,
} from '@assay/store'
import type { Address, Hex } from 'viem'
import type { Context } from '../context.ts'
import type { BatchLimits } from '../limits.ts'
import type { BatchBuilder } from './batchBuilder.ts'
import { unpayable } from './unpayable.ts'
import { withinCoverage } from './withinCoverage.ts'
import { withinFile } from './withinFile.ts'

/** Time that a commit needs to be mined; a receipt closer to its greatest age would make its whole batch invalid. */
const COMMIT_MARGIN_SECONDS = 300n
/** Times that one look passes over the oldest receipts because none of them fits: 4,096 receipts where batches hold 256. */
const MAX_PASSES = 16

/**
 * Turns the outbox into batches whose bytes never change again. The database holds a batch whole before the chain hears
 * of it; heights start above whatever the chain knows, also where an older database was lost.
 */
export function createFreezer(
  context: Context,
  limits: BatchLimits,
  { build }: Pick<BatchBuilder, 'build'>,
): () => Promise<void> {
  const { database, chain, committer, deployment } = context
  const size = Math.min(limits.maxReceipts, MAX_BATCH_RECEIPTS)
  let waiting = 0
  context.metrics.gauge('outbox_receipts', 'Receipts that wait for a batch.', () => waiting)

  /**
   * The oldest receipts that one batch can hold. Those that no bond covers now are passed over: the receipts of a node
   * whose bond is used up, or gone, must not keep all others waiting behind them.
   */
  async function gather(transaction: Queryable): Promise<BatchEntry[]> {
    const passed: Hex[] = []
    for (let pass = 0; pass < MAX_PASSES; pass++) {
      const taken = await takeOutbox(transaction, size, passed)
      const oldest = BigInt(Math.floor(Date.now() / 1000)) - MAX_AGE_SECONDS + COMMIT_MARGIN_SECONDS
      const stale = taken.filter((signed) => signed.receipt.issuedAt < oldest)
      if (stale.length > 0) {
        await expireReceipts(
          transaction,
          stale.map((signed) => signed.receipt.requestId),
        )
        context.log('receipts_expired', { count: stale.length })
      }
      const young = taken.filter((signed) => signed.receipt.issuedAt >= oldest)
      const lost = await unpayable(context, transaction, young)
      if (lost.size > 0) {
        await expireReceipts(transaction, [...lost])
        context.log('receipts_unpayable', { requestIds: [...lost].join() })
      }
      const fresh = young.filter(({ receipt }) => !lost.has(receipt.requestId))
      const nodes = new Set(fresh.map((signed) => signed.receipt.node.toLowerCase() as Address))
      const coverage = await chain.coverage([...new Set([committer, ...nodes])])
      const receipts = withinFile(withinCoverage(fresh, committer, coverage))
      if (receipts.length < fresh.length) {
        context.log('receipts_left', { waiting: fresh.length - receipts.length })
      }
      if (receipts.length > 0 || taken.length < size) return receipts
      passed.push(...fresh.map(({ receipt }) => receipt.requestId))
    }
    return []
  }

  return async () => {
    for (;;) {
      const load = await outboxLoad(database)
      waiting = load.waiting
      if (load.waiting === 0 || (load.waiting < size && load.oldestMs < limits.maxDelayMs)) return
      const onChain = await chain.lastHeight()
      const batch = await database.transaction(async (transaction) => {
        const receipts = await gather(transaction)
        if (receipts.length === 0) return undefined
        await lockHeights(transaction, committer)
        let height = await highestHeight(transaction, committer)
        if (onChain > height) height = onChain
        height += 1n
        const built = await build({ deployment, committer, height, receipts })
        await insertBatch(transaction, built)
        return built
      })
      // Nothing that a batch can hold now: whatever is left waits for bonds, or for its end.
      if (batch === undefined) return
      const { height, count, sum } = batch.header
      context.metrics.count('batches_total', 'frozen')
      context.log('batch_frozen', { batchId: batch.batchId, height, count, sum })
    }
  }
}
