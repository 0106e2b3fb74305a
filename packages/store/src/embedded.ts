import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { PGlite, types } from '@electric-sql/pglite'
import { type Database, type Queryable, type SqlValue, toDriverValues } from './database.ts'
import { lockDirectory } from './directoryLock.ts'

type Engine = { query<Row>(sql: string, parameters?: unknown[]): Promise<{ rows: Row[] }> }

function queryable(engine: Engine): Queryable {
  return {
    query: async <Row extends object>(sql: string, parameters: readonly SqlValue[] = []) =>
      (await engine.query<Row>(sql, toDriverValues(parameters))).rows,
  }
}

/**
 * PostgreSQL inside this process, in `directory`. PGlite has no lock of its own and two writers lose rows silently,
 * hence ours. `relaxedDurability` stays off, so a commit has reached the operating system when it resolves. Turning
 * `fsync` on would change nothing but the speed: the file system layer under PGlite has no fsync to call. Bytes get a
 * (de)serialiser of their own, because PGlite's goes byte by byte through strings: 40 ms of each batch file.
 * @throws AssayError `conflict` while another process works there.
 */
export async function openEmbedded(directory: string): Promise<Database> {
  mkdirSync(directory, { recursive: true })
  const release = lockDirectory(directory)
  let engine: PGlite
  try {
    engine = await PGlite.create(join(directory, 'pg'), {
      relaxedDurability: false,
      serializers: { [types.BYTEA]: (bytes: Uint8Array) => `\\x${Buffer.from(bytes).toString('hex')}` },
      parsers: { [types.BYTEA]: (text) => new Uint8Array(Buffer.from(text.slice(2), 'hex')) },
    })
  } catch (error) {
    release()
    throw error
  }
  return {
    engine: 'pglite',
    query: queryable(engine).query,
    transaction: (work) => engine.transaction((transaction) => work(queryable(transaction))),
    async close() {
      await engine.close()
      release()
    },
  }
}
