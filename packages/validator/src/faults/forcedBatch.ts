import { type BatchEntry, buildBatch, type Deployment } from '@assay/protocol'
import { BATCH_STATE } from '@assay/verify'
import type { ValidatorChain, WatchedBatch } from '../validatorChain.ts'
import type { BatchMemory } from './batchMemory.ts'

type ForcedBatch = WatchedBatch & { forced: BatchEntry }

/**
 * The file that a gateway would have published for the one receipt that was forced in. It leads to the same root, so what
 * is judged and proven of any batch is judged and proven of this one.
 */
export function forcedFile({ committer, height, forced }: ForcedBatch, deployment: Deployment): Uint8Array {
  return buildBatch({ deployment, committer, height, receipts: [forced] }).file
}

/**
 * Why a call that was forced in must not be paid: under a grant, rows are settled batch by batch, so what stands in an
 * earlier batch, whoever committed it, would be paid twice. Calls that pay for themselves are paid once by escrow, and
 * stand as often as they like. Nobody is guilty of it, for the one who forced it in may not have known.
 */
export async function repeatedCall(
  batch: ForcedBatch,
  context: { memory: Pick<BatchMemory, 'withCall'>; chain: Pick<ValidatorChain, 'batch'> },
): Promise<string | undefined> {
  if (batch.forced.grant === undefined) return undefined
  for (const { batchId } of context.memory.withCall(
    { batchId: batch.batchId },
    batch.forced.receipt.requestId,
  )) {
    const other = await context.chain.batch(batchId)
    if (other.state === BATCH_STATE.void || other.state === BATCH_STATE.expired) continue
    const earlier =
      other.committedBlock < batch.committedBlock ||
      (other.committedBlock === batch.committedBlock && other.batchId < batch.batchId)
    if (earlier) return `the call that was forced in stands in batch ${batchId} already`
  }
  return undefined
}
