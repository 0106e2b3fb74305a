/** A loop that runs until it is stopped. */
export type PollLoop = {
  /** Runs the next round now instead of waiting. */
  wake(): void
  /** Resolves when the round in progress is over. */
  stop(): Promise<void>
}

const LONGEST_WAIT_MILLISECONDS = 10_000

/**
 * Runs `round` again and again, `interval` milliseconds apart, never two at once. A round that throws is reported and
 * tried again after a growing wait, for the chain behind it may be restarting; the loop itself never ends by an error.
 */
export function pollLoop(options: {
  interval: number
  round: (signal: AbortSignal) => Promise<void>
  onError?: ((error: unknown, failures: number) => void) | undefined
}): PollLoop {
  const { interval, round, onError } = options
  const stopping = new AbortController()
  let wakeUp = () => {}
  let woken = false

  function wait(milliseconds: number): Promise<void> {
    if (woken || stopping.signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds)
      wakeUp = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  async function run(): Promise<void> {
    for (let failures = 0; !stopping.signal.aborted; ) {
      woken = false
      try {
        await round(stopping.signal)
        failures = 0
      } catch (error) {
        failures++
        if (!stopping.signal.aborted) onError?.(error, failures)
      }
      await wait(
        Math.min(interval * 2 ** Math.min(failures, 16), Math.max(interval, LONGEST_WAIT_MILLISECONDS)),
      )
    }
  }

  const finished = run()
  return {
    wake() {
      woken = true
      wakeUp()
    },
    async stop() {
      stopping.abort()
      wakeUp()
      await finished
    },
  }
}
