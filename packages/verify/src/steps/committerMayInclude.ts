import type { BatchEntry } from '@assay/protocol'
import type { ChainView } from '../chainView.ts'
import { failed, passed, type Step, same, skipped, step } from '../step.ts'

/**
 * The named committer batched it, or its time was up and anyone could; a call under a grant stands in its gateway's batches
 * alone, for nothing in it is the payer's word.
 */
export function committerMayInclude(
  { receipt, grant }: Pick<BatchEntry, 'receipt' | 'grant'>,
  view: ChainView,
): Promise<Step> {
  return step('committerMayInclude', () => {
    const { batch } = view
    if (batch === null) return skipped('inclusion_absent', 'There is no batch to look at.')
    if (same(batch.committer, receipt.committer)) return passed('The named gateway committed the batch.')
    if (grant !== undefined) {
      return failed(
        'committer_not_entitled',
        `${batch.committer} committed a call under a grant that only ${receipt.committer} may batch.`,
      )
    }
    return batch.committedAt > receipt.includeBy
      ? passed('Forced in after the named gateway let its time pass.')
      : failed(
          'committer_not_entitled',
          `${batch.committer} committed at ${batch.committedAt}; until ${receipt.includeBy} only ` +
            `${receipt.committer} could.`,
        )
  })
}
