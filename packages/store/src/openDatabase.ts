import { join } from 'node:path'
import type { Database } from './database.ts'
import { openEmbedded } from './embedded.ts'
import { type Journalled, openJournal } from './journal.ts'
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
  const database = databaseUrl === undefined ? await openEmbedded(directory) : openPostgres(databaseUrl)
  try {
    await migrate(database)
    if (databaseUrl !== undefined) return { database, writer: groupWriter(database) }
    return await openJournal(database, join(directory, 'journal'))
  } catch (error) {
    await database.close()
    throw error
  }
}

/** The database alone, for whoever only reads or writes what no answer waits for. */
export async function openDatabase(place: StorePlace): Promise<Database> {
  return (await openStore(place)).database
}
