import type { Database } from './database.ts'
import { openEmbedded } from './embedded.ts'
import { migrate } from './migrate.ts'
import { openPostgres } from './postgres.ts'

/**
 * Opens the database and brings its schema up to date.
 * @param options.directory where PGlite keeps its files, if there is no `databaseUrl`.
 * @throws AssayError `conflict` | `config`
 */
export async function openDatabase(options: {
  directory: string
  databaseUrl?: string | undefined
}): Promise<Database> {
  const database =
    options.databaseUrl === undefined
      ? await openEmbedded(options.directory)
      : openPostgres(options.databaseUrl)
  try {
    await migrate(database)
  } catch (error) {
    await database.close()
    throw error
  }
  return database
}
