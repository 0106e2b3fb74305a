import { type ChildProcess, spawn } from 'node:child_process'
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

/** Runs a server program until `readyUrl` answers, under the Node that runs this. */
export async function startServerProcess(
  name: string,
  args: string[],
  env: Record<string, string>,
  readyUrl: string,
): Promise<{ close(): Promise<void> }> {
  const child: ChildProcess = spawn(process.execPath, args, {
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
  const deadline = performance.now() + START_TIMEOUT
  while (performance.now() < deadline && child.exitCode === null) {
    try {
      if ((await fetch(readyUrl)).ok) return { close }
    } catch {
      // Not listening yet.
    }
    await new Promise((done) => setTimeout(done, 50))
  }
  kill()
  throw new Error(`${name} did not start.`)
}
