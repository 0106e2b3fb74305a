import { createRefusalLines } from '@assay/chain'
import { type Log, messageOf } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import type { DialectError } from './dialectError.ts'

/**
 * Writes down what was refused under the id that its client was told, as far as there is room, and each failure of our
 * own. An offer to pay (402 without a payment) is how every call by x402 begins, and is neither.
 */
export function createRefusalLog({ log, metrics }: { log: Log; metrics: Metrics }) {
  const writeLine = createRefusalLines(log)
  return (id: string, refused: DialectError, failure: unknown): void => {
    const { code } = refused
    if (failure !== undefined) {
      metrics.count('refused_total', code)
      log(code, { doing: 'request', id, why: messageOf(failure) })
    } else if (code !== 'payment_required') writeLine(id, refused)
  }
}
