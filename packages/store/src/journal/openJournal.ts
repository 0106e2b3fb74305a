import { mkdirSync, rmSync } from 'node:fs'
import type { Database } from '../database.ts'
import type { RequestWriter } from '../writer.ts'
import { type Applier, openApplier } from './applier.ts'
import type { Entry } from './entries.ts'
import { createLog, type Log, readLog } from './log.ts'
import { openPayments, type Payments } from './payments.ts'
import { DISK, type Disk } from './segment.ts'

/**
 * How long a claim waits for a sync, milliseconds. Nothing is acknowledged by a claim alone, and what is takes a sync of
 * its own, which covers the claim: an answer that comes within this time takes one sync, not two.
 */
const CLAIM_SYNC_MS = 4
/** Entries that may wait; one more is refused, so that a database that is stuck cannot fill memory and disk. */
const MAX_WAITING = 65_536

export type Journalled = {
  database: Database
  writer: RequestWriter
  /**
   * The same database for work that comes back again and again: it may be a moment behind what was acknowledged, and
   * holds nobody up to catch up first.
   */
  lagging: Database
}

/**
 * An append-only file in front of the embedded database: what an answer waits for is one write and one fdatasync, and
 * the database catches up behind it. Whoever reads through the database that is returned reads after everything that was
 * acknowledged before. What a crash left unapplied is applied when it is opened again.
 */
export async function openJournal(inner: Database, folder: string, disk: Disk = DISK): Promise<Journalled> {
  mkdirSync(folder, { recursive: true })
  let log: Log | undefined
  const applier = await openApplier(inner, (applied) => log?.forget(applied))
  const left = readLog(folder)
  applier.add(left.entries)
  await applier.catchUp()
  for (const path of left.paths) rmSync(path, { force: true })

  const payments = await openPayments(inner)
  log = await createLog({
    folder,
    next: applier.applied + 1,
    disk,
    onDurable: applier.add,
    onLost(entry) {
      if (entry.kind === 'claim') payments.lose(entry)
    },
  })
  return {
    database: caughtUp(inner, applier, log),
    writer: journalWriter(log, applier, payments),
    lagging: inner,
  }
}

/**
 * A claim is known at once and synced with what follows it; everything else is synced before it counts. A claim that the
 * disk did not take holds all the same, for a node may have its request by then: it is written again, in one line with
 * what becomes of it. Only where nobody has the request is it forgotten.
 */
function journalWriter(log: Log, applier: Applier, payments: Payments): RequestWriter {
  function write(...entries: Entry[]): Promise<void> {
    if (applier.waiting + log.unsynced < MAX_WAITING) return log.write(entries)
    throw new Error('The database does not keep up with the journal.')
  }
  async function writeDurably(...entries: Entry[]): Promise<void> {
    const durable = write(...entries)
    void log.sync()
    await durable
  }
  return {
    async claim(request) {
      if (!payments.isFree(request.requestId)) return undefined
      const written = write({ kind: 'claim', request })
      payments.claim(request)
      log.syncWithin(CLAIM_SYNC_MS)
      // Awaited later, by the relay; a request that ends before that must not leave a rejection unhandled.
      written.catch(() => {})
      return { written }
    },
    async record(receipt) {
      await writeDurably(...payments.lost(receipt.requestId), { kind: 'record', receipt })
      payments.end(receipt.requestId, 'finished')
    },
    async end(requestId, state) {
      const lost = payments.lost(requestId)
      const forgotten = lost.length > 0 && state === 'released'
      if (!forgotten) await writeDurably(...lost, { kind: 'end', requestId, state })
      payments.end(requestId, state)
    },
  }
}

/** The database, behind what was acknowledged. */
function caughtUp(inner: Database, applier: Applier, log: Log): Database {
  return {
    engine: inner.engine,
    async query(sql, parameters) {
      await applier.catchUp()
      return inner.query(sql, parameters)
    },
    async transaction(work) {
      await applier.catchUp()
      return inner.transaction(work)
    },
    async close() {
      await log.sync()
      await applier.catchUp()
      applier.stop()
      await log.close()
      await inner.close()
    },
  }
}
