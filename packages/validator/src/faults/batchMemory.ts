import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import {
  type Batch,
  batchEntries,
  MAX_BATCH_FILE_BYTES,
  type Receipt,
  readBatchFile,
  receiptStructHash,
  statedBatch,
} from '@assay/protocol'
import type { BatchView } from '@assay/verify'
import type { Address, Hex } from 'viem'
import type { PlacedReceipt } from './equivocations.ts'

/** Batch files that a validator has seen, so that what contradicts them later can be proven. */
export type BatchMemory = {
  /** Keeps a committed batch file; once is enough. */
  remember: (batch: BatchView, file: Uint8Array) => void
  /** The committed bytes, where they were seen. */
  fileOf: (batchId: Hex) => Uint8Array | undefined
  /** Whether everything that can be found in the batch was found, and written down elsewhere. */
  isSearched: (batchId: Hex) => boolean
  setSearched: (batchId: Hex) => void
  /** Other receipts of other batches under this one's key and sequence number, as those batches state them. */
  under: (batchId: Hex, receipt: Receipt) => PlacedReceipt[]
  /** Other batches of the committer that hold this call under a grant. */
  withCall: (batch: { batchId: Hex; committer: Address }, requestId: Hex) => { batchId: Hex }[]
  /** As its file states it, under the id and height that the chain gave it. */
  batchOf: (batchId: Hex) => Batch | undefined
  /** Forgets what was committed before, Unix seconds: nobody answers for it any more. */
  forget: (before: bigint) => void
  close: () => void
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS batch (
    id INTEGER PRIMARY KEY,
    deployment_id TEXT NOT NULL,
    batch_id TEXT NOT NULL,
    committer TEXT NOT NULL,
    height TEXT NOT NULL,
    committed_at INTEGER NOT NULL,
    file BLOB NOT NULL,
    searched INTEGER NOT NULL DEFAULT 0,
    UNIQUE (deployment_id, batch_id)
  ) STRICT;
  CREATE INDEX IF NOT EXISTS batch_age ON batch (committed_at);
  CREATE TABLE IF NOT EXISTS seen (
    batch INTEGER NOT NULL REFERENCES batch (id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    seq TEXT NOT NULL,
    struct_hash TEXT NOT NULL,
    call TEXT
  ) STRICT;
  CREATE INDEX IF NOT EXISTS seen_seq ON seen (key, seq);
  CREATE INDEX IF NOT EXISTS seen_call ON seen (call) WHERE call IS NOT NULL;
  CREATE INDEX IF NOT EXISTS seen_batch ON seen (batch);
`

/** Batches kept as objects, a few megabytes each. */
const MAX_PARSED = 4

const lower = (text: string) => text.toLowerCase()

/**
 * Opens the memory of what was committed. Losing it loses no safety: only contradictions with what was forgotten stay
 * unseen; so it is a file apart from the signing record, and may lag behind the disk.
 * @param dir the validator's own data directory
 */
export function openBatchMemory(dir: string, deploymentId: Hex): BatchMemory {
  mkdirSync(dir, { recursive: true })
  const database = new DatabaseSync(join(dir, 'batches.sqlite'))
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;')
  database.exec(SCHEMA)
  const deployment = lower(deploymentId)
  const prepared = {
    batch: database.prepare('SELECT * FROM batch WHERE deployment_id = ? AND batch_id = ?'),
    addBatch: database.prepare(
      'INSERT INTO batch (deployment_id, batch_id, committer, height, committed_at, file) VALUES (?, ?, ?, ?, ?, ?)',
    ),
    addReceipt: database.prepare('INSERT INTO seen VALUES (?, ?, ?, ?, ?)'),
    searched: database.prepare('UPDATE batch SET searched = 1 WHERE deployment_id = ? AND batch_id = ?'),
    under: database.prepare(
      `SELECT DISTINCT batch.batch_id FROM seen JOIN batch ON batch.id = seen.batch
       WHERE seen.key = ? AND seen.seq = ? AND seen.struct_hash <> ?
         AND batch.deployment_id = ? AND batch.batch_id <> ?`,
    ),
    withCall: database.prepare(
      `SELECT DISTINCT batch.batch_id FROM seen JOIN batch ON batch.id = seen.batch
       WHERE seen.call = ?1 AND batch.deployment_id = ?2 AND batch.committer = ?3
         AND batch.batch_id <> ?4`,
    ),
    forget: database.prepare('DELETE FROM batch WHERE committed_at < ?'),
  }
  const rowOf = (batchId: Hex) => prepared.batch.get(deployment, lower(batchId))
  const unpacked = (row: Row): Uint8Array =>
    new Uint8Array(zstdDecompressSync(row.file as Uint8Array, { maxOutputLength: MAX_BATCH_FILE_BYTES }))
  const parsed = new Map<Hex, Batch>()
  /** Parsed once for all that is asked of it in a row: whoever contradicts one receipt of a batch contradicts many. */
  function batchOf(batchId: Hex): Batch | undefined {
    const known = parsed.get(batchId)
    if (known !== undefined) return known
    const row = rowOf(batchId)
    if (row === undefined) return undefined
    const stated = statedBatch(unpacked(row))
    const header = { ...stated.header, height: BigInt(row.height as string) }
    const batch = { ...stated, header, batchId }
    const [oldest] = parsed.keys()
    if (parsed.size === MAX_PARSED && oldest !== undefined) parsed.delete(oldest)
    parsed.set(batchId, batch)
    return batch
  }

  return {
    remember(view, file) {
      if (rowOf(view.batchId) !== undefined) return
      const receipts = seenIn(file)
      database.exec('BEGIN')
      try {
        const { lastInsertRowid } = prepared.addBatch.run(
          deployment,
          lower(view.batchId),
          lower(view.committer),
          view.height.toString(),
          view.committedAt,
          zstdCompressSync(file),
        )
        for (const { key, seq, hash, call } of receipts) {
          prepared.addReceipt.run(lastInsertRowid, key, seq, hash, call)
        }
        database.exec('COMMIT')
      } catch (error) {
        database.exec('ROLLBACK')
        throw error
      }
    },
    fileOf(batchId) {
      const row = rowOf(batchId)
      return row === undefined ? undefined : unpacked(row)
    },
    isSearched: (batchId) => rowOf(batchId)?.searched === 1,
    setSearched(batchId) {
      prepared.searched.run(deployment, lower(batchId))
    },
    under(batchId, receipt) {
      const { key, seq } = receipt
      const hash = receiptStructHash(receipt)
      return prepared.under
        .all(lower(key), seq.toString(), hash, deployment, lower(batchId))
        .map((row) => batchOf(row.batch_id as Hex))
        .flatMap((batch) =>
          batch === undefined ? [] : batchEntries(batch).map((entry) => ({ batch, entry })),
        )
        .filter(({ entry }) => entry.receipt.key === lower(key) && entry.receipt.seq === seq)
    },
    withCall({ batchId, committer }, requestId) {
      return prepared.withCall
        .all(lower(requestId), deployment, lower(committer), lower(batchId))
        .map((row) => ({ batchId: row.batch_id as Hex }))
    },
    batchOf,
    forget(before) {
      prepared.forget.run(before)
    },
    close: () => database.close(),
  }
}

type Row = Record<string, unknown>

/** What the file's receipts can be found by; nothing of a file that cannot be read. */
function seenIn(file: Uint8Array): { key: string; seq: string; hash: Hex; call: string | null }[] {
  try {
    const { rows } = readBatchFile(file)
    return rows
      .flatMap(({ entries }) => entries)
      .map(({ receipt, grant }) => ({
        key: receipt.key,
        seq: receipt.seq.toString(),
        hash: receiptStructHash(receipt),
        call: grant === undefined ? null : receipt.requestId,
      }))
  } catch {
    return []
  }
}
