import { createRecentReadings } from '@assay/chain'

/** Age up to which what was read from the chain is used as it is, milliseconds. */
const FRESH_MS = 5000
const MAX_KEYS = 10_000

/**
 * What the chain said lately, by key. A stale answer is used while the next is being read; only the first look at a key
 * waits. For what changes slowly, or never to somebody's harm within seconds: prices rise after a day's notice, bonds
 * shrink by exits that the contracts themselves hold to.
 */
export function createFreshCache<Key, Value>(
  read: (key: Key) => Promise<Value>,
): (key: Key) => Promise<Value> {
  return createRecentReadings({ read, freshMs: FRESH_MS, maxKeys: MAX_KEYS }).lately
}
