import { latelyOf } from '@assay/store'
import type { Context } from '../context.ts'
import type { DialectError } from '../http/dialectError.ts'
import { beyond } from './allowance.ts'

/**
 * Why a payer's calls of the last minute or hour are too many over all gateways of one database; undefined where they are
 * not. Asked once the call is on record, while its node is at work, so that of two at once the one that looks last sees
 * both. All keys of a payer count together here, which no key's own count can exceed.
 */
export async function beyondFleet(
  { database, limits }: Pick<Context, 'database' | 'limits'>,
  call: { requestId: string; payer: string; maximum: bigint },
): Promise<DialectError | undefined> {
  const off = limits.requestsPerMinute === 0 && limits.spendPerHour === 0n
  // One process alone keeps count in memory.
  if (off || database.engine === 'pglite') return undefined
  return beyond(limits, call.maximum, await latelyOf(database, call))
}
