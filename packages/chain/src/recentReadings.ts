export type RecentReadings<Key, Value> = {
  /** The last answer, while the next is asked for behind it; only what was not read for long is waited for. */
  lately(key: Key): Promise<Value>
  /** What the chain says now, or said a moment ago. */
  now(key: Key): Promise<Value>
}

export type RecentReadingsParameters<Key, Value> = {
  /** Where it reads undefined there is nothing to remember. */
  read: (key: Key) => Promise<Value>
  /** Age up to which an answer counts as one of now, milliseconds. */
  freshMs: number
  /** Age up to which an answer is used at all, milliseconds; any by default. */
  usableMs?: number | undefined
  /** Keys that are remembered; the one that was longest not read is forgotten first. */
  maxKeys: number
}

type Reading<Value> = { at: number; value: Promise<Value> }
type Known<Value> = { asked: Reading<Value>; failed: boolean; answered: Reading<Value> | undefined }

/**
 * What the chain said lately, by key: for what changes slowly, or to nobody's harm within the time that an answer is
 * used. The chain is asked once in `freshMs` and key however many want to know, and not at all where nobody does.
 */
export function createRecentReadings<Key, Value>(
  parameters: RecentReadingsParameters<Key, Value>,
): RecentReadings<Key, Value> {
  const { read, freshMs, usableMs = Number.POSITIVE_INFINITY, maxKeys } = parameters
  /** In the order in which they were last read. */
  const cache = new Map<Key, Known<Value>>()
  const isFresh = ({ at }: Reading<Value>) => performance.now() - at < freshMs

  function ask(key: Key): Promise<Value> {
    const asked = { at: performance.now(), value: read(key) }
    const known: Known<Value> = { asked, failed: false, answered: cache.get(key)?.answered }
    cache.delete(key)
    cache.set(key, known)
    const oldest = cache.size > maxKeys ? cache.keys().next() : undefined
    if (oldest?.done === false) cache.delete(oldest.value)
    const forget = () => void (cache.get(key) === known && cache.delete(key))
    asked.value.then(
      (value) => {
        if (value === undefined) forget()
        else known.answered = asked
      },
      () => {
        known.failed = true
        if (known.answered === undefined) forget()
      },
    )
    return asked.value
  }

  function now(key: Key): Promise<Value> {
    const known = cache.get(key)
    return known !== undefined && !known.failed && isFresh(known.asked) ? known.asked.value : ask(key)
  }

  return {
    now,
    lately(key) {
      const known = cache.get(key)
      const { answered } = known ?? {}
      if (known === undefined || answered === undefined || performance.now() - answered.at >= usableMs) {
        return now(key)
      }
      // Later, for to put the question takes time too; its failure is nobody's who was not told of it.
      if (!isFresh(known.asked)) setImmediate(() => now(key).catch(() => undefined))
      return answered.value
    },
  }
}
