import type { Hex, Queryable } from './database.ts'

export type PaymentState =
  | 'none' // not collected yet
  | 'submitted' // a transaction that collects it was sent
  | 'locked' // in escrow
  | 'settled' // paid out
  | 'refunded' // back with the payer
  | 'failed' // cannot be collected any more

export type PaymentRow = {
  requestId: Hex
  payer: string
  scheme: number
  /** What the price asks for, OPG base units. */
  amount: bigint
  /** Unix seconds. */
  expiresAt: bigint
  collect: string
  state: PaymentState
  attempts: number
}

type Columns = {
  request_id: Hex
  payer: string
  scheme: number
  amount: string
  expires_at: string
  collect: string
  state: PaymentState
  attempts: number
}

const SELECT = `select p.request_id, q.payer, q.scheme, p.amount::text as amount, q.expires_at::text as expires_at,
  q.collect, p.state, p.attempts from payments p join requests q using (request_id)`

function toRow(row: Columns): PaymentRow {
  return {
    requestId: row.request_id,
    payer: row.payer,
    scheme: row.scheme,
    amount: BigInt(row.amount),
    expiresAt: BigInt(row.expires_at),
    collect: row.collect,
    state: row.state,
    attempts: row.attempts,
  }
}

const DUE = `p.state in ('none', 'submitted') and p.next_attempt_at <= now() and (p.state = 'submitted' or
  not exists (select 1 from receipts r where r.request_id = p.request_id and r.state = 'expired'))
  order by p.next_attempt_at limit $1`

/** Payments to collect now, oldest first; nothing more is taken for a receipt that was given up. */
export async function duePayments(database: Queryable, limit: number): Promise<PaymentRow[]> {
  return (await database.query<Columns>(`${SELECT} where ${DUE}`, [limit])).map(toRow)
}

/**
 * Due payments that are this gateway's to collect: no other takes them for `holdMs`, and after that whoever comes first,
 * so that a gateway that died over them holds nothing up.
 */
export async function takeDuePayments(
  database: Queryable,
  limit: number,
  holdMs: number,
): Promise<PaymentRow[]> {
  const rows = await database.query<Columns>(
    `with due as (select p.request_id from payments p where ${DUE} for update of p skip locked), taken as (
       update payments set next_attempt_at = now() + $2::float8 * interval '1 millisecond'
       where request_id in (select request_id from due) returning *)
     ${SELECT.replace('from payments p', 'from taken p')} order by p.updated_at`,
    [limit, holdMs],
  )
  return rows.map(toRow)
}

/** Which of these payments are not to be collected any more: the chain shows what they took. */
export async function collectedPayments(
  database: Queryable,
  requestIds: readonly string[],
): Promise<{ requestId: Hex; payer: string }[]> {
  const rows = await database.query<{ request_id: Hex; payer: string }>(
    `select request_id, payer from payments
     where request_id = any($1::text[]) and state not in ('none', 'submitted')`,
    [requestIds],
  )
  return rows.map((row) => ({ requestId: row.request_id, payer: row.payer }))
}

/** Gives payments back that were taken and are still to be collected. */
export async function returnPayments(database: Queryable, requestIds: readonly Hex[]): Promise<void> {
  await database.query(
    `update payments set next_attempt_at = now() where request_id = any($1::text[]) and state in ('none', 'submitted')`,
    [requestIds],
  )
}

/** Payments of a batch's receipts. */
export async function paymentsOfBatch(database: Queryable, batchId: Hex): Promise<PaymentRow[]> {
  const rows = await database.query<Columns>(
    `${SELECT} join receipts r using (request_id) where r.batch_id = $1 order by p.request_id`,
    [batchId],
  )
  return rows.map(toRow)
}

export async function setPaymentState(
  database: Queryable,
  requestIds: readonly Hex[],
  state: PaymentState,
  transactionHash?: Hex | undefined,
): Promise<void> {
  if (requestIds.length === 0) return
  // Of what ended it, beside the one that collected it.
  const ended = state === 'settled' || state === 'refunded'
  const column = ended ? 'settle_transaction_hash' : 'transaction_hash'
  await database.query(
    `update payments set state = $2, ${column} = coalesce($3, ${column}), updated_at = now()
     where request_id = any($1::text[])`,
    [requestIds, state, transactionHash ?? null],
  )
}

/**
 * Puts a payment off after a refused or failed attempt, or ends it: also where its receipt was given up meanwhile, for then
 * there is no next attempt.
 */
export async function postponePayment(
  database: Queryable,
  requestId: Hex,
  failure: string,
  next: { delayMs: number } | 'failed',
): Promise<void> {
  await database.query(
    `update payments set attempts = attempts + 1, failure = $2,
       state = case when $3 = 'none' and exists (select 1 from receipts r
         where r.request_id = payments.request_id and r.state = 'expired') then 'failed' else $3 end,
       next_attempt_at = now() + ($4::float8 * interval '1 millisecond'), updated_at = now()
     where request_id = $1`,
    [
      requestId,
      failure.slice(0, 500),
      next === 'failed' ? 'failed' : 'none',
      next === 'failed' ? 0 : next.delayMs,
    ],
  )
}

/** What a payment's failure begins with where escrow holds it and refused to pay it out for its receipt. */
export const SETTLEMENT_SKIPPED = 'settlement skipped'

/**
 * Payments that escrow holds for nothing: the receipt is too old for any batch, or escrow will not pay it out. Their
 * payers may have them back.
 */
export async function strandedPayments(database: Queryable, limit: number): Promise<Hex[]> {
  const rows = await database.query<{ request_id: Hex }>(
    `select p.request_id from payments p join receipts r using (request_id) join requests q using (request_id)
     where q.grant_id is null and p.next_attempt_at <= now() and p.state in ('locked', 'failed') and
       (p.state = 'locked' and r.state = 'expired' or p.state = 'failed' and p.failure like $2 || '%')
     order by p.next_attempt_at limit $1`,
    [limit, SETTLEMENT_SKIPPED],
  )
  return rows.map((row) => row.request_id)
}

/** Looks at a stranded payment again after a while. */
export async function postponeRefund(database: Queryable, requestId: Hex, delayMs: number): Promise<void> {
  await database.query(
    `update payments set next_attempt_at = now() + ($2::float8 * interval '1 millisecond') where request_id = $1`,
    [requestId, delayMs],
  )
}
