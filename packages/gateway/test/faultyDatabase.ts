/** A database over another, of which one statement fails. */
import { once } from 'node:events'
import { AssayError } from '@assay/protocol'
import type { Database, Queryable } from '@assay/store'

/** What becomes of the statement. Who asked hears that the database is away or, dead, nothing more. */
export type Failure =
  | 'refused' // it is not executed
  | 'answer lost' // it is executed
  | 'death before it' // it is not executed, and nothing after it
  | 'death behind it' // it is executed, and nothing after it

/** Statements that change nothing: to all but who asked, such a one is refused however it fails. */
const READ = /^(select|begin)/

export type FaultyDatabase = {
  /** Closing it leaves the one below open. */
  database: Database
  /** Has the `at`-th statement from now on fail, of those that can in this way; `begin` and `commit` count as well. */
  arm(failure: Failure, at: number): void
  /** First line of the statement that failed, if one did since it was armed. */
  struck(): string | undefined
  /** Aborts when the gateway dies. */
  death: AbortSignal
  /** The same functions, which do nothing and never answer once the gateway is dead. */
  mortal<Functions extends object>(functions: Functions): Functions
  /** Nothing fails any more but what a dead gateway still waits for, so that it can be closed. */
  bury(): void
}

export function createFaultyDatabase(real: Database): FaultyDatabase {
  const dying = new AbortController()
  const death = dying.signal
  const died = once(death, 'abort').then(() => Promise.reject(away()))
  const { promise: grave, reject: endWaiting } = Promise.withResolvers<never>()
  for (const promise of [grave, died]) promise.catch(() => {})
  let armed: { failure: Failure; left: number } | undefined
  let struck: string | undefined

  const away = () => new AssayError('The database does not answer.', { code: 'unreachable' })
  /** @throws where the statement is not executed */
  function before(statement: string): Failure | undefined {
    if (armed === undefined) return undefined
    const { failure } = armed
    if ((failure !== 'refused' && READ.test(statement)) || --armed.left > 0) return undefined
    armed = undefined
    struck = statement.trim().split('\n')[0]
    if (failure === 'death before it') dying.abort()
    if (failure === 'death before it' || failure === 'refused') throw away()
    return failure
  }
  /** @throws where word of it does not arrive */
  function behind(failure: Failure | undefined): void {
    if (failure === 'death behind it') dying.abort()
    if (failure !== undefined) throw away()
  }
  async function whileAlive<Result>(work: () => Promise<Result>): Promise<Result> {
    if (death.aborted) return grave
    const [ended] = await Promise.allSettled([work()])
    if (death.aborted) return grave
    if (ended.status === 'rejected') throw ended.reason
    return ended.value
  }
  const over = (inner: Queryable): Queryable => ({
    query: (sql, parameters) =>
      whileAlive(async () => {
        const failure = before(sql)
        const rows = await inner.query<never>(sql, parameters)
        behind(failure)
        return rows
      }),
  })
  /** What a process that dies has not committed, its server takes back. */
  async function transact<Result>(work: (transaction: Queryable) => Promise<Result>): Promise<Result> {
    behind(before('begin'))
    let committing: Failure | undefined
    const result = await real.transaction(async (inner) => {
      const done = await Promise.race([died, work(over(inner))])
      committing = before('commit')
      return done
    })
    behind(committing)
    return result
  }
  return {
    database: {
      ...over(real),
      // What a gateway does for others beside it may fail as well.
      engine: 'postgres',
      transaction: (work) => whileAlive(() => transact(work)),
      close: async () => {},
    },
    arm(failure, at) {
      armed = { failure, left: at }
      struck = undefined
    },
    struck: () => struck,
    death,
    mortal: (functions) =>
      new Proxy(functions, {
        get(target, name) {
          const member: unknown = Reflect.get(target, name)
          return death.aborted && typeof member === 'function' ? () => grave : member
        },
      }),
    bury() {
      armed = undefined
      endWaiting(away())
    },
  }
}
