import { readBatch, readChainView } from '@assay/chain'
import type { Network } from '@assay/protocol'
import { batchViews, verifyBatchReceipts } from '@assay/verify'
import type { PublicClient } from 'viem'
import type { GatewayChain } from './gatewayChain.ts'

/** Judges the receipts of a batch as validators do, by the same checklist and what the same chain says. */
export function connectBadReceipts(
  network: Network,
  client: PublicClient,
): Pick<GatewayChain, 'badReceipts'> {
  return {
    async badReceipts(batch) {
      const committed = await readBatch(client, network, batch.batchId)
      if (committed === null) throw new Error('The chain does not know the batch.')
      const views = batchViews(committed, (entry) => readChainView(client, network, entry))
      const { failures } = await verifyBatchReceipts(batch, views, Number.POSITIVE_INFINITY)
      return new Map(
        failures.map(({ entry, steps }) => [
          entry.receipt.requestId,
          steps.map(({ code }) => code).join(', '),
        ]),
      )
    },
  }
}
