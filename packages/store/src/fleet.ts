import type { Hex, Queryable } from './database.ts'

/** Says that this gateway process is alive. Called at its start and then again and again. */
export async function seeGateway(database: Queryable, instance: string): Promise<void> {
  await database.query(
    `insert into gateways (instance) values ($1) on conflict (instance) do update set seen_at = now()`,
    [instance],
  )
}

/** Leaves in good order: what it held is free at once. */
export async function leaveFleet(database: Queryable, instance: string): Promise<void> {
  await database.query('delete from leases where holder = $1', [instance])
  await database.query('delete from gateways where instance = $1', [instance])
}

/**
 * Ends every request that a dead process left on its way, without charge: its client did not get the end of its answer.
 * Dead is who was not seen for `silenceMs`; 0 = everyone but `instance`. One that was only paused records the receipts of
 * what it still delivers all the same: a request that is being written just now is left to the next look, for waiting
 * with the locks of others in hand would end in a deadlock, and that in an answer withheld.
 * @returns the requests that were ended.
 */
export async function interruptRequests(
  database: Queryable,
  instance: string,
  silenceMs: number,
): Promise<Hex[]> {
  const silence = `now() - $2::float8 * interval '1 millisecond'`
  await database.query(`delete from gateways where instance <> $1 and seen_at <= ${silence}`, [
    instance,
    silenceMs,
  ])
  const rows = await database.query<{ request_id: Hex }>(
    `update requests set state = 'failed', finished_at = now()
     where request_id in (
       select request_id from requests
       where state = 'forwarded' and instance is distinct from $1 and created_at <= ${silence} and
         not exists (select 1 from gateways g where g.instance = requests.instance)
       for update skip locked)
     returning request_id`,
    [instance, silenceMs],
  )
  return rows.map((row) => row.request_id)
}

/** Takes or keeps a duty for a while. @returns whether it is ours now */
export async function holdLease(
  database: Queryable,
  name: string,
  holder: string,
  forMs: number,
): Promise<boolean> {
  const rows = await database.query(
    `insert into leases (name, holder, until) values ($1, $2, now() + $3::float8 * interval '1 millisecond')
     on conflict (name) do update set holder = excluded.holder, until = excluded.until
       where leases.holder = excluded.holder or leases.until <= now()
     returning name`,
    [name, holder, forMs],
  )
  return rows.length > 0
}
