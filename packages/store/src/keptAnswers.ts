import { type Database, type Hex, type Queryable, unwaited } from './database.ts'
import type { RequestState } from './requests.ts'

/** A client's own name for a request, and whose client that is: `payer:0x…` or `key:0x…`. */
export type AnswerName = { scope: string; id: string }
export type KeptAnswer = { status: number; headers: Record<string, string>; body: Uint8Array }

/** What is known of a name. */
export type Recalled =
  | { what: 'new' } // it is ours now
  | { what: 'other' } // another request has it
  | { what: 'running'; requestId: Hex | undefined } // this request has it and is being answered
  | { what: 'kept'; answer: KeptAnswer }
  | { what: 'not_kept'; requestId: Hex } // it was answered and paid, and the answer is not here

/** Seconds after which a name whose payment was never claimed is free again: its gateway died in between. */
const ABANDONED_SECONDS = 60

export type NamedRequest = {
  requestHash: Hex
  /** Known before its payment is claimed where the payment decides it. */
  requestId: Hex | undefined
  keepSeconds: number
}

/**
 * Names of requests, and the answers that are kept under them. What is written of a name counts once a receipt is recorded,
 * whose commit brings all that was written before it to the disk: none of it waits for the disk by itself.
 */
export type AnswerNames = {
  /** Takes a name for a request, or says what has it. */
  take(name: AnswerName, request: NamedRequest): Promise<Recalled>
  /** Says which request a taken name belongs to. */
  bind(name: AnswerName, requestId: Hex): Promise<void>
  /** Keeps an answer. It is given out only once its request is finished, so this comes before the receipt. */
  keep(name: AnswerName, requestId: Hex, answer: KeptAnswer): Promise<void>
  /** Gives a name back whose request was refused before its payment was claimed, or with one that another request has. */
  free(name: AnswerName): Promise<void>
}

/** @param lagging the same database, where what was acknowledged of requests may still be missing */
export function openAnswerNames({
  database,
  lagging,
}: {
  database: Database
  lagging: Database
}): AnswerNames {
  const relaxed = database.engine === 'postgres'
  return {
    async take(name, request) {
      // Most names are new, and what has become of other requests does not matter to those.
      if (await takeNew(lagging, name, request, relaxed)) return { what: 'new' }
      return takeOver(database, name, request)
    },
    async bind({ scope, id }, requestId) {
      await lagging.query(
        `update kept_answers set request_id = $3 where scope = $1 and id = $2 and ${unwaited('$4')}`,
        [scope, id, requestId, relaxed],
      )
    },
    async keep({ scope, id }, requestId, { status, headers, body }) {
      await lagging.query(
        `update kept_answers set status = $4, headers = $5, body = $6
         where scope = $1 and id = $2 and request_id = $3 and ${unwaited('$7')}`,
        [scope, id, requestId, status, JSON.stringify(headers), body, relaxed],
      )
    },
    async free({ scope, id }) {
      await database.query(
        `delete from kept_answers k where scope = $1 and id = $2 and body is null
           and not exists (select 1 from requests q where q.request_id = k.request_id
             and q.request_hash = k.request_hash and q.state in ('forwarded', 'finished'))`,
        [scope, id],
      )
    },
  }
}

async function takeNew(
  database: Queryable,
  { scope, id }: AnswerName,
  { requestHash, requestId, keepSeconds }: NamedRequest,
  relaxed: boolean,
): Promise<boolean> {
  const taken = await database.query(
    `insert into kept_answers (scope, id, request_hash, request_id, expires_at)
     select $1, $2, $3, $4, now() + $5::float8 * interval '1 second' where ${unwaited('$6')}
     on conflict (scope, id) do nothing returning id`,
    [scope, id, requestHash, requestId ?? null, keepSeconds, relaxed],
  )
  return taken.length > 0
}

/**
 * Takes a name that somebody had. A request that ended without an answer leaves it free, and so does one whose answer cost
 * nothing and is not here: its node signed that it failed, or that its client left before it began.
 */
async function takeOver(
  database: Queryable,
  { scope, id }: AnswerName,
  request: NamedRequest,
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
  if (row === undefined) return { what: 'running', requestId: undefined }
  if (row.request_hash !== request.requestHash) return { what: 'other' }
  if (row.state !== 'finished' || row.request_id === null)
    return { what: 'running', requestId: row.request_id ?? undefined }
  const { status, headers, body } = row
  return status === null || headers === null || body === null
    ? { what: 'not_kept', requestId: row.request_id }
    : { what: 'kept', answer: { status, headers: JSON.parse(headers), body } }
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
