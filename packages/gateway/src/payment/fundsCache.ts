import type { Address } from 'viem'
import type { Funds, GatewayChain } from '../chain/gatewayChain.ts'

const MAX_PAYERS = 10_000
/** Funds change only with a block; the block time of the chains we settle on is one or two seconds. */
const FRESH_MS = 1000

export type FundsCache = { read(payer: Address): Promise<Funds>; forget(payer: string): void }

export function createFundsCache(chain: GatewayChain): FundsCache {
  const cache = new Map<string, { at: number; funds: Promise<Funds> }>()
  return {
    read(payer) {
      const key = payer.toLowerCase()
      const known = cache.get(key)
      if (known !== undefined && performance.now() - known.at < FRESH_MS) return known.funds
      const funds = chain.funds(payer)
      cache.delete(key)
      cache.set(key, { at: performance.now(), funds })
      funds.catch(() => cache.delete(key))
      // Insertion order is age, so the first is the oldest.
      const oldest = cache.size > MAX_PAYERS ? cache.keys().next().value : undefined
      if (oldest !== undefined) cache.delete(oldest)
      return funds
    },
    forget: (payer) => void cache.delete(payer.toLowerCase()),
  }
}
