import pg from 'pg'
import { type Database, type Queryable, toDriverValues } from './database.ts'

/** A PostgreSQL server. @throws whatever the driver says on the first query if the server is not there. */
export function openPostgres(databaseUrl: string): Database {
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    max: 16,
    connectionTimeoutMillis: 10_000,
    idle_in_transaction_session_timeout: 30_000,
    statement_timeout: 30_000,
  })
  // An idle connection that breaks is replaced at its next use; without a listener the event would end the process.
  pool.on('error', () => {})
  return {
    engine: 'postgres',
    query: async <Row extends object>(sql: string, parameters = [] as const) =>
      (await pool.query(sql, toDriverValues(parameters))).rows as Row[],
    async transaction(work) {
      const client = await pool.connect()
      const handle: Queryable = {
        query: async <Row extends object>(sql: string, parameters = [] as const) =>
          (await client.query(sql, toDriverValues(parameters))).rows as Row[],
      }
      let broken: Error | undefined
      try {
        await client.query('begin')
        const result = await work(handle)
        await client.query('commit')
        return result
      } catch (error) {
        try {
          await client.query('rollback')
        } catch (failure) {
          broken = failure as Error
        }
        throw error
      } finally {
        client.release(broken)
      }
    },
    close: () => pool.end(),
  }
}
