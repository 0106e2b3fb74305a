import { type Deployment, VERDICT } from '@assay/protocol'
import { type BatchView, openBatchFile, verifyBatchReceipts } from '@assay/verify'
import { batchViews, type ReadView } from './batchViews.ts'

export type BatchJudgement =
  | { verdict: typeof VERDICT.valid | typeof VERDICT.invalid; reason: string }
  /** The bytes are not the committed ones: no statement can be made, so nothing is signed. */
  | { verdict: undefined; reason: string }

/**
 * What an honest validator says about a batch, given the bytes it fetched and the chain it reads.
 * @param read view of the chain for one receipt; its errors pass through, for a chain that does not answer proves nothing
 */
export async function judgeBatch(parameters: {
  deployment: Deployment
  batch: BatchView
  file: Uint8Array
  read: ReadView
}): Promise<BatchJudgement> {
  const { deployment, batch, file } = parameters
  const opened = openBatchFile(file, batch, deployment)
  if (opened.kind === 'foreign') return { verdict: undefined, reason: opened.reason }
  if (opened.kind === 'invalid') return { verdict: VERDICT.invalid, reason: opened.reason }
  const report = await verifyBatchReceipts(opened.batch, batchViews(batch, parameters.read))
  if (report.ok) return { verdict: VERDICT.valid, reason: `${batch.count} receipts hold` }
  const [first] = report.failures
  const codes = first?.steps.map((step) => step.code).join(', ')
  return { verdict: VERDICT.invalid, reason: `receipt ${first?.requestId}: ${codes}` }
}
