import { mkdirSync, rmSync } from 'node:fs'
import type { Database } from '../database.ts'
import type { RequestWriter } from '../writer.ts'
import { type Applier, openApplier } from './applier.ts'
import type { Entry } from './entries.ts'
import { createLog, type Log, readLog } from './log.ts'
import { openPayments, type Payments } from './payments.ts'
import { DISK, type Disk } from './segment.ts'

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
 * An append-only file in front of the embedded database: what an answer waits for is one write, and the database catches
 * up behind it. It promises what the database itself does: what was acknowledged outlives this process, however that ends.
 * Whoever reads through the database that is returned reads after everything that was acknowledged before. What a crash
 * left unapplied is applied when it is opened again.
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
  log = createLog(folder, applier.applied + 1, disk)
  return {
    database: caughtUp(inner, applier, log),
    writer: journalWriter(log, applier, payments),
    lagging: inner,
  }
}

function journalWriter(log: Log, applier: Applier, payments: Payments): RequestWriter {
  function write(entry: Entry): void {
    if (applier.waiting >= MAX_WAITING) throw new Error('The database does not keep up with the journal.')
    applier.add([log.write(entry)])
  }
  return {
    async claim(request) {
      if (!payments.isFree(request.requestId)) return false
      write({ kind: 'claim', request })
      payments.claim(request)
      return true
    },
    async record(receipt) {
      write({ kind: 'record', receipt })
      payments.end(receipt.requestId, 'finished')
    },
    async end(requestId, state) {
      write({ kind: 'end', requestId, state })
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
      await applier.catchUp()
      applier.stop()
      log.close()
      await inner.close()
    },
  }
}
