import { isLocal, safeDial } from '@assay/chain'
import type { Network } from '@assay/protocol'
import type { Address } from 'viem'
import type { GatewayChain } from '../chain/gatewayChain.ts'
import type { Log } from '../log.ts'

/** Where a node is; `pinned` is the address that a stranger's name resolved to when it was judged. */
export type NodeAddress = {
  operator: Address
  url: string
  pinned?: { address: string; family: 4 | 6 } | undefined
}

/** Where a gateway's nodes come from. */
export type NodeSource =
  | 'network' // those that the network file lists
  | 'registry' // and everybody who is bonded on the chain

/**
 * The nodes that this gateway may use. A registered URL is a stranger's: it is dialled only where it leads to the public
 * internet, except on a chain of this machine. Gateways are bonded too: whoever does not answer as a node is left alone.
 */
export async function discoverNodes(
  source: NodeSource,
  { network, chain, log }: { network: Network; chain: Pick<GatewayChain, 'bondedOperators'>; log: Log },
): Promise<NodeAddress[]> {
  const listed: NodeAddress[] = network.nodes.map(({ operator, url }) => ({ operator, url }))
  if (source === 'network') return listed
  const known = new Set(listed.map(({ operator }) => operator.toLowerCase()))
  const strangers = (await chain.bondedOperators()).filter(
    ({ operator, url }) => !known.has(operator.toLowerCase()) && url !== network.gatewayUrl,
  )
  const judged = await Promise.all(
    strangers.map(async ({ operator, url }): Promise<NodeAddress[]> => {
      try {
        const { url: parsed, address, family } = await safeDial(url, { devnet: isLocal(network) })
        return [{ operator, url: parsed.origin, pinned: { address, family } }]
      } catch {
        log('node_refused', { operator, url: url.slice(0, 200) })
        return []
      }
    }),
  )
  return [...listed, ...judged.flat()]
}
