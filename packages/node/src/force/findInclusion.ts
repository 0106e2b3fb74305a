import {
  foldInclusion,
  inclusionFromJson,
  type Json,
  rootOfSingle,
  type SignedReceipt,
} from '@assay/protocol'
import { BATCH_STATE } from '@assay/verify'
import type { Address, Hex } from 'viem'
import type { ForceChain } from './forceChain.ts'

/** A receipt, its batch and the way to its root: far less than this. */
const MAX_STATUS_BYTES = 256 * 1024

export type FindInclusion = (signed: SignedReceipt) => Promise<Hex | undefined>

/**
 * The batch that holds a receipt, as its gateway shows it and the chain confirms it, or as somebody forced it in. A
 * gateway that is away, says nothing, or shows a way that leads nowhere, has not included it as far as anybody can tell.
 * @param fetch for URLs that a stranger wrote on the chain
 */
export function findInclusion(parameters: {
  chain: Pick<ForceChain, 'batch' | 'gatewayUrl' | 'forcedSince'>
  fetch: (url: string, maxBytes: number) => Promise<Uint8Array>
}): FindInclusion {
  const { chain, fetch } = parameters

  async function statedBy(gateway: Address, requestId: Hex) {
    try {
      const url = (await chain.gatewayUrl(gateway)).replace(/\/+$/, '')
      const bytes = await fetch(`${url}/v1/receipts/${requestId}`, MAX_STATUS_BYTES)
      const { inclusion } = JSON.parse(new TextDecoder().decode(bytes)) as { inclusion?: Json }
      return inclusion === null || inclusion === undefined ? undefined : inclusionFromJson(inclusion)
    } catch {
      return undefined
    }
  }

  async function leadsTo(batchId: Hex, root: () => Hex): Promise<boolean> {
    const batch = await chain.batch(batchId)
    if (batch === null || batch.state === BATCH_STATE.void || batch.state === BATCH_STATE.expired)
      return false
    try {
      return root() === batch.root
    } catch {
      // Sums beyond their width: no way to any root.
      return false
    }
  }

  return async (signed) => {
    const { committer, requestId, anchorBlock } = signed.receipt
    for (const batchId of await chain.forcedSince(requestId, anchorBlock)) {
      if (await leadsTo(batchId, () => rootOfSingle(signed))) return batchId
    }
    const stated = await statedBy(committer, requestId)
    if (stated === undefined) return undefined
    return (await leadsTo(stated.batchId, () => foldInclusion(signed, stated).hash))
      ? stated.batchId
      : undefined
  }
}
