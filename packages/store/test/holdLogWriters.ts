import type { Database } from '@assay/store'
import { until } from '../../../test/until.ts'

/**
 * Has nobody write a server's log but who waits for it: whoever else might, now and then, is held.
 * @returns what ends them with the server that crashes
 */
export async function holdLogWriters(database: Database): Promise<() => void> {
  const others = await until(async () => {
    const found = await database.query<{ pid: number }>(
      `select pid from pg_stat_activity where backend_type in ('walwriter', 'background writer', 'checkpointer')`,
    )
    return found.length === 3 && found
  })
  for (const { pid } of others) process.kill(pid, 'SIGSTOP')
  return () => {
    for (const { pid } of others) process.kill(pid, 'SIGKILL')
  }
}
