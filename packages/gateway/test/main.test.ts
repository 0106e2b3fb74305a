/** What an operator hears whose settings cannot work: words and an exit code, never a stack trace. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type PostgresServer, postgresMissing, startPostgres } from '../../../test/postgres/startPostgres.ts'
import { temporaryFolder } from '../../../test/temporaryFolder.ts'
import { GATEWAY_KEY, networkWith } from './fixtures.ts'

const MAIN = new URL('../src/main.ts', import.meta.url).pathname
const directory = temporaryFolder('gateway-main')
const network = join(directory, 'network.json')

/** Starts a gateway in front of a chain that is away. */
function start(settings: Record<string, string>): Promise<{ code: unknown; err: string }> {
  const env = {
    PATH: process.env.PATH,
    ...{ ASSAY_NETWORK: network, ASSAY_KEY: GATEWAY_KEY, ASSAY_DATA: directory, ASSAY_PORT: '0' },
    ...settings,
  }
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN], { env }, (error, _out, err) =>
      resolve({ code: error?.code ?? 0, err }),
    )
  })
}

let server: PostgresServer | undefined
before(async () => {
  // Port 9 is that of the discard service: nobody listens.
  writeFileSync(network, JSON.stringify({ ...networkWith([]), rpcUrl: 'http://127.0.0.1:9' }))
  if (postgresMissing() === false) server = await startPostgres()
})
after(() => server?.close())

type Case = { settings: () => Record<string, string>; code: number; says: RegExp; skip?: string | false }
const cases: Case[] = [
  { settings: () => ({ ASSAY_PORT: 'abc' }), code: 2, says: /ASSAY_PORT is not a port/ },
  { settings: () => ({ ASSAY_DRAIN_SECONDS: '1m' }), code: 2, says: /ASSAY_DRAIN_SECONDS cannot be read/ },
  { settings: () => ({ ASSAY_TLS_PORT: '70000' }), code: 2, says: /ASSAY_TLS_CERTIFICATE is not set/ },
  {
    settings: () => ({ ASSAY_TLS_PORT: '70000', ASSAY_TLS_CERTIFICATE: '/c', ASSAY_TLS_KEY: '/k' }),
    code: 2,
    says: /ASSAY_TLS_PORT is not a port/,
  },
  { settings: () => ({ DATABASE_URL: 'db:secret' }), code: 2, says: /DATABASE_URL is not the URL/ },
  // Nothing is not a server: the embedded database opens, and the chain is asked next.
  { settings: () => ({ DATABASE_URL: '' }), code: 1, says: /^The chain does not answer[\s\S]*Next: / },
  {
    settings: () => ({ DATABASE_URL: server?.url.replace(/postgres$/, 'absent') ?? '' }),
    code: 1,
    says: /reason: database "absent" does not exist/,
    skip: postgresMissing(),
  },
]

for (const { settings, code, says, skip = false } of cases) {
  test(`a gateway that cannot start says ${says}`, { skip }, async () => {
    const ended = await start(settings())
    assert.match(ended.err, says)
    assert.equal(ended.code, code)
    assert.doesNotMatch(ended.err, /^\s+at |secret|Request body/m)
  })
}
