import { larger, smaller } from '@assay/protocol'
import type { Database, Hex, Queryable } from './database.ts'
import type { NewRequest } from './requests.ts'

/** A spending grant as it is kept; amounts in OPG base units. */
export type NewGrant = {
  grantId: Hex
  payer: string
  /** Canonical JSON of the grant. */
  terms: string
  maxTotal: bigint
  /** 0 = no such limit. */
  ratePerHour: bigint
}

/** Keys under one grant: rows that strangers can have us keep for one opening on the chain. */
export const MAX_API_KEYS = 256

/**
 * Registers a grant, if it is new, and a key under it. A key that was revoked stays so.
 * @returns false where the grant has as many keys as it may, revoked ones included
 */
export async function addApiKey(database: Database, grant: NewGrant, keyHash: Hex): Promise<boolean> {
  return database.transaction(async (transaction) => {
    await transaction.query(
      `insert into grants (grant_id, payer, terms, max_total, rate_per_hour) values ($1, $2, $3, $4, $5)
       on conflict (grant_id) do nothing`,
      [grant.grantId, grant.payer, grant.terms, grant.maxTotal, grant.ratePerHour],
    )
    // Locked, so that two at once cannot both be the last.
    await transaction.query('select 1 from grants where grant_id = $1 for update', [grant.grantId])
    await transaction.query(
      `insert into api_keys (key_hash, grant_id)
       select $1, $2 where (select count(*) from api_keys where grant_id = $2) < $3
       on conflict (key_hash) do nothing`,
      [keyHash, grant.grantId, MAX_API_KEYS],
    )
    const kept = await transaction.query('select 1 from api_keys where key_hash = $1', [keyHash])
    return kept.length > 0
  })
}

/** @returns false for a key that is not under this grant */
export async function revokeApiKey(database: Queryable, grantId: Hex, keyHash: Hex): Promise<boolean> {
  const rows = await database.query(
    'update api_keys set revoked = true where key_hash = $1 and grant_id = $2 returning key_hash',
    [keyHash, grantId],
  )
  return rows.length > 0
}

/** Whose calls a key pays for; undefined for a key that was never registered. */
export async function findApiKey(
  database: Queryable,
  keyHash: Hex,
): Promise<{ grantId: Hex; revoked: boolean; terms: string } | undefined> {
  const rows = await database.query<{ grant_id: Hex; revoked: boolean; terms: string }>(
    'select k.grant_id, k.revoked, g.terms from api_keys k join grants g using (grant_id) where k.key_hash = $1',
    [keyHash],
  )
  const [row] = rows
  return row === undefined ? undefined : { grantId: row.grant_id, revoked: row.revoked, terms: row.terms }
}

/** A call that wants its place and its highest price set aside under a grant. */
export type NewGrantCall = Omit<NewRequest, 'requestId' | 'authorised'> & {
  grantId: Hex
  /** Most that it may cost, OPG base units. */
  maximum: bigint
  /** What the deposit has ever held and what of it the chain has seen spent, OPG base units. */
  funded: bigint
  spentOnChain: bigint
  /** Id of the call in a place of the grant. */
  requestIdOf(counter: bigint): Hex
}

export type Reservation =
  | { reserved: true; counter: bigint; requestId: Hex }
  | {
      reserved: false
      /**
       * `total`: what is left does not reach; `busy`: it would, were it not for calls under way; `rate`: the hour is
       * spent; `rate_busy`: it would be enough but for calls under way; `unknown`: no such grant.
       */
      why: 'total' | 'busy' | 'rate' | 'rate_busy' | 'unknown'
      /** OPG base units that a call may cost now. */
      left: bigint
      /** Seconds until the oldest part of the hour is over. */
      retryAfter: number
    }

type GrantState = {
  next: bigint
  spent: bigint
  maxTotal: bigint
  rate: bigint
  open: bigint
  hour: bigint
  retryAfter: number
}

/**
 * Gives each call a place under its grant and sets its highest price aside, durably, or says why it cannot. Grants are
 * locked in order while that is decided, so that any number of gateways on one database never promise a deposit twice.
 */
export async function reserveCalls(
  database: Database,
  items: readonly NewGrantCall[],
): Promise<Reservation[]> {
  return database.transaction(async (transaction) => {
    const grants = await lockGrants(transaction, [...new Set(items.map((item) => item.grantId))])
    const results: Reservation[] = []
    const inserted: (NewGrantCall & { requestId: Hex; counter: bigint })[] = []
    for (const item of items) {
      const grant = grants.get(item.grantId)
      const result = grant === undefined ? UNKNOWN : decide(grant, item)
      results.push(result)
      if (grant === undefined || !result.reserved) continue
      grant.next += 1n
      grant.open += item.maximum
      inserted.push({ ...item, requestId: result.requestId, counter: result.counter })
    }
    if (inserted.length > 0) await insertCalls(transaction, inserted, grants)
    return results
  })
}

const UNKNOWN: Reservation = { reserved: false, why: 'unknown', left: 0n, retryAfter: 0 }

function decide(grant: GrantState, item: NewGrantCall): Reservation {
  // A database that was lost and begun again counts from what the chain has seen.
  const spent = larger(grant.spent, item.spentOnChain)
  const total = smaller(grant.maxTotal, item.funded) - spent
  const hour = grant.rate === 0n ? total : grant.rate - grant.hour
  const { retryAfter } = grant
  const refuse = (why: 'total' | 'busy' | 'rate' | 'rate_busy', left: bigint): Reservation => ({
    reserved: false,
    why,
    left: left < 0n ? 0n : left,
    retryAfter,
  })
  if (item.maximum > total) return refuse('total', total)
  if (item.maximum > hour) return refuse('rate', hour)
  if (item.maximum > total - grant.open) return refuse('busy', total - grant.open)
  if (grant.rate !== 0n && item.maximum > hour - grant.open) return refuse('rate_busy', hour - grant.open)
  return { reserved: true, counter: grant.next, requestId: item.requestIdOf(grant.next) }
}

async function lockGrants(transaction: Queryable, grantIds: readonly Hex[]): Promise<Map<Hex, GrantState>> {
  const rows = await transaction.query<{
    grant_id: Hex
    next_counter: string
    spent: string
    max_total: string
    rate_per_hour: string
  }>(
    `select grant_id, next_counter::text as next_counter, spent::text as spent, max_total::text as max_total,
       rate_per_hour::text as rate_per_hour
     from grants where grant_id = any($1::text[]) order by grant_id for update`,
    [grantIds],
  )
  // Only now, with the locks held, does a statement see all that earlier holders wrote.
  const sums = await transaction.query<{ grant_id: Hex; open: string; hour: string; retry_after: number }>(
    `with clock as (select floor(extract(epoch from now()) / 60)::bigint as minute)
     select g.grant_id,
       (select coalesce(sum(authorised), 0) from requests q
        where q.grant_id = g.grant_id and q.state = 'forwarded')::text as open,
       coalesce(sum(m.amount), 0)::text as hour,
       coalesce(greatest(1, (min(m.minute) + 61) * 60 - floor(extract(epoch from now()))), 0)::int as retry_after
     from grants g cross join clock left join grant_minutes m
       on m.grant_id = g.grant_id and g.rate_per_hour > 0 and m.minute >= clock.minute - 60
     where g.grant_id = any($1::text[]) group by g.grant_id`,
    [grantIds],
  )
  const sumOf = new Map(sums.map((row) => [row.grant_id, row]))
  return new Map(
    rows.map((row) => {
      const sum = sumOf.get(row.grant_id)
      return [
        row.grant_id,
        {
          next: BigInt(row.next_counter),
          spent: BigInt(row.spent),
          maxTotal: BigInt(row.max_total),
          rate: BigInt(row.rate_per_hour),
          open: BigInt(sum?.open ?? '0'),
          hour: BigInt(sum?.hour ?? '0'),
          retryAfter: sum?.retry_after ?? 0,
        },
      ]
    }),
  )
}

async function insertCalls(
  transaction: Queryable,
  calls: readonly (NewGrantCall & { requestId: Hex; counter: bigint })[],
  grants: ReadonlyMap<Hex, GrantState>,
): Promise<void> {
  const values = calls.map((call) => ({
    requestId: call.requestId,
    payer: call.payer,
    scheme: call.scheme,
    authorised: call.maximum.toString(),
    expiresAt: call.expiresAt.toString(),
    collect: call.collect,
    modelId: call.modelId,
    nodeUrl: call.nodeUrl,
    requestHash: call.requestHash,
    instance: call.instance,
    trace: call.trace,
    grantId: call.grantId,
    counter: call.counter.toString(),
  }))
  await transaction.query(
    `insert into requests (request_id, state, payer, scheme, authorised, expires_at, collect, model_id, node_url,
       request_hash, instance, trace, grant_id, counter)
     select "requestId", 'forwarded', payer, scheme, authorised, "expiresAt", collect, "modelId", "nodeUrl",
       "requestHash", instance, trace, "grantId", counter
     from jsonb_to_recordset($1::jsonb) as item("requestId" text, payer text, scheme smallint, authorised numeric,
       "expiresAt" numeric, collect text, "modelId" text, "nodeUrl" text, "requestHash" text, instance text,
       trace text, "grantId" text, counter bigint)`,
    [JSON.stringify(values)],
  )
  const next = [...grants].map(([grantId, grant]) => ({ grantId, next: grant.next.toString() }))
  await transaction.query(
    `update grants set next_counter = item.next
     from jsonb_to_recordset($1::jsonb) as item("grantId" text, next bigint) where grant_id = item."grantId"`,
    [JSON.stringify(next)],
  )
}

/** Terms of grants as they were registered, canonical JSON. */
export async function grantTerms(database: Queryable, grantIds: readonly Hex[]): Promise<Map<Hex, string>> {
  const rows = await database.query<{ grant_id: Hex; terms: string }>(
    'select grant_id, terms from grants where grant_id = any($1::text[])',
    [grantIds],
  )
  return new Map(rows.map((row) => [row.grant_id, row.terms]))
}

/** What was spent under a grant and is set aside, and the terms; undefined where no key was ever made for it. */
export async function grantUsage(
  database: Queryable,
  grantId: string,
): Promise<{ terms: string; spent: bigint; reserved: bigint; calls: number } | undefined> {
  const rows = await database.query<{ terms: string; spent: string; reserved: string; calls: number }>(
    `select terms, spent::text as spent,
       (select coalesce(sum(authorised), 0) from requests q
        where q.grant_id = g.grant_id and q.state = 'forwarded')::text as reserved,
       (next_counter - 1)::int as calls
     from grants g where grant_id = $1`,
    [grantId],
  )
  const [row] = rows
  return row === undefined
    ? undefined
    : { terms: row.terms, spent: BigInt(row.spent), reserved: BigInt(row.reserved), calls: row.calls }
}

export type GrantDebit = {
  counter: bigint
  requestId: Hex
  /** `forwarded` is set aside, `finished` is spent, the others cost nothing. */
  state: string
  modelId: Hex
  /** Highest price while it is under way, the price once it is finished and as long as it can be paid, else 0; OPG base units. */
  amount: bigint
  /** Whether the deposit has paid it. */
  settled: boolean
  /** Unix milliseconds. */
  at: number
}

/** Calls under a grant, newest first. */
export async function grantDebits(
  database: Queryable,
  grantId: string,
  before: bigint,
  limit: number,
): Promise<GrantDebit[]> {
  const rows = await database.query<{
    counter: string
    request_id: Hex
    state: string
    model_id: Hex
    amount: string
    settled: boolean
    at: number
  }>(
    `select q.counter::text as counter, q.request_id, q.state, q.model_id,
       (case when q.state = 'forwarded' then q.authorised when r.state = 'expired' then 0
         else coalesce(r.price, 0) end)::text as amount,
       coalesce(p.state = 'settled', false) as settled,
       (extract(epoch from q.created_at) * 1000)::float8 as at
     from requests q left join receipts r using (request_id) left join payments p using (request_id)
     where q.grant_id = $1 and q.counter < $2 order by q.counter desc limit $3`,
    [grantId, before, limit],
  )
  return rows.map((row) => ({
    counter: BigInt(row.counter),
    requestId: row.request_id,
    state: row.state,
    modelId: row.model_id,
    amount: BigInt(row.amount),
    settled: row.settled,
    at: row.at,
  }))
}
