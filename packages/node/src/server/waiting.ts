/** Silence after which a stream says that it goes on: whatever stands between has patience for more than that, ms. */
const SILENCE_MS = 15_000

/**
 * A comment line, which clients skip and no receipt covers (docs/spec.md §2). It stands between two events, and has one
 * line feed: a blank line behind it would stay when comments are taken out.
 */
export const WAITING = new TextEncoder().encode(': waiting\n')

export type Waiting = {
  /** Something was written. */
  spoke: () => void
  end: () => void
}

/** Calls `say` whenever nothing was written for a while: a model that thinks is silent for minutes. */
export function startWaiting(say: () => void, silenceMs = SILENCE_MS): Waiting {
  let timer: NodeJS.Timeout | undefined = setInterval(say, silenceMs).unref()
  return {
    spoke: () => void timer?.refresh(),
    end() {
      clearInterval(timer)
      timer = undefined
    },
  }
}
