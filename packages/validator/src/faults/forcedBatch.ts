import { type BatchEntry, buildBatch, type Deployment } from '@assay/protocol'
import type { WatchedBatch } from '../validatorChain.ts'

type ForcedBatch = WatchedBatch & { forced: BatchEntry }

/**
 * The file that a gateway would have published for the one receipt that was forced in. It leads to the same root, so what
 * is judged and proven of any batch is judged and proven of this one.
 */
export function forcedFile({ committer, height, forced }: ForcedBatch, deployment: Deployment): Uint8Array {
  return buildBatch({ deployment, committer, height, receipts: [forced] }).file
}
