import { formatOpg } from '@assay/protocol'
import type { DialectError } from '../http/dialectError.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000
/** Payers and keys that are remembered; beyond, the one that was longest silent is forgotten. */
const MAX_SUBJECTS = 50_000

export type AllowanceLimits = {
  /** Paid requests of one payer, and of one API key, within a minute; 0 = no limit. */
  requestsPerMinute: number
  /** What calls of one payer, and of one API key, may cost within an hour, OPG base units; 0 = no limit. */
  spendPerHour: bigint
}

/** How often and for how much each payer and each key may call here. Every gateway process counts its own calls. */
export type Allowance = {
  /** Counts a call at its highest price; says why it may not be made. */
  admit(
    subjects: readonly string[],
    requestId: string,
    maximum: bigint,
    now: number,
  ): DialectError | undefined
  /** Sets a call to what it cost, 0 where it cost nothing. */
  settle(requestId: string, price: bigint): void
}

type Call = { at: number; amount: bigint }

/** @param now of `admit`: milliseconds of any clock that only goes forward */
export function createAllowance({ requestsPerMinute, spendPerHour }: AllowanceLimits): Allowance {
  const off = requestsPerMinute === 0 && spendPerHour === 0n
  const subjects = new Map<string, Call[]>()
  const open = new Map<string, Call>()

  function callsOf(subject: string, now: number): Call[] {
    const window = spendPerHour > 0n ? HOUR_MS : MINUTE_MS
    const calls = (subjects.get(subject) ?? []).filter(({ at }) => now - at < window)
    // Deleted first, so that insertion order is the order of the last call.
    subjects.delete(subject)
    subjects.set(subject, calls)
    const silent = subjects.size > MAX_SUBJECTS ? subjects.keys().next().value : undefined
    if (silent !== undefined) subjects.delete(silent)
    return calls
  }

  return {
    admit(who, requestId, maximum, now) {
      if (off) return undefined
      for (const subject of who) {
        const calls = callsOf(subject, now)
        const lately = calls.filter(({ at }) => now - at < MINUTE_MS)
        if (requestsPerMinute > 0 && lately.length >= requestsPerMinute) {
          const first = lately.at(-requestsPerMinute) as Call
          return tooMany(
            `This gateway takes ${requestsPerMinute} requests a minute`,
            first.at + MINUTE_MS - now,
          )
        }
        const spent = calls.reduce((sum, { amount }) => sum + amount, 0n)
        if (spendPerHour > 0n && spent + maximum > spendPerHour) {
          const limit = `This gateway takes calls of ${formatOpg(spendPerHour)} an hour, and this one may cost ${formatOpg(maximum)}`
          return tooMany(limit, (calls[0]?.at ?? now) + HOUR_MS - now)
        }
      }
      const call = { at: now, amount: maximum }
      for (const subject of who) subjects.get(subject)?.push(call)
      open.set(requestId, call)
      return undefined
    },
    settle(requestId, price) {
      const call = open.get(requestId)
      if (call === undefined) return
      call.amount = price
      open.delete(requestId)
    },
  }
}

function tooMany(limit: string, waitMs: number): DialectError {
  const seconds = Math.max(1, Math.ceil(waitMs / 1000))
  return {
    status: 429,
    type: 'rate_limit_error',
    code: 'allowance_spent',
    message: `${limit} from one payer or key. Try again in ${seconds} s.`,
    headers: { 'retry-after': String(seconds) },
  }
}
