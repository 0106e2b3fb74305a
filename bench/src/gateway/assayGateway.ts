import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DEVELOPMENT_ROLES, developmentAccount, saveNetwork } from '@assay/chain'
import type { LocalNetwork } from '../localNetwork.ts'
import { freePort, type ServerProcess, startServerProcess } from './serverProcess.ts'

/** Starts our gateway as its own process, as it ships, batcher running; over the embedded database where none is named. */
export async function startAssayGateway(
  local: LocalNetwork,
  databaseUrl?: string,
): Promise<{ url: string; process: ServerProcess }> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const networkFile = join(local.folder, `network-${port}.json`)
  saveNetwork(networkFile, { ...local.network, gatewayUrl: url })
  const program = join(dirname(fileURLToPath(import.meta.resolve('@assay/gateway'))), 'main.ts')
  const env = {
    ASSAY_NETWORK: networkFile,
    ASSAY_KEY: developmentAccount(DEVELOPMENT_ROLES.gateway).privateKey,
    ASSAY_DATA: join(local.folder, `gateway-${port}`),
    ASSAY_PORT: String(port),
    ...(databaseUrl === undefined ? {} : { DATABASE_URL: databaseUrl }),
  }
  return { url, process: await startServerProcess('The gateway', [program], env, `${url}/health`) }
}
