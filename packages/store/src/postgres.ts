import { AssayError } from '@assay/protocol'
import pg from 'pg'
import { type Database, type Queryable, type SqlValue, toDriverValues } from './database.ts'

/** Connections of one gateway process: answers use one or two of them at a time, the work behind them the rest. */
const MAX_CONNECTIONS = 16
/** Statements that may wait for a connection; one more is refused at once instead of adding to the queue. */
const MAX_WAITING = 256
/** How long a statement may take before the connection counts as dead, milliseconds. */
const QUERY_TIMEOUT_MS = 10_000
/** A gateway that was stopped in the middle of a transaction must not hold its locks for longer, milliseconds. */
const IDLE_IN_TRANSACTION_MS = 15_000

/**
 * Every statement finds its rows by an index, is prepared once a connection, and is planned once: a plan that was made
 * while a table was empty, or a new one for each call, took longer than all the rest of the statement. A statement that
 * has no index to use counts as so dear that the server would compile it, which takes longer still.
 */
const PLANNING = '-c enable_seqscan=off -c plan_cache_mode=force_generic_plan -c jit=off'

/**
 * A PostgreSQL server. Statements are prepared once a connection, so a pooler in between must keep sessions apart.
 * @param options.patient statements may take as long as they take, as those of a migration over much data do
 * @throws AssayError `unreachable` where the server does not answer or has more to do than it can; else what it says.
 */
export function openPostgres(databaseUrl: string, { patient = false } = {}): Database {
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    max: MAX_CONNECTIONS,
    connectionTimeoutMillis: 5000,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
    // 0 leaves it to the server. Where no answer comes at all, the server's own limit never gets here.
    statement_timeout: patient ? 0 : QUERY_TIMEOUT_MS,
    query_timeout: patient ? 0 : QUERY_TIMEOUT_MS + 1000,
    keepAlive: true,
    options: PLANNING,
  })
  // An idle connection that breaks is replaced at its next use; without a listener the event would end the process.
  pool.on('error', () => {})
  const names = new Map<string, string>()

  /** All statements are constants of this program, so there are few of them. */
  function prepared(sql: string, parameters: readonly SqlValue[]) {
    let name = names.get(sql)
    if (name === undefined) {
      name = `s${names.size}`
      names.set(sql, name)
    }
    return { name, text: sql, values: toDriverValues(parameters) }
  }
  function admit(): void {
    if (pool.waitingCount < MAX_WAITING) return
    throw new AssayError('The database has more to do than it can.', {
      code: 'unreachable',
      facts: { waiting: pool.waitingCount },
      next: 'try again in a second',
    })
  }

  return {
    engine: 'postgres',
    async query<Row extends object>(sql: string, parameters: readonly SqlValue[] = []) {
      admit()
      try {
        return (await pool.query(prepared(sql, parameters))).rows as Row[]
      } catch (error) {
        throw explained(error)
      }
    },
    async transaction(work) {
      admit()
      const client = await pool.connect().catch((error) => {
        throw explained(error)
      })
      // What breaks the connection shows in the statement that is under way, or in the next.
      const ignore = () => {}
      client.on('error', ignore)
      const handle: Queryable = {
        query: async <Row extends object>(sql: string, parameters: readonly SqlValue[] = []) =>
          (await client.query(parameters.length === 0 ? sql : prepared(sql, parameters))).rows as Row[],
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
        throw explained(error)
      } finally {
        client.off('error', ignore)
        client.release(broken)
      }
    },
    close: () => pool.end(),
  }
}

/**
 * SQLSTATE classes that say nothing about the statement: connection, who may connect and to which database, shutdown,
 * resources, a deadlock (PostgreSQL appendix A).
 */
const AWAY = /^(08|28|3D|53|57P0|25P03|57014|40P01)/

/** An error of the connection as `unreachable`; every other as it is. */
function explained(error: unknown): unknown {
  const { code, message } = error as { code?: unknown; message?: string }
  const ofServer = typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code)
  if (error instanceof AssayError || (ofServer && !AWAY.test(code))) return error
  const ofConnection =
    ofServer ||
    /ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EHOSTUNREACH/.test(String(code)) ||
    /timeout|Connection terminated|not queryable|Connection ended/i.test(message ?? '')
  if (!ofConnection) return error
  return new AssayError('The database does not answer.', {
    code: 'unreachable',
    facts: { reason: message ?? String(error) },
    next: 'check that the server behind DATABASE_URL runs; try again',
    cause: error,
  })
}
