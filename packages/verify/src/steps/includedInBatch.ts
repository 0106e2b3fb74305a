import { type Bundle, batchIdOf, foldInclusion, MAX_BATCH_RECEIPTS } from '@assay/protocol'
import type { ChainView } from '../chainView.ts'
import { failed, passed, type Step, same, skipped, step } from '../step.ts'

/** The proof leads from this receipt to the root and count that the chain holds. */
export function includedInBatch(bundle: Bundle, view: ChainView): Promise<Step> {
  return step('includedInBatch', () => {
    const { inclusion } = bundle
    const { batch } = view
    if (inclusion === undefined) return skipped('inclusion_absent', 'The bundle holds no inclusion proof.')
    if (!same(batchIdOf(inclusion), inclusion.batchId)) {
      return failed('inclusion_differs', 'The batch id is not that of the header beside it.')
    }
    const top = foldInclusion(bundle, inclusion)
    const { sum, exposure, count } = inclusion
    const folded = top.sum === sum && top.exposure === exposure && top.count === count
    if (!same(top.hash, inclusion.root) || !folded) {
      return failed('inclusion_differs', `The proof leads to ${top.hash}, not to the root ${inclusion.root}.`)
    }
    if (inclusion.count > BigInt(MAX_BATCH_RECEIPTS)) {
      return failed('inclusion_differs', `A batch of ${inclusion.count} receipts is invalid.`)
    }
    if (batch === null) return failed('batch_unknown', `The chain knows no batch ${inclusion.batchId}.`)
    // The sum is under the root and the data hash under the id, so the chain keeps neither.
    const equal =
      same(batch.batchId, inclusion.batchId) &&
      same(batch.committer, inclusion.committer) &&
      batch.height === inclusion.height &&
      same(batch.root, inclusion.root) &&
      batch.count === inclusion.count
    return equal
      ? passed(`Batch ${inclusion.batchId} holds the receipt.`)
      : failed('batch_differs', `The chain's batch ${batch.batchId} has another header.`)
  })
}
