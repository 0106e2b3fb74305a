/** The part of node-postgres that is used here; the package carries no types of its own. */
declare module 'pg' {
  type Prepared = { name: string; text: string; values: unknown[] }
  type QueryResult = { rows: object[] }
  type PoolClient = {
    query(sql: string | Prepared): Promise<QueryResult>
    on(event: 'error', listener: (error: Error) => void): void
    off(event: 'error', listener: (error: Error) => void): void
    release(error?: Error): void
  }
  class Pool {
    constructor(options: {
      connectionString: string
      max?: number
      connectionTimeoutMillis?: number
      idle_in_transaction_session_timeout?: number
      statement_timeout?: number
      options?: string
      query_timeout?: number
      keepAlive?: boolean
    })
    /** Statements that wait for a connection. */
    readonly waitingCount: number
    query(sql: string | Prepared): Promise<QueryResult>
    connect(): Promise<PoolClient>
    on(event: 'error', listener: (error: Error) => void): this
    end(): Promise<void>
  }
  const pg: { Pool: typeof Pool }
  export default pg
}
