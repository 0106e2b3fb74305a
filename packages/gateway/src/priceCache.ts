import type { PriceRow } from '@assay/protocol'
import type { Hex } from 'viem'
import type { GatewayChain } from './chain/gatewayChain.ts'

/** Prices fall at once and rise after a day's notice, so one that is seconds old never asks too little. */
const FRESH_MS = 5000

/** Price rows by model. A stale one is used while the next is being read; only the first look at a model waits. */
export function createPriceCache(chain: GatewayChain): (modelId: Hex) => Promise<PriceRow> {
  const cache = new Map<Hex, { at: number; row: Promise<PriceRow> }>()
  return (modelId) => {
    const known = cache.get(modelId)
    if (known !== undefined && performance.now() - known.at < FRESH_MS) return known.row
    const row = chain.price(modelId)
    const next = { at: performance.now(), row: known === undefined ? row : row.catch(() => known.row) }
    if (known === undefined) {
      cache.set(modelId, next)
      row.catch(() => cache.delete(modelId))
      return row
    }
    cache.set(modelId, { at: next.at, row: known.row })
    row.then(
      () => cache.set(modelId, next),
      () => {},
    )
    return known.row
  }
}
