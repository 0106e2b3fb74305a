/** Age up to which what was read from the chain is used as it is, milliseconds. */
const FRESH_MS = 5000

/**
 * What the chain said lately, by key. A stale answer is used while the next is being read; only the first look at a key
 * waits. For what changes slowly, or never to somebody's harm within seconds: prices rise after a day's notice, bonds
 * shrink by exits that the contracts themselves hold to.
 */
export function createFreshCache<Key, Value>(
  read: (key: Key) => Promise<Value>,
): (key: Key) => Promise<Value> {
  const cache = new Map<Key, { at: number; value: Promise<Value> }>()
  return (key) => {
    const known = cache.get(key)
    if (known !== undefined && performance.now() - known.at < FRESH_MS) return known.value
    const value = read(key)
    const next = {
      at: performance.now(),
      value: known === undefined ? value : value.catch(() => known.value),
    }
    if (known === undefined) {
      cache.set(key, next)
      value.catch(() => cache.delete(key))
      return value
    }
    cache.set(key, { at: next.at, value: known.value })
    value.then(
      () => cache.set(key, next),
      () => {},
    )
    return known.value
  }
}
