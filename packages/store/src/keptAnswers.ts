import type { Database, Hex, Queryable } from './database.ts'
import type { RequestState } from './requests.ts'

/** A client's own name for a request, and whose client that is: `payer:0x…` or `key:0x…`. */
export type AnswerName = { scope: string; id: string }
export type KeptAnswer = { status: number; headers: Record<string, string>; body: Uint8Array }

/** What is known of a name. */
export type Recalled =
  | { what: 'new' } // it is ours now
  | { what: 'other' } // another request has it
  | { what: 'running' } // this request has it and is being answered
  | { what: 'kept'; answer: KeptAnswer }
  | { what: 'not_kept'; requestId: Hex } // it was answered and paid, and the answer is not here

/** Seconds after which a name whose payment was never claimed is free again: its gateway died in between. */
const ABANDONED_SECONDS = 60

/**
 * Takes a name for a request, durably, or says what has it. A request that ended without an answer leaves it free, and so does
 * one whose answer cost nothing and is not here: its node signed that it failed, or that its client left before it began.
 * @param requestId known before its payment is claimed where the payment decides it
 */
export async function takeAnswerName(
  database: Queryable,
  { scope, id }: AnswerName,
  request: { requestHash: Hex; requestId: Hex | undefined; keepSeconds: number },
): Promise<Recalled> {
  const taken = await database.query(
    `insert into kept_answers (scope, id, request_hash, request_id, expires_at)
     values ($1, $2, $3, $4, now() + $5::float8 * interval '1 second')
     on conflict (scope, id) do update set request_hash = excluded.request_hash, request_id = excluded.request_id,
       status = null, headers = null, body = null, created_at = now(), expires_at = excluded.expires_at
     where kept_answers.expires_at <= now()
       or exists (select 1 from requests q left join receipts r using (request_id)
         where q.request_id = kept_answers.request_id
           and (q.state in ('failed', 'released') or r.price = 0 and kept_answers.body is null))
       or (kept_answers.created_at < now() - $6::float8 * interval '1 second'
         and not exists (select 1 from requests q where q.request_id = kept_answers.request_id))
     returning id`,
    [scope, id, request.requestHash, request.requestId ?? null, request.keepSeconds, ABANDONED_SECONDS],
  )
  if (taken.length > 0) return { what: 'new' }
  const rows = await database.query<{
    request_hash: Hex
    request_id: Hex | null
    status: number | null
    headers: string | null
    body: Uint8Array | null
    state: RequestState | null
  }>(
    `select k.request_hash, k.request_id, k.status, k.headers, k.body, q.state
     from kept_answers k left join requests q using (request_id) where k.scope = $1 and k.id = $2`,
    [scope, id],
  )
  const [row] = rows
  // Given up between the two statements.
  if (row === undefined) return { what: 'running' }
  if (row.request_hash !== request.requestHash) return { what: 'other' }
  if (row.state !== 'finished' || row.request_id === null) return { what: 'running' }
  const { status, headers, body } = row
  return status === null || headers === null || body === null
    ? { what: 'not_kept', requestId: row.request_id }
    : { what: 'kept', answer: { status, headers: JSON.parse(headers), body } }
}

/** Says which request a taken name belongs to. */
export async function bindAnswerName(
  database: Queryable,
  { scope, id }: AnswerName,
  requestId: Hex,
): Promise<void> {
  await database.query(`update kept_answers set request_id = $3 where scope = $1 and id = $2`, [
    scope,
    id,
    requestId,
  ])
}

/** Gives a name back whose request was refused before its payment was claimed, or with one that another request has. */
export async function freeAnswerName(database: Queryable, { scope, id }: AnswerName): Promise<void> {
  await database.query(
    `delete from kept_answers k where scope = $1 and id = $2 and body is null
       and not exists (select 1 from requests q where q.request_id = k.request_id
         and q.request_hash = k.request_hash and q.state in ('forwarded', 'finished'))`,
    [scope, id],
  )
}

/** Keeps an answer. It is given out only once its request is finished, so this comes before the receipt. */
export async function keepAnswer(
  database: Queryable,
  { scope, id }: AnswerName,
  requestId: Hex,
  { status, headers, body }: KeptAnswer,
): Promise<void> {
  await database.query(
    `update kept_answers set status = $4, headers = $5, body = $6 where scope = $1 and id = $2 and request_id = $3`,
    [scope, id, requestId, status, JSON.stringify(headers), body],
  )
}

/** Erases what is over its time, and of the rest the oldest answers beyond so many bytes in all. */
export async function pruneAnswers(database: Database, maxBytes: number): Promise<void> {
  await database.query('delete from kept_answers where expires_at <= now()')
  await database.query(
    `update kept_answers k set body = null from (
       select scope, id, sum(length(body)) over (order by created_at desc, scope, id) as newer from kept_answers
       where body is not null) aged
     where k.scope = aged.scope and k.id = aged.id and aged.newer > $1::bigint`,
    [maxBytes],
  )
}
