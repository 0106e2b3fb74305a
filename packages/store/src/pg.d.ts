/** The part of node-postgres that is used here; the package carries no types of its own. */
declare module 'pg' {
  type QueryResult = { rows: object[] }
  type PoolClient = {
    query(sql: string, values?: unknown[]): Promise<QueryResult>
    release(error?: Error): void
  }
  class Pool {
    constructor(options: {
      connectionString: string
      max?: number
      connectionTimeoutMillis?: number
      idle_in_transaction_session_timeout?: number
      statement_timeout?: number
    })
    query(sql: string, values?: unknown[]): Promise<QueryResult>
    connect(): Promise<PoolClient>
    on(event: 'error', listener: (error: Error) => void): this
    end(): Promise<void>
  }
  const pg: { Pool: typeof Pool }
  export default pg
}
