/** Failures one after another that open a circuit. */
const OPEN_AFTER = 3
const FIRST_PAUSE_MS = 1000
const LONGEST_PAUSE_MS = 30_000

export type BreakerState =
  | 'closed' // requests flow
  | 'open' // none until the pause is over
  | 'half-open' // one may try; how it ends decides

/**
 * Circuit breaker of one node (M. Nygard, "Release It!", ch. 5): who fails again and again gets a pause that doubles, then
 * one request as a trial. Refusals for want of room are no failures.
 */
export type Breaker = {
  state(now: number): BreakerState
  /** Whether a request may go there now. */
  admits(now: number): boolean
  /** A request goes there. */
  begin(now: number): void
  succeed(): void
  /** @returns whether that opened the circuit */
  fail(now: number): boolean
  /** The request ended in a way that says nothing of the node: its client left. */
  forget(): void
  /** When the next trial may be made, `performance.now()`; undefined while closed. */
  trialAt(): number | undefined
}

/** @param now of all calls: `performance.now()` */
export function createBreaker(): Breaker {
  let failures = 0
  let pauseMs = FIRST_PAUSE_MS
  let openUntil: number | undefined
  let trying = false
  const state = (now: number): BreakerState =>
    openUntil === undefined ? 'closed' : now < openUntil ? 'open' : 'half-open'
  return {
    state,
    admits: (now) => {
      const is = state(now)
      return is === 'closed' || (is === 'half-open' && !trying)
    },
    begin(now) {
      if (state(now) === 'half-open') trying = true
    },
    succeed() {
      failures = 0
      pauseMs = FIRST_PAUSE_MS
      openUntil = undefined
      trying = false
    },
    fail(now) {
      failures += 1
      const before = state(now)
      trying = false
      // Requests that were under way when it opened prove nothing new.
      if (before === 'open') return false
      if (before === 'closed' && failures < OPEN_AFTER) return false
      openUntil = now + pauseMs
      pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)
      return true
    },
    forget() {
      trying = false
    },
    trialAt: () => openUntil,
  }
}
