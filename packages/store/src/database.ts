/** 0x-prefixed hex. */
export type Hex = `0x${string}`

/** Values that both engines take: money and heights as bigint, bytes as Uint8Array. */
export type SqlValue = string | number | bigint | boolean | null | Uint8Array | readonly string[]

export type Queryable = {
  /** Runs one statement with `$1…` parameters and returns its rows. */
  query<Row extends object>(sql: string, parameters?: readonly SqlValue[]): Promise<Row[]>
}

/**
 * One database. A single statement is its own transaction. Whatever a resolved promise says was written survives the
 * death of this process (kill -9). Against a loss of power only a PostgreSQL server with `fsync=on` is safe: PGlite hands
 * its writes to the operating system and never waits for the disk.
 */
export type Database = Queryable & {
  engine: 'pglite' | 'postgres'
  /** All or nothing; `work` must use the handle that it is given. */
  transaction<Result>(work: (transaction: Queryable) => Promise<Result>): Promise<Result>
  close(): Promise<void>
}

/** What the drivers are handed: neither serialises a bigint the way the other does. */
export function toDriverValues(parameters: readonly SqlValue[]): unknown[] {
  return parameters.map((value) => (typeof value === 'bigint' ? value.toString() : value))
}

/**
 * A condition that always holds, and by which the commit of its statement does not wait for the disk where a parameter is
 * true. For a PostgreSQL server: what was written is seen by all, and reaches the disk with the next commit that does wait,
 * or within 0.6 s.
 */
export const unwaited = (parameter: string): string =>
  `case when ${parameter} then set_config('synchronous_commit', 'off', true) = 'off' else true end`
