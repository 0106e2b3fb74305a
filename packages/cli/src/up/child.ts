import { type ChildProcess, spawn } from 'node:child_process'
import path from 'node:path'
import { endProcess, identityOf, type ProcessIdentity } from '@assay/chain'
import { REPOSITORY } from '../home.ts'
import { openLog } from './logFile.ts'

export type ChildOptions = {
  /** Shown to the user, e.g. `validator 2`. */
  name: string
  /** Package whose `src/main.ts` is run. */
  package: 'node' | 'validator' | 'gateway'
  environment: Record<string, string>
  logFile: string
  /** Told when it ended by itself; `retryMilliseconds` is when it starts again. */
  onCrash(reason: string, retryMilliseconds: number): void
  /** Told whenever the set of running processes changed. */
  onChange(): void
}

/** A server process that is started again when it dies, until it is stopped. */
export type Child = {
  readonly name: string
  readonly logFile: string
  /** How often it died since it was first started. */
  crashes(): number
  identity(): ProcessIdentity | undefined
  stop(): Promise<void>
}

const FIRST_RETRY_MILLISECONDS = 250
/** Longest wait before a restart; ASSAY_RESTART_CEILING sets another, milliseconds. */
const LAST_RETRY_MILLISECONDS = Number(process.env.ASSAY_RESTART_CEILING) || 10_000
/** A process that ran this long was healthy: its next crash starts with the short delay again. */
const HEALTHY_MILLISECONDS = 30_000
/** A gateway ends its answers first, ten seconds of them, and looks for those that it had to cut off. */
const STOP_GRACE_MILLISECONDS = 16_000

export function startChild(options: ChildOptions): Child {
  const log = openLog(options.logFile)
  let running: { process: ChildProcess; identity: ProcessIdentity | undefined } | undefined
  let retry: NodeJS.Timeout | undefined
  let delay = FIRST_RETRY_MILLISECONDS
  let crashes = 0
  let stopping = false

  function start(): void {
    const startedAt = Date.now()
    // Its own process group: a terminal's ^C must reach only the supervisor, which stops the others in order.
    const child = spawn(
      process.execPath,
      [path.join(REPOSITORY, 'packages', options.package, 'src', 'main.ts')],
      {
        cwd: REPOSITORY,
        env: { ...process.env, ...options.environment },
        stdio: ['ignore', 'pipe', 'pipe'],
        detached: true,
      },
    )
    running = { process: child, identity: child.pid === undefined ? undefined : identityOf(child.pid) }
    child.stdout.on('data', log.write)
    child.stderr.on('data', log.write)
    let over = false
    const ended = (reason: string) => {
      if (over) return
      over = true
      running = undefined
      if (stopping) return
      crashes++
      if (Date.now() - startedAt >= HEALTHY_MILLISECONDS) delay = FIRST_RETRY_MILLISECONDS
      log.write(`supervisor: ${options.name} ended (${reason}); starting again in ${delay} ms\n`)
      options.onCrash(reason, delay)
      options.onChange()
      retry = setTimeout(start, delay)
      delay = Math.min(delay * 2, LAST_RETRY_MILLISECONDS)
    }
    child.on('error', (error) => ended(error.message))
    child.on('exit', (code, signal) => ended(signal ?? `exit ${code}`))
    options.onChange()
  }

  start()
  return {
    name: options.name,
    logFile: options.logFile,
    crashes: () => crashes,
    identity: () => running?.identity,
    async stop() {
      stopping = true
      clearTimeout(retry)
      if (running?.identity !== undefined) await endProcess(running.identity, STOP_GRACE_MILLISECONDS)
      log.close()
    },
  }
}
