import type { Network } from '@assay/protocol'
import { createPublicClient, defineChain, http, type PublicClient } from 'viem'

/** Reads of one moment travel together; the proxy and most providers take a hundred. */
const BATCH_SIZE = 100

/** Chain description that viem wants; everything in it comes from the network file. */
export function chainOf(network: Pick<Network, 'chainId' | 'rpcUrl'>) {
  return defineChain({
    id: network.chainId,
    name: `chain ${network.chainId}`,
    nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
    rpcUrls: { default: { http: [network.rpcUrl] } },
  })
}

/** Read-only client of a network's chain. Reads issued together travel as one batch; failed transports are retried. */
export function publicClientOf(
  network: Pick<Network, 'chainId' | 'rpcUrl'>,
  options: { retryCount?: number | undefined } = {},
): PublicClient {
  const transport = http(network.rpcUrl, {
    batch: { batchSize: BATCH_SIZE, wait: 0 },
    retryCount: options.retryCount ?? 3,
    retryDelay: 150,
    timeout: 15_000,
  })
  // Answers are never cached: a stale block number would make a finished wait look unfinished.
  return createPublicClient({ chain: chainOf(network), transport, pollingInterval: 250, cacheTime: 0 })
}
