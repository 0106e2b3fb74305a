/** A PostgreSQL server of the test's own: fsync on, a fresh cluster in a folder of its own, gone when it is closed. */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { freePorts } from '../freePorts.ts'
import { until } from '../until.ts'

export type PostgresServer = {
  /** Where it listens on 127.0.0.1. */
  port: number
  /** Of the database that everything starts from. */
  url: string
  /** A new, empty database. @returns its URL */
  createDatabase(): Promise<string>
  /** `fast` ends connections and shuts down in order; `crash` ends every process without a checkpoint. */
  stop(how: 'fast' | 'crash'): Promise<void>
  /** Starts it again on the same port and files. */
  start(): Promise<void>
  close(): Promise<void>
}

/** For the client programs that come with the server. */
const client = promisify(execFile)
/** Debian keeps the server's programs out of the PATH. */
const DEBIAN = '/usr/lib/postgresql'

function binaries(): string | undefined {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a)) : []
  const folders = [
    ...versions.map((version) => join(DEBIAN, version, 'bin')),
    ...(process.env.PATH ?? '').split(delimiter),
  ]
  return folders.find((folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres')))
}

/** The server refuses to run as root, so root hands it to the account that its package made. */
function account(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined
  const id = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { stdio: 'pipe' }))
  return { uid: id('-u'), gid: id('-g') }
}

/** Why no server can be started here, for a visible skip; false where one can. */
export function postgresMissing(): string | false {
  if (binaries() === undefined) return 'PostgreSQL is not installed; scripts/postgres.sh installs it'
  try {
    account()
  } catch {
    return 'PostgreSQL refuses to run as root and there is no account `postgres`'
  }
  return false
}

/** @throws Error where `postgresMissing` gives a reason */
export async function startPostgres(): Promise<PostgresServer> {
  const bin = binaries()
  if (bin === undefined) throw new Error(String(postgresMissing()))
  const identity = account()
  // A folder below one of root's own is out of its reach.
  const folder = mkdtempSync(join(identity === undefined ? tmpdir() : '/tmp', 'assay-postgres-'))
  const data = join(folder, 'data')
  const port = await freePorts(1)
  const url = `postgres://assay@127.0.0.1:${port}/postgres`
  const connection = ['-h', '127.0.0.1', '-p', String(port), '-U', 'assay']
  let server: ChildProcess | undefined
  let said = ''

  async function stop(how: 'fast' | 'crash'): Promise<void> {
    const running = server
    if (running === undefined) return
    server = undefined
    const ended = running.exitCode === null ? once(running, 'exit') : undefined
    // https://www.postgresql.org/docs/15/server-shutdown.html
    running.kill(how === 'fast' ? 'SIGINT' : 'SIGQUIT')
    await ended
  }

  async function isReady(): Promise<boolean> {
    try {
      await client(join(bin as string, 'pg_isready'), [...connection, '-d', 'postgres'])
      return true
    } catch {
      return false
    }
  }

  async function start(): Promise<void> {
    const child = spawn(
      join(bin as string, 'postgres'),
      ['-D', data, '-p', String(port), '-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories='],
      { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'], ...identity },
    )
    server = child
    child.stderr?.on('data', (chunk) => {
      said = (said + chunk).slice(-4000)
    })
    await until(
      () => {
        if (child.exitCode !== null) throw new Error(`PostgreSQL did not start:\n${said}`)
        return isReady()
      },
      () => `PostgreSQL to start:\n${said}`,
    )
  }

  async function close(): Promise<void> {
    process.off('exit', abandon)
    await stop('crash')
    rmSync(folder, { recursive: true, force: true })
  }
  function abandon(): void {
    server?.kill('SIGQUIT')
    rmSync(folder, { recursive: true, force: true })
  }
  process.once('exit', abandon)
  try {
    mkdirSync(data, { mode: 0o700 })
    if (identity !== undefined) for (const path of [folder, data]) chownSync(path, identity.uid, identity.gid)
    execFileSync(
      join(bin, 'initdb'),
      ['-D', data, '-U', 'assay', '--auth=trust', '--encoding=UTF8', '--no-locale', '--no-sync'],
      { cwd: folder, stdio: 'pipe', ...identity },
    )
    await start()
  } catch (error) {
    await close()
    throw error
  }
  let databases = 0
  return {
    port,
    url,
    async createDatabase() {
      const name = `test_${++databases}`
      await client(join(bin, 'createdb'), [...connection, name])
      return url.replace(/postgres$/, name)
    },
    stop,
    start,
    close,
  }
}
