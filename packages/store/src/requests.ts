import { type Hex, type Queryable, unwaited } from './database.ts'

export type RequestState =
  | 'forwarded' // on its way to a node, or its receipt is being looked for
  | 'finished' // its receipt is durable
  | 'failed' // no receipt came; nothing is charged and the payment is spent for us
  | 'released' // refused before any work was done; the payment may be used again

export type NewRequest = {
  requestId: Hex
  payer: string
  scheme: number
  /** OPG base units. */
  authorised: bigint
  /** Unix seconds. */
  expiresAt: bigint
  /** JSON of the collecting call's argument, integers as strings. */
  collect: string
  modelId: Hex
  nodeUrl: string
  requestHash: Hex
  /** Gateway process that relays it. */
  instance: string
  /** W3C traceparent, where the call is traced. */
  trace?: string | undefined
}

/** A payment's claim by a process that names it: one payment may be released and claimed again. */
export type NamedClaim = NewRequest & { claimId: string }

/** A call's place under the spending grant that pays for it. */
export type StoredGrantCall = { id: Hex; counter: bigint }
export type RequestRow = NewRequest & {
  state: RequestState
  grant: StoredGrantCall | undefined
}

type Columns = {
  request_id: Hex
  state: RequestState
  payer: string
  scheme: number
  authorised: string
  expires_at: string
  collect: string
  model_id: Hex
  node_url: string
  request_hash: Hex
  instance: string | null
  trace: string | null
  grant_id: Hex | null
  counter: string | null
}

const COLUMNS = `request_id, state, payer, scheme, authorised::text as authorised, expires_at::text as expires_at,
  collect, model_id, node_url, request_hash, instance, trace, grant_id, counter::text as counter`

export function grantOf(row: { grant_id: Hex | null; counter: string | null }): StoredGrantCall | undefined {
  return row.grant_id === null || row.counter === null
    ? undefined
    : { id: row.grant_id, counter: BigInt(row.counter) }
}

function toRow(row: Columns): RequestRow {
  return {
    requestId: row.request_id,
    state: row.state,
    payer: row.payer,
    scheme: row.scheme,
    authorised: BigInt(row.authorised),
    expiresAt: BigInt(row.expires_at),
    collect: row.collect,
    modelId: row.model_id,
    nodeUrl: row.node_url,
    requestHash: row.request_hash,
    instance: row.instance ?? '',
    trace: row.trace ?? undefined,
    grant: grantOf(row),
  }
}

const insertAs = (state: 'forwarded' | 'failed') => `
  insert into requests (request_id, state, payer, scheme, authorised, expires_at, collect, model_id, node_url,
    request_hash, instance, trace, claim_id)
  select "requestId", '${state}', payer, scheme, authorised, "expiresAt", collect, "modelId", "nodeUrl",
    "requestHash", instance, trace, "claimId"
  from jsonb_to_recordset($1::jsonb) as item("requestId" text, payer text, scheme smallint, authorised numeric,
    "expiresAt" numeric, collect text, "modelId" text, "nodeUrl" text, "requestHash" text, instance text, trace text,
    "claimId" text)`

function valuesOf(items: Iterable<NewRequest>): string {
  return JSON.stringify([...items], (_, value) => (typeof value === 'bigint' ? value.toString() : value))
}

/**
 * Claims each payment for its request, in one statement. One that was released may come back signed anew under the same
 * nonce, for more or for longer: what it authorises now is what counts.
 * @param relaxed whether the commit does not wait for the disk: a crash of the server may take the claims away
 * @returns per item whether it is ours now; false means that the payment is in use or was used.
 */
export async function claimRequests(
  database: Queryable,
  items: readonly (NewRequest & Partial<NamedClaim>)[],
  { relaxed = false } = {},
): Promise<boolean[]> {
  // One statement cannot touch a row twice: of twins in a group the first wins.
  const first = new Map<string, NewRequest>()
  for (const item of items) if (!first.has(item.requestId)) first.set(item.requestId, item)
  // In one order everywhere: two gateways that are sent the same payments would else wait for each other's rows.
  const ordered = [...first.values()].sort((a, b) => (a.requestId < b.requestId ? -1 : 1))
  const rows = await database.query<{ request_id: string }>(
    `${insertAs('forwarded')}
     where ${unwaited('$2')}
     on conflict (request_id) do update set state = 'forwarded', node_url = excluded.node_url, collect = excluded.collect,
       authorised = excluded.authorised, expires_at = excluded.expires_at,
       model_id = excluded.model_id, request_hash = excluded.request_hash, instance = excluded.instance,
       trace = excluded.trace, claim_id = excluded.claim_id, created_at = now()
       where requests.state = 'released'
     returning request_id`,
    [valuesOf(ordered), relaxed],
  )
  const claimed = new Set(rows.map((row) => row.request_id))
  return items.map((item) => first.get(item.requestId) === item && claimed.has(item.requestId))
}

/** Notes, before it is sent there, that a request on its way goes to another node: recovery asks that one for its receipt. */
export async function rerouteRequest(
  database: Queryable,
  { requestId, instance, nodeUrl }: Pick<NewRequest, 'requestId' | 'instance' | 'nodeUrl'>,
): Promise<void> {
  await database.query(
    `update requests set node_url = $3 where request_id = $1 and instance = $2 and state = 'forwarded'`,
    [requestId, instance, nodeUrl],
  )
}

/** Ends a request without a receipt. A finished one stays finished. */
export async function endRequest(
  database: Queryable,
  requestId: Hex,
  state: 'failed' | 'released',
): Promise<void> {
  await database.query(
    `update requests set state = $2, finished_at = now() where request_id = $1 and state = 'forwarded'`,
    [requestId, state],
  )
}

/** Gives the payment of a request back that no node has, unless it has been claimed anew. */
export async function releaseClaim(database: Queryable, { requestId, claimId }: NamedClaim): Promise<void> {
  await database.query(
    `update requests set state = 'released', finished_at = now()
     where request_id = $1 and state = 'forwarded' and claim_id = $2`,
    [requestId, claimId],
  )
}

/** Has the payment of a request stay spent, also where a crash of the server took its claim away. */
export async function failClaim(database: Queryable, claim: NamedClaim): Promise<void> {
  await database.query(
    `${insertAs('failed')}
     on conflict (request_id) do update set state = 'failed', finished_at = now()
       where requests.state = 'forwarded' and requests.claim_id = excluded.claim_id`,
    [valuesOf([claim])],
  )
}

export async function findRequest(database: Queryable, requestId: string): Promise<RequestRow | undefined> {
  const rows = await database.query<Columns>(`select ${COLUMNS} from requests where request_id = $1`, [
    requestId,
  ])
  return rows[0] === undefined ? undefined : toRow(rows[0])
}

/** What a gateway process has on its way and claimed or set aside at least so long ago. */
export async function forwardedBy(database: Queryable, instance: string, minAgeMs: number): Promise<Hex[]> {
  const rows = await database.query<{ request_id: Hex }>(
    `select request_id from requests where state = 'forwarded' and instance = $1
       and created_at <= now() - $2::float8 * interval '1 millisecond'`,
    [instance, minAgeMs],
  )
  return rows.map((row) => row.request_id)
}

/** Per payer, what accepted payments may still take that the chain does not show yet, OPG base units; without grants, whose deposits are apart. */
export async function openAmounts(
  database: Queryable,
): Promise<{ requestId: Hex; payer: string; amount: bigint }[]> {
  const rows = await database.query<{ request_id: Hex; payer: string; amount: string }>(
    `select request_id, payer, authorised::text as amount from requests
     where state = 'forwarded' and grant_id is null
     union all
     select request_id, payer, held::text from payments where state in ('none', 'submitted')`,
  )
  return rows.map((row) => ({ requestId: row.request_id, payer: row.payer, amount: BigInt(row.amount) }))
}

/**
 * What a payer called over all gateways of this database, beside one request that is on record: how many within the
 * minute before it, and for how much within the hour, OPG base units; highest prices until the receipt says the real one.
 * What came after it counts as well, and what was refused before a node was asked does not. However long a gateway pauses
 * between its claim and this look, the time that counts is the claim's.
 */
export async function latelyOf(
  database: Queryable,
  { payer, requestId }: { payer: string; requestId: string },
): Promise<{ calls: number; callsAgeMs: number; spent: bigint; spentAgeMs: number }> {
  const rows = await database.query<{ calls: number; calls_age: number; spent: string; spent_age: number }>(
    `with asked as (select created_at as at from requests where request_id = $2), lately as (
       select extract(epoch from asked.at - q.created_at)::float8 * 1000 as age,
         case q.state when 'forwarded' then q.authorised when 'finished' then coalesce(r.price, 0) else 0 end as amount
       from asked cross join requests q left join receipts r using (request_id)
       where q.payer = $1 and q.created_at > asked.at - interval '1 hour' and q.state <> 'released' and q.request_id <> $2)
     select count(*) filter (where age < 60000)::int as calls, coalesce(sum(amount), 0)::text as spent,
       coalesce(max(age) filter (where age < 60000), 0) as calls_age, coalesce(max(age), 0) as spent_age
     from lately`,
    [payer.toLowerCase(), requestId],
  )
  const [row] = rows
  return {
    calls: row?.calls ?? 0,
    callsAgeMs: row?.calls_age ?? 0,
    spent: BigInt(row?.spent ?? '0'),
    spentAgeMs: row?.spent_age ?? 0,
  }
}

/**
 * What a payer's accepted payments may still take, over all gateways of this database, OPG base units. What was
 * collected a moment ago counts as well, since whoever read the payer's balance may have read it before.
 */
export async function openAmountOf(database: Queryable, payer: string): Promise<bigint> {
  const rows = await database.query<{ amount: string }>(
    `select ((select coalesce(sum(authorised), 0) from requests
              where payer = $1 and state = 'forwarded' and grant_id is null) +
             (select coalesce(sum(held), 0) from payments where payer = $1 and state in ('none', 'submitted')) +
             (select coalesce(sum(held), 0) from payments
              where payer = $1 and state = 'locked' and updated_at > now() - interval '2 seconds'))::text as amount`,
    [payer],
  )
  return BigInt(rows[0]?.amount ?? '0')
}
