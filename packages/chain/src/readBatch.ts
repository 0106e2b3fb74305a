import { type Network, settlementAbi } from '@assay/protocol'
import { BATCH_STATE, type BatchView } from '@assay/verify'
import type { Hex, PublicClient } from 'viem'

/** Settlement's record of a batch, null where the chain knows no such batch. @throws viem's errors where it does not answer */
export async function readBatch(
  client: PublicClient,
  network: Network,
  batchId: Hex,
  options: { blockNumber?: bigint | undefined } = {},
): Promise<BatchView | null> {
  const batch = await client.readContract({
    address: network.contracts.Settlement,
    abi: settlementAbi,
    functionName: 'batch',
    args: [batchId],
    ...(options.blockNumber === undefined ? {} : { blockNumber: options.blockNumber }),
  })
  if (batch.state === BATCH_STATE.none) return null
  const { challenges: _, ...known } = batch
  return { ...known, batchId }
}
