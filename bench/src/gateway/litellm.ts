import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort, type ServerProcess, startServerProcess } from './serverProcess.ts'

const PROGRAM = join(import.meta.dirname, '../../litellm/.venv/bin/litellm')

/** Why LiteLLM cannot be measured here; undefined where it can. */
export function litellmMissing(): string | undefined {
  return existsSync(PROGRAM) ? undefined : 'it is not installed; install it with: npm run bench:litellm'
}

/** Starts LiteLLM's proxy over an upstream, from the environment of its own that `npm run bench:litellm` makes. */
export async function startLiteLlm(
  folder: string,
  upstreamUrl: string,
): Promise<{ url: string; process: ServerProcess }> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const config = join(folder, 'litellm.yaml')
  writeFileSync(
    config,
    `model_list:\n  - model_name: bench\n    litellm_params:\n      model: openai/bench\n      api_base: ${upstreamUrl}/v1\n      api_key: none\n`,
  )
  const args = ['--config', config, '--host', '127.0.0.1', '--port', String(port)]
  // Its table of prices comes with it; without this it asks for a newer one over the network.
  const env = { LITELLM_LOCAL_MODEL_COST_MAP: 'True' }
  return { url, process: await startServerProcess('LiteLLM', args, env, `${url}/health/liveliness`, PROGRAM) }
}
