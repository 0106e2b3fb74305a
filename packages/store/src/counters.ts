import type { Hex, Queryable } from './database.ts'

/** Counters that are taken at once. */
const BLOCK = 64
/** With fewer left the next are taken beside the calls that use these up. */
const LOW = 16
/** Grants whose blocks are kept; the oldest is given up first, which leaves a gap. */
const MAX_GRANTS = 4096

/** Places under grants that are this process's to give out. */
export type Counters = {
  /** A place that no call ever had; undefined where there is no such grant. */
  take(grantId: Hex): Promise<bigint | undefined>
}

/**
 * Counters come in blocks, each taken durably: none is ever given out twice, whatever a crash of the server takes away of
 * the calls themselves, and hardly a call but a grant's first waits for the disk.
 */
export function createCounters(database: Queryable): Counters {
  const free = new Map<Hex, bigint[]>()
  const taking = new Map<Hex, Promise<void>>()

  async function takeBlock(grantId: Hex): Promise<void> {
    const rows = await database.query<{ next: string }>(
      'update grants set next_counter = next_counter + $2 where grant_id = $1 returning next_counter::text as next',
      [grantId, BLOCK],
    )
    if (rows[0] === undefined) return
    const first = BigInt(rows[0].next) - BigInt(BLOCK)
    const block = Array.from({ length: BLOCK }, (_, at) => first + BigInt(at))
    free.set(grantId, [...(free.get(grantId) ?? []), ...block])
    const [oldest] = free.keys()
    if (free.size > MAX_GRANTS && oldest !== undefined) free.delete(oldest)
  }
  function takeOneBlock(grantId: Hex): Promise<void> {
    const taken = taking.get(grantId) ?? takeBlock(grantId).finally(() => taking.delete(grantId))
    taking.set(grantId, taken)
    return taken
  }
  return {
    async take(grantId) {
      // More than a block of calls may wait for one.
      for (;;) {
        const left = free.get(grantId) ?? []
        const counter = left.shift()
        if (counter !== undefined) {
          // Where that fails, whoever finds none hears of it.
          if (left.length < LOW) takeOneBlock(grantId).catch(() => {})
          return counter
        }
        await takeOneBlock(grantId)
        if (!free.has(grantId)) return undefined
      }
    },
  }
}
