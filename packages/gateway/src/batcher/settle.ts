import { type Batch, parseBatchFile, proveInclusion, SCHEME } from '@assay/protocol'
import {
  type BatchRow,
  batchFile,
  type PaymentRow,
  paymentsOfBatch,
  postponePayment,
  SETTLEMENT_SKIPPED,
  setBatchSettled,
  setPaymentState,
  watchedBatches,
} from '@assay/store'
import type { Hex } from 'viem'
import { CHAIN_PAYMENT } from '../chain/gatewayChain.ts'
import type { Context } from '../context.ts'
import type { Jobs } from './batcher.ts'
import { settleRows } from './settleRows.ts'

/** Receipts in one settle transaction: ~350k gas each with their proofs, under the 16.7M of EIP-7825. */
const CHUNK = 32
const MAX_BATCHES_UNDER_WAY = 2

/** Pays out final batches: each receipt's price from escrow, or its row's from a deposit, to those who earned it. */
export function createSettler(context: Context, jobs: Jobs): () => Promise<void> {
  const { database, chain, committer, deployment, metrics, log } = context

  async function batchOf(row: BatchRow): Promise<Batch> {
    const file = await batchFile(database, row.batchId)
    if (file === undefined) throw new Error('The file of a batch is gone.')
    return parseBatchFile(file, deployment)
  }

  async function payRows(row: BatchRow): Promise<boolean> {
    const [seen] = await chain.batches([row.batchId])
    return seen === undefined ? false : settleRows(context, await batchOf(row), seen)
  }

  /** One pass over a batch; it is done when a later pass finds nothing left to do. */
  async function settleBatch(row: BatchRow): Promise<void> {
    const all = (await paymentsOfBatch(database, row.batchId)).filter((payment) => payment.state !== 'failed')
    const payments = all.filter(({ scheme }) => scheme !== SCHEME.grant)
    const prepaid = payments.length < all.length
    const rowsPaid = !prepaid || (await payRows(row))
    const states = await chain.payments(payments.map((payment) => payment.requestId))
    const inState = (state: number): PaymentRow[] => payments.filter((_, at) => states[at]?.state === state)
    const ids = (rows: PaymentRow[]): Hex[] => rows.map((payment) => payment.requestId)
    const changed = (rows: PaymentRow[], state: PaymentRow['state']): Hex[] =>
      ids(rows.filter((payment) => payment.state !== state))

    const missing = inState(CHAIN_PAYMENT.none)
    // The chain forgot a payment that it had (a reorganisation): it is collected again.
    await setPaymentState(
      database,
      ids(missing.filter((payment) => payment.state === 'locked' || payment.state === 'settled')),
      'none',
    )
    await setPaymentState(database, changed(inState(CHAIN_PAYMENT.paid), 'settled'), 'settled')
    await setPaymentState(database, changed(inState(CHAIN_PAYMENT.refunded), 'refunded'), 'refunded')
    const locked = inState(CHAIN_PAYMENT.locked)
    await setPaymentState(database, changed(locked, 'locked'), 'locked')
    if (missing.length === 0 && locked.length === 0 && rowsPaid) {
      await setBatchSettled(database, row.batchId)
      log('batch_settled', { batchId: row.batchId, height: row.height })
      return
    }
    if (locked.length === 0) return
    const batch = await batchOf(row)
    for (let at = 0; at < locked.length; at += CHUNK) {
      const chunk = locked.slice(at, at + CHUNK)
      const { transactionHash, skipped } = await chain.settle(
        chunk.map((payment) => {
          const { entry, ...path } = proveInclusion(batch, payment.requestId)
          return { entry, path, batchId: row.batchId }
        }),
      )
      const after = await chain.payments(ids(chunk))
      const paid = chunk.filter((_, index) => after[index]?.state === CHAIN_PAYMENT.paid)
      await setPaymentState(database, ids(paid), 'settled', transactionHash)
      metrics.count('payments_total', 'settled', paid.length)
      for (const [index, payment] of chunk.entries()) {
        const reason = skipped.get(payment.requestId)
        if (reason === undefined || after[index]?.state !== CHAIN_PAYMENT.locked) continue
        // Escrow has judged: asking again would change nothing. The payer is refunded after the timeout.
        await postponePayment(database, payment.requestId, `${SETTLEMENT_SKIPPED}: ${reason}`, 'failed')
        metrics.count('payments_total', 'failed')
        log('settlement_skipped', { requestId: payment.requestId, reason })
      }
    }
  }

  /** Height where the last look ended. The next begins behind it, so that batches which cannot be paid out keep no others waiting. */
  let behind = 0n
  return async () => {
    const rows = await watchedBatches(database, committer, 0n)
    const due = rows.filter(({ state, settled }) => state === 'final' && !settled)
    const next = due.findIndex(({ height }) => height > behind)
    for (const row of next === -1 ? due : [...due.slice(next), ...due.slice(0, next)]) {
      if (jobs.running('settle:') >= MAX_BATCHES_UNDER_WAY) return
      jobs.start(`settle:${row.batchId}`, () => settleBatch(row))
      behind = row.height
    }
  }
}
