import { setTimeout as delay } from 'node:timers/promises'
import { findRequest, forwardedBy } from '@assay/store'
import type { Hex } from 'viem'
import type { Context } from '../context.ts'
import { messageOf } from '../log.ts'
import { receiptProblem } from './checkReceipt.ts'
import type { Endings } from './endings.ts'
import { fetchReceipt } from './fetchReceipt.ts'

const TICK_MS = 1000
/** Requests looked at at one time. */
const MAX_TICK = 64
/** How often this process looks for requests of its own that it does not know, milliseconds. */
const STRAYS_EVERY_MS = 5000
/** How long the end of this process waits for what it cut off, and between two looks, milliseconds. */
const LAST_LOOKS_MS = 3000
const LAST_LOOK_EVERY_MS = 100

type Parts = Omit<Context, 'recover'>
export type Recovery = {
  /** Looks for the receipt of a request whose client left before its end, now and until there is one. */
  recover(requestId: Hex): void
  /** Looks a last time for what is looked for. */
  close(): Promise<void>
}

/**
 * Looks for the receipts of requests whose client left: the node keeps its own copy of what it signed for the part that
 * it delivered. Where it never signed, the request ends uncharged. Only this process knows whose client left, so requests
 * that a crash of a gateway cut off are not looked for: they end, uncharged, when it is missed.
 *
 * A write whose answer was lost, or that came later than it was waited for, leaves a request that stands as this process's
 * own and that it does not know. Nobody else ends those, so it looks for them as well.
 */
export function startRecovery(context: Parts, endings: Endings): Recovery {
  /** When each is given up, `performance.now()`: counted from the client's leaving, for an answer may take its time. */
  const lost = new Map<Hex, number>()
  let running: Promise<void> | undefined
  let again = false
  let closed = false
  let straysAt = performance.now()

  function lookFor(requestId: Hex, forMs: number): void {
    if (!lost.has(requestId)) lost.set(requestId, performance.now() + forMs)
  }
  async function adoptStrays(): Promise<void> {
    if (performance.now() < straysAt + STRAYS_EVERY_MS) return
    straysAt = performance.now()
    // Longer than any write is waited for (`store/src/postgres.ts`), and well before it is given up.
    const minAgeMs = context.limits.recoverMs / 2
    for (const requestId of await forwardedBy(context.database, context.instance, minAgeMs)) {
      if (!context.inFlight.has(requestId)) lookFor(requestId, context.limits.recoverMs - minAgeMs)
    }
  }
  async function look(): Promise<void> {
    await context.names.catchUp()
    await endings.catchUp()
    await adoptStrays()
    const due = [...lost].filter(([requestId]) => !context.inFlight.has(requestId)).slice(0, MAX_TICK)
    await Promise.all(
      due.map(async ([requestId, until]) => {
        try {
          if (await recoverOne(context, requestId, until)) lost.delete(requestId)
        } catch (error) {
          context.log('recovery_failed', { requestId, why: messageOf(error) })
        }
      }),
    )
  }
  function tick(): void {
    if (closed) return
    if (running !== undefined) {
      again = true
      return
    }
    running = look()
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
    recover(requestId) {
      lookFor(requestId, context.limits.recoverMs)
      tick()
    },
    async close() {
      clearInterval(timer)
      // Nobody looks for these when this process is gone; their nodes sign at once for what they delivered.
      const until = performance.now() + LAST_LOOKS_MS
      while (lost.size > 0 && performance.now() < until) {
        tick()
        await running
        if (lost.size > 0) await delay(LAST_LOOK_EVERY_MS)
      }
      closed = true
      await running
    },
  }
}

/**
 * @param until when it is given up, `performance.now()`
 * @returns whether nothing more is to be looked for
 */
async function recoverOne(context: Parts, requestId: Hex, until: number): Promise<boolean> {
  const row = await findRequest(context.database, requestId)
  if (row !== undefined && row.state !== 'forwarded') return true
  // A crash of the server took the claim away: no receipt can be recorded under it.
  if (row === undefined) {
    await context.end(requestId, 'failed')
    return true
  }
  const node = context.nodes.byUrl(row.nodeUrl)
  const signed = node === undefined ? undefined : await fetchReceipt(node.pool, row.requestId)
  if (node !== undefined && signed !== undefined) {
    const problem = await receiptProblem(
      signed,
      { ...row, committer: context.committer, node: node.operator },
      context,
    )
    if (problem === undefined) {
      await context.record({ ...signed, grant: row.grant }, row.scheme, { unlessEnded: true })
      context.metrics.count('receipts_recovered_total')
      context.log('receipt_recovered', { requestId: row.requestId, status: signed.receipt.status })
      return true
    }
    context.metrics.count('bad_receipts_total', 'recovered')
    context.log('bad_receipt', { requestId: row.requestId, problem })
  }
  if (performance.now() <= until) return false
  await context.end(row.requestId, 'failed')
  context.log('request_given_up', { requestId: row.requestId })
  return true
}
