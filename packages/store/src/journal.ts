import { mkdirSync, rmSync } from 'node:fs'
import type { Database, Hex, Queryable } from './database.ts'
import { groupCommit } from './groupCommit.ts'
import { createSegment, type Group, readSegment, type Segment, segmentPaths } from './journalFile.ts'
import { type NewReceipt, recordReceipts } from './receipts.ts'
import { claimRequests, endRequest, type NewRequest, type RequestState } from './requests.ts'
import type { RequestWriter } from './writer.ts'

type Entry =
  | { kind: 'claim'; request: NewRequest }
  | { kind: 'record'; receipt: NewReceipt }
  | { kind: 'end'; requestId: Hex; state: 'failed' | 'released' }

/** Longest time that an entry waits to be applied where nobody reads, milliseconds. */
const APPLY_AFTER_MS = 100
/** After a failure of the database, milliseconds. */
const RETRY_MS = 1000
/** Entries applied in one transaction. */
const MAX_APPLIED = 512
/** Entries that may wait; one more is refused, so that a database that is stuck cannot fill memory and disk. */
const MAX_WAITING = 65_536
/** A segment of this size makes room for a new one as soon as all of it is applied, bytes. */
const SEGMENT_BYTES = 8 * 1024 * 1024
/** Ids of payments are forgotten when nobody could use them any more; looked at after so many claims. */
const FORGET_EVERY = 4096

/** Members that are integers of any size; decimal strings in the file. */
const BIG = new Set(['authorised', 'expiresAt', 'price', 'collectAmount'])

const encode = (group: Group<Entry>): string =>
  JSON.stringify(group, (_, value) => (typeof value === 'bigint' ? value.toString() : value))
const decode = (json: string): Group<Entry> =>
  JSON.parse(json, (name, value) => (BIG.has(name) ? BigInt(value) : value)) as Group<Entry>

export type Journalled = { database: Database; writer: RequestWriter }

/**
 * An append-only file in front of the embedded database: what an answer waits for is one append and one fdatasync, and
 * the database catches up behind it, many entries in one transaction. Whoever reads through the database that is returned
 * reads after everything that was acknowledged before. What a crash left unapplied is applied when it is opened again;
 * the database itself remembers how far it came, so nothing is applied twice.
 */
export async function openJournal(inner: Database, folder: string): Promise<Journalled> {
  mkdirSync(folder, { recursive: true })
  const rows = await inner.query<{ applied: string }>('select applied::text as applied from journal')
  let applied = Number(rows[0]?.applied ?? '0')
  const paths = segmentPaths(folder)
  const left = paths
    .flatMap((path) => readSegment(path, decode))
    .flatMap(({ first, entries }) => entries.map((entry, at) => ({ seq: first + at, entry })))
    .filter(({ seq }) => seq > applied)
  for (let at = 0; at < left.length; at += MAX_APPLIED) await apply(left.slice(at, at + MAX_APPLIED))
  for (const path of paths) rmSync(path, { force: true })

  let next = applied + 1
  let segment = await createSegment(folder, next)
  let waiting: { seq: number; entry: Entry }[] = []
  const known = await openPayments(inner)

  async function apply(items: readonly { seq: number; entry: Entry }[]): Promise<void> {
    const last = items.at(-1)?.seq ?? applied
    await inner.transaction(async (transaction) => {
      for (const run of runs(items.map(({ entry }) => entry))) await applyRun(transaction, run)
      await transaction.query('update journal set applied = $1', [last])
    })
    applied = last
  }

  let applying: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined
  /** Resolves when all that is durable now is in the database. */
  function catchUp(): Promise<void> {
    clearTimeout(timer)
    timer = undefined
    if (waiting.length === 0 && applying === undefined) return Promise.resolve()
    const target = waiting.at(-1)?.seq ?? 0
    applying ??= applyAll().finally(() => {
      applying = undefined
      if (waiting.length > 0) later(RETRY_MS)
    })
    // What came after `applying` had begun its last look waits for one more.
    return applying.then(() => (applied < target ? catchUp() : undefined))
  }
  async function applyAll(): Promise<void> {
    while (waiting.length > 0) {
      const items = waiting.slice(0, MAX_APPLIED)
      await apply(items)
      waiting = waiting.slice(items.length)
    }
    await roll(SEGMENT_BYTES)
  }
  function later(milliseconds: number): void {
    timer ??= setTimeout(() => {
      timer = undefined
      // A failure shows to whoever reads; the next attempt comes by itself.
      catchUp().catch(() => {})
    }, milliseconds)
  }

  let appending = false
  /** Starts a new segment where the old one has grown and holds nothing that is still needed. */
  async function roll(size: number): Promise<void> {
    if (appending || waiting.length > 0 || segment.length < size) return
    appending = true
    try {
      const old: Segment = segment
      segment = await createSegment(folder, next)
      await old.remove()
    } finally {
      appending = false
    }
  }

  const append = groupCommit(async (items: { entry: Entry; written: () => void }[]): Promise<true[]> => {
    const entries = items.map(({ entry }) => entry)
    while (appending) await new Promise((turn) => setImmediate(turn))
    appending = true
    try {
      const first = next
      await segment.append(encode({ first, entries }), () => {
        for (const { written } of items) written()
      })
      next += entries.length
      for (const [at, entry] of entries.entries()) waiting.push({ seq: first + at, entry })
    } finally {
      appending = false
    }
    later(APPLY_AFTER_MS)
    return entries.map(() => true)
  })

  function write(entry: Entry, written = () => {}): Promise<true> {
    if (waiting.length < MAX_WAITING) return append({ entry, written })
    return Promise.reject(new Error('The database does not keep up with the journal.'))
  }

  const writer: RequestWriter = {
    async claim(request) {
      const { requestId } = request
      const before = known.get(requestId)
      if (before !== undefined && before.state !== 'released') return undefined
      known.set(requestId, { state: 'forwarded', expiresAt: request.expiresAt })
      forget(known)
      const written = Promise.withResolvers<void>()
      const durable = write({ kind: 'claim', request }, written.resolve).catch((error) => {
        if (before === undefined) known.delete(requestId)
        else known.set(requestId, before)
        throw error
      })
      await Promise.race([written.promise, durable])
      // Awaited later, by the relay; a request that ends before that must not leave a rejection unhandled.
      durable.catch(() => {})
      return { durable }
    },
    async record(receipt) {
      await write({ kind: 'record', receipt })
      setState(known, receipt.requestId, 'finished')
    },
    async end(requestId, state) {
      await write({ kind: 'end', requestId, state })
      if (known.get(requestId)?.state === 'forwarded') setState(known, requestId, state)
    },
  }
  const database: Database = {
    engine: inner.engine,
    async query(sql, parameters) {
      await catchUp()
      return inner.query(sql, parameters)
    },
    async transaction(work) {
      await catchUp()
      return inner.transaction(work)
    },
    async close() {
      await catchUp()
      clearTimeout(timer)
      await segment.remove()
      await inner.close()
    },
  }
  return { database, writer }
}

type Payments = Map<Hex, { state: RequestState; expiresAt: bigint }>

/** Payments that could still be offered: one that has expired is refused before anybody asks whether it was used. */
async function openPayments(database: Queryable): Promise<Payments> {
  const rows = await database.query<{ request_id: Hex; state: RequestState; expires_at: string }>(
    `select request_id, state, expires_at::text as expires_at from requests
     where grant_id is null and expires_at >= extract(epoch from now())`,
  )
  return new Map(rows.map((row) => [row.request_id, { state: row.state, expiresAt: BigInt(row.expires_at) }]))
}

function setState(payments: Payments, requestId: Hex, state: RequestState): void {
  const payment = payments.get(requestId)
  if (payment !== undefined) payments.set(requestId, { ...payment, state })
}

let claims = 0
function forget(payments: Payments): void {
  if (++claims % FORGET_EVERY !== 0) return
  // A minute more than any clock should be wrong by.
  const now = BigInt(Math.floor(Date.now() / 1000)) - 60n
  for (const [requestId, { expiresAt }] of payments) if (expiresAt < now) payments.delete(requestId)
}

/**
 * Entries of one kind together, since each run is one statement, and those of one request in their order: nothing else
 * of the order matters. Calls one after another would else take a statement for each claim and each receipt.
 */
function runs(entries: readonly Entry[]): Entry[][] {
  const found: Entry[][] = []
  const next = new Map<Hex, number>()
  for (const entry of entries) {
    const requestId = requestOf(entry)
    const from = next.get(requestId) ?? 0
    let at = found.findIndex((run, index) => index >= from && run[0]?.kind === entry.kind)
    if (at === -1) at = found.push([]) - 1
    found[at]?.push(entry)
    next.set(requestId, at + 1)
  }
  return found
}

function requestOf(entry: Entry): Hex {
  if (entry.kind === 'claim') return entry.request.requestId
  return entry.kind === 'record' ? entry.receipt.requestId : entry.requestId
}

async function applyRun(transaction: Queryable, run: readonly Entry[]): Promise<void> {
  const requests = run.flatMap((entry) => (entry.kind === 'claim' ? [entry.request] : []))
  const receipts = run.flatMap((entry) => (entry.kind === 'record' ? [entry.receipt] : []))
  if (requests.length > 0) await claimRequests(transaction, requests)
  if (receipts.length > 0) await recordReceipts(transaction, receipts)
  for (const entry of run)
    if (entry.kind === 'end') await endRequest(transaction, entry.requestId, entry.state)
}
