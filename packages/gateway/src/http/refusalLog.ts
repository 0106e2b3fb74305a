import { type Log, messageOf } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import type { DialectError } from './dialectError.ts'

/** Lines a second that refusals may take: anybody may be refused as often as he likes, and a log is a disk. */
const MAX_LINES_PER_SECOND = 50

/**
 * Writes down what was refused under the id that its client was told, as far as there is room. An offer to pay (402
 * without a payment) is how every call by x402 begins, and is not.
 */
export function createRefusalLog({ log, metrics }: { log: Log; metrics: Metrics }) {
  let since = Number.NEGATIVE_INFINITY
  let lines = 0
  let unlogged = 0

  function hasRoom(): boolean {
    const now = performance.now()
    if (now - since >= 1000) {
      if (unlogged > 0) log('refusals_unlogged', { count: unlogged })
      since = now
      lines = 0
      unlogged = 0
    }
    if (lines < MAX_LINES_PER_SECOND) lines += 1
    else unlogged += 1
    return unlogged === 0
  }

  return (id: string, { code, status }: DialectError, failure: unknown): void => {
    if (failure !== undefined) {
      metrics.count('refused_total', code)
      log(code, { doing: 'request', id, why: messageOf(failure) })
    } else if (code !== 'payment_required' && hasRoom()) {
      log('refused', { id, status, code })
    }
  }
}
