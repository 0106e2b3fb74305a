import { fetchBounded, isLocal, pollLoop } from '@assay/chain'
import type { Network } from '@assay/protocol'
import { type Address, type PublicClient, parseEther } from 'viem'
import type { Sender } from '../chain/keyRegistry.ts'
import { findInclusion } from './findInclusion.ts'
import { forceChain } from './forceChain.ts'
import { createForcer, reasonOf } from './forceReceipts.ts'
import type { InclusionStore } from './inclusionStore.ts'

const ROUND_MS = 15_000
/** For a gateway's word on where a receipt is, milliseconds. */
const STATUS_TIMEOUT_MS = 10_000
/**
 * Forcing in takes 190,000 gas and paying out about as much again: a US cent or two where gas is as cheap as on Base. Of
 * the price 15 % are the node's, so below 1 OPG that is a loss for certain; who knows the price of OPG sets what it should
 * be.
 */
const DEFAULT_FORCE_MIN_PRICE = parseEther('1')

/**
 * Forces the node's receipts in until it is stopped.
 * @param parameters minPrice least price of a receipt that is forced, OPG base units; 'never' forces none
 */
export function startForcing(parameters: {
  client: PublicClient
  sender: Sender
  network: Network
  store: InclusionStore
  minPrice: bigint | 'never' | undefined
  log: (event: string, facts: Record<string, unknown>) => void
}): { stop: () => Promise<void> } {
  const { sender, network, store, minPrice = DEFAULT_FORCE_MIN_PRICE, log } = parameters
  if (minPrice === 'never') return { stop: () => Promise.resolve() }
  const chain = forceChain(parameters)
  const devnet = isLocal(network)
  const fetch = (url: string, maxBytes: number) =>
    fetchBounded(url, { maxBytes, timeoutMs: STATUS_TIMEOUT_MS, devnet })
  const operator = sender.address.toLowerCase() as Address
  return pollLoop({
    interval: ROUND_MS,
    round: createForcer({
      chain,
      store,
      findInclusion: findInclusion({ chain, fetch }),
      operator,
      minPrice,
      log,
    }),
    onError: (error) => log('force_failed', { reason: reasonOf(error) }),
  })
}
