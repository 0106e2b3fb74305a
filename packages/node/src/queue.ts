/** Thrown to a request that finds the waiting room full. */
export class QueueFullError extends Error {
  override readonly name = 'QueueFullError'
  /** Seconds after which a retry has a chance. */
  readonly retryAfter: number

  constructor(retryAfter: number) {
    super('The node is at its limit of running and waiting requests.')
    this.retryAfter = retryAfter
  }
}

export type Queue = {
  /** @throws QueueFullError at once when there is no room; the signal's reason when it aborts while waiting */
  enter: (signal: AbortSignal) => Promise<() => void>
  state: () => { running: number; waiting: number; limit: number }
}

/**
 * Bounded concurrency with a bounded waiting room, first come first served. A node that accepts more than it can do
 * only moves the delay to where nobody sees it.
 */
export function createQueue(parameters: { concurrency: number; waiting: number }): Queue {
  const { concurrency, waiting } = parameters
  const room: Array<() => void> = []
  let running = 0
  /** Moving average of a turn, ms: what Retry-After is made of. */
  let turn = 2_000

  const takeTurn = (): (() => void) => {
    const since = Date.now()
    let left = false
    return () => {
      if (left) return
      left = true
      turn = turn * 0.8 + (Date.now() - since) * 0.2
      running--
      room.shift()?.()
    }
  }

  return {
    enter(signal) {
      if (signal.aborted) return Promise.reject(signal.reason)
      if (running < concurrency) {
        running++
        return Promise.resolve(takeTurn())
      }
      if (room.length >= waiting) {
        const seconds = Math.ceil((turn * (room.length + 1)) / concurrency / 1000)
        return Promise.reject(new QueueFullError(Math.min(60, Math.max(1, seconds))))
      }
      return new Promise((resolve, reject) => {
        const start = () => {
          signal.removeEventListener('abort', leave)
          running++
          resolve(takeTurn())
        }
        const leave = () => {
          room.splice(room.indexOf(start), 1)
          reject(signal.reason)
        }
        room.push(start)
        signal.addEventListener('abort', leave, { once: true })
      })
    },
    state: () => ({ running, waiting: room.length, limit: concurrency + waiting }),
  }
}
