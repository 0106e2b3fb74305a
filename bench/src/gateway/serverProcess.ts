import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'

const START_TIMEOUT = 60_000

/** A port nobody listens on right now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo
      probe.close(() => resolve(port))
    })
  })
}

export type ServerProcess = {
  close(): Promise<void>
  /** Processor time it has used, all its threads together. */
  cpuSeconds(): number
  residentMiB(): number
}

/** Unit of the times in /proc. */
const ticksPerSecond = () => Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))

/** Runs a server program until `readyUrl` answers, under the Node that runs this unless another is named. */
export async function startServerProcess(
  name: string,
  args: string[],
  env: Record<string, string>,
  readyUrl: string,
  program = process.execPath,
): Promise<ServerProcess> {
  const child: ChildProcess = spawn(program, args, {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, NODE_ENV: 'production', ...env },
  })
  const ended = new Promise<void>((done) => child.once('exit', () => done()))
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  async function close(): Promise<void> {
    child.kill('SIGTERM')
    const patience = setTimeout(kill, 15_000)
    await ended
    clearTimeout(patience)
    process.off('exit', kill)
  }
  const perSecond = ticksPerSecond()
  const running: ServerProcess = {
    close,
    cpuSeconds() {
      // proc(5): fields 14 and 15, counted from the closing bracket of the name.
      const stat = readFileSync(`/proc/${child.pid}/stat`, 'utf8')
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      return (Number(fields[11]) + Number(fields[12])) / perSecond
    },
    residentMiB() {
      const [, kilobytes] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8')) ?? []
      return Number(kilobytes) / 1024
    },
  }
  const deadline = performance.now() + START_TIMEOUT
  while (performance.now() < deadline && child.exitCode === null) {
    try {
      if ((await fetch(readyUrl)).ok) return running
    } catch {
      // Not listening yet.
    }
    await new Promise((done) => setTimeout(done, 50))
  }
  kill()
  throw new Error(`${name} did not start.`)
}
