import type { Database } from '../database.ts'
import { applyEntries, type Numbered } from './entries.ts'

/** Longest time that an entry waits to be applied where nobody reads, milliseconds: a transaction costs more than its rows. */
const APPLY_AFTER_MS = 250
/** After a failure of the database, milliseconds. */
const RETRY_MS = 1000
/** Entries applied in one transaction. */
const MAX_APPLIED = 512

/** What brings the journal's entries into the database, many in one transaction. */
export type Applier = {
  /** The last entry that the database holds. */
  readonly applied: number
  /** Entries that the database does not hold yet. */
  readonly waiting: number
  /** Takes entries that are in the journal; they are applied within a quarter of a second. */
  add(items: readonly Numbered[]): void
  /** Resolves when all that was in the journal at the call is in the database. */
  catchUp(): Promise<void>
  /** Applies no more by itself. */
  stop(): void
}

/** The database itself remembers how far it came, so nothing is applied twice. */
export async function openApplier(
  database: Database,
  onApplied: (applied: number) => void,
): Promise<Applier> {
  const rows = await database.query<{ applied: string }>('select applied::text as applied from journal')
  let applied = Number(rows[0]?.applied ?? '0')
  let waiting: Numbered[] = []
  let applying: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined

  function catchUp(): Promise<void> {
    clearTimeout(timer)
    timer = undefined
    const target = waiting.at(-1)?.seq
    if (target === undefined) return Promise.resolve()
    applying ??= applyUpTo(target).finally(() => {
      applying = undefined
      if (waiting.length > 0) applyLater(applied < target ? RETRY_MS : APPLY_AFTER_MS)
    })
    // What came after `applying` had begun its look waits for one more.
    return applying.then(() => (applied < target ? catchUp() : undefined))
  }
  /** What comes meanwhile waits for others: applied as it comes, entries would take a transaction each. */
  async function applyUpTo(target: number): Promise<void> {
    while (applied < target) {
      const items = waiting.slice(0, MAX_APPLIED).filter(({ seq }) => seq <= target)
      await apply(items)
      waiting = waiting.slice(items.length)
    }
    onApplied(applied)
  }
  async function apply(items: readonly Numbered[]): Promise<void> {
    const last = items.at(-1)?.seq ?? applied
    await database.transaction(async (transaction) => {
      await applyEntries(
        transaction,
        items.map(({ entry }) => entry),
      )
      await transaction.query('update journal set applied = $1', [last])
    })
    applied = last
  }
  function applyLater(milliseconds: number): void {
    timer ??= setTimeout(() => {
      timer = undefined
      // A failure shows to whoever reads; the next attempt comes by itself.
      catchUp().catch(() => {})
    }, milliseconds)
  }

  return {
    get applied() {
      return applied
    },
    get waiting() {
      return waiting.length
    },
    add(items) {
      for (const item of items) if (item.seq > applied) waiting.push(item)
      if (waiting.length > 0) applyLater(APPLY_AFTER_MS)
    },
    catchUp,
    stop: () => clearTimeout(timer),
  }
}
