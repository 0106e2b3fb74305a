/** The same tests on both engines: PGlite in this process, and a real PostgreSQL server where one is installed. */
import { after, before, describe } from 'node:test'
import { temporaryFolder } from '../temporaryFolder.ts'
import { type PostgresServer, postgresMissing, startPostgres } from './startPostgres.ts'

/** Where a test's database is to be: an empty folder, or an empty database of a server. */
export type Place = { directory: string; databaseUrl?: string | undefined }

/** Runs `tests` once an engine. The place is empty, and made anew at each call. */
export function onEachEngine(name: string, tests: (newPlace: () => Promise<Place>) => void): void {
  describe(`${name}, on PGlite`, () => {
    tests(async () => ({ directory: temporaryFolder(name) }))
  })
  describe(`${name}, on PostgreSQL`, { skip: postgresMissing() }, () => {
    let server: PostgresServer
    before(async () => {
      server = await startPostgres()
    })
    after(() => server?.close())
    tests(async () => ({ directory: temporaryFolder(name), databaseUrl: await server.createDatabase() }))
  })
}
