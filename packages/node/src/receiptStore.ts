import { closeSync, fdatasync, mkdirSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { promisify } from 'node:util'
import { decodeReceiptHeader, encodeReceiptHeader, type SignedReceipt } from '@assay/protocol'
import type { Hex } from 'viem'
import { type InclusionStore, openInclusionStore } from './force/inclusionStore.ts'
import { type Bodies, openProofStore, type ProofStore } from './proofs/proofStore.ts'

/** A node's own copy of what it signed. */
export type ReceiptStore = {
  /**
   * Durable when it resolves, with what is to be proved of it, if anything. @throws when the request has a receipt already
   */
  save: (signed: SignedReceipt, toProve?: Bodies) => Promise<void>
  /** Of what is durable. */
  find: (requestId: Hex) => SignedReceipt | undefined
  /** What is to be proved and what is, in the same database. */
  proofs: ProofStore
  /** What became of them on chain, in the same database. */
  inclusions: InclusionStore
  close: () => void
}

/**
 * SQLite with `synchronous = FULL`: a receipt that reached anybody is on this disk too, so that the node can force it
 * into a batch should the gateway drop it. Receipts hold no contents; what is to be proved does.
 * @param sync makes what was written to an open file durable; for tests
 */
export function openReceiptStore(
  dir: string,
  sync: (descriptor: number) => Promise<void> = promisify(fdatasync),
): ReceiptStore {
  mkdirSync(dir, { recursive: true })
  const file = join(dir, 'receipts.sqlite')
  const database = new DatabaseSync(file, { timeout: 5_000 })
  database.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE IF NOT EXISTS receipts (
      request_id TEXT PRIMARY KEY,
      signed TEXT NOT NULL,
      include_by INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX IF NOT EXISTS receipts_by_deadline ON receipts (include_by);
  `)
  const insert = database.prepare('INSERT INTO receipts (request_id, signed, include_by) VALUES (?, ?, ?)')
  const select = database.prepare('SELECT signed FROM receipts WHERE request_id = ?')
  const proofs = openProofStore(database)
  // SQLite reads the log and writes it, and never locks it, so another descriptor is in nobody's way.
  const log = openSync(`${file}-wal`, 'r+')
  const flush = createFlush(() => sync(log))
  const unsynced = new Set<Hex>()

  /**
   * One transaction, or a crash between the two would leave an answer that nobody proves. Written to the log, and not
   * waited for: the disk would hold up whatever else the process answers.
   */
  function write({ receipt, signature }: SignedReceipt, toProve: Bodies | undefined): void {
    const { requestId, includeBy, modelId } = receipt
    database.exec('PRAGMA synchronous = NORMAL')
    try {
      database.exec('BEGIN IMMEDIATE')
      try {
        insert.run(requestId, encodeReceiptHeader({ receipt, signature }), includeBy)
        if (toProve !== undefined) proofs.add({ requestId, modelId, bodies: toProve })
        database.exec('COMMIT')
      } catch (error) {
        database.exec('ROLLBACK')
        throw error
      }
    } finally {
      database.exec('PRAGMA synchronous = FULL')
    }
  }

  return {
    async save(signed, toProve) {
      const { requestId } = signed.receipt
      write(signed, toProve)
      unsynced.add(requestId)
      // What the disk did not take stays unsaid for as long as this process lives, and unknown to the next or known to it.
      await flush()
      unsynced.delete(requestId)
    },
    find(requestId) {
      if (unsynced.has(requestId)) return undefined
      const signed = select.get(requestId)?.signed
      return typeof signed === 'string' ? decodeReceiptHeader(signed) : undefined
    },
    proofs,
    inclusions: openInclusionStore(database),
    close() {
      database.close()
      closeSync(log)
    },
  }
}

/**
 * Runs `sync` so that it begins after the call: one that is under way may miss what was written a moment ago, so all
 * that ask meanwhile share the one after it.
 */
function createFlush(sync: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined
  let next: Promise<void> | undefined
  return () => {
    next ??= (async () => {
      await running?.catch(() => undefined)
      running = next
      next = undefined
      await sync()
    })()
    return next
  }
}
