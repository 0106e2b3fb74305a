import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { decodeReceiptHeader, encodeReceiptHeader, type SignedReceipt } from '@assay/protocol'
import type { Hex } from 'viem'

/** A node's own copy of what it signed, and its memory of the requests it has begun. */
export type ReceiptStore = {
  /** Claims a request id; false when it was claimed before. */
  claim: (requestId: Hex) => boolean
  /** Gives up a claim under which nothing was signed. */
  release: (requestId: Hex) => void
  /** Durable when it returns. */
  save: (signed: SignedReceipt) => void
  find: (requestId: Hex) => SignedReceipt | undefined
  /** Whether a request is claimed and not answered yet. */
  isRunning: (requestId: Hex) => boolean
  close: () => void
}

/**
 * SQLite with `synchronous = FULL`: a receipt that reached anybody is on this disk too, so that the node can force it
 * into a batch should the gateway drop it. Receipts hold no contents.
 */
export function openReceiptStore(dir: string): ReceiptStore {
  mkdirSync(dir, { recursive: true })
  const database = new DatabaseSync(join(dir, 'receipts.sqlite'), { timeout: 5_000 })
  database.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE IF NOT EXISTS receipts (
      request_id TEXT PRIMARY KEY,
      signed TEXT,
      include_by INTEGER,
      claimed_at INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX IF NOT EXISTS receipts_by_deadline ON receipts (include_by);
  `)
  // A claim without a receipt is an answer that died with an earlier process: nothing was signed, so the payer may
  // try the same payment again.
  database.exec('DELETE FROM receipts WHERE signed IS NULL')
  const claim = database.prepare('INSERT OR IGNORE INTO receipts (request_id, claimed_at) VALUES (?, ?)')
  const release = database.prepare('DELETE FROM receipts WHERE request_id = ? AND signed IS NULL')
  const save = database.prepare(
    'UPDATE receipts SET signed = ?, include_by = ? WHERE request_id = ? AND signed IS NULL',
  )
  const find = database.prepare('SELECT signed FROM receipts WHERE request_id = ?')
  return {
    claim: (requestId) => claim.run(requestId, Math.floor(Date.now() / 1000)).changes === 1,
    release: (requestId) => {
      release.run(requestId)
    },
    save(signed) {
      const { requestId, includeBy } = signed.receipt
      if (save.run(encodeReceiptHeader(signed), includeBy, requestId).changes !== 1) {
        throw new Error('A receipt needs its claim, and is written once.')
      }
    },
    find(requestId) {
      const signed = find.get(requestId)?.signed
      return typeof signed === 'string' ? decodeReceiptHeader(signed) : undefined
    },
    isRunning(requestId) {
      const row = find.get(requestId)
      return row !== undefined && row.signed === null
    },
    close: () => database.close(),
  }
}
