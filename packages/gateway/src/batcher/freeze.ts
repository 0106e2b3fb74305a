import { type BatchEntry, larger, MAX_AGE_SECONDS, MAX_BATCH_RECEIPTS, SKEW_SECONDS } from '@assay/protocol'
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
/** How far a node's clock may be ahead of all others by mistake, seconds. */
const MAX_LEAD_SECONDS = 300n
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
   * whose bond is used up, or gone, must not keep all others waiting behind them. So are those that were issued later than
   * now: a commit before its receipt is a fault, and the committer answers for it, whatever the node wrote.
   * @param now as a commit would be judged, Unix seconds
   */
  async function gather(transaction: Queryable, now: bigint): Promise<BatchEntry[]> {
    const passed: Hex[] = []
    for (let pass = 0; pass < MAX_PASSES; pass++) {
      const taken = await takeOutbox(transaction, size, passed)
      const oldest = now - MAX_AGE_SECONDS + COMMIT_MARGIN_SECONDS
      const inTime = ({ receipt: { issuedAt } }: BatchEntry): boolean =>
        issuedAt >= oldest && issuedAt <= now + MAX_LEAD_SECONDS
      const untimely = taken.filter((signed) => !inTime(signed))
      if (untimely.length > 0) {
        await expireReceipts(
          transaction,
          untimely.map((signed) => signed.receipt.requestId),
        )
        context.log('receipts_expired', { count: untimely.length })
      }
      const young = taken.filter(inTime)
      const lost = await unpayable(context, transaction, young)
      if (lost.size > 0) {
        await expireReceipts(transaction, [...lost])
        context.log('receipts_unpayable', { requestIds: [...lost].join() })
      }
      const fresh = young.filter(({ receipt }) => !lost.has(receipt.requestId))
      const nodes = new Set(fresh.map((signed) => signed.receipt.node.toLowerCase() as Address))
      const coverage = await chain.coverage([...new Set([committer, ...nodes])])
      const issued = fresh.filter(({ receipt }) => receipt.issuedAt <= now + SKEW_SECONDS)
      const receipts = withinFile(withinCoverage(issued, committer, coverage))
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
      const [onChain, { timestamp }] = await Promise.all([chain.lastHeight(), chain.head()])
      // A chain without traffic makes no blocks, and its last one may be old.
      const now = larger(timestamp, BigInt(Math.floor(Date.now() / 1000)))
      const batch = await database.transaction(async (transaction) => {
        const receipts = await gather(transaction, now)
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
