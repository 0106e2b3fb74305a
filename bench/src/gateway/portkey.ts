import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort, type ServerProcess, startServerProcess } from './serverProcess.ts'

/** What a call through it says of where it goes. */
export const portkeyHeaders = (upstreamUrl: string): Record<string, string> => ({
  'x-portkey-provider': 'openai',
  'x-portkey-custom-host': `${upstreamUrl}/v1`,
  authorization: 'Bearer none',
})

/** Starts `@portkey-ai/gateway` as its own process, allowed to call upstreams on this machine. */
export async function startPortkey(): Promise<{ url: string; process: ServerProcess }> {
  const port = await freePort()
  const folder = dirname(fileURLToPath(import.meta.resolve('@portkey-ai/gateway/package.json')))
  const url = `http://127.0.0.1:${port}`
  const program = join(folder, 'build', 'start-server.js')
  const env = { TRUSTED_CUSTOM_HOSTS: '127.0.0.1,localhost' }
  const args = [program, '--headless', `--port=${port}`]
  return { url, process: await startServerProcess('@portkey-ai/gateway', args, env, url) }
}
