import type { DatabaseSync } from 'node:sqlite'
import { decodeReceiptHeader, type SignedReceipt } from '@assay/protocol'
import type { Hex } from 'viem'

/** A receipt that this node puts on chain itself. */
export type Forcing = {
  signed: SignedReceipt
  /** Height in the operator's name, chosen once: the contract takes no second batch at it, so nothing is forced twice. */
  height: bigint
  batchId: Hex
}

/** Where the node's receipts stand on chain, as far as it matters for forcing them in. */
export type InclusionStore = {
  /**
   * Receipts nobody has placed yet whose `includeBy` lies in [from, to], the oldest first, and of those the ones that
   * come after a given one.
   */
  overdue: (from: bigint, to: bigint, after: SignedReceipt | undefined, limit: number) => SignedReceipt[]
  /** Somebody's batch holds it; looked at again by `reopen`. */
  included: (requestId: Hex, batchId: Hex) => void
  /** Batches that are known to hold receipts of ours and are not ended. */
  openBatches: () => Hex[]
  /** The batch came to nothing: what it held is overdue again. */
  reopen: (batchId: Hex) => void
  /** The batch is final: what it held needs us no more. */
  settleBatch: (batchId: Hex) => void
  /** Durable before it is sent. */
  forcing: (forced: Forcing) => void
  allForcing: () => Forcing[]
  /** Nothing will ever be left to do, for this reason. */
  done: (requestId: Hex, outcome: string) => void
  /** What became of it; undefined while it is open. */
  outcomeOf: (requestId: Hex) => string | undefined
}

/** Opens the tables beside the receipts in the node's own database. */
export function openInclusionStore(database: DatabaseSync): InclusionStore {
  database.exec(`
    CREATE TABLE IF NOT EXISTS inclusions (
      request_id TEXT PRIMARY KEY,
      state TEXT NOT NULL CHECK (state IN ('included', 'forcing', 'done')),
      batch_id TEXT,
      height INTEGER,
      outcome TEXT
    ) STRICT;
    CREATE INDEX IF NOT EXISTS inclusions_open ON inclusions (state, batch_id) WHERE state <> 'done';
  `)
  const put = database.prepare(
    'INSERT OR REPLACE INTO inclusions (request_id, state, batch_id, height, outcome) VALUES (?, ?, ?, ?, ?)',
  )
  const overdue = database.prepare(`
    SELECT signed FROM receipts LEFT JOIN inclusions USING (request_id)
    WHERE state IS NULL AND include_by BETWEEN ? AND ? AND (include_by, request_id) > (?, ?)
    ORDER BY include_by, request_id LIMIT ?`)
  const batches = database.prepare("SELECT DISTINCT batch_id FROM inclusions WHERE state = 'included'")
  const reopen = database.prepare('DELETE FROM inclusions WHERE batch_id = ?')
  const settle = database.prepare(
    "UPDATE inclusions SET state = 'done', outcome = 'included' WHERE batch_id = ? AND state = 'included'",
  )
  const forcing = database.prepare(`
    SELECT signed, batch_id, height FROM inclusions JOIN receipts USING (request_id)
    WHERE state = 'forcing' ORDER BY height`)
  const outcome = database.prepare('SELECT outcome FROM inclusions WHERE request_id = ?')
  return {
    overdue: (from, to, after, limit) =>
      overdue
        .all(from, to, after?.receipt.includeBy ?? 0n, after?.receipt.requestId ?? '', limit)
        .map(({ signed }) => decodeReceiptHeader(String(signed))),
    included: (requestId, batchId) => void put.run(requestId, 'included', batchId, null, null),
    openBatches: () => batches.all().map(({ batch_id }) => batch_id as Hex),
    reopen: (batchId) => void reopen.run(batchId),
    settleBatch: (batchId) => void settle.run(batchId),
    forcing: ({ signed, height, batchId }) =>
      void put.run(signed.receipt.requestId, 'forcing', batchId, height, null),
    allForcing: () =>
      forcing.all().map(({ signed, batch_id, height }) => ({
        signed: decodeReceiptHeader(String(signed)),
        batchId: batch_id as Hex,
        height: BigInt(height as number),
      })),
    done: (requestId, reason) => void put.run(requestId, 'done', null, null, reason),
    outcomeOf(requestId) {
      const found = outcome.get(requestId)?.outcome
      return typeof found === 'string' ? found : undefined
    },
  }
}
