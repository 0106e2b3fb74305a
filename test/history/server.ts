import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'

const PACKAGES = path.resolve(import.meta.dirname, '..', '..', 'packages')
const RESTART_AFTER_MS = 200
const MAX_LOG_LINES = 200_000

/** One server process that comes back when it is killed. */
export type Server = {
  name: string
  url: string
  /** Everything it has printed, over all its lives. */
  log: string[]
  kill(): void
  /** SIGSTOP; `wake` is SIGCONT. */
  pause(): void
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
}): Server {
  const log: string[] = []
  const url = `http://127.0.0.1:${options.port}`
  let child: ChildProcess | undefined
  let retry: NodeJS.Timeout | undefined
  let closing = false

  function start(): void {
    const main = path.join(PACKAGES, options.package, 'src', 'main.ts')
    const started = spawn(process.execPath, [main], {
      env: { ...process.env, ...options.environment, ASSAY_PORT: String(options.port) },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    child = started
    const keep = (chunk: Buffer) => {
      if (log.length < MAX_LOG_LINES) log.push(...chunk.toString().split('\n').filter(Boolean))
    }
    started.stdout.on('data', keep)
    started.stderr.on('data', keep)
    started.once('exit', () => {
      if (!closing) retry = setTimeout(start, RESTART_AFTER_MS)
    })
  }
  start()
  // Also where the campaign itself ends in an error.
  process.once('exit', () => child?.kill('SIGKILL'))
  return {
    name: options.name,
    url,
    log,
    kill: () => void child?.kill('SIGKILL'),
    pause: () => void child?.kill('SIGSTOP'),
    wake: () => void child?.kill('SIGCONT'),
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
