import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort, type ServerProcess, startServerProcess } from './serverProcess.ts'

/**
 * Starts LiteLLM's proxy over an upstream, where `ASSAY_LITELLM` names its program, e.g. `venv/bin/litellm` of
 * `pip install 'litellm[proxy]==<version>'`. It is not installed for you: choose a release that you have checked, for 1.107.0
 * was reported to be compromised.
 */
export async function startLiteLlm(
  folder: string,
  upstreamUrl: string,
): Promise<{ url: string; process: ServerProcess } | undefined> {
  const program = process.env.ASSAY_LITELLM
  if (program === undefined || program === '') return undefined
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const config = join(folder, 'litellm.yaml')
  writeFileSync(
    config,
    `model_list:\n  - model_name: bench\n    litellm_params:\n      model: openai/bench\n      api_base: ${upstreamUrl}/v1\n      api_key: none\n`,
  )
  const args = ['--config', config, '--host', '127.0.0.1', '--port', String(port)]
  return {
    url,
    process: await startServerProcess('LiteLLM', args, {}, `${url}/health/liveliness`, program),
  }
}
