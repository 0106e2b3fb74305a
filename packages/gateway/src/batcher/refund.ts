import { postponeRefund, setPaymentState, strandedPayments } from '@assay/store'
import type { Hex } from 'viem'
import { CHAIN_PAYMENT } from '../chain/gatewayChain.ts'
import type { Context } from '../context.ts'
import type { Jobs } from './batcher.ts'

/** Stranded payments are rare and never urgent. */
const LOOK_EVERY_MS = 5_000
const MAX_AT_ONCE = 8
const FIRST_RETRY_MS = 10_000
/** A time-out that is days away is looked at again within the hour: governance and pauses may move it. */
const LAST_RETRY_MS = 3_600_000

/**
 * Gives payers back what escrow holds for nothing: their receipt became too old for any batch, or escrow refused to pay it
 * out. They could do it themselves; they should not have to know.
 */
export function createRefunder(context: Context, jobs: Jobs): () => Promise<void> {
  const { database, chain, metrics, log } = context
  let nextLook = 0

  async function refund(requestId: Hex, now: bigint): Promise<void> {
    const [payment] = await chain.payments([requestId])
    let transactionHash: Hex | undefined
    if (payment?.state === CHAIN_PAYMENT.locked) {
      const dueAt = await chain.refundDueAt(requestId)
      if (now < dueAt) {
        const wait = Number(dueAt - now) * 1000
        return postponeRefund(database, requestId, Math.min(wait, LAST_RETRY_MS))
      }
      transactionHash = await chain.refund(requestId)
      metrics.count('payments_total', 'refunded')
      log('payment_refunded', { requestId, transactionHash })
    }
    if (payment?.state === CHAIN_PAYMENT.none) return postponeRefund(database, requestId, LAST_RETRY_MS)
    await setPaymentState(
      database,
      [requestId],
      payment?.state === CHAIN_PAYMENT.paid ? 'settled' : 'refunded',
      transactionHash,
    )
  }

  return async () => {
    if (performance.now() < nextLook) return
    nextLook = performance.now() + LOOK_EVERY_MS
    const due = await strandedPayments(database, MAX_AT_ONCE)
    if (due.length === 0) return
    const { timestamp } = await chain.head()
    for (const requestId of due) {
      jobs.start(`refund:${requestId}`, async () => {
        try {
          await refund(requestId, timestamp)
        } catch (error) {
          await postponeRefund(database, requestId, FIRST_RETRY_MS)
          throw error
        }
      })
    }
  }
}
