import { mkdirSync, rmSync } from 'node:fs'
import { type Counters, createCounters } from '../counters.ts'
import type { Database } from '../database.ts'
import { placedCall, type ReservationRefusal, reservationRefusal, UNKNOWN_GRANT } from '../reservations.ts'
import type { RequestWriter } from '../writer.ts'
import { type Applier, openApplier } from './applier.ts'
import type { Entry, Numbered } from './entries.ts'
import { type Grants, openGrants } from './grants.ts'
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
  const grants = openGrants(inner, () => applier.applied)
  const counters = createCounters(inner)
  log = createLog(folder, applier.applied + 1, disk)
  return {
    database: caughtUp(inner, applier, log),
    writer: journalWriter(log, applier, { payments, grants, counters }),
    lagging: inner,
  }
}

function journalWriter(
  log: Log,
  applier: Applier,
  { payments, grants, counters }: { payments: Payments; grants: Grants; counters: Counters },
): RequestWriter {
  /** @returns its number */
  function write(entry: Entry): number {
    if (applier.waiting >= MAX_WAITING) throw new Error('The database does not keep up with the journal.')
    const numbered: Numbered = log.write(entry)
    applier.add([numbered])
    return numbered.seq
  }
  return {
    async claim(request) {
      if (!payments.isFree(request.requestId)) return false
      write({ kind: 'claim', request })
      payments.claim(request)
      return true
    },
    takePlace: counters.take,
    async reserve(call) {
      let refusal: ReservationRefusal | undefined
      // What was ended or paid in since is worth a second look before anybody is turned away.
      for (const again of [false, true]) {
        const grant = await grants.stateOf(call.grantId, again)
        if (grant === undefined) return UNKNOWN_GRANT
        // No await from here to the entry.
        refusal = reservationRefusal(grant, call, Date.now() / 1000)
        if (refusal !== undefined) continue
        const placed = placedCall(call)
        grants.reserved(placed, write({ kind: 'reserve', call: placed }))
        return undefined
      }
      return refusal
    },
    async record(receipt) {
      const { requestId, prepaid, price } = receipt
      if (prepaid && !grants.has(requestId)) throw new Error('The place of this call is gone.')
      const seq = write({ kind: 'record', receipt })
      payments.end(requestId, 'finished')
      grants.recorded(requestId, price, seq)
    },
    async end(requestId, state) {
      const seq = write({ kind: 'end', requestId, state })
      payments.end(requestId, state)
      grants.ended(requestId, seq)
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
