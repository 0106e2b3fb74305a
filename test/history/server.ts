import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { temporaryFolder } from '../temporaryFolder.ts'

const PACKAGES = path.resolve(import.meta.dirname, '..', '..', 'packages')
const RESTART_AFTER_MS = 200
/** Where what was compiled once is kept for the next start: a third of a start's work. Gone with the process that makes it. */
const COMPILED = temporaryFolder('compiled')
/** Last lines that are kept of what it prints. */
const TAIL_LINES = 50

/** One server process that comes back when it is killed. */
export type Server = {
  name: string
  url: string
  /** The last lines that it has printed, over all its lives. */
  tail: readonly string[]
  /** Every line that names this, over all its lives. */
  linesAbout(name: string): string[]
  /** How it ended whenever nobody killed it after it had begun to serve. */
  failures: readonly string[]
  /** SIGKILL. @returns whether it ran */
  kill(): boolean
  /** SIGSTOP; `wake` is SIGCONT. @returns whether it ran */
  pause(): boolean
  wake(): void
  isHealthy(): Promise<boolean>
  /** SIGTERM, and SIGKILL where that does not do. */
  close(): Promise<void>
}

export function startServer(options: {
  name: string
  package: 'gateway' | 'node'
  port: number
  environment: Record<string, string>
  /** File that keeps all that it prints. */
  log: string
  /** Hears every line that it prints, over all its lives. */
  onLine?: ((line: string) => void) | undefined
}): Server {
  const tail: string[] = []
  const failures: string[] = []
  const url = `http://127.0.0.1:${options.port}`
  let child: ChildProcess | undefined
  let retry: NodeJS.Timeout | undefined
  let closing = false

  function start(): void {
    const main = path.join(PACKAGES, options.package, 'src', 'main.ts')
    const started = spawn(process.execPath, [main], {
      env: {
        ...process.env,
        NODE_COMPILE_CACHE: COMPILED,
        ...options.environment,
        ASSAY_PORT: String(options.port),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    child = started
    let hasServed = false
    const keep = (line: string) => {
      options.onLine?.(line)
      appendFileSync(options.log, `${line}\n`)
      hasServed ||= line.includes('"event":"listening"')
      tail.push(line)
      if (tail.length > TAIL_LINES) tail.shift()
    }
    for (const stream of [started.stdout, started.stderr]) createInterface(stream).on('line', keep)
    started.once('exit', (code, signal) => {
      if (closing) return
      // One that starts while the database is away may end by itself; a supervisor starts it again.
      if (hasServed && signal !== 'SIGKILL') {
        failures.push(`${options.name} ended by itself (${signal ?? code}): ${tail.slice(-5).join(' | ')}`)
      }
      retry = setTimeout(start, RESTART_AFTER_MS)
    })
  }
  const signal = (which: NodeJS.Signals) =>
    child !== undefined && child.exitCode === null && child.signalCode === null && child.kill(which)
  start()
  // Also where the campaign itself ends in an error.
  process.once('exit', () => child?.kill('SIGKILL'))
  return {
    name: options.name,
    url,
    tail,
    linesAbout: (name) =>
      existsSync(options.log)
        ? readFileSync(options.log, 'utf8')
            .split('\n')
            .filter((line) => line.includes(name))
        : [],
    failures,
    kill: () => signal('SIGKILL'),
    pause: () => signal('SIGSTOP'),
    wake: () => void signal('SIGCONT'),
    async isHealthy() {
      try {
        const response = await fetch(`${url}/health`, { signal: AbortSignal.timeout(2000) })
        await response.arrayBuffer()
        return response.status === 200
      } catch {
        return false
      }
    },
    async close() {
      closing = true
      clearTimeout(retry)
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
      const ended = once(child, 'exit')
      child.kill('SIGCONT')
      child.kill('SIGTERM')
      const patience = setTimeout(() => child?.kill('SIGKILL'), 15_000)
      await ended
      clearTimeout(patience)
    },
  }
}
