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

/**
 * How often and for how much each payer and each key may call here. Every gateway process counts its own calls; beside
 * others, `fleetAllowance.ts` asks the database for the rest.
 */
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
  /** Counts a call no more that was none of its payer's. */
  forget(requestId: string): void
}

type Call = { at: number; amount: bigint }

/** @param now of `admit`: milliseconds of any clock that only goes forward */
export function createAllowance(limits: AllowanceLimits): Allowance {
  const { requestsPerMinute, spendPerHour } = limits
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
        const refusal = beyond(limits, maximum, {
          calls: lately.length,
          callsAgeMs: now - (lately.at(-requestsPerMinute)?.at ?? now),
          spent: calls.reduce((sum, { amount }) => sum + amount, 0n),
          spentAgeMs: now - (calls[0]?.at ?? now),
        })
        if (refusal !== undefined) return refusal
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
    forget(requestId) {
      const call = open.get(requestId)
      if (call === undefined) return
      // Before every window.
      call.at = Number.NEGATIVE_INFINITY
      open.delete(requestId)
    },
  }
}

/** What somebody called lately, without the call that is to be judged. */
type Lately = {
  /** Calls of the last minute, and the age of the one that has to be older for another to fit. */
  calls: number
  callsAgeMs: number
  /** OPG base units of the last hour, and the age of the oldest call in it. */
  spent: bigint
  spentAgeMs: number
}

/** Why a call that may cost `maximum` is too much; undefined where it is not. */
export function beyond(
  { requestsPerMinute, spendPerHour }: AllowanceLimits,
  maximum: bigint,
  { calls, callsAgeMs, spent, spentAgeMs }: Lately,
): DialectError | undefined {
  if (requestsPerMinute > 0 && calls >= requestsPerMinute) {
    return tooMany(`This gateway takes ${requestsPerMinute} requests a minute`, MINUTE_MS - callsAgeMs)
  }
  if (spendPerHour > 0n && spent + maximum > spendPerHour) {
    const limit = `This gateway takes calls of ${formatOpg(spendPerHour)} an hour, and this one may cost ${formatOpg(maximum)}`
    return tooMany(limit, HOUR_MS - spentAgeMs)
  }
  return undefined
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
