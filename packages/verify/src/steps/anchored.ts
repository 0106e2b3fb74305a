import { MAX_AGE_SECONDS, type Receipt, SKEW_SECONDS } from '@assay/protocol'
import type { ChainView } from '../chainView.ts'
import { failed, passed, type Step, same, step } from '../step.ts'

/** The receipt was issued after a block it names and before its commit, so that a stolen key cannot backdate. */
export function anchored(receipt: Receipt, view: ChainView): Promise<Step> {
  return step('anchored', () => {
    const { anchor, batch } = view
    const { issuedAt } = receipt
    if (anchor === null) return failed('anchor_unknown', `The chain has no block ${receipt.anchorBlock}.`)
    if (!same(anchor.hash, receipt.anchorHash)) {
      return failed(
        'anchor_differs',
        `Block ${receipt.anchorBlock} is ${anchor.hash}, not ${receipt.anchorHash}.`,
      )
    }
    if (anchor.timestamp > issuedAt + SKEW_SECONDS) {
      return failed(
        'time_out_of_order',
        `The anchor (${anchor.timestamp}) is younger than the receipt (${issuedAt}).`,
      )
    }
    if (batch === null) return passed(`Issued after block ${receipt.anchorBlock}.`)
    if (issuedAt > batch.committedAt + SKEW_SECONDS) {
      return failed('time_out_of_order', `Issued at ${issuedAt}, after its commit at ${batch.committedAt}.`)
    }
    if (batch.committedAt > issuedAt + MAX_AGE_SECONDS) {
      return failed('time_out_of_order', `Committed at ${batch.committedAt}, over a day after ${issuedAt}.`)
    }
    return passed(`Issued between block ${receipt.anchorBlock} and the commit.`)
  })
}
