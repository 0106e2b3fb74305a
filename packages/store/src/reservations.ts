import { larger, smaller } from '@assay/protocol'
import { type Database, type Hex, type Queryable, unwaited } from './database.ts'
import type { NewRequest } from './requests.ts'

/** A call in its place under its grant; what it authorises is the most that it may cost. */
export type PlacedCall = NewRequest & { grantId: Hex; counter: bigint }

/** A call that has its place and wants its highest price set aside. */
export type NewGrantCall = PlacedCall & {
  /** Of the key that it is made with. */
  keyHash: Hex
  /** What the deposit has ever held and what of it the chain has seen spent, OPG base units. */
  funded: bigint
  spentOnChain: bigint
}

/** Why a call's highest price is not set aside. */
export type ReservationRefusal = {
  /**
   * `total`: what is left does not reach; `busy`: it would, were it not for calls under way; `rate`: the hour is
   * spent; `rate_busy`: it would be enough but for calls under way; `revoked`: its key was taken back; `unknown`: no
   * such grant.
   */
  why: 'total' | 'busy' | 'rate' | 'rate_busy' | 'revoked' | 'unknown'
  /** OPG base units that a call may cost now. */
  left: bigint
  /** Seconds until the oldest part of the hour is over. */
  retryAfter: number
}

/** What counts of a grant when a call is to be set aside; OPG base units. */
export type GrantState = {
  /** Prices of all recorded calls, and highest prices of those under way. */
  spent: bigint
  open: bigint
  maxTotal: bigint
  /** 0 = no limit by the hour. */
  rate: bigint
  /** What was spent in each of the last minutes, Unix seconds / 60. */
  minutes: Map<number, bigint>
  /** Hashes of the keys that were taken back. */
  revoked: ReadonlySet<Hex>
}

const NOTHING_LEFT = { left: 0n, retryAfter: 0 }
export const UNKNOWN_GRANT: ReservationRefusal = { ...NOTHING_LEFT, why: 'unknown' }

/** Minutes that count as the last hour: the one that is not over, and sixty before it. */
const HOUR_MINUTES = 60

/**
 * Why a grant does not hold a call's highest price; undefined where it does.
 * @param now Unix seconds
 */
export function reservationRefusal(
  grant: GrantState,
  call: Pick<NewGrantCall, 'keyHash' | 'authorised' | 'funded' | 'spentOnChain'>,
  now: number,
): ReservationRefusal | undefined {
  if (grant.revoked.has(call.keyHash)) return { ...NOTHING_LEFT, why: 'revoked' }
  // A database that was lost and begun again counts from what the chain has seen.
  const spent = larger(grant.spent, call.spentOnChain)
  const total = smaller(grant.maxTotal, call.funded) - spent
  const hour = hourOf(grant, now)
  const ofHour = grant.rate === 0n ? total : grant.rate - hour.spent
  const refuse = (why: ReservationRefusal['why'], left: bigint): ReservationRefusal => {
    return { why, left: larger(left, 0n), retryAfter: hour.retryAfter }
  }
  const { authorised: maximum } = call
  if (maximum > total) return refuse('total', total)
  if (maximum > ofHour) return refuse('rate', ofHour)
  if (maximum > total - grant.open) return refuse('busy', total - grant.open)
  if (grant.rate !== 0n && maximum > ofHour - grant.open) return refuse('rate_busy', ofHour - grant.open)
  return undefined
}

function hourOf({ rate, minutes }: GrantState, now: number): { spent: bigint; retryAfter: number } {
  if (rate === 0n) return { spent: 0n, retryAfter: 0 }
  const first = Math.floor(now / 60) - HOUR_MINUTES
  const within = [...minutes].filter(([minute]) => minute >= first)
  if (within.length === 0) return { spent: 0n, retryAfter: 0 }
  const oldest = Math.min(...within.map(([minute]) => minute))
  return {
    spent: within.reduce((sum, [, amount]) => sum + amount, 0n),
    retryAfter: Math.max(1, (oldest + HOUR_MINUTES + 1) * 60 - Math.floor(now)),
  }
}

/** Reads what counts of grants, the database's clock (Unix seconds), and up to which entry of a journal it holds all that. */
export async function readGrants(
  database: Queryable,
  grantIds: readonly Hex[],
): Promise<{ states: Map<Hex, GrantState>; now: number; applied: number }> {
  const rows = await database.query<{
    grant_id: Hex
    spent: string
    open: string
    max_total: string
    rate_per_hour: string
    minutes: Record<string, string> | null
    revoked: Hex[] | null
    now: number
    applied: string
  }>(
    `select grant_id, spent::text as spent, max_total::text as max_total, rate_per_hour::text as rate_per_hour, extract(epoch from now())::float8 as now,
       (select applied::text from journal) as applied,
       (select coalesce(sum(authorised), 0) from requests q
        where q.grant_id = g.grant_id and q.state = 'forwarded')::text as open,
       (select json_object_agg(minute, amount::text) from grant_minutes m where m.grant_id = g.grant_id
          and g.rate_per_hour > 0 and minute >= floor(extract(epoch from now()) / 60)::bigint - ${HOUR_MINUTES}) as minutes,
       (select array_agg(key_hash) from api_keys k where k.grant_id = g.grant_id and k.revoked) as revoked
     from grants g where grant_id = any($1::text[])`,
    [grantIds],
  )
  const states = new Map<Hex, GrantState>()
  for (const row of rows) {
    states.set(row.grant_id, {
      spent: BigInt(row.spent),
      open: BigInt(row.open),
      maxTotal: BigInt(row.max_total),
      rate: BigInt(row.rate_per_hour),
      minutes: new Map(
        Object.entries(row.minutes ?? {}).map(([minute, amount]) => [Number(minute), BigInt(amount)]),
      ),
      revoked: new Set(row.revoked),
    })
  }
  return { states, now: rows[0]?.now ?? 0, applied: Number(rows[0]?.applied ?? 0) }
}

/** Places of calls as statements take them. */
const PLACED = `jsonb_to_recordset($1::jsonb) as item("requestId" text, payer text, scheme smallint, authorised numeric,
  "expiresAt" numeric, collect text, "modelId" text, "nodeUrl" text, "requestHash" text, instance text, trace text,
  "grantId" text, counter bigint, "keyHash" text, funded numeric, "spentOnChain" numeric)`
const insertPlaced = (
  state: string,
) => `insert into requests (request_id, state, payer, scheme, authorised, expires_at,
    collect, model_id, node_url, request_hash, instance, trace, grant_id, counter)
  select "requestId", ${state}, payer, scheme, authorised, "expiresAt", collect, "modelId", "nodeUrl", "requestHash",
    instance, trace, "grantId", counter`

const jsonOf = (items: readonly object[]): string =>
  JSON.stringify(items, (_, value) => (typeof value === 'bigint' ? value.toString() : value))

/** What is kept of a call that is set aside. */
export function placedCall({
  keyHash: _key,
  funded: _in,
  spentOnChain: _out,
  ...call
}: NewGrantCall): PlacedCall {
  return call
}

/**
 * Sets calls aside in one statement, those of each grant together, where there is room for them by what it sees and no other
 * call was set aside under the grant since it looked: all else that happens to a grant meanwhile only makes room.
 * @param relaxed as of `claimRequests`; a place whose row is lost is nobody else's
 * @returns per item whether it is set aside; one that is not may still find room (`reserveCalls`).
 */
export async function reserveAtOnce(
  database: Queryable,
  items: readonly NewGrantCall[],
  { relaxed = false } = {},
): Promise<boolean[]> {
  const rows = await database.query<{ request_id: Hex }>(
    `with call as (
       select item.* from ${PLACED} join api_keys k on k.key_hash = item."keyHash" and k.grant_id = item."grantId"
       where not k.revoked
     ), wanted as (
       select "grantId" as grant_id, count(*) as calls, sum(authorised) as amount, min(funded) as funded,
         max("spentOnChain") as spent
       from call group by "grantId"
     ), look as (
       select w.*, g.calls as calls_before, g.next_counter,
         (select coalesce(sum(authorised), 0) from requests q
          where q.grant_id = w.grant_id and q.state = 'forwarded') as open,
         (select coalesce(sum(m.amount), 0) from grant_minutes m where m.grant_id = w.grant_id and g.rate_per_hour > 0
            and m.minute >= floor(extract(epoch from now()) / 60)::bigint - ${HOUR_MINUTES}) as hour
       from wanted w join grants g using (grant_id)
     ), held as (
       select grant_id from grants where grant_id in (select grant_id from wanted) order by grant_id for update
     ), taken as (
       update grants g set calls = g.calls + look.calls from look join held using (grant_id)
       where g.grant_id = look.grant_id and g.calls = look.calls_before and g.next_counter = look.next_counter
         and look.amount <= least(g.max_total, look.funded) - greatest(g.spent, look.spent) - look.open
         and (g.rate_per_hour = 0 or look.amount <= g.rate_per_hour - look.hour - look.open)
       returning g.grant_id
     )
     ${insertPlaced(`'forwarded'`)} from call join taken on taken.grant_id = call."grantId"
     where ${unwaited('$2')}
     returning request_id`,
    [jsonOf(items), relaxed],
  )
  const reserved = new Set(rows.map((row) => row.request_id))
  return items.map(({ requestId }) => reserved.has(requestId))
}

/**
 * Sets each call aside that there is room for, durably, or says why there is none. Grants are locked in order while that is
 * decided, so that any number of gateways on one database never promise a deposit twice.
 */
export async function reserveCalls(
  database: Database,
  items: readonly NewGrantCall[],
): Promise<(ReservationRefusal | undefined)[]> {
  const grantIds = [...new Set(items.map(({ grantId }) => grantId))]
  return database.transaction(async (transaction) => {
    await transaction.query(
      'select 1 from grants where grant_id = any($1::text[]) order by grant_id for update',
      [grantIds],
    )
    // Only now, with the locks held, does a statement see all that earlier holders wrote.
    const { states, now } = await readGrants(transaction, grantIds)
    const placed: PlacedCall[] = []
    const refusals = items.map((call) => {
      const grant = states.get(call.grantId)
      if (grant === undefined) return UNKNOWN_GRANT
      const refusal = reservationRefusal(grant, call, now)
      if (refusal !== undefined) return refusal
      grant.open += call.authorised
      placed.push(call)
      return undefined
    })
    if (placed.length > 0) await placeCalls(transaction, placed)
    return refusals
  })
}

/** Writes calls into places that were found for them. */
export async function placeCalls(transaction: Queryable, calls: readonly PlacedCall[]): Promise<void> {
  await transaction.query(
    `with call as (select * from ${PLACED}), grown as (
       update grants g set calls = g.calls + item.calls, next_counter = greatest(g.next_counter, item.last + 1)
       from (select "grantId" as grant_id, count(*) as calls, max(counter) as last from call group by "grantId") as item
       where g.grant_id = item.grant_id
     )
     ${insertPlaced(`'forwarded'`)} from call`,
    [jsonOf(calls)],
  )
}

/**
 * Ends a call of which nobody knows whether it was set aside. Its place is filled either way, so that nothing is set aside in
 * it any more by a statement that is given up and on its way all the same: who made the call was told that it costs nothing.
 */
export async function endPlace(
  database: Queryable,
  call: PlacedCall,
  state: 'failed' | 'released',
): Promise<void> {
  await database.query(
    `with held as (select grant_id from grants where grant_id = $3 for update)
     ${insertPlaced('$2::text')} from ${PLACED} join held on held.grant_id = item."grantId"
     on conflict (request_id) do update set state = excluded.state, finished_at = now()
       where requests.state = 'forwarded'`,
    [jsonOf([call]), state, call.grantId],
  )
}
