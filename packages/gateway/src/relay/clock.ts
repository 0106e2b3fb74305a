import type { Exchange } from './exchange.ts'

/** The answer takes longer than it can be paid for, or longer than any may. */
export class OutOfTimeError extends Error {}

/**
 * Breaks an exchange off while the part of its answer that was sent can still be paid for: else whoever signs a payment for
 * half a minute, or reads slowly, has the rest for nothing.
 * @returns what stops the clock
 */
export function startClock({ context, abort, response, payableUntil }: Exchange): () => void {
  const { collectMs, maxAnswerMs } = context.limits
  const left = Number(payableUntil) * 1000 - Date.now() - collectMs
  const timer = setTimeout(
    () => {
      abort.abort(new OutOfTimeError('There is no more time for this answer.'))
      // Whoever reads so slowly would not hear of it, and what waits for him must not wait on.
      if (response.writableNeedDrain) response.destroy()
    },
    Math.min(Math.max(left, 0), maxAnswerMs),
  )
  return () => clearTimeout(timer)
}
