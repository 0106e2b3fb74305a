import { SCHEME } from '@assay/protocol'
import {
  collectedPayments,
  type PaymentRow,
  postponePayment,
  returnPayments,
  setPaymentState,
  takeDuePayments,
} from '@assay/store'
import { CHAIN_PAYMENT, type ChainPayment } from '../chain/gatewayChain.ts'
import type { Context } from '../context.ts'
import { messageOf } from '../log.ts'
import type { Jobs } from './batcher.ts'

/** Payments in one transaction: ~200k gas each, well under the 16.7M that one transaction may use (EIP-7825). */
const CHUNK = 40
const MAX_CHUNKS_UNDER_WAY = 4
/** How long payments stay with the gateway that took them, milliseconds: a few blocks and their delays. */
const HOLD_MS = 30_000
/** How often a gateway looks which of its payments are over without its doing, milliseconds: a block's time. */
const LOOK_EVERY_MS = 1000
/** Refusals by the contract after which a payment counts as lost. */
const MAX_ATTEMPTS = 6
/** Longest rest between two attempts, milliseconds. */
const LONGEST_REST_MS = 32_000

/**
 * Brings authorised money into escrow: all of an `exact` payment, the price alone of an `upto` one. A payment that the
 * contract refuses for good (a drained payer, a cancelled nonce) fails alone: its receipt is batched all the same.
 */
export function createCollector(context: Context, jobs: Jobs): () => Promise<void> {
  const { database, chain, ledger, funds, metrics, log } = context
  const underWay = new Set<string>()
  const holdMs = database.engine === 'pglite' ? 0 : HOLD_MS

  let nextLook = 0

  function leave({ requestId, payer }: Pick<PaymentRow, 'requestId' | 'payer'>): void {
    ledger.release(requestId)
    funds.forget(payer)
  }

  /** What another gateway collected, or was given up with its receipt, would else be held against its payer here for good. */
  async function leaveCollected(): Promise<void> {
    if (performance.now() < nextLook) return
    nextLook = performance.now() + LOOK_EVERY_MS
    const open = ledger.requests()
    if (open.length > 0) for (const payment of await collectedPayments(database, open)) leave(payment)
  }

  /** @param judged whether the contract refused this payment, and not the chain the whole transaction: that may pass */
  async function refuse(payment: PaymentRow, reason: string, judged: boolean): Promise<void> {
    const { requestId, attempts } = payment
    const expired = BigInt(Math.floor(Date.now() / 1000)) > payment.expiresAt
    if (!expired && !(judged && attempts + 1 >= MAX_ATTEMPTS)) {
      const delayMs = Math.min(1000 * 2 ** attempts, LONGEST_REST_MS)
      await postponePayment(database, requestId, reason, { delayMs })
      return
    }
    await postponePayment(database, requestId, reason, 'failed')
    leave(payment)
    metrics.count('payments_total', 'failed')
    log('payment_failed', { requestId: payment.requestId, payer: payment.payer, reason })
  }

  /** Sorts out what the chain already holds; returns the rest. */
  async function settleKnown(
    payments: PaymentRow[],
    states: ChainPayment[],
    hash?: `0x${string}`,
  ): Promise<PaymentRow[]> {
    const inEscrow = payments.filter((_, at) => states[at]?.state !== CHAIN_PAYMENT.none)
    // Also the paid and refunded ones: the settler reads those states from the chain itself.
    await setPaymentState(
      database,
      inEscrow.map((payment) => payment.requestId),
      'locked',
      hash,
    )
    for (const payment of inEscrow) leave(payment)
    if (inEscrow.length > 0) metrics.count('payments_total', 'locked', inEscrow.length)
    return payments.filter((_, at) => states[at]?.state === CHAIN_PAYMENT.none)
  }

  async function collectChunk(payments: PaymentRow[]): Promise<void> {
    const ids = payments.map((payment) => payment.requestId)
    await setPaymentState(database, ids, 'submitted')
    let rejected = new Map<string, string>()
    let hash: `0x${string}` | undefined
    let problem: string | undefined
    try {
      // Pending with a hash, for whoever asks before it is mined.
      let noted: Promise<void> = Promise.resolve()
      const result = await chain.collect(payments, (broadcast) => {
        noted = setPaymentState(database, ids, 'submitted', broadcast).catch(() => undefined)
      })
      await noted
      rejected = result.rejected
      hash = result.transactionHash
    } catch (error) {
      problem = messageOf(error)
      // A chain that is away says nothing about the payments.
      if ((error as { code?: unknown }).code === 'unreachable') throw error
      metrics.count('chain_errors_total', 'collect')
      log('chain_error', { doing: 'collect', why: problem })
    }
    const left = await settleKnown(payments, await chain.payments(ids), hash)
    for (const payment of left) {
      const reason = rejected.get(payment.requestId) ?? problem ?? 'The contract did not take it.'
      await refuse(payment, reason, problem === undefined)
    }
  }

  return async () => {
    await leaveCollected()
    if (jobs.running('collect:') >= MAX_CHUNKS_UNDER_WAY) return
    const limit = CHUNK * MAX_CHUNKS_UNDER_WAY + underWay.size
    const due = (await takeDuePayments(database, limit, holdMs)).filter(
      (payment) => !underWay.has(payment.requestId),
    )
    if (due.length === 0) return
    const idle = new Set(due.map((payment) => payment.requestId))
    try {
      const states = await chain.payments([...idle])
      const missing = await settleKnown(due, states)
      for (const chunk of chunksOf(missing)) {
        if (jobs.running('collect:') >= MAX_CHUNKS_UNDER_WAY) return
        const ids = chunk.map((payment) => payment.requestId)
        for (const id of ids) {
          underWay.add(id)
          idle.delete(id)
        }
        jobs.start(`collect:${ids[0]}`, () =>
          collectChunk(chunk)
            .catch(async (error) => {
              await returnPayments(database, ids)
              throw error
            })
            .finally(() => {
              for (const id of ids) underWay.delete(id)
            }),
        )
      }
    } finally {
      if (holdMs > 0 && idle.size > 0) await returnPayments(database, [...idle])
    }
  }
}

/**
 * Payments of one scheme together. One that failed in company is tried alone, so that it cannot hold up the others again, and
 * behind all that did not fail, of whichever scheme.
 */
function chunksOf(payments: readonly PaymentRow[]): PaymentRow[][] {
  const chunks: PaymentRow[][] = []
  for (const scheme of [SCHEME.exact, SCHEME.upto]) {
    const fresh = payments.filter((payment) => payment.scheme === scheme && payment.attempts === 0)
    for (let at = 0; at < fresh.length; at += CHUNK) chunks.push(fresh.slice(at, at + CHUNK))
  }
  const failed = payments.filter((payment) => payment.attempts > 0)
  return [...chunks, ...failed.map((payment) => [payment])]
}
