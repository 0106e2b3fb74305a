import type { Database, Hex, Queryable } from './database.ts'

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
       calls::int as calls
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
