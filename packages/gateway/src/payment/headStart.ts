import type { Database } from '@assay/store'

/** Writes that wait for so long, milliseconds, are those of a database that is away or has too much to do. */
const SLOW_MS = 100
/** Whose last write is remembered to be good; beyond, the one that was longest silent is forgotten, and waits once. */
const MAX_GOOD = 10_000

/**
 * Whether a node may begin before the write is there that gives its call what pays for it, so that the answer does not wait
 * for the way to a server. It may where the last such write for the same (all payments, or one grant) was good, none has
 * failed since, and none waits for long. So nodes hear no more of an outage than its first moment, and of payments and
 * deposits that are used up no more than the calls of one moment behind each good one.
 */
export type HeadStart = {
  /** Watches such a write. @param isGood whether what it says gives the call what pays for it */
  watch<Result>(whose: string, write: Promise<Result>, isGood: (result: Result) => boolean): Promise<Result>
  mayFollow(whose: string): boolean
}

export function createHeadStart({ engine }: Pick<Database, 'engine'>): HeadStart {
  // What is written in front of the embedded database is written when it has been asked for.
  const hasWay = engine === 'postgres'
  /** Since when each of those under way waits, in their order, `performance.now()`. */
  const waiting = new Map<Promise<unknown>, number>()
  const good = new Set<string>()

  function note(whose: string, isGood: boolean): void {
    good.delete(whose)
    if (isGood) good.add(whose)
    const [oldest] = good.size > MAX_GOOD ? good : []
    if (oldest !== undefined) good.delete(oldest)
  }
  return {
    async watch(whose, write, isGood) {
      waiting.set(write, performance.now())
      try {
        const result = await write
        note(whose, isGood(result))
        return result
      } catch (error) {
        good.clear()
        throw error
      } finally {
        waiting.delete(write)
      }
    },
    mayFollow(whose) {
      const [oldest = Number.POSITIVE_INFINITY] = waiting.values()
      return hasWay && good.has(whose) && performance.now() - oldest < SLOW_MS
    },
  }
}
