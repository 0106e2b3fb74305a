import { spawn } from 'node:child_process'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const START_TIMEOUT = 20_000

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo
      probe.close(() => resolve(port))
    })
  })
}

/** Starts `@portkey-ai/gateway` as its own process, allowed to call upstreams on this machine. */
export async function startPortkey(): Promise<{ url: string; close(): void }> {
  const port = await freePort()
  const folder = dirname(fileURLToPath(import.meta.resolve('@portkey-ai/gateway/package.json')))
  const child = spawn(
    process.execPath,
    [join(folder, 'build', 'start-server.js'), '--headless', `--port=${port}`],
    {
      stdio: 'ignore',
      env: { ...process.env, TRUSTED_CUSTOM_HOSTS: '127.0.0.1,localhost', NODE_ENV: 'production' },
    },
  )
  const url = `http://127.0.0.1:${port}`
  const close = () => child.kill('SIGKILL')
  process.once('exit', close)
  const deadline = performance.now() + START_TIMEOUT
  while (performance.now() < deadline) {
    if (child.exitCode !== null) break
    try {
      if ((await fetch(url)).status < 500) return { url, close }
    } catch {
      // Not listening yet.
    }
    await new Promise((done) => setTimeout(done, 50))
  }
  close()
  throw new Error('@portkey-ai/gateway did not start.')
}
