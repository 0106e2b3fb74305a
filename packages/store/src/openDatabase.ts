import { join } from 'node:path'
import type { Database } from './database.ts'
import { openEmbedded } from './embedded.ts'
import { type Journalled, openJournal } from './journal/openJournal.ts'
import { migrate } from './migrate.ts'
import { openPostgres } from './postgres.ts'
import { groupWriter } from './writer.ts'

type StorePlace = {
  /** Where PGlite and its journal keep their files, if there is no `databaseUrl`. */
  directory: string
  databaseUrl?: string | undefined
}

/**
 * Opens the database, brings its schema up to date, and applies what a crash left in the journal.
 * @throws AssayError `conflict` | `config`
 */
export async function openStore({ directory, databaseUrl }: StorePlace): Promise<Journalled> {
  if (databaseUrl !== undefined) {
    await migrateServer(databaseUrl)
    const database = openPostgres(databaseUrl)
    return { database, writer: groupWriter(database), lagging: database }
  }
  const database = await openEmbedded(directory)
  try {
    await migrate(database)
    return await openJournal(database, join(directory, 'journal'))
  } catch (error) {
    await database.close()
    throw error
  }
}

/** Over connections of its own: a migration takes as long as it takes, and those who come second wait for it. */
async function migrateServer(databaseUrl: string): Promise<void> {
  const database = openPostgres(databaseUrl, { patient: true })
  try {
    await migrate(database)
  } finally {
    await database.close()
  }
}

/** The database alone, for whoever only reads or writes what no answer waits for. */
export async function openDatabase(place: StorePlace): Promise<Database> {
  return (await openStore(place)).database
}
