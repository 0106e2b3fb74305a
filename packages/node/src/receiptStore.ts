import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { decodeReceiptHeader, encodeReceiptHeader, type SignedReceipt } from '@assay/protocol'
import type { Hex } from 'viem'
import { type InclusionStore, openInclusionStore } from './force/inclusionStore.ts'
import { type Bodies, openProofStore, type ProofStore } from './proofs/proofStore.ts'

/** A node's own copy of what it signed. */
export type ReceiptStore = {
  /**
   * Durable when it returns, with what is to be proved of it, if anything. @throws when the request has a receipt already
   */
  save: (signed: SignedReceipt, toProve?: Bodies) => void
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
 */
export function openReceiptStore(dir: string): ReceiptStore {
  mkdirSync(dir, { recursive: true })
  const database = new DatabaseSync(join(dir, 'receipts.sqlite'), { timeout: 5_000 })
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
  return {
    save(signed, toProve) {
      const { requestId, includeBy, modelId } = signed.receipt
      // One transaction, or a crash between the two would leave an answer that nobody proves.
      database.exec('BEGIN IMMEDIATE')
      try {
        insert.run(requestId, encodeReceiptHeader(signed), includeBy)
        if (toProve !== undefined) proofs.add({ requestId, modelId, bodies: toProve })
        database.exec('COMMIT')
      } catch (error) {
        database.exec('ROLLBACK')
        throw error
      }
    },
    find(requestId) {
      const signed = select.get(requestId)?.signed
      return typeof signed === 'string' ? decodeReceiptHeader(signed) : undefined
    },
    proofs,
    inclusions: openInclusionStore(database),
    close: () => database.close(),
  }
}
