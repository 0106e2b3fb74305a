import type { Hex, Queryable } from './database.ts'

/** A part of one of our batches that somebody demanded on chain. */
export type DataDemand = {
  challengeId: Hex
  batchId: Hex
  /** One of `DATA_PART`. */
  part: number
  /** Of the chunk, or of the receipt from the left. */
  index: number
  /** Block of the demand. */
  block: bigint
}
export type DemandRow = DataDemand & { attempts: number }

type Columns = {
  challenge_id: Hex
  batch_id: Hex
  part: number
  index: number
  block: string
  attempts: number
}

/** Block from which events are still to be read; undefined at first. */
export async function eventCursor(database: Queryable, name: string): Promise<bigint | undefined> {
  const rows = await database.query<{ block: string }>(
    'select block::text as block from event_cursors where name = $1',
    [name],
  )
  return rows[0] === undefined ? undefined : BigInt(rows[0].block)
}

/**
 * Writes down the demands that are about our own batches, and how far was read: call it inside a transaction. One that is
 * known stays as it is.
 * @returns batches that are not in this store
 */
export async function recordDemands(
  transaction: Queryable,
  cursor: { name: string; block: bigint },
  demands: readonly DataDemand[],
): Promise<Hex[]> {
  const asked = [...new Set(demands.map((demand) => demand.batchId))]
  const rows = await transaction.query<{ batch_id: Hex }>(
    'select batch_id from batches where batch_id = any($1::text[])',
    [asked],
  )
  const own = new Set(rows.map((row) => row.batch_id))
  const items = demands
    .filter((demand) => own.has(demand.batchId))
    .map((demand) => ({ ...demand, block: demand.block.toString() }))
  if (items.length > 0) {
    await transaction.query(
      `insert into data_demands (challenge_id, batch_id, part, index, block)
       select "challengeId", "batchId", part, index, block from jsonb_to_recordset($1::jsonb) as
         item("challengeId" text, "batchId" text, part smallint, index integer, block bigint)
       on conflict (challenge_id) do nothing`,
      [JSON.stringify(items)],
    )
  }
  await transaction.query(
    `insert into event_cursors (name, block) values ($1, $2)
     on conflict (name) do update set block = excluded.block`,
    [cursor.name, cursor.block],
  )
  return asked.filter((batchId) => !own.has(batchId))
}

/** Demands to answer now, the most urgent first; those of one batch together. */
export async function dueDemands(database: Queryable, limit: number): Promise<DemandRow[]> {
  const rows = await database.query<Columns>(
    `select challenge_id, batch_id, part, index, block::text as block, attempts from data_demands
     where state = 'open' and next_attempt_at <= now() order by data_demands.block, batch_id, part, index limit $1`,
    [limit],
  )
  return rows.map((row) => ({
    challengeId: row.challenge_id,
    batchId: row.batch_id,
    part: row.part,
    index: row.index,
    block: BigInt(row.block),
    attempts: row.attempts,
  }))
}

export async function countOpenDemands(database: Queryable): Promise<number> {
  const rows = await database.query<{ open: number }>(
    `select count(*)::int as open from data_demands where state = 'open'`,
  )
  return rows[0]?.open ?? 0
}

export async function endDemand(
  database: Queryable,
  challengeId: Hex,
  state: 'answered' | 'missed' | 'gone',
  transactionHash?: Hex | undefined,
): Promise<void> {
  await database.query(
    `update data_demands set state = $2, transaction_hash = coalesce($3, transaction_hash) where challenge_id = $1`,
    [challengeId, state, transactionHash ?? null],
  )
}

/** Puts a demand off after an attempt that failed. */
export async function postponeDemand(database: Queryable, challengeId: Hex, delayMs: number): Promise<void> {
  await database.query(
    `update data_demands set attempts = attempts + 1,
       next_attempt_at = now() + ($2::float8 * interval '1 millisecond') where challenge_id = $1`,
    [challengeId, delayMs],
  )
}

/** Has demands looked at again that were made at or after `block`, because the chain may have undone what it said. */
export async function reopenDemands(database: Queryable, block: bigint): Promise<void> {
  await database.query(
    `update data_demands set state = 'open', next_attempt_at = now() where data_demands.block >= $1`,
    [block],
  )
}
