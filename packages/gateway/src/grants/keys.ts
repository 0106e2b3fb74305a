import { grantFromJson, type SpendingGrant } from '@assay/protocol'
import { type Database, findApiKey } from '@assay/store'
import type { Hex } from 'viem'

/** Keys that are remembered; the oldest is forgotten first. */
const MAX_KEYS = 10_000
/** How long a key is believed that another gateway may have taken back meanwhile, milliseconds. */
const FRESH_MS = 5000

export type KnownKey = { grantId: Hex; grant: SpendingGrant; revoked: boolean }

/** The keys of this gateway. What a key stands for never changes, so the database is not asked for it at every call. */
export type Keys = {
  /** Whose calls a key pays for; undefined for one that was never registered. */
  find(keyHash: Hex): Promise<KnownKey | undefined>
  /** Has the database asked at the next use of a key. */
  forget(keyHash: Hex): void
}

/**
 * A process that has the database for itself hears of every key that is taken back. Beside others it asks again every few
 * seconds; what a call may cost is never set aside for a key that any of them has taken back (`reserve`).
 */
export function createKeys(database: Database): Keys {
  const freshMs = database.engine === 'pglite' ? Number.POSITIVE_INFINITY : FRESH_MS
  const known = new Map<Hex, { at: number; key: KnownKey }>()
  /** Goes up whenever a key is forgotten: what was read before that is not to be remembered after it. */
  let forgotten = 0

  async function look(keyHash: Hex): Promise<KnownKey | undefined> {
    const at = performance.now()
    const before = forgotten
    const found = await findApiKey(database, keyHash)
    if (found === undefined) return undefined
    const { grantId, revoked, terms } = found
    const key = { grantId, revoked, grant: grantFromJson(JSON.parse(terms)) }
    if (!revoked && forgotten === before) keep(keyHash, { at, key })
    return key
  }
  function keep(keyHash: Hex, entry: { at: number; key: KnownKey }): void {
    known.delete(keyHash)
    known.set(keyHash, entry)
    const [oldest] = known.keys()
    if (known.size > MAX_KEYS && oldest !== undefined) known.delete(oldest)
  }
  return {
    async find(keyHash) {
      const entry = known.get(keyHash)
      if (entry !== undefined && performance.now() - entry.at < freshMs) return entry.key
      known.delete(keyHash)
      return look(keyHash)
    },
    forget(keyHash) {
      forgotten += 1
      known.delete(keyHash)
    },
  }
}
