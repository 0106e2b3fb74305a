import type { Bundle } from '@assay/protocol'
import { BATCH_STATE, type ChainView } from '../chainView.ts'
import { failed, passed, type Step, skipped, step } from '../step.ts'
import { utc } from '../utc.ts'

/** The validators attested the batch and nobody disproved it in time. */
export function batchIsFinal({ inclusion }: Bundle, view: ChainView): Promise<Step> {
  return step('batchIsFinal', () => {
    const { batch } = view
    // A final batch says nothing about a receipt that is not shown to be in it.
    if (inclusion === undefined) return skipped('inclusion_absent', 'The bundle holds no inclusion proof.')
    if (batch === null) return failed('batch_unknown', 'The chain knows no such batch.')
    switch (batch.state) {
      case BATCH_STATE.final:
        return passed(`Final since ${utc(batch.finalisedAt)}.`)
      case BATCH_STATE.committed:
        return skipped('batch_pending', 'Committed; the validators have not reached a quorum yet.')
      case BATCH_STATE.attested:
        return skipped('batch_pending', 'Attested by a quorum; the challenge window is still open.')
      case BATCH_STATE.void:
        return failed('batch_void', 'The batch was voided.')
      case BATCH_STATE.expired:
        return failed('batch_void', 'The batch expired without a quorum.')
      default:
        return failed('batch_unknown', 'The chain knows no such batch.')
    }
  })
}
