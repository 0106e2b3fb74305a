import { readdirSync, readFileSync } from 'node:fs'
import { AssayError } from '@assay/protocol'
import type { Database } from './database.ts'

/** Any number of gateways may start at once on one server; this lock lets one of them migrate. */
const MIGRATION_LOCK = 4_207_849_301n
const FOLDER = new URL('./migrations/', import.meta.url)

/**
 * Brings the schema to the newest version. Each numbered file runs once, all of them in one transaction.
 * @throws AssayError `config` when the database is newer than this program.
 */
export async function migrate(database: Database): Promise<void> {
  const files = readdirSync(FOLDER)
    .filter((name) => /^\d{4}_.+\.sql$/.test(name))
    .sort()
  await database.transaction(async (transaction) => {
    await transaction.query('select pg_advisory_xact_lock($1)', [MIGRATION_LOCK])
    await transaction.query(
      'create table if not exists migrations (name text primary key, applied_at timestamptz not null default now())',
    )
    const rows = await transaction.query<{ name: string }>('select name from migrations')
    const applied = new Set(rows.map((row) => row.name))
    for (const name of applied) {
      if (!files.includes(name)) {
        throw new AssayError('The database was written by a newer version of this program.', {
          code: 'config',
          facts: { migration: name },
          next: 'run the newer version, or give this one another data directory',
        })
      }
    }
    for (const name of files) {
      if (applied.has(name)) continue
      // One statement a query: the drivers' parameterised protocol takes no more.
      for (const statement of readFileSync(new URL(name, FOLDER), 'utf8').split(/;\s*$/m)) {
        if (statement.trim() !== '') await transaction.query(statement)
      }
      await transaction.query('insert into migrations (name) values ($1)', [name])
    }
  })
}
