import { endRequest, forwardedRequests, type RequestRow } from '@assay/store'
import type { Context } from '../context.ts'
import { messageOf } from '../log.ts'
import { receiptProblem } from './checkReceipt.ts'
import { fetchReceipt } from './fetchReceipt.ts'

const TICK_MS = 1000
/** Requests looked at in one tick. */
const MAX_TICK = 64

export type Recovery = { soon(): void; close(): Promise<void> }

/**
 * Looks for the receipts of requests whose client left: the node keeps its own copy of what it signed for the part that
 * it delivered. Where it never signed, the request ends uncharged. Requests that a crash of this process cut off are
 * not looked for: they ended, uncharged, when it started again.
 */
export function startRecovery(context: Omit<Context, 'recoverSoon'>): Recovery {
  let running: Promise<void> | undefined
  let again = false
  let closed = false
  function tick(): void {
    if (closed) return
    if (running !== undefined) {
      again = true
      return
    }
    running = recoverAll(context)
      .catch((error) => context.log('recovery_failed', { why: messageOf(error) }))
      .finally(() => {
        running = undefined
        if (again) {
          again = false
          tick()
        }
      })
  }
  const timer = setInterval(tick, TICK_MS)
  timer.unref()
  return {
    soon: tick,
    async close() {
      closed = true
      clearInterval(timer)
      await running
    },
  }
}

async function recoverAll(context: Omit<Context, 'recoverSoon'>): Promise<void> {
  const rows = await forwardedRequests(context.database, context.limits.maxConcurrent + MAX_TICK)
  const lost = rows.filter((row) => !context.inFlight.has(row.requestId)).slice(0, MAX_TICK)
  await Promise.all(
    lost.map((row) =>
      recoverOne(context, row).catch((error) =>
        context.log('recovery_failed', { requestId: row.requestId, why: messageOf(error) }),
      ),
    ),
  )
}

async function recoverOne(context: Omit<Context, 'recoverSoon'>, row: RequestRow): Promise<void> {
  const node = context.nodes.byUrl(row.nodeUrl)
  const signed = node === undefined ? undefined : await fetchReceipt(node.pool, row.requestId)
  if (node !== undefined && signed !== undefined) {
    const problem = await receiptProblem(
      signed,
      { ...row, committer: context.committer, node: node.operator },
      context,
    )
    if (problem === undefined) {
      await context.record({ ...signed, grant: row.grant }, row.scheme)
      context.metrics.count('receipts_recovered_total')
      context.log('receipt_recovered', { requestId: row.requestId, status: signed.receipt.status })
      return
    }
    context.metrics.count('bad_receipts_total', 'recovered')
    context.log('bad_receipt', { requestId: row.requestId, problem })
  }
  if (row.ageMs > context.limits.recoverMs) {
    await endRequest(context.database, row.requestId, 'failed')
    context.ledger.release(row.requestId)
    context.log('request_given_up', { requestId: row.requestId })
  }
}
