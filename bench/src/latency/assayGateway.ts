import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DEVELOPMENT_ROLES, developmentAccount, saveNetwork } from '@assay/chain'
import type { LocalNetwork } from '../localNetwork.ts'
import { freePort, startServerProcess } from './serverProcess.ts'

/** Starts our gateway as its own process, as it ships: embedded database, batcher running. */
export async function startAssayGateway(
  local: LocalNetwork,
): Promise<{ url: string; close(): Promise<void> }> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const networkFile = join(local.folder, 'network.json')
  saveNetwork(networkFile, { ...local.network, gatewayUrl: url })
  const program = join(dirname(fileURLToPath(import.meta.resolve('@assay/gateway'))), 'main.ts')
  const env = {
    ASSAY_NETWORK: networkFile,
    ASSAY_KEY: developmentAccount(DEVELOPMENT_ROLES.gateway).privateKey,
    ASSAY_DATA: join(local.folder, 'gateway'),
    ASSAY_PORT: String(port),
  }
  const { close } = await startServerProcess('The gateway', [program], env, `${url}/health`)
  return { url, close }
}
