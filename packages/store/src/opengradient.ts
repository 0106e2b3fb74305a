import { fromBase64, toBase64 } from '@assay/protocol'
import type { TeeStatement } from '@assay/protocol/opengradient'
import type { Hex, Queryable } from './database.ts'

/** How a call asked to be told of. */
export type StatementSettlement = 'batch' | 'individual'

/** A statement whose receipt is in a batch. */
export type BatchedStatement = TeeStatement & {
  requestId: Hex
  settlement: StatementSettlement
  /** Of the settlement event, once mined. */
  transactionHash: Hex | undefined
}

type Columns = {
  request_id: Hex
  settlement: StatementSettlement
  tee_id: Hex
  request_hash: Hex
  output_hash: Hex
  stated_at: string
  signature: string
  transaction_hash: Hex | null
}

const COLUMNS = `s.request_id, s.settlement, s.tee_id, s.request_hash, s.output_hash, s.stated_at::text as stated_at,
  s.signature, s.transaction_hash`

function toStatement(row: Columns): BatchedStatement {
  return {
    requestId: row.request_id,
    settlement: row.settlement,
    teeId: row.tee_id,
    requestHash: row.request_hash,
    outputHash: row.output_hash,
    timestamp: Number(row.stated_at),
    signature: fromBase64(row.signature),
    transactionHash: row.transaction_hash ?? undefined,
  }
}

/** Keeps what an enclave said of an answer; doing it twice changes nothing. */
export async function recordStatement(
  database: Queryable,
  requestId: Hex,
  settlement: StatementSettlement,
  statement: TeeStatement,
): Promise<void> {
  await database.query(
    `insert into opengradient_statements
       (request_id, settlement, tee_id, request_hash, output_hash, stated_at, signature)
     values ($1, $2, $3, $4, $5, $6, $7) on conflict (request_id) do nothing`,
    [
      requestId,
      settlement,
      statement.teeId,
      statement.requestHash,
      statement.outputHash,
      statement.timestamp,
      toBase64(statement.signature),
    ],
  )
}

/** Whether something was kept, and not dropped, that an enclave said of this answer. */
export async function hasStatement(database: Queryable, requestId: Hex): Promise<boolean> {
  const rows = await database.query('select 1 from opengradient_statements where request_id = $1', [
    requestId,
  ])
  return rows.length > 0
}

/** Final batches of which a statement was not told yet, oldest first. @param behind only those that come after this one */
export async function untoldBatches(
  database: Queryable,
  limit: number,
  behind: Hex | undefined,
): Promise<Hex[]> {
  const rows = await database.query<{ batch_id: Hex }>(
    `select b.batch_id from opengradient_statements s join receipts r using (request_id)
       join batches b on b.batch_id = r.batch_id
     where s.transaction_hash is null and b.state = 'final'
       and ($2::text is null or (b.height, b.batch_id) > (select height, batch_id from batches where batch_id = $2))
     group by b.batch_id, b.height order by b.height, b.batch_id limit $1`,
    [limit, behind ?? null],
  )
  return rows.map((row) => row.batch_id)
}

/** Statements of a batch, in the order of their requests' ids. */
export async function statementsOf(database: Queryable, batchId: string): Promise<BatchedStatement[]> {
  const rows = await database.query<Columns>(
    `select ${COLUMNS} from opengradient_statements s join receipts r using (request_id)
     where r.batch_id = $1 order by s.request_id`,
    [batchId],
  )
  return rows.map(toStatement)
}

export async function setStatementsTold(
  database: Queryable,
  requestIds: readonly Hex[],
  transactionHash: Hex,
): Promise<void> {
  await database.query(
    'update opengradient_statements set transaction_hash = $2 where request_id = any($1::text[])',
    [requestIds, transactionHash],
  )
}

/** Forgets what can never be told: a statement that the enclave of its receipt did not make. */
export async function dropStatements(database: Queryable, requestIds: readonly Hex[]): Promise<void> {
  await database.query('delete from opengradient_statements where request_id = any($1::text[])', [requestIds])
}
