import { type BatchEntry, formatOpg, type SpendingGrant } from '@assay/protocol'
import { failed, type Outcome } from './step.ts'

const HOUR_SECONDS = 3600n

/**
 * What no call under a grant shows alone: one place holds one call, and no hour costs more than the grant says.
 * @param entries receipts of one batch that one grant paid for; other batches are other reports
 * @returns the first receipt that breaks it, and how
 */
export function grantBroken(
  entries: readonly BatchEntry[],
  { ratePerHour }: SpendingGrant,
): { entry: BatchEntry; outcome: Outcome } | undefined {
  const counters = new Set<bigint>()
  for (const entry of entries) {
    const counter = entry.grant?.counter ?? 0n
    if (counters.has(counter)) {
      return { entry, outcome: failed('grant_twice', `Call ${counter} stands twice under its grant.`) }
    }
    counters.add(counter)
  }
  if (ratePerHour === 0n) return undefined
  const inTime = [...entries].sort((a, b) => Number(a.receipt.issuedAt - b.receipt.issuedAt))
  let first = 0
  let cost = 0n
  for (const entry of inTime) {
    cost += entry.receipt.price
    for (let oldest = inTime[first]; oldest !== undefined; oldest = inTime[++first]) {
      if (entry.receipt.issuedAt < oldest.receipt.issuedAt + HOUR_SECONDS) break
      cost -= oldest.receipt.price
    }
    if (cost <= ratePerHour) continue
    const reason = `An hour costs ${formatOpg(cost)}, the grant allows ${formatOpg(ratePerHour)}.`
    return { entry, outcome: failed('grant_exceeded', reason) }
  }
  return undefined
}
