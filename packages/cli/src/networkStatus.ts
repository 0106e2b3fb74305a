import { publicClientOf } from '@assay/chain'
import { isProviderKeyName, type Network } from '@assay/protocol'
import { readHealth } from './up/health.ts'

/** One server and whether it answers. */
export type ServerStatus = { name: string; url: string; ok: boolean; detail: string }

/** Asks every server of the network how it is. Never throws: not answering is an answer. */
export async function networkStatus(network: Network): Promise<ServerStatus[]> {
  const servers = [
    { name: 'gateway', url: network.gatewayUrl },
    ...network.nodes.map(({ url }, at) => ({ name: numbered('node', at, network.nodes.length), url })),
    ...network.validators.map(({ url }, at) => ({
      name: numbered('validator', at, network.validators.length),
      url,
    })),
  ]
  return Promise.all([chainStatus(network), ...servers.map(serverStatus)])
}

function numbered(name: string, at: number, of: number): string {
  return of === 1 ? name : `${name} ${at + 1}`
}

async function serverStatus({ name, url }: { name: string; url: string }): Promise<ServerStatus> {
  const health = await readHealth(url)
  if (health === undefined) return { name, url, ok: false, detail: 'not ready' }
  const keys = awaitedKeys(health)
  const detail = [
    'ready',
    ...(health.simulated === true ? ['SIMULATED enclave'] : []),
    ...(keys.length === 0 ? [] : [`waits for the key of: ${keys.join(', ')} (assay node give-key)`]),
  ]
  return { name, url, ok: true, detail: detail.join(', ') }
}

/** Keys of providers that only a node's operator can give it. */
function awaitedKeys({ awaitedKeys: keys }: Record<string, unknown>): string[] {
  return Array.isArray(keys)
    ? keys.filter((name): name is string => typeof name === 'string' && isProviderKeyName(name))
    : []
}

async function chainStatus(network: Network): Promise<ServerStatus> {
  const head = { name: 'chain', url: network.rpcUrl }
  try {
    const client = publicClientOf(network)
    const [chainId, block] = await Promise.all([client.getChainId(), client.getBlockNumber()])
    if (chainId !== network.chainId) {
      return { ...head, ok: false, detail: `chain id ${chainId}, expected ${network.chainId}` }
    }
    return { ...head, ok: true, detail: `chain id ${chainId}, block ${block}` }
  } catch {
    return { ...head, ok: false, detail: 'does not answer' }
  }
}
