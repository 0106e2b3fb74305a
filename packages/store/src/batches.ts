import { type Batch, type BatchHeader, batchEntries, type GroupHeader, groupHeaders } from '@assay/protocol'
import type { Hex, Queryable } from './database.ts'

/** A batch as it is kept: without its trees, which its file gives back. */
export type FrozenBatch = Pick<Batch, 'batchId' | 'header' | 'file'> & {
  groups: GroupHeader[]
  requestIds: Hex[]
}

export type BatchState = 'frozen' | 'committed' | 'attested' | 'final' | 'void' | 'expired'
export type BatchRow = BatchHeader & {
  batchId: Hex
  state: BatchState
  /** Of the commit, once mined. */
  transactionHash: Hex | undefined
  settled: boolean
}

type Columns = {
  batch_id: Hex
  committer: Hex
  height: string
  root: Hex
  sum: string
  exposure: string
  count: string
  data_hash: Hex
  state: BatchState
  transaction_hash: Hex | null
  settled: boolean
}

const COLUMNS = `batch_id, committer, height::text as height, root, sum::text as sum,
  exposure::text as exposure, count::text as count, data_hash, state, transaction_hash, settled`

function toRow(row: Columns): BatchRow {
  return {
    batchId: row.batch_id,
    committer: row.committer,
    height: BigInt(row.height),
    root: row.root,
    sum: BigInt(row.sum),
    exposure: BigInt(row.exposure),
    count: BigInt(row.count),
    dataHash: row.data_hash,
    state: row.state,
    transactionHash: row.transaction_hash ?? undefined,
    settled: row.settled,
  }
}

function groupsToText(groups: readonly GroupHeader[]): string {
  return JSON.stringify(groups, (_, value) => (typeof value === 'bigint' ? value.toString() : value))
}

/** What `Settlement.commit` takes for a batch. @throws Error for an id that is not in the store */
export async function batchGroups(database: Queryable, batchId: Hex): Promise<GroupHeader[]> {
  const rows = await database.query<{ groups: string }>('select groups from batches where batch_id = $1', [
    batchId,
  ])
  if (rows[0] === undefined) throw new Error(`The store has no batch ${batchId}.`)
  const groups = JSON.parse(rows[0].groups) as Record<keyof GroupHeader, string>[]
  return groups.map(({ node, top, sum, exposure, count }) => ({
    node: node as Hex,
    top: top as Hex,
    sum: BigInt(sum),
    exposure: BigInt(exposure),
    count: BigInt(count),
  }))
}

export function frozenBatch(batch: Batch): FrozenBatch {
  const { batchId, header, file } = batch
  const requestIds = batchEntries(batch).map(({ receipt }) => receipt.requestId)
  return { batchId, header, file, groups: groupHeaders(batch), requestIds }
}

/** Fixes a batch and moves its receipts out of the outbox; call it inside a transaction. */
export async function insertBatch(
  transaction: Queryable,
  { batchId, header, file, groups, requestIds }: FrozenBatch,
): Promise<void> {
  await transaction.query(
    `insert into batches (batch_id, committer, height, root, sum, exposure, count, data_hash, file, groups, state)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'frozen')`,
    [
      batchId,
      header.committer,
      header.height,
      header.root,
      header.sum,
      header.exposure,
      header.count,
      header.dataHash,
      file,
      groupsToText(groups),
    ],
  )
  await transaction.query(
    `update receipts set state = 'batched', batch_id = $1 where request_id = any($2::text[])`,
    [batchId, requestIds],
  )
}

/**
 * Has this transaction alone give out heights until it ends: two gateways never freeze under the same one. The constraint
 * on (committer, height) says the same; the lock spares the loser its work.
 */
export async function lockHeights(transaction: Queryable, committer: string): Promise<void> {
  await transaction.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [committer])
}

/** Highest height ever frozen by this committer, 0 if none. */
export async function highestHeight(database: Queryable, committer: string): Promise<bigint> {
  const rows = await database.query<{ height: string }>(
    'select coalesce(max(height), 0)::text as height from batches where committer = $1',
    [committer],
  )
  return BigInt(rows[0]?.height ?? '0')
}

/**
 * Batches that the chain must be asked about: the unfinished, lowest first, and behind them those whose money is not paid
 * out, which must not keep new ones from the chain however many they are, with the `recent` newest of all, which a
 * reorganisation may have undone.
 */
export async function watchedBatches(
  database: Queryable,
  committer: string,
  recent: bigint,
): Promise<BatchRow[]> {
  const rows = await database.query<Columns>(
    // In two parts, so that each has its index: a committer's batches only ever become more.
    `select ${COLUMNS} from batches where state not in ('void', 'expired') and batch_id in (
       select batch_id from batches
         where committer = $1 and (state in ('frozen', 'committed', 'attested') or not settled)
       union
       select batch_id from batches
         where committer = $1 and height > (select max(height) - $2::bigint from batches where committer = $1))
     order by (state = 'final'), batches.height limit 512`,
    [committer, recent],
  )
  return rows.map(toRow)
}

/** W3C traceparents of a batch's traced requests, at most `limit` of them. */
export async function tracesOfBatch(database: Queryable, batchId: Hex, limit: number): Promise<string[]> {
  const rows = await database.query<{ trace: string }>(
    `select q.trace from receipts r join requests q using (request_id)
     where r.batch_id = $1 and q.trace is not null limit $2`,
    [batchId, limit],
  )
  return rows.map((row) => row.trace)
}

/** Ids of every committer's batches in a state, lowest first. */
export async function batchesInState(database: Queryable, state: BatchState): Promise<Hex[]> {
  const rows = await database.query<{ batch_id: Hex }>(
    'select batch_id from batches where state = $1 order by height',
    [state],
  )
  return rows.map((row) => row.batch_id)
}

/** Has the newest final batches looked at again, money and all, because the chain may have undone what it said. */
export async function reopenRecentBatches(
  database: Queryable,
  committer: string,
  recent: bigint,
): Promise<void> {
  await database.query(
    `update batches set settled = false where committer = $1 and state = 'final' and
       height > (select max(height) - $2::bigint from batches where committer = $1)`,
    [committer, recent],
  )
}

export async function setBatchState(
  database: Queryable,
  batchId: Hex,
  state: BatchState,
  transactionHash?: Hex | undefined,
): Promise<void> {
  await database.query(
    `update batches set state = $2, transaction_hash = coalesce($3, transaction_hash), updated_at = now(),
       settled = settled and $2 = 'final'
     where batch_id = $1`,
    [batchId, state, transactionHash ?? null],
  )
}

export async function setBatchSettled(database: Queryable, batchId: Hex): Promise<void> {
  await database.query('update batches set settled = true, updated_at = now() where batch_id = $1', [batchId])
}

/** Ends a batch that will never be final; its receipts wait in the outbox again. */
export async function dissolveBatch(
  transaction: Queryable,
  batchId: Hex,
  state: 'void' | 'expired',
): Promise<void> {
  await transaction.query(
    'update batches set state = $2, settled = true, updated_at = now() where batch_id = $1',
    [batchId, state],
  )
  await transaction.query(
    `update receipts set state = 'outbox', batch_id = null where batch_id = $1 and state = 'batched'`,
    [batchId],
  )
}

export async function findBatch(database: Queryable, batchId: string): Promise<BatchRow | undefined> {
  const rows = await database.query<Columns>(`select ${COLUMNS} from batches where batch_id = $1`, [batchId])
  return rows[0] === undefined ? undefined : toRow(rows[0])
}

/** The batch file's bytes. */
export async function batchFile(database: Queryable, batchId: string): Promise<Uint8Array | undefined> {
  const rows = await database.query<{ file: Uint8Array }>('select file from batches where batch_id = $1', [
    batchId,
  ])
  return rows[0] === undefined ? undefined : new Uint8Array(rows[0].file)
}
