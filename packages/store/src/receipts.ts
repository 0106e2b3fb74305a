import { type BatchEntry, parseCanonicalJson, receiptFromJson, type SignedReceipt } from '@assay/protocol'
import type { BatchState } from './batches.ts'
import type { Hex, Queryable } from './database.ts'
import type { PaymentState } from './payments.ts'
import { attachmentOf } from './proofs.ts'
import { grantOf, type RequestState, type StoredGrantCall } from './requests.ts'

export type NewReceipt = {
  requestId: Hex
  /** Canonical JSON of the receipt. */
  receipt: string
  signature: Hex
  leaf: Hex
  /** OPG base units. */
  price: bigint
  /** What is to be collected, OPG base units; 0 for nothing. */
  collectAmount: bigint
  /** Whether a deposit holds the money already, so that there is nothing to collect. */
  prepaid: boolean
  /** Whether it waits for its proof before it waits for a batch. */
  unproven?: boolean | undefined
  /** The claim that it answers, where that may be gone and another stand in its place. */
  claimId?: string | undefined
  /**
   * Whether it counts only where no other gateway has ended its request. Where that one's client named it, it may long have
   * the answer of another under its name; and where nobody waits for it any more, there is nothing that goes out with it.
   */
  unlessEnded?: boolean | undefined
}

const encoder = new TextEncoder()

/** A stored receipt, read. */
export function toSigned(row: { receipt: string; signature: Hex }): SignedReceipt {
  return {
    receipt: receiptFromJson(parseCanonicalJson(encoder.encode(row.receipt), 4096)),
    signature: row.signature,
  }
}

/**
 * Makes receipts durable with their place in the outbox and the payment to collect, counts what was spent under grants,
 * and finishes the requests, which frees what was set aside for them: one statement, hence all or nothing. Doing it twice changes
 * nothing. All that is written of a grant is written under its lock, or two gateways with calls under several would wait for each other.
 * @returns per item whether its request stands; nothing is recorded where it does not.
 */
export async function recordReceipts(database: Queryable, items: readonly NewReceipt[]): Promise<boolean[]> {
  // One statement cannot touch a row twice, and twins are the same receipt.
  const once = [...new Map(items.map((item) => [item.requestId, item])).values()]
  const column = (of: (item: NewReceipt) => string | bigint | boolean) => once.map((item) => String(of(item)))
  const rows = await database.query<{ request_id: string }>(
    `with item as (
       select request_id, receipt, signature, leaf, price, collect_amount, prepaid, unproven,
         nullif(claim_id, '') as claim_id, unless_ended
       from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]::numeric[], $6::text[]::numeric[],
         $7::text[]::boolean[], $8::text[]::boolean[], $9::text[], $10::text[]::boolean[])
         as item(request_id, receipt, signature, leaf, price, collect_amount, prepaid, unproven, claim_id, unless_ended)
     ), request as (
       update requests set state = 'finished', finished_at = now() from item
       where requests.request_id = item.request_id and (item.claim_id is null or requests.claim_id = item.claim_id)
         and not (item.unless_ended and requests.state in ('failed', 'released'))
       returning item.*, requests.payer, requests.scheme, requests.authorised, requests.grant_id
     ), receipt as (
       insert into receipts (request_id, receipt, signature, leaf, price, state)
       select request_id, receipt, signature, leaf, price,
         case when unproven then 'unproven' else 'outbox' end from request
       on conflict (request_id) do nothing returning request_id, price
     ), payment as (
       insert into payments (request_id, payer, amount, held, state)
       select request_id, payer, collect_amount,
         case when prepaid then 0 when scheme = 1 then authorised else collect_amount end,
         case when prepaid then 'locked' else 'none' end
       from request where collect_amount > 0
       on conflict (request_id) do nothing
     ), spent as (
       select request.grant_id, sum(receipt.price) as amount from receipt join request using (request_id)
       where request.grant_id is not null group by request.grant_id
     ), held as (
       select grant_id from grants where grant_id in (select grant_id from spent) order by grant_id for update
     ), total as (
       update grants set spent = grants.spent + spent.amount from spent join held using (grant_id)
       where grants.grant_id = spent.grant_id
     ), minute as (
       insert into grant_minutes (grant_id, minute, amount)
       select grant_id, floor(extract(epoch from now()) / 60)::bigint, amount from spent join held using (grant_id)
       on conflict (grant_id, minute) do update set amount = grant_minutes.amount + excluded.amount
     )
     select request_id from request`,
    [
      column(({ requestId }) => requestId),
      column(({ receipt }) => receipt),
      column(({ signature }) => signature),
      column(({ leaf }) => leaf),
      column(({ price }) => price),
      column(({ collectAmount }) => collectAmount),
      column(({ prepaid }) => prepaid),
      column(({ unproven = false }) => unproven),
      column(({ claimId = '' }) => claimId),
      column(({ unlessEnded = false }) => unlessEnded),
    ],
  )
  const recorded = new Set(rows.map((row) => row.request_id))
  return items.map((item) => recorded.has(item.requestId))
}

/** How many receipts wait for a batch, and for how long the oldest does, milliseconds. */
export async function outboxLoad(database: Queryable): Promise<{ waiting: number; oldestMs: number }> {
  const rows = await database.query<{ waiting: number; oldest_ms: number }>(
    `select count(*)::int as waiting,
       coalesce(extract(epoch from (now() - min(created_at))) * 1000, 0)::float8 as oldest_ms
     from receipts where state = 'outbox'`,
  )
  return { waiting: rows[0]?.waiting ?? 0, oldestMs: rows[0]?.oldest_ms ?? 0 }
}

/**
 * The oldest receipts of the outbox. Inside a transaction they are locked against another gateway's batcher.
 * @param passed ids of those to pass over
 */
export async function takeOutbox(
  transaction: Queryable,
  limit: number,
  passed: readonly Hex[] = [],
): Promise<BatchEntry[]> {
  const rows = await transaction.query<{
    receipt: string
    signature: Hex
    grant_id: Hex | null
    counter: string | null
    attachment: string | null
  }>(
    `select r.receipt, r.signature, q.grant_id, q.counter::text as counter, p.attachment
     from receipts r join requests q using (request_id) left join proofs p using (request_id) 
     where r.state = 'outbox' and r.request_id <> all($2::text[]) order by r.created_at limit $1
     for update of r skip locked`,
    [limit, passed],
  )
  return rows.map((row) => {
    const grant = grantOf(row)
    return {
      ...toSigned(row),
      ...(grant === undefined ? {} : { grant }),
      ...(row.attachment === null ? {} : { zk: attachmentOf(row.attachment) }),
    }
  })
}

/**
 * Ends receipts that no batch may hold: a prepaid one costs nothing then, so its grant may spend it again, and what was not
 * collected never is.
 */
export async function expireReceipts(transaction: Queryable, requestIds: readonly Hex[]): Promise<void> {
  await transaction.query(
    `with ended as (
       update receipts set state = 'expired' where request_id = any($1::text[]) and state <> 'expired'
       returning request_id, price
     ), unspent as (
       select q.grant_id, sum(ended.price) as amount from ended join requests q using (request_id)
       where q.grant_id is not null group by q.grant_id
     ), held as (
       select grant_id from grants where grant_id in (select grant_id from unspent) order by grant_id for update
     )
     update grants set spent = grants.spent - unspent.amount from unspent join held using (grant_id)
     where grants.grant_id = unspent.grant_id`,
    [requestIds],
  )
  await transaction.query(
    `update payments set state = 'failed', failure = 'no batch may hold the receipt' from requests q
     where payments.request_id = any($1::text[]) and q.request_id = payments.request_id and
       (q.grant_id is not null or payments.state = 'none')`,
    [requestIds],
  )
}

export type ReceiptStatus = {
  requestId: Hex
  requestState: RequestState
  signed: SignedReceipt | undefined
  /** Place under the grant that pays; undefined where the call paid for itself. */
  grant: StoredGrantCall | undefined
  receiptState: 'unproven' | 'outbox' | 'batched' | 'expired' | undefined
  batchId: Hex | undefined
  batchState: BatchState | undefined
  /** Of the commit. */
  transactionHash: Hex | undefined
  payment:
    | {
        state: PaymentState
        /** 1 exact, 2 upto, 3 grant. */
        scheme: number
        /** OPG base units: most that may be taken, and what the receipt asks for. */
        authorised: bigint
        amount: bigint
        transactionHash: Hex | undefined
        /** Of what paid it out, or back. */
        settleTransactionHash: Hex | undefined
        failure: string | undefined
      }
    | undefined
}

/** Everything known about one request, or undefined if it never came here. */
export async function receiptStatus(
  database: Queryable,
  requestId: string,
): Promise<ReceiptStatus | undefined> {
  const rows = await database.query<{
    request_id: Hex
    request_state: RequestState
    receipt: string | null
    signature: Hex | null
    grant_id: Hex | null
    counter: string | null
    receipt_state: 'unproven' | 'outbox' | 'batched' | 'expired' | null
    batch_id: Hex | null
    batch_state: BatchState | null
    transaction_hash: Hex | null
    payment_state: PaymentState | null
    scheme: number
    authorised: string
    amount: string | null
    payment_hash: Hex | null
    settle_hash: Hex | null
    failure: string | null
  }>(
    `select q.request_id, q.state as request_state, q.scheme, q.authorised::text as authorised, p.amount::text as amount,
       q.grant_id, q.counter::text as counter, r.receipt, r.signature, r.state as receipt_state, r.batch_id,
       b.state as batch_state, b.transaction_hash, p.state as payment_state, p.transaction_hash as payment_hash,
       p.settle_transaction_hash as settle_hash, p.failure
     from requests q left join receipts r using (request_id) left join batches b on b.batch_id = r.batch_id
       left join payments p on p.request_id = q.request_id
     where q.request_id = $1`,
    [requestId],
  )
  const row = rows[0]
  if (row === undefined) return undefined
  return {
    requestId: row.request_id,
    requestState: row.request_state,
    signed:
      row.receipt === null || row.signature === null
        ? undefined
        : toSigned({ receipt: row.receipt, signature: row.signature }),
    grant: grantOf(row),
    receiptState: row.receipt_state ?? undefined,
    batchId: row.batch_id ?? undefined,
    batchState: row.batch_state ?? undefined,
    transactionHash: row.transaction_hash ?? undefined,
    payment:
      row.payment_state === null
        ? undefined
        : {
            state: row.payment_state,
            scheme: row.scheme,
            authorised: BigInt(row.authorised),
            amount: BigInt(row.amount ?? '0'),
            transactionHash: row.payment_hash ?? undefined,
            settleTransactionHash: row.settle_hash ?? undefined,
            failure: row.failure ?? undefined,
          },
  }
}
